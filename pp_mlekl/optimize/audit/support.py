"""Climbs towards an edge of the data's support, where the density of an observation may grow without limit."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import DISTANCES, ROUGHLY, Climb, climb_through, climbs, earliest, profile_paths
from pp_mlekl.typing import Array

# Distances at which the rays from a point are looked at, in units of its size, or of a share of the reach.
_LOOKED_AT = np.array([1.0, 10.0, 100.0])
# Number of times that an interval is cut in 32: to the last of its 53 bits and beyond.
_SECTIONS, _SHARES = 11, np.arange(1, 32) / 32
# E-foldings of the distance from an edge: the nearest is still some thousand times the spacing of doubles.
_APPROACH = np.arange(1.0, 26.0)


def climb_into_edge(objective: Objective, inside: Array, end: Array) -> Climb | None:
    """The climb of a search that ended at an edge of the support, if the objective grows without limit on its way there.

    Parameters
    ----------
    objective
        What is maximised.
    inside
        A point (d,) well within the support, from which the edge is approached in a straight line.
    end
        Where the search ended, (d,): beyond it, on that line, the objective is minus infinity.

    Examples
    --------
    >>> objective = Objective(size=1, evaluate=lambda order, z, rows: (-np.log(2 - z[:, 0]) / 3,))
    >>> climb = climb_into_edge(objective, np.array([0.0]), np.array([1.999]))
    >>> round(climb.rate, 4), climb.edge.round(12).tolist()
    (0.3333, [2.0])
    """
    ways = (end - inside)[None]
    length = np.linalg.norm(ways)
    if not length > 0:
        return None
    edges, ends = edges_on_rays(objective, inside, ways, np.array([[1.0], [1.001], [1.1], [2.0]]))
    if not len(ends):
        return None
    points = edges[0] - np.exp(-_APPROACH)[:, None] * (edges[0] - inside)
    return climb_through(objective, points, _APPROACH, ways[0] / length, edge=edges[0])


def climb_to_support(objective: Objective, z: Array, value: float, space: Space) -> Climb | None:
    """The first climb from a maximum z (d,) towards an edge of the data's support, all else following.

    Towards the smallest observation a threshold's likelihood may grow without limit (three-parameter Weibull, gamma and
    lognormal distributions), far beyond the local maximum that is usually reported. One coordinate after the other is taken
    to where an observation gets density zero, and its distance from there takes the place of a scale.

    Parameters
    ----------
    objective
        What is maximised.
    z, value
        The maximum and the objective there.
    space
        The parameters.
    """
    if objective.size > objective.tolerances.profile_parameters:
        return None
    both = np.concatenate([np.eye(objective.size), -np.eye(objective.size)])
    size = np.where(np.isfinite(space.reach), 1.0, np.maximum(1.0, np.abs(z)))
    steps = _LOOKED_AT[:, None] * np.where(
        np.isfinite(space.reach), np.minimum(1.0, space.reach / _LOOKED_AT[-1]), size
    )
    edges, which = edges_on_rays(objective, z, both, np.concatenate([steps, steps], axis=1))
    found = []
    for edge, row in zip(edges, which, strict=True):
        place = int(row % objective.size)
        if not _of_a_density(objective, z, value, edge):
            continue
        found.extend(_profile(objective, z, value, place, edge))
    return earliest(found)


def edges_on_rays(objective: Objective, z: Array, ways: Array, steps: Array) -> tuple[Array, Array]:
    """The last points (e, d) on rays at which the objective is defined, and which of the rays they lie on.

    Parameters
    ----------
    z
        Where the rays begin, (d,) or (k, d).
    ways
        Shape (k, d).
    steps
        Increasing multiples of the ways that are looked at, (s, k) or (s, 1).
    """
    steps = np.broadcast_to(steps, (len(steps), len(ways)))
    z = np.broadcast_to(z, ways.shape)
    points = z + steps[..., None] * ways
    finite = objective.supported(points.reshape(-1, z.shape[1])).reshape(steps.shape)
    which = np.flatnonzero(~finite.all(axis=0))
    nearest = np.argmin(finite[:, which], axis=0)
    high = steps[nearest, which]
    low = np.where(nearest > 0, steps[np.maximum(nearest - 1, 0), which], 0.0)
    for _ in range(_SECTIONS):
        # A call costs more than a point.
        between = low + _SHARES[:, None] * (high - low)
        points = z[which] + between[..., None] * ways[which]
        defined = objective.supported(points.reshape(-1, z.shape[1])).reshape(between.shape)
        inside = np.logical_and.accumulate(defined, axis=0).sum(axis=0)
        grid = np.concatenate([low[None], between, high[None]])
        columns = np.arange(len(which))
        low, high = grid[inside, columns], grid[inside + 1, columns]
    return z[which] + high[:, None] * ways[which], which


def _of_a_density(objective: Objective, z: Array, value: float, edge: Array) -> bool:
    """Whether an edge may be that of an observation's density, which goes there like a power of the distance.

    Where a density overflows far more is lost; where the objective merely ceases to be defined (an inner maximisation that
    fails, say) it changes by less and less from one e-folding of the distance to the next.
    """
    values = objective.value(edge - objective.tolerances.support_near * np.exp(-np.arange(4.0))[:, None] * (edge - z))
    if not value - values[0] < objective.tolerances.support_overflow:
        return False
    with np.errstate(invalid="ignore"):
        changes = np.abs(np.diff(values))
    return not (changes[-1] < max(objective.tolerances.support_power, 0.5 * changes[0]))


def _profile(objective: Objective, z: Array, value: float, place: int, edge: Array) -> list[Climb]:
    """Climbs on the profile from z towards an edge of one coordinate."""
    approach = _approaching(objective, place, edge[place], float(np.sign(edge[place] - z[place])))
    start = z.copy()
    start[place] = np.log(abs(edge[place] - z[place]))
    nearest = np.log(objective.tolerances.support_nearest * max(1.0, abs(edge[place])))
    way = -axes(np.array([place]), len(z))
    distances = DISTANCES * (start[place] - nearest) / DISTANCES[-1]
    found = climbs(profile_paths(approach, start[None], way, distances, close=ROUGHLY), way, value)
    return [_back(climb, place, edge, z) for climb in found]


def _back(climb: Climb, place: int, edge: Array, z: Array) -> Climb:
    points = climb.points.copy()
    points[:, place] = edge[place] - np.sign(edge[place] - z[place]) * np.exp(points[:, place])
    last = points[-1].copy()
    last[place] = edge[place]
    return replace(climb, points=points, edge=last, direction=-climb.direction * np.sign(edge[place] - z[place]))


def _approaching(objective: Objective, place: int, edge: float, side: float) -> Objective:
    """The objective with the logarithm of a coordinate's distance from an edge in that coordinate's place."""

    def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
        moved = z.copy()
        distance = side * np.exp(z[:, place])
        moved[:, place] = edge - distance
        value, *derivatives = objective.evaluate(order, moved, rows)
        if derivatives:
            slope = derivatives[0].copy()
            bend = -distance * slope[:, place]
            slope[:, place] = bend
            derivatives[0] = slope
        if order == 2:
            hessian = derivatives[1].copy()
            hessian[:, place] *= -distance[:, None]
            hessian[:, :, place] *= -distance[:, None]
            hessian[:, place, place] += bend
            derivatives[1] = hessian
        return (value, *derivatives)

    return replace(objective, evaluate=evaluate, product=None, support=None)
