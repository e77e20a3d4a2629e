"""Whether the objective grows without limit.

Principle: a logarithmic singularity of a density in a natural parameter is linear in z, the logarithm of its distance, while a
finite limit is approached exponentially. So the objective diverges along a profile on which each unit of z gains as much as the
one before (``profile_paths.divergence``). Profiles are taken towards finite bounds of parameters, towards the ends of the
support of the data, and, where the point is not a regular maximum, of the coordinates that lie far from the origin.

Source: Kiefer and Wolfowitz (1956), Annals of Mathematical Statistics 27, 887-906, section 6, for mixtures; Cheng and Traylor
(1995), Journal of the Royal Statistical Society B 57, 3-44, for thresholds.

It does not see a singularity that grows more slowly than 0.02 nats for each e-folding, one whose path leads through a region
where the objective has lost more than any path wins back, one from a regular maximum to an end of the support that several
parameters share (where a search came near it, it is seen), and, in models of more than 40 parameters, one at an end of the
support or behind a component whose weight vanishes.
"""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.shared_edge import climb_along_edge
from pp_mlekl.optimize.audit.support import climb_into_edge, climb_to_support
from pp_mlekl.optimize.audit.verdict import Finding
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import axes
from pp_mlekl.optimize.profile_paths import (
    ROUGHLY,
    Climb,
    climbs,
    earliest,
    profile_paths,
    straight_climb,
)
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

# Units, or multiples of its place, beyond the end of a climb at which it is looked at again.
_BEYOND = np.array([30.0, 100.0, 250.0, 1e6, 1e13])
# Iterations in which the other coordinates may converge at the end of a path.
_LONGER = 50
# Maximum number of coordinates far from the origin that are followed, with and without a transform.
_MOST_FAR = 4
# Shares of the way from the origin to a point at which profiles to the ends of the support begin.
_INWARD = (0.5, 0.9)
# How far from an edge an approach begins, relative to the size of the point.
_INSIDE = 0.01
# Steps short enough for a location to follow the nearest observation as its scale shrinks, and those after the release.
_WITH_OTHERS_HELD = np.concatenate([np.arange(0.5, 6.1, 0.5), np.arange(7.0, 12.1)])
_RELEASED = np.arange(1.0, 9.1)
# It is no short way: only the first few edges are gone to, in problems of moderate size.
_MOST_EDGES = 6


def unbounded(point: Point) -> list[Finding]:
    """A divergence that passes the point (kind ``divergence``), or one that does so only far off (``elsewhere``)."""
    if not point.stationary:
        climb = _from_the_middle(point) or _into_the_support(point) or _straight(point)
        return [] if climb is None else [_divergence(climb, point.tolerances)]
    if point.suspicious.any():
        # Far along a divergence rounding can make a search look as if it had converged.
        climb = _from_the_middle(point)
        if climb is not None:
            return [_divergence(climb, point.tolerances)]
    climb = _towards_bounds(point)
    if climb is None:
        return []
    near = climb.crossing <= point.tolerances.climb_crossing
    return [(_divergence if near else elsewhere)(climb, point.tolerances)]


def elsewhere(climb: Climb, tolerances: Tolerances) -> Finding:
    """The finding of a divergence that leaves a maximum alone."""
    unit = "units of z to where it passes the point"
    return _finding("elsewhere", climb, climb.crossing, tolerances.climb_crossing, unit)


def _divergence(climb: Climb, tolerances: Tolerances) -> Finding:
    return _finding("divergence", climb, climb.rate, tolerances.climb_rate, "nats per unit of z")


def _finding(kind: str, climb: Climb, measured: float, threshold: float, unit: str) -> Finding:
    return Finding(
        test="unbounded",
        kind=kind,
        directions=climb.direction[None],
        measured=measured,
        threshold=threshold,
        unit=unit,
        climb=climb,
    )


def _towards_bounds(point: Point) -> Climb | None:
    """The first climb towards a bound of a parameter, or else towards an end of the support."""
    objective, edges = point.objective, point.edges
    if len(edges):
        climb = earliest(climbs(point.edge_profiles, edges, point.value))
        if climb is None and point.large is None and not point.suspicious.any():
            climb = _hidden(point)
        if climb is not None:
            return climb
    if point.large is not None or (point.suspicious.any() and (len(point.soft.run_off) or len(point.soft.null))):
        return None
    return climb_to_support(objective, point.z, point.value, point.space)


def _from_the_middle(point: Point) -> Climb | None:
    """Profiles from halfway between the origin and the point, along the coordinates that lie farthest out."""
    objective = point.objective
    moved = point.z - point.origin
    farthest = np.argsort(-np.abs(moved), kind="stable")
    # Distances of coordinates with and without a transform have no common unit.
    places = np.concatenate([farthest[point.space.transformed[farthest] == kind][:_MOST_FAR] for kind in (True, False)])
    places = places[np.abs(moved[places]) > point.tolerances.climb_distance]
    found: list[Climb] = []
    if len(places):
        directions = axes(places, len(moved)) * np.sign(moved[places])[:, None]
        starts = np.array([point.pulled_back(place, point.tolerances.climb_middle) for place in places.tolist()])
        values = objective.value(starts)
        defined = np.isfinite(values)
        starts, values, directions = starts[defined], values[defined], directions[defined]
        paths = profile_paths(objective, starts, directions, close=ROUGHLY)
        found = climbs(paths, directions, values)
    found.sort(key=lambda climb: (_leads(climb), climb.rate), reverse=True)
    together = [] if found else _together(point)
    for climb in [*found[:1], *together]:
        if _goes_on(point, climb) and not _is_still_rising(objective, climb):
            return climb
    return None


