"""Searches that did not come to rest, and the account of any search."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit import messages
from pp_mlekl.optimize.audit.collapses import held_in_rows
from pp_mlekl.optimize.audit.nonsmooth import climb_edges, climb_kinks
from pp_mlekl.optimize.audit.recession import runs_off
from pp_mlekl.optimize.audit.support import climb_into_edge, climb_to_support
from pp_mlekl.optimize.audit.verdict import Audit, Verdict
from pp_mlekl.optimize.curvature import curvature
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.numerical_noise import crosses_rounding, inexact
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import ROUGHLY, Climb, climbs, profile_paths
from pp_mlekl.optimize.solvers.result import EQUAL, Ends
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# The least jump of a slope at a kink.
_JUMP = 1e-8
# Distances at which slopes are compared, relative to the size of the point.
_NEAR = np.array([1e-6, 1e-8])
# Where rounding scatters the value by more than this share of it, a highest point is no kink.
_SCATTER = 1e-5
# A value is known to within so many times its scatter.
_SCATTERS = 3.0
# With more parameters the search along kinks, or into corners, takes too long.
_MOST_ALONG_KINKS = 30
_MOST_IN_CORNERS = 8
# Units, or multiples of its place, beyond the end of a climb at which it is looked at again.
_BEYOND = np.array([30.0, 100.0, 250.0])
# Steps in which what follows on a climb may come to rest at its end.
_LONGER = 50
# How far uphill of where a search is stuck others begin, relative to its size, and what is a jump: nats, and multiples of
# what the slope makes of the way.
_ACROSS = np.array([1e-6, 1e-3, 1e-1])
_LEAP, _STEEPER = 1e-6, 100.0
# How far from an edge an approach begins, relative to the size of the point.
_INSIDE = 0.01


def bare_verdict(objective: Objective, ends: Ends, row: int, modes: list[Mode], starts: int) -> Verdict:
    """A verdict yet to be reached, about the end of one search."""
    none = np.zeros((0, objective.size))
    return Verdict(
        status="failed",
        z=ends.z[row],
        value=float(ends.value[row]),
        gradient=ends.gradient[row],
        hessian=ends.hessian[row],
        warnings=(),
        null=none,
        run_off=none,
        covariance=np.broadcast_to(np.nan, (objective.size, objective.size)),
        irregular=none,
        audit=_audit(ends, row, modes, starts),
    )


def _audit(ends: Ends, row: int, modes: list[Mode], starts: int) -> Audit:
    hessian, size = ends.hessian[row], ends.z.shape[1]
    # The Hessian of a large problem is not there: what is known of its eigenvalues comes from elsewhere.
    known = not np.isnan(hessian[0, 0])
    eigenvalues = np.linalg.eigvalsh(-hessian) if known else np.array([np.nan])
    near = np.abs(ends.value - ends.value[row]) <= EQUAL * max(1.0, abs(ends.value[row]))
    return Audit(
        gradient_norm=float(np.linalg.norm(ends.gradient[row])),
        decrement=float(ends.decrement[row]),
        smallest_eigenvalue=float(eigenvalues[0]),
        largest_eigenvalue=float(eigenvalues[-1]),
        rank=curvature(hessian).rank if known else 0,
        size=size,
        starts=starts,
        agree=int(np.sum(ends.count[near & ((ends.state == "stationary") | (np.arange(len(near)) == row))])),
        iterations=ends.iterations,
        modes=tuple(modes),
    )


def unfinished(
    objective: Objective, ends: Ends, row: int, modes: list[Mode], space: Space, starts: int
) -> Verdict | None:
    """The verdict where the highest search did not come to rest."""
    verdict = bare_verdict(objective, ends, row, modes, starts)
    climb = climb_of_trail(objective, ends, row, space)
    if climb is not None:
        return messages.unbounded(replace(verdict, climb=climb), space)
    climb = _climb_into_edge(objective, ends, row, space)
    if climb is not None:
        return messages.unbounded(replace(verdict, climb=climb), space)
    trail = np.array([z[row] for z, _ in ends.trail])
    limit = runs_off(objective, verdict, trail, space)
    if limit is not None:
        return limit
    uphill = verdict.gradient / max(np.linalg.norm(verdict.gradient), 1e-300)
    ahead = verdict.z + np.array([1e-10, 1e-8, 1e-6])[:, None] * uphill * _size(verdict.z)
    beyond = objective.value(ahead)
    if ends.state[row] == "stuck" and not np.isfinite(beyond).any():
        if objective.support is not None and objective.supported(ahead).any():
            # The data have a density there: it is an inner maximisation that fails.
            return messages.failed(verdict, space, undefined=True)
        corner = _in_the_corner(objective, verdict)
        if not _is_kink(objective, corner, edge=True):
            return messages.failed(corner, space, undefined=True)
        return messages.at_support_edge(corner, corner.gradient if np.any(corner.gradient) else uphill, space)
    if ends.state[row] in ("stuck", "running"):
        beside = _on_the_kink(objective, verdict)
        if _is_kink(objective, beside):
            return messages.kink(beside, space)
        # Slopes may fail a search where a density does not: a climb that needs little of them may have gone on to infinity.
        limit = runs_off(objective, beside, np.array([verdict.z, beside.z]), space)
        if limit is not None:
            return limit
    return messages.failed(
        verdict, space, undefined=not np.isfinite(beyond).any() or _without_slopes(objective, verdict)
    )


def _without_slopes(objective: Objective, verdict: Verdict) -> bool:
    """Whether a little uphill of where a search stopped the objective or its derivatives are not numbers."""
    uphill = verdict.gradient / max(np.linalg.norm(verdict.gradient), 1e-300)
    points = verdict.z + np.array([1e-4, 1e-3, 1e-2])[:, None] * uphill * _size(verdict.z)
    highest = (
        objective.hessian(points) if objective.derivatives > 1 and not objective.large else objective.gradient(points)
    )
    return not np.isfinite(highest[0]).any()


def _size(z: Array) -> float:
    return max(1.0, float(np.abs(z).max()))


def climb_of_trail(objective: Objective, ends: Ends, row: int, space: Space) -> Climb | None:
    """Where a search ran off: profiles from the middle of its way, along the coordinates that moved most.

    The middle is that of its iterations; where little is moved after that, because the search crawls along a bent valley, it
    is that of its length.
    """
    z = np.array([point[row] for point, _ in ends.trail])
    best = int(np.argmax([value[row] for _, value in ends.trail]))
    gone = np.abs(z - z[0])[: best + 1]
    longest = gone[:, np.argmax(gone[-1])]
    for middle in (best // 2, int(np.argmax(longest >= 0.5 * longest[-1]))):
        climb = _climb_from(objective, z[middle], z[best]) or _climb_together(objective, z[middle], z[best], space)
        if climb is not None and _goes_on(objective, climb, space) and not _is_still_rising(objective, climb):
            return climb
    return None


def _climb_together(objective: Objective, middle: Array, end: Array, space: Space) -> Climb | None:
    """A climb as several scales shrink together, each of which takes the density to infinity; what is no scale follows."""
    moved = np.where(space.transformed, end - middle, 0.0)
    if np.count_nonzero(np.abs(moved) > 1.0) < 2:
        return None
    direction = moved[None] / np.linalg.norm(moved)
    restricted = held_in_rows(objective, space.transformed[None])
    paths = profile_paths(restricted, end[None], direction, close=ROUGHLY)
    found = climbs(paths, direction, float(objective.value(end[None])[0]))
    return found[0] if found else None


def _goes_on(objective: Objective, climb: Climb, space: Space) -> bool:
    """Whether a climb along a coordinate without a transform, whose unit need be no e-folding, goes on far beyond its end."""
    if not np.any(np.abs(climb.direction[~space.transformed]) > 0.5):
        return True
    beyond = _BEYOND * max(1.0, abs(float(climb.direction @ climb.points[-1])))
    paths = profile_paths(objective, climb.points[-1:], climb.direction[None], beyond, close=ROUGHLY)
    gains = paths.values[:, 0] - climb.values[-1]
    return bool(np.all(~np.isfinite(gains) | (gains > 0.5 * climb.rate * beyond)))


def _is_still_rising(objective: Objective, climb: Climb) -> bool:
    """Whether at the end of a climb as much is gained by staying there: what follows has not come to rest, and rises alone."""
    end = climb.points[-1:]
    ends = maximize(objective, end, held=climb.direction[None], max_iterations=_LONGER, close=ROUGHLY)
    gained = float(ends.value[0]) - float(climb.values[-1])
    return bool(gained > 0.5 * climb.rate * (climb.distances[-1] - climb.distances[-2]))


def _climb_from(objective: Objective, middle: Array, end: Array) -> Climb | None:
    moved = end - middle
    places = np.argsort(-np.abs(moved))[: min(4, len(moved))]
    places = places[np.abs(moved[places]) > 2.0]
    directions = axes(places, len(moved)) * np.sign(moved[places])[:, None]
    if not len(directions):
        return None
    paths = profile_paths(objective, np.repeat(middle[None], len(directions), axis=0), directions, close=ROUGHLY)
    found = climbs(paths, directions, float(objective.value(middle[None])[0]))
    return max(found, key=lambda c: (_leads(c), c.rate), default=None)


def _leads(climb: Climb) -> bool:
    """Whether no other coordinate moves farther along a climb: one that is held may but drag along what makes it rise."""
    moved = np.abs(climb.points[-1] - climb.points[0])
    return bool(np.abs(climb.direction) @ moved >= moved.max())


def _climb_into_edge(objective: Objective, ends: Ends, row: int, space: Space) -> Climb | None:
    """The climb towards an edge of the data's support that a search was on, with all else following or straight into it."""
    # Well inside the support there is room for an approach; a search may come near the edge within a few steps.
    for point, values in (ends.trail[len(ends.trail) // 4], ends.trail[min(2, len(ends.trail) - 1)]):
        climb = climb_to_support(objective, point[row], float(values[row]), space)
        if climb is not None:
            return climb
    z, slope = ends.z[row], ends.gradient[row]
    climb = climb_into_edge(objective, ends.trail[len(ends.trail) // 4][0][row], z)
    if climb is None and np.any(slope):
        # A search that crept along the edge has its steepest way straight into it.
        climb = climb_into_edge(objective, z - _INSIDE * _size(z) * slope / np.linalg.norm(slope), z)
    return climb


def beyond_jump(objective: Objective, verdict: Verdict, space: Space, max_iterations: int) -> Ends | None:
    """Searches that begin uphill of where one was stuck before a jump (from one formula to another), if they come higher."""
    slope = float(np.linalg.norm(verdict.gradient))
    if not 0 < slope < np.inf:
        return None
    size = max(1.0, float(np.abs(verdict.z).max()))
    starts = verdict.z + _ACROSS[:, None] * size * verdict.gradient / slope
    values = objective.value(starts)
    jump = abs(values[0] - verdict.value)
    if not np.isfinite(values).all() or jump < _LEAP + _STEEPER * slope * size * _ACROSS[0]:
        return None
    ends = maximize(objective, starts, reach=space.reach, max_iterations=max_iterations, keep_trail=True)
    if crosses_rounding(objective, np.broadcast_to(verdict.z, ends.z.shape), ends.z).any():
        # The jump is one of the steps by which a density loses its digits.
        return None
    return ends if ends.value.max() > verdict.value + EQUAL * max(1.0, abs(verdict.value)) else None


def _on_the_kink(objective: Objective, verdict: Verdict) -> Verdict:
    """The verdict moved on to where a search goes that follows kinks."""
    if _is_kink(objective, verdict) or objective.size > _MOST_ALONG_KINKS:
        return verdict
    (z,), (value,) = climb_kinks(objective, verdict.z[None])
    return replace(verdict, z=z, value=float(value), gradient=objective.gradient(z[None])[1][0])


def _in_the_corner(objective: Objective, verdict: Verdict) -> Verdict:
    """The verdict moved on along the edge of the data's support, to where several observations hold it."""
    if objective.size == 1 or objective.size > _MOST_IN_CORNERS:
        return verdict
    z, value = climb_edges(objective, verdict.z)
    return replace(verdict, z=z, value=value, gradient=objective.gradient(z[None])[1][0])


def _is_kink(objective: Objective, verdict: Verdict, edge: bool = False) -> bool:
    """Whether the point is a maximum although the gradient does not vanish: nothing near it is higher, but slopes jump.

    At an ``edge`` of the support they do so where there is nothing beyond.
    """
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(64, objective.size))
    if not objective.wide:
        along = np.eye(objective.size)
        directions = np.concatenate([along, -along, directions])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = np.array([1e-6, 1e-4, 1e-2]) * _size(verdict.z)
    points = verdict.z + distances[:, None, None] * directions
    around = objective.value(points.reshape(-1, objective.size))
    if not np.all(around <= verdict.value + 1e-12 * max(1.0, abs(verdict.value))):
        return False
    scatter = float(inexact(objective, verdict.z[None])[0])
    # Where nothing falls by more than rounding does there is no peak to be seen.
    if scatter > _SCATTER * max(1.0, abs(verdict.value)) or not verdict.value - around.min() > _SCATTERS * scatter:
        return False
    # At a kink slopes differ by as much however near; where the objective is but strongly curved, by less and less.
    near, nearer = (_jump(objective, verdict.z + distance * directions, edge) for distance in _NEAR * _size(verdict.z))
    return bool(nearer > max(0.5 * near, _JUMP))


def _jump(objective: Objective, points: Array, edge: bool) -> float:
    """By how much the slopes at points (k, d) differ; those where there is none count as 0, at an edge alone."""
    values, slopes = objective.gradient(points)
    seen = slopes if edge else slopes[np.isfinite(values)]
    return float(np.ptp(seen, axis=0).max()) if len(seen) else 0.0


def nothing(size: int, space: Space, ends: Ends | None = None) -> Verdict:
    """The verdict where no search came to rest anywhere."""
    why = f"the {space.what} is not finite at any start" if ends is None else "no search came to rest"
    return Verdict(
        status="failed",
        z=np.full(size, np.nan),
        value=np.nan,
        gradient=np.full(size, np.nan),
        hessian=np.broadcast_to(np.nan, (size, size)),
        warnings=(f"The search failed: {why}; give a start of your own.",),
        null=np.zeros((0, size)),
        run_off=np.zeros((0, size)),
        covariance=np.broadcast_to(np.nan, (size, size)),
        irregular=np.zeros((0, size)),
    )
