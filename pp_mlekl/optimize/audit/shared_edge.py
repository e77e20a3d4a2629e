"""Climbs along an edge of the data's support that several parameters share."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np

from pp_mlekl.optimize.audit.support import edges_on_rays
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import DISTANCES, ROUGHLY, Climb, climbs, earliest, profile_paths
from pp_mlekl.typing import Array

# Where the edge is sought about its place for other values of the parameters that share it, in units of its size.
_INWARD, _OUTWARD = np.array([0.1, 1.0, 10.0, 100.0]), np.array([0.2, 2.0, 20.0, 200.0])
# The distance from an edge, as a share of its size, at which a profile begins at the nearest.
_BEGIN = 1e-4
# Relative moves of the values whose differences are taken: a path need not be exact.
_STEP = 1e-3


def climb_along_edge(objective: Objective, z: Array, value: float, space: Space) -> Climb | None:
    """The climb near the edge of the support that is nearest to a point z (d,), with all that share the edge following.

    The lower end of a generalised extreme value distribution is mu - sigma / xi. As it tends to an observation while xi grows
    like the logarithm of the distance, the likelihood of several equal observations there grows without limit, on a ridge as
    narrow as the distance. The distance from the edge, at given values of the others, takes the place of one parameter; the
    edge itself is found by bisection, so derivatives are differences of values.

    Parameters
    ----------
    objective
        What is maximised.
    z, value
        Where a search ended that did not converge, and the objective there.
    space
        The parameters.
    """
    size = np.where(np.isfinite(space.reach), 1.0, np.maximum(1.0, np.abs(z)))
    both = np.concatenate([np.diag(size), -np.diag(size)])
    edges, rays = edges_on_rays(objective, z, both, np.array([[1e-6], [1e-3], [1.0]]))
    if not len(edges):
        return None
    # One without a bound of its own, among the parameters on whose rays the nearest edge lies.
    places = rays % objective.size
    distances = np.abs(edges - z)[np.arange(len(edges)), places] / size[places]
    near = distances <= 1e3 * distances.min()
    row = min(np.flatnonzero(near).tolist(), key=lambda k: (bool(space.transformed[places[k]]), distances[k]))
    place, side = int(places[row]), 1.0 if rays[row] < objective.size else -1.0
    sharing = _sharing(objective, z, place, side, float(edges[row, place]))
    if not 1 < len(sharing) <= objective.tolerances.corner_parameters:
        return None
    restricted, index = objective.restricted(sharing, z), int(np.flatnonzero(sharing == place)[0])
    found = _profile(restricted, z[sharing], value, index, side, float(edges[row, place]))
    return found and replace(
        found,
        points=_embedded(found.points, sharing, z),
        direction=_embedded(found.direction[None], sharing, np.zeros(len(z)))[0],
        edge=None if found.edge is None else _embedded(found.edge[None], sharing, z)[0],
    )


def _sharing(objective: Objective, z: Array, place: int, side: float, edge: float) -> Array:
    """The coordinates that move the edge on the ray along one of them, with that one."""
    moved = z + _STEP * np.maximum(1.0, np.abs(z)) * np.eye(len(z))
    there = _edge(objective, moved, place, side, edge)
    shared = np.abs(there - edge) > 1e-3 * _STEP * max(1.0, abs(edge))
    shared[place] = True
    return np.flatnonzero(shared)


def _edge(objective: Objective, z: Array, place: int, side: float, near: float) -> Array:
    """The edge on the ray through each point (b, d) along a coordinate, (b,); NaN where there is none near ``near``."""
    size = max(1.0, abs(near))
    inside = np.repeat(z[None], len(_INWARD), axis=0)
    inside[:, :, place] = (near - side * size * _INWARD)[:, None]
    defined = objective.supported(inside.reshape(-1, z.shape[1])).reshape(inside.shape[:2])
    base = inside[np.argmax(defined, axis=0), np.arange(len(z))]
    ways = np.repeat(side * size * axes(np.array([place]), z.shape[1]), len(z), axis=0)
    edges, rows = edges_on_rays(objective, base, ways, _OUTWARD[:, None])
    result = np.full(len(z), np.nan)
    result[rows] = edges[:, place]
    result[~defined.any(axis=0)] = np.nan
    return result


def _profile(objective: Objective, z: Array, value: float, place: int, side: float, edge: float) -> Climb | None:
    start, size = z.copy(), max(1.0, abs(edge))
    start[place] = np.log(max(abs(edge - z[place]), _BEGIN * size))
    nearest = np.log(objective.tolerances.support_nearest * size)
    way = -axes(np.array([place]), len(z))
    distances = DISTANCES * (start[place] - nearest) / DISTANCES[-1]
    paths = profile_paths(_following(objective, place, side, edge), start[None], way, distances, close=ROUGHLY)
    climb = earliest(climbs(paths, way, value))
    if climb is None:
        return None
    points = climb.points.copy()
    there = _edge(objective, points, place, side, edge)
    points[:, place] = there - side * np.exp(points[:, place])
    last = points[-1].copy()
    last[place] = there[-1]
    return replace(climb, points=points, edge=last, direction=-side * climb.direction)


def _following(objective: Objective, place: int, side: float, edge: float) -> Objective:
    """The objective with the logarithm of a coordinate's distance from the edge in that coordinate's place."""

    def value(z: Array) -> Array:
        there = _edge(objective, z, place, side, edge)
        moved = z.copy()
        moved[:, place] = there - side * np.exp(z[:, place])
        moved[np.isnan(there)] = np.nan
        return np.nan_to_num(objective.value(moved), nan=-np.inf)

    def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
        return _differences(value, z)[: order + 1] if order else (value(z),)

    return replace(objective, evaluate=evaluate, product=None, support=None, derivatives=2)


def _differences(value: Callable[[Array], Array], z: Array) -> tuple[Array, Array, Array]:
    """Value (b,), gradient (b, d) and Hessian (b, d, d) by second-order central differences of the value."""
    count, size = z.shape
    step = _STEP * np.maximum(1.0, np.abs(z))
    pairs = np.array(list(combinations(range(size), 2))).reshape(-1, 2)
    single, double = np.eye(size), np.zeros((len(pairs), size))
    np.put_along_axis(double, pairs, 1.0, axis=1)
    moves = np.concatenate([np.zeros((1, size)), single, -single, double, -double])
    values = value((z + moves[:, None] * step).reshape(-1, size)).reshape(len(moves), count)
    with np.errstate(invalid="ignore"):
        middle, up, down = values[0], values[1 : size + 1], values[size + 1 : 2 * size + 1]
        both = values[2 * size + 1 :].reshape(2, len(pairs), count).sum(axis=0)
        hessian = np.zeros((count, size, size))
        diagonal = np.arange(size)
        hessian[:, diagonal, diagonal] = ((up - 2 * middle + down) / step.T**2).T
        sides = up + down
        i, j = pairs.T
        mixed = (both - sides[i] - sides[j] + 2 * middle) / (2 * step.T[i] * step.T[j])
        hessian[:, i, j] = hessian[:, j, i] = mixed.T
        return middle, ((up - down) / (2 * step.T)).T, hessian


def _embedded(points: Array, places: Array, base: Array) -> Array:
    result = np.repeat(base[None], len(points), axis=0)
    result[:, places] = points
    return result
