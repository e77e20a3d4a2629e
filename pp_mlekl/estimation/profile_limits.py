"""Profiles followed from the maximum outwards, and where they have fallen far enough."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize.elementwise import find_root

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.bfgs import climb_kinks
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

_MAX_ITERATIONS = 60
# Factors by which the step grows after a step that is kept, and shrinks after one that is not.
_GROWTH, _CUT = 1.6, 0.25
# A profile that has not fallen within this many widths of the interval of a parabola has no limit.
_FARTHEST = 200.0
# Steps below this fraction of that width end a path.
_SHORTEST = 1e-9
_MAX_STEPS = 150
# The fall along a step may differ from the trapezoidal rule by this fraction of it, and by this fraction of the whole fall.
_OF_STEP, _OF_DROP = 0.5, 0.05
# A limit is accurate to this many nats of the profile.
_NATS = 1e-9
# A search that rounding stops is at its maximum where a Newton step promises less than this, in nats.
_SETTLED = 1e-6
# A profile levels off where its falls over one width after another shrink by this factor and are below this fraction of the
# fall that is looked for.
_SHRINKING, _LEVEL = 0.5, 0.01
# A profile above the maximum by this many nats, relative to its value, leads to another maximum.
_ABOVE = 1e-8
# Elements of the Hessians of one batch.
_BATCH = 2_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfilePath:
    """The profile of one coordinate.

    Parameters
    ----------
    coordinate
        Its place.
    points
        Maxima over all other coordinates, (n, d), in the order of the coordinate; the whole maximum is among them.
    limits
        Where the profile has fallen far enough: points (2, d) with infinite coordinates where it does not fall so far, NaN where
        it could not be followed.
    falls
        By how much the profile has fallen at its first and at its last point, in nats.
    reasons
        Why a limit is NaN; empty for the others.
    """

    coordinate: int
    points: Array
    limits: Array
    falls: tuple[float, float]
    reasons: tuple[str, str]

    def grid(self, centre: float, width: float, points: int) -> Array:
        """Values of the coordinate (points,): somewhat beyond its limits, or within a width of the centre where there are none."""
        limits, known = self.limits[:, self.coordinate], self.points[[0, -1], self.coordinate]
        known = np.clip(known, centre - width, centre + width)
        low, high = np.where(np.isfinite(limits), centre + 1.2 * (limits - centre), known)
        return np.linspace(low, high, points)

    def curve(self, objective: Objective, values: Array) -> tuple[Array, Array]:
        """The maxima (p, d) over all others where the coordinate has some values (p,), and the profile there (p,)."""
        known = self.points[:, self.coordinate]
        starts = np.stack([np.interp(values, known, column) for column in self.points.T], axis=-1)
        starts[:, self.coordinate] = values
        points, found, _ = constrained_maxima(objective, starts, np.full(len(values), self.coordinate))
        return points, found


def profile_paths(
    objective: Objective,
    z: Array,
    coordinates: Sequence[int],
    *,
    covariance: Array,
    drop: float,
    reach: Array | float = np.inf,
) -> list[ProfilePath]:
    """Follow the profiles of some coordinates from a maximum until they have fallen by ``drop`` nats on either side.

    A step begins on the tangent of the path and is kept where the maximum over the other coordinates is found and the profile's
    fall agrees with its slopes at both ends (the slope of a profile is the objective's own). A jump to another maximum,
    into a region where the objective is unbounded or out of the support of the data is so distinguished from the profile,
    and the step is shortened.

    Parameters
    ----------
    objective
        What is profiled.
    z
        Its maximum, (d,).
    coordinates
        The coordinates to profile.
    covariance
        Covariance of z, (d, d): its diagonal says how far to go first, its columns in which direction the maximum moves. It
        may hold NaN.
    drop
        In nats.
    reach
        How far each coordinate may go, (d,), before the profile counts as one that does not fall.

    Examples
    --------
    >>> peak = Objective(size=1, evaluate=lambda order, z, rows: (-(z[:, 0] ** 2), -2 * z, -2 * np.ones((len(z), 1, 1)))[: order + 1])
    >>> (path,) = profile_paths(peak, np.zeros(1), [0], covariance=np.array([[0.5]]), drop=2.0)
    >>> path.limits.round(6).tolist()
    [[-1.414214], [1.414214]]
    """
    size = max(1, _BATCH // (2 * objective.size**2))
    parts = [coordinates[i : i + size] for i in range(0, len(coordinates), size)]
    reach = np.broadcast_to(reach, z.shape)
    return [path for part in parts for path in _paths(objective, z, np.asarray(part), covariance, drop, reach)]


def constrained_maxima(objective: Objective, starts: Array, coordinates: Array) -> tuple[Array, Array, Array]:
    """Maximise over everything but one coordinate (b,) of each start (b, d): points, values, and slopes by that coordinate.

    Values are minus infinity where no maximum is found, slopes NaN where the maximum is a kink, along which the search
    continues.
    """
    size, places = starts.shape[1], np.arange(len(starts))
    ends = maximize(objective, starts, held=np.eye(size)[coordinates], max_iterations=_MAX_ITERATIONS)
    points, values, slopes = ends.z, ends.value.copy(), ends.gradient[places, coordinates]
    kinked = (ends.state == "stuck") & np.isfinite(values) & (ends.decrement > _SETTLED)
    for row in np.flatnonzero(kinked) if size > 1 else ():
        others = np.delete(np.arange(size), coordinates[row])
        follower = objective.restricted(others, points[row])
        (points[row, others],), (values[row],) = climb_kinks(follower, points[[row]][:, others])
        slopes[row] = np.nan
    values[(ends.state == "running") | (ends.state == "ran")] = -np.inf
    return points, values, slopes


@dataclass(kw_only=True, eq=False)
class _Walk:
    """One side of a path: the points that were kept, in the order in which they were met."""

    coordinate: int
    side: float
    step: float
    width: float
    farthest: float
    tangent: Array
    points: list[Array]
    values: list[float]
    slope: float = 0.0
    state: str = "active"
    reason: str = ""

    @property
    def start(self) -> Array:
        """Where the next maximum is looked for."""
        point = self.points[-1] + self.side * self.step * self.tangent
        point[self.coordinate] = self.points[-1][self.coordinate] + self.side * self.step
        return point

    @property
    def gone(self) -> float:
        """The distance from the maximum."""
        return float(abs(self.points[-1][self.coordinate] - self.points[0][self.coordinate]))

    def levels_off(self, drop: float) -> bool:
        """Whether the falls over the last two widths are those of a geometric series with a sum that does not reach ``drop``."""
        if self.gone < 2 * self.width:
            return False
        distances = np.abs(np.array(self.points)[:, self.coordinate] - self.points[0][self.coordinate])
        falls = self.values[0] - np.array(self.values)
        before, between, now = np.interp(self.gone - self.width * np.array([2, 1, 0]), distances, falls)
        first, second = between - before, now - between
        if not abs(second) <= min(_SHRINKING * first, _LEVEL * drop):
            return False
        share = second / first if first > 0 else 0.0
        return bool(now + second * share / (1 - share) < drop)


def _paths(
    objective: Objective, z: Array, coordinates: Array, covariance: Array, drop: float, reach: Array
) -> list[ProfilePath]:
    top = float(objective.value(z[None])[0])
    walks = [_begun(z, top, j, side, covariance, drop, reach[j]) for j in coordinates for side in (-1.0, 1.0)]
    for _ in range(_MAX_STEPS):
        active = [walk for walk in walks if walk.state == "active"]
        if not active:
            break
        held = np.array([walk.coordinate for walk in active])
        starts = _feasible(objective, np.array([[w.start, _moved(w.points[-1], w)] for w in active]))
        for walk, point, value, slope in zip(active, *constrained_maxima(objective, starts, held), strict=True):
            _advance(walk, point, float(value), float(slope), drop)
    limits = _limits(objective, walks, top, drop)
    result = []
    for k in range(0, len(walks), 2):
        low, high = walks[k : k + 2]
        result.append(
            ProfilePath(
                coordinate=low.coordinate,
                points=np.array([*low.points[:0:-1], *high.points]),
                limits=limits[k : k + 2],
                falls=(top - low.values[-1], top - high.values[-1]),
                reasons=(low.reason, high.reason),
            )
        )
    return result


def _begun(z: Array, top: float, j: int, side: float, covariance: Array, drop: float, reach: float) -> _Walk:
    width = float(np.sqrt(2 * drop * covariance[j, j]))
    tangent = covariance[:, j] / covariance[j, j]
    tangent = tangent if np.all(np.isfinite(tangent)) else np.eye(len(z))[j]
    farthest = min(reach, _FARTHEST * width)
    return _Walk(
        coordinate=j,
        side=side,
        step=min(width, farthest),
        width=width,
        farthest=farthest,
        tangent=tangent,
        points=[z],
        values=[top],
    )


def _moved(point: Array, walk: _Walk) -> Array:
    """The last point with the coordinate alone moved on."""
    result = point.copy()
    result[walk.coordinate] += walk.side * walk.step
    return result


def _feasible(objective: Objective, points: Array) -> Array:
    """The highest point (b, d) in each row of points (b, c, d)."""
    values = objective.value(points.reshape(-1, objective.size)).reshape(points.shape[:2])
    return points[np.arange(len(points)), np.argmax(values, axis=1)]


def _advance(walk: _Walk, point: Array, value: float, slope: float, drop: float) -> None:
    """Keep a step or shorten the next; see whether the path ends."""
    last, top = walk.values[-1], walk.values[0]
    expected = walk.side * walk.step * 0.5 * (walk.slope + slope)
    kept = np.isfinite(value)
    if kept and np.isfinite(expected):
        kept = abs(value - last - expected) <= _OF_STEP * abs(value - last) + _OF_DROP * drop
    elif kept:
        # Beside a kink nothing says how far a profile rises.
        kept = value <= last + _OF_DROP * drop
    if kept and value - top > _ABOVE * max(1.0, abs(top)):
        walk.state, walk.reason = "ended", "the likelihood is larger there than at the estimate"
    elif kept:
        walk.tangent = walk.side * (point - walk.points[-1]) / walk.step
        walk.points.append(point)
        walk.values.append(value)
        walk.slope = slope
        walk.step = min(_GROWTH * walk.step, walk.farthest - walk.gone)
        if top - value > drop:
            walk.state = "crossed"
        elif walk.levels_off(drop) or walk.step <= _SHORTEST * walk.width:
            walk.state = "open"
    else:
        walk.step *= _CUT
        if walk.step < max(_SHORTEST * walk.width, 4 * np.spacing(abs(walk.points[-1][walk.coordinate]))):
            walk.state = "ended"
            walk.reason = "the other parameters have no maximum beyond it (the data leave the support, or the likelihood is unbounded)"


def _limits(objective: Objective, walks: Sequence[_Walk], top: float, drop: float) -> Array:
    """Where walks have fallen by ``drop``, (w, d)."""
    limits = np.full((len(walks), objective.size), np.nan)
    for k, walk in enumerate(walks):
        if walk.state == "open":
            limits[k] = walk.points[0]
            limits[k, walk.coordinate] = walk.side * np.inf
    places = np.array([k for k, walk in enumerate(walks) if walk.state == "crossed"], dtype=int)
    if not len(places):
        return limits
    held = np.array([walk.coordinate for walk in walks])
    inner, outer = (np.array([walk.points[max(i, -len(walk.points))] for walk in walks]) for i in (-2, -1))

    def maxima(values: Array, rows: Array) -> tuple[Array, Array]:
        here, first, last = held[rows], inner[rows], outer[rows]
        ends = first[np.arange(len(rows)), here], last[np.arange(len(rows)), here]
        share = ((values - ends[0]) / (ends[1] - ends[0]))[:, None]
        candidates = np.stack([first + share * (last - first), first, last], axis=1)
        candidates[np.arange(len(rows)), :, here] = values[:, None]
        points, found, _ = constrained_maxima(objective, _feasible(objective, candidates), here)
        return points, found

    def excess(values: Array, rows: Array) -> Array:
        # The root of the deviance is nearly linear.
        found = maxima(values, rows)[1]
        return np.where(np.isfinite(found), np.sqrt(np.maximum(top - found, 0.0)) - np.sqrt(drop), np.nan)

    bracket = (inner[places, held[places]], outer[places, held[places]])
    root = find_root(excess, bracket, args=(places,), tolerances={"fatol": _NATS / (2 * np.sqrt(drop))})
    limits[places] = maxima(root.x, places)[0]
    limits[places, held[places]] = np.where(root.success, root.x, np.nan)
    for place, success in zip(places.tolist(), root.success, strict=True):
        walks[place].reason = "" if success else "the profile has a jump there"
    return limits