def _leads(climb: Climb) -> bool:
    """Whether no other coordinate moves farther along a climb: one that is held may but drag along what makes it rise."""
    moved = np.abs(climb.points[-1] - climb.points[0])
    return bool(np.abs(climb.direction) @ moved >= moved.max())


def _together(point: Point) -> list[Climb]:
    """A climb as several scales shrink together, each of which takes the density to infinity; what is no scale follows."""
    moved = np.where(point.space.transformed, point.z - point.origin, 0.0)
    if np.count_nonzero(np.abs(moved) > 1.0) < 2:
        return []
    direction = moved[None] / np.linalg.norm(moved)
    restricted = _held_in_rows(point.objective, point.space.transformed[None])
    middle = (point.z - (1.0 - point.tolerances.climb_middle) * moved)[None]
    value = point.objective.value(middle)
    if not np.isfinite(value[0]):
        return []
    return climbs(profile_paths(restricted, middle, direction, close=ROUGHLY), direction, value)


def _goes_on(point: Point, climb: Climb) -> bool:
    """Whether a climb along a coordinate without a transform, whose unit need be no e-folding, goes on far beyond its end."""
    if not np.any(np.abs(climb.direction[~point.space.transformed]) > 0.5):
        return True
    beyond = _BEYOND * max(1.0, abs(float(climb.direction @ climb.points[-1])))
    paths = profile_paths(point.objective, climb.points[-1:], climb.direction[None], beyond, close=ROUGHLY)
    gains = paths.values[:, 0] - climb.values[-1]
    return bool(np.all(~np.isfinite(gains) | (gains > point.tolerances.climb_goes_on * climb.rate * beyond)))


def _is_still_rising(objective: Objective, climb: Climb) -> bool:
    """Whether the other coordinates, which have not converged at the end of a path, gain as much by themselves."""
    end = climb.points[-1:]
    ends = maximize(objective, end, held=climb.direction[None], max_iterations=_LONGER, close=ROUGHLY)
    gained = float(ends.value[0]) - float(climb.values[-1])
    return bool(gained > objective.tolerances.climb_goes_on * climb.rate * (climb.distances[-1] - climb.distances[-2]))


def _straight(point: Point) -> Climb | None:
    """The first climb along a straight way on which nothing is lost."""
    for way in point.straight_ways:
        climb = straight_climb(point.objective, point.z, way)
        if climb is not None:
            return climb
    return None


def _into_the_support(point: Point) -> Climb | None:
    """The climb towards an end of the support near which a search ended, with all else following or straight into it."""
    objective, z, slope = point.objective, point.z, point.gradient
    # Well inside the support there is room for an approach.
    inside = [point.origin + share * (z - point.origin) for share in _INWARD]
    for start, value in zip(inside, objective.value(np.array(inside)), strict=True):
        climb = climb_to_support(objective, start, float(value), point.space) if np.isfinite(value) else None
        if climb is not None:
            return climb
    climb = climb_into_edge(objective, inside[0], z) or climb_along_edge(objective, z, point.value, point.space)
    if climb is None and np.any(slope):
        # A search that crept along the edge has its steepest way straight into it.
        climb = climb_into_edge(objective, z - _INSIDE * point.size * slope / np.linalg.norm(slope), z)
    return climb


def _hidden(point: Point) -> Climb | None:
    """The first climb towards a bound that is found when what ran off on the profile is held till near the bound.

    As the scale of one component of a mixture shrinks, its weight goes to zero first, where its location says nothing any
    more. With its weight held the location converges to an observation, and with the weight then set free the likelihood
    grows without limit.
    """
    objective, paths, edges = point.objective, point.edge_profiles, point.edges
    if objective.size > point.tolerances.profile_parameters:
        return None
    ran = (np.abs(paths.points - point.z).max(axis=0) > point.tolerances.climb_ran) & (edges == 0)
    chosen = np.flatnonzero(ran.any(axis=1))[:_MOST_EDGES]
    if not len(chosen):
        return None
    ways = edges[chosen]
    near = profile_paths(
        _held_in_rows(objective, ran[chosen]),
        np.repeat(point.z[None], len(chosen), axis=0),
        ways,
        _WITH_OTHERS_HELD,
        rows=np.arange(len(chosen)),
        close=ROUGHLY,
    )
    with np.errstate(invalid="ignore"):
        arrived = near.values[-1] - near.values[-2] > point.tolerances.climb_rate
    if not arrived.any():
        return None
    released = profile_paths(objective, near.points[-1, arrived], ways[arrived], _RELEASED, close=ROUGHLY)
    climb = earliest(climbs(released, ways[arrived], point.value))
    gone = _WITH_OTHERS_HELD[-1]
    return climb and replace(climb, crossing=climb.crossing + gone, distances=climb.distances + gone)


def _held_in_rows(objective: Objective, held: Array) -> Objective:
    """The objective for searches of which each leaves the coordinates alone that are ``held`` (b, d) in its row."""

    def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
        value, *derivatives = objective.evaluate(order, z, np.zeros_like(rows))
        free = 1.0 - held[rows]
        if derivatives:
            derivatives[0] = derivatives[0] * free
        if order == 2:
            identity = np.eye(objective.size) * held[rows][:, None, :]
            derivatives[1] = derivatives[1] * free[:, :, None] * free[:, None, :] - identity
        return (value, *derivatives)

    return replace(objective, evaluate=evaluate, product=None, support=None)
