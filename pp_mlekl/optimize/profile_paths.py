"""Paths towards an edge of the parameter space: one direction is stepped along, the rest is maximised over."""

from dataclasses import dataclass, replace

import numpy as np

from pp_mlekl.optimize.numerical_noise import crosses_rounding
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

# Distances in e-foldings of a scale (or units of a logit); past 30 rounding takes over.
DISTANCES = np.array([0.5, 1.0, 2.0, 3.5, 5.0, 7.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0])
# A path has reached its limit where it is level on two steps of at least this length, in e-foldings.
_LONG = 1.0
# What a point of a path may miss where but its climb is looked for.
ROUGHLY = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class Climb:
    """A path along which the objective grows without limit.

    Parameters
    ----------
    direction
        Unit vector in z, (d,).
    rate
        Nats gained for each unit of z.
    crossing
        Distance from the start of the path at which the objective passes the value there.
    distances, values, points
        The path, (k,), (k,) and (k, d).
    edge
        Where the path ends at a finite point, (d,), beyond which the objective is minus infinity; ``distances`` are then
        e-foldings of the distance from there.
    """

    direction: Array
    rate: float
    crossing: float
    distances: Array
    values: Array
    points: Array
    edge: Array | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Paths:
    """Profiles along directions: values (k, b) and points (k, b, d) at distances (k, b); minus infinity where lost."""

    distances: Array
    values: Array
    points: Array
    tolerances: Tolerances


def profile_paths(
    objective: Objective,
    z: Array,
    directions: Array,
    distances: Array = DISTANCES,
    *,
    rows: Array | None = None,
    close: float = 0.0,
) -> Paths:
    """Step from each row of z along its unit direction, maximising over everything else at each step.

    Parameters
    ----------
    objective
        What to maximise.
    z, directions
        Starts and unit vectors, (b, d).
    distances
        Increasing distances along the directions, (k,) or (k, b).
    rows
        Which replicate each path belongs to, (b,), for objectives whose derivatives depend on it; the value must not.
    close
        How many nats each point of a path may miss, about; a path on which a climb is looked for need not be exact. Nor is
        such a path followed to its end where it has become level.
    """
    starts = objective.value(z)
    rows = np.zeros(len(z), dtype=int) if rows is None else rows
    distances = np.broadcast_to(distances if distances.ndim == 2 else distances[:, None], (len(distances), len(z)))
    values = np.full(distances.shape, -np.inf)
    points = np.repeat(z[None], len(distances), axis=0)
    current, previous = z.copy(), z.copy()
    position, last_step = np.zeros(len(z)), np.zeros(len(z))
    alive = np.flatnonzero(np.isfinite(starts))
    for k, distance in enumerate(distances):
        step = distance - position
        trial = current[alive] + (step[:, None] * directions)[alive]
        if k:
            ahead = (current - previous) * (step / last_step)[:, None]
            trial = _better(objective, trial, (current + ahead)[alive])
        ends = maximize(objective, trial, rows=rows[alive], held=directions[alive], max_iterations=25, close=close)
        previous[alive], current[alive] = current[alive], ends.z
        values[k, alive], points[k, alive] = ends.value, ends.z
        position, last_step = distance, step
        alive = alive[np.isfinite(ends.value) & _hopeful(objective, starts, distances, values, k)[alive]]
        if close:
            alive = alive[~_level(distances, values, k, objective.tolerances)[alive]]
        if not len(alive):
            break
    return Paths(
        distances=distances,
        values=_meant(objective, starts, z, values, points),
        points=points,
        tolerances=objective.tolerances,
    )


def _meant(objective: Objective, starts: Array, z: Array, values: Array, points: Array) -> Array:
    """The values (k, b), minus infinity from where a rising path has entered a region of mere noise."""
    with np.errstate(invalid="ignore"):
        rising = np.flatnonzero(
            np.any(np.diff(values, axis=0, prepend=starts[None]) > objective.tolerances.climb_rate, axis=0)
        )
    if not len(rising):
        return values
    before = np.concatenate([z[None], points[:-1]])[:, rising]
    shape = before.shape[:2]
    after = points[:, rising].reshape(-1, z.shape[1])
    noisy = crosses_rounding(objective, before.reshape(after.shape), after).reshape(shape)
    result = values.copy()
    result[:, rising] = np.where(np.logical_or.accumulate(noisy, axis=0), -np.inf, values[:, rising])
    return result


def _hopeful(objective: Objective, starts: Array, distances: Array, values: Array, k: int) -> Array:
    """Which paths may still climb back after step k, (b,) of bool."""
    with np.errstate(invalid="ignore"):
        lost = starts - values[k]
    few = lost < objective.tolerances.climb_loss
    if few.all() or k < 2:
        return lost < largest_loss(objective, objective.tolerances.climb_loss)
    before = np.concatenate([starts[None], values[: k + 1]])[-4:]
    gaps = np.diff(np.concatenate([np.zeros((1, len(starts))), distances[: k + 1]])[-4:], axis=0)
    with np.errstate(invalid="ignore"):
        rates = -np.diff(before, axis=0) / gaps
        steady = np.all(rates[1:] >= objective.tolerances.climb_steady * rates[:-1], axis=0)
    return few | ((lost < largest_loss(objective, objective.tolerances.climb_loss)) & ~steady)


def _level(distances: Array, values: Array, k: int, tolerances: Tolerances) -> Array:
    """Which paths have been level for two long steps up to step k, (b,) of bool: they are at their limit."""
    if k < 2:
        return np.zeros(values.shape[1], dtype=bool)
    with np.errstate(invalid="ignore"):
        still = np.abs(np.diff(values[k - 2 : k + 1], axis=0)) < tolerances.climb_level
    return np.all(still & (np.diff(distances[k - 2 : k + 1], axis=0) >= _LONG), axis=0)


def largest_loss(objective: Objective, least: float) -> float:
    """How much may be lost on a way that is still worth following."""
    return max(least, objective.tolerances.climb_loss_each * objective.terms)


def _better(objective: Objective, first: Array, second: Array) -> Array:
    choose = objective.value(second) > objective.value(first)
    return np.where(choose[:, None], second, first)


def climbs(paths: Paths, directions: Array, start: Array | float) -> list[Climb]:
    """Those of the paths along unit directions (b, d) on which the objective ends up growing without limit.

    Parameters
    ----------
    paths
        Profiles along the directions.
    directions
        Unit vectors, (b, d).
    start
        The value where the paths begin, (b,) or one for all.
    """
    starts = np.broadcast_to(start, len(directions))
    found = []
    for i, direction in enumerate(directions):
        rate, last = divergence(paths.distances[:, i], paths.values[:, i], paths.tolerances)
        if rate > 0:
            below = starts[i] - paths.values[last, i]
            crossing = float(paths.distances[last, i] + max(0.0, below) / rate)
            kept = slice(0, last + 1)
            found.append(
                Climb(
                    direction=direction,
                    rate=rate,
                    crossing=crossing,
                    distances=paths.distances[kept, i],
                    values=paths.values[kept, i],
                    points=paths.points[kept, i],
                )
            )
    return found


def straight_climb(objective: Objective, z: Array, direction: Array) -> Climb | None:
    """The climb from z (d,) along a unit direction, with nothing else following; None where the objective is on no climb."""
    return climb_through(objective, z + DISTANCES[:, None] * direction, DISTANCES, direction)


def climb_through(
    objective: Objective, points: Array, distances: Array, direction: Array, edge: Array | None = None
) -> Climb | None:
    """The climb through points (k, d) at distances (k,); None where the objective does not grow without limit on them."""
    values = objective.value(points)
    rate, last = divergence(distances, values, objective.tolerances)
    if not rate > 0:
        return None
    kept = slice(0, last + 1)
    return Climb(
        direction=direction,
        rate=rate,
        crossing=0.0,
        distances=distances[kept],
        values=values[kept],
        points=points[kept],
        edge=edge,
    )


def earliest(found: list[Climb]) -> Climb | None:
    """The climb that passes its start first; of those that do so together (components with labels to switch) the first."""
    return min(found, key=lambda climb: round(climb.crossing, 3), default=None)


def seen_from(climb: Climb, z: Array, value: float) -> Climb:
    """The climb with the distance at which it passes ``value`` measured from z (d,)."""
    place = int(np.argmax(climb.values > value)) if climb.values[-1] > value else -1
    beyond = float(value - climb.values[place]) / climb.rate
    way, point = climb.direction, climb.points[place]
    if climb.edge is None:
        gone = way @ (point - z)
    else:
        with np.errstate(divide="ignore"):
            gone = np.log(np.abs(way @ (climb.edge - z))) - np.log(np.abs(way @ (climb.edge - point)))
    return replace(climb, crossing=max(0.0, float(gone) + beyond))


def divergence(distances: Array, values: Array, tolerances: Tolerances) -> tuple[float, int]:
    """The rate at which values grow without limit, 0 if they do not, and the index of the last value trusted.

    A logarithmic singularity in the natural parameter is linear in z; a finite limit is approached
    exponentially there. Three successive positive rates that agree are a divergence; and so are rates that, far from the start, do
    not fall (a shape that follows slowly makes a singularity ever stronger).
    """
    finite = np.flatnonzero(np.isfinite(values))
    for last in finite[::-1][: max(0, len(finite) - 3)]:
        rates = np.diff(values[max(0, last - 4) : last + 1]) / np.diff(distances[max(0, last - 4) : last + 1])
        later = values[finite[finite > last]]
        if not np.all(np.isfinite(rates)) or _falls_back(values[last - 3], values[last], later):
            continue
        if (
            len(later) >= tolerances.climb_level_steps
            and np.ptp(later[-tolerances.climb_level_steps :]) < tolerances.climb_level
        ):
            # A climb that ends on a plateau has a supremum.
            continue
        three = rates[-3:]
        if three.min() > tolerances.climb_rate and np.ptp(three) < tolerances.climb_spread * three.mean():
            return float(three.mean()), int(last)
        if (
            distances[last] >= tolerances.climb_far
            and len(rates) == 4
            and rates[0] > tolerances.climb_rate
            and np.all(np.diff(rates) >= 0)
        ):
            return float(rates[-1]), int(last)
    return 0.0, 0


def _falls_back(before: float, reached: float, later: Array) -> bool:
    """Whether a climb came to its end: by more than rounding is lost what it had won."""
    return bool(len(later) and later.min() < reached - max(1.0, 0.1 * (reached - before)))
