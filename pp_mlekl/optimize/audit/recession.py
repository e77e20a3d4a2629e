"""Searches that run off to infinity, where the objective rises towards a finite supremum."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit import messages
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.curvature import losses_along, rays
from pp_mlekl.optimize.numerical_noise import crosses_rounding, inexact
from pp_mlekl.optimize.objective import ONLY_ROUNDING, Objective, rounding
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import profile_paths, straight_climb
from pp_mlekl.optimize.solvers.result import EQUAL
from pp_mlekl.typing import Array

# Multiples of a coordinate's size to which it is moved on along a bent way, and the share of a gain that the next, after as
# long a way as all before, may have: a supremum is finite where the gains are a geometric series.
# Half of them are there for what follows to keep up.
_DOUBLED = 2.0 ** np.arange(0.5, 7.1, 0.5) - 1
_STEPS = np.arange(2.5, 35.1, 2.5)
_LESS = 0.8
_MOST_ON_BENT_WAYS = 40
# So many points of a bent way are defined at least, and so many gains are the falling ones.
_KNOWN, _LATER = 4, 3
# Of the end of a bent way what moves less than this share of its longest coordinate is left out.
_STRAIGHT = 1e-3
# A value is known to within so many times its scatter.
_SCATTERS = 3.0
# Beside the coordinate that is stepped along another comes to rest where it moves by this share of what it did before.
_COMES_TO_REST = 0.6
# What is lost, in nats, on a way on which nothing is lost near by.
_LEVEL = 1e-2
# How much farther than a search a way must lead that it may have been on.
_FARTHER = 0.5
# Coordinates that have this share of the largest part in irregular directions, so many at most, may be what leads to infinity.
_INVOLVED, _MOST_INVOLVED = 0.3, 3
# A coordinate that has grown to this many times its size may be on its way to infinity.
_FROM_AFAR = 10.0


def runs_off(objective: Objective, verdict: Verdict, trail: Array, space: Space) -> Verdict | None:
    """The verdict on a search on its way to a limit at infinity: onwards nothing is lost, backwards much is; None if on none.

    Parameters
    ----------
    objective, verdict, space
        What is maximised, what is known of the end of the search, and the parameters.
    trail
        The points it went through, (t, d); where it stayed in the end they do not count. Some of its coordinates may have
        come to a kink (the location of a skew normal that becomes half-normal), so the way is also tried without what is
        small in it.
    """
    trail = trail[: 2 + int(np.flatnonzero(np.any(np.diff(trail, axis=0), axis=1)).max(initial=-1))]
    direction = verdict.z - trail[max(0, min(3 * len(trail) // 4, len(trail) - 2))]
    if np.linalg.norm(direction) <= 1.0:
        return None
    largest = np.abs(direction).max()
    bent = np.array([np.where(np.abs(direction) < share * largest, 0.0, direction) for share in (0.0, 0.01, 0.5)])
    # What moved farthest may have done so where it says nothing any more.
    moved = np.flatnonzero(np.abs(verdict.z - trail[0]) > 1.0)[:_MOST_ON_BENT_WAYS]
    alone = axes(moved, objective.size) * np.sign(verdict.z - trail[0])[moved, None]
    # One coordinate says it more simply than several, and says the same wherever the searches began.
    tried = np.concatenate([alone, -alone, bent / np.linalg.norm(bent, axis=1, keepdims=True)])
    near, everywhere = losses_along(objective, verdict.z, verdict.value, tried, space.reach)
    ahead = np.where(everywhere < _LEVEL, near, np.inf)
    # A search may have begun far out already: the way back leads beyond where it did.
    beyond = space.reach + np.abs(verdict.z - trail[0])
    back = losses_along(objective, verdict.z, verdict.value, -tried, beyond)[1]
    good = np.flatnonzero((ahead < 1e-6) & (back > 0.1))
    if len(good):
        for way in tried[good]:
            climb = straight_climb(objective, verdict.z, way)
            if climb is not None:
                return messages.unbounded(replace(verdict, climb=climb), space)
        # A finite edge says more than infinity.
        finite = [way for way in tried[good] if not space.limit(verdict.z, way).runs_off.any()]
        way = finite[0] if finite else tried[good[0]]
        return messages.at_the_edge(_moved_on(objective, replace(verdict, run_off=way[None]), space), space)
    return _bent(objective, verdict, direction, trail, space)


def _moved_on(objective: Objective, verdict: Verdict, space: Space) -> Verdict:
    """The verdict at the highest point that is known on the way to a supremum."""
    points = np.concatenate([verdict.z[None], rays(verdict.z, verdict.run_off, space.reach)[:, 0]])
    values, scatter = objective.value(points), inexact(objective, points)
    crossed = np.append(False, crosses_rounding(objective, points[:-1], points[1:]))
    known = np.logical_and.accumulate(np.isfinite(values) & (scatter < ONLY_ROUNDING) & ~crossed)
    best = int(np.argmax(np.where(known, values - _SCATTERS * scatter, -np.inf)))
    return replace(verdict, z=points[best], value=float(values[best]))


def runs_on(objective: Objective, verdict: Verdict, trail: Array, run_off: Array, space: Space) -> Verdict | None:
    """The verdict on an end at rest that a coordinate without a transform came to from far away, along a bent way; or None.

    Far out on the way to a supremum all slopes are rounding, and straight lines leave a bent valley (the limits between
    ordered categories that follow a coefficient) on both sides.

    Parameters
    ----------
    objective, verdict, trail, space
        As for ``runs_off``.
    run_off
        Straight ways to infinity (k, d) that were found; a coordinate on one of them is not looked at, unless much is lost
        on it in the end.
    """
    moved = np.where(space.transformed, 0.0, verdict.z - trail[0])
    place = int(np.argmax(np.abs(moved)))
    if abs(moved[place]) < _FROM_AFAR * max(1.0, abs(trail[0, place])):
        return None
    ahead = losses_along(objective, verdict.z, verdict.value, run_off, space.reach)[1] if len(run_off) else np.zeros(0)
    straight = run_off[~(np.isfinite(ahead) & (ahead > 0.1))]
    if np.any(np.abs(straight[:, place]) > 0.1):
        return None
    return _bent(objective, verdict, np.eye(objective.size)[place] * moved[place], trail, space)


def bends_away(objective: Objective, verdict: Verdict, trail: Array, space: Space) -> Verdict | None:
    """The verdict on an end at rest whose irregular directions lead to infinity along a bent way; None where none does.

    A slope that runs off while its product with a location stays (two doses with an infinitely steep curve between them)
    gains ever less with each e-folding, until all is rounding, and straight lines leave the way on both sides.

    Parameters
    ----------
    objective, verdict, trail, space
        As for ``runs_off``.
    """
    if objective.size > _MOST_ON_BENT_WAYS or not len(verdict.irregular):
        return None
    share = np.abs(verdict.irregular).max(axis=0)
    places = np.flatnonzero(space.transformed & (share > _INVOLVED * share.max()))
    # What leads to infinity is what was irregular, if it does.
    verdict = replace(verdict, singular=False)
    for place in places[np.argsort(-share[places], kind="stable")][:_MOST_INVOLVED].tolist():
        for sign in (1.0, -1.0):
            limit = _along_bent(objective, verdict, place, sign, trail, space)
            if limit is not None:
                return limit
    return None


def _bent(objective: Objective, verdict: Verdict, direction: Array, trail: Array, space: Space) -> Verdict | None:
    """The same along a bent way: each time the farthest coordinate is doubled less is gained, all else following.

    A transformed coordinate, whose unit is an e-folding, goes on by equal steps instead.
    """
    if objective.size > _MOST_ON_BENT_WAYS:
        return None
    for kind in (~space.transformed, space.transformed):
        moved = np.where(kind, direction, 0.0)
        place = int(np.argmax(np.abs(moved)))
        if moved[place]:
            limit = _along_bent(objective, verdict, place, float(np.sign(moved[place])), trail, space)
            if limit is not None:
                return limit
    return None


def _along_bent(
    objective: Objective, verdict: Verdict, place: int, sign: float, trail: Array, space: Space
) -> Verdict | None:
    """The same along one coordinate.

    At the end of a search the gains may be but rounding, so it is looked at from the middle of its way too.
    """
    way = sign * axes(np.array([place]), objective.size)
    gone = np.abs(trail[:, place] - trail[0, place])
    middle = int(np.argmax(gone >= 0.01 * gone[-1]))
    # A way from the middle that ends lower than the search did leads past its maximum.
    lowest = verdict.value - max(
        EQUAL * max(1.0, abs(verdict.value)), _SCATTERS * float(rounding(objective, verdict.z[None])[0])
    )
    for start in (verdict.z, trail[middle]):
        value = float(objective.value(start[None])[0])
        # Where a density's numbers give out soon, shorter steps still show where it goes.
        long = _STEPS if space.transformed[place] else max(1.0, abs(start[place])) * _DOUBLED
        for steps, every in ((long, 2), (_STEPS / 5, 1))[: 1 + bool(space.transformed[place])]:
            paths = profile_paths(objective, start[None], way, steps)
            points, values = paths.points[every - 1 :: every, 0], paths.values[every - 1 :: every, 0]
            known = int(np.logical_and.accumulate(np.isfinite(values)).sum())
            points, values = points[:known], values[:known]
            if known >= _KNOWN:
                break
        onto = known >= _KNOWN and sign * (points[-1, place] - verdict.z[place]) > _FARTHER
        if onto and values[-1] > lowest and _to_a_supremum(objective, value, points, values):
            onward = _lasting(points, place)
            limit = replace(verdict, z=points[-1], value=float(values[-1]))
            return messages.at_the_edge(replace(limit, run_off=onward[None] / np.linalg.norm(onward)), space)
    return None


def _lasting(points: Array, place: int) -> Array:
    """The direction (d,) of the end of a way through points (k, d), without what comes to rest on it."""
    middle = len(points) // 2
    first, second = points[middle] - points[0], points[-1] - points[middle]
    resting = np.abs(second / second[place]) < _COMES_TO_REST * np.abs(first / first[place])
    return np.where(resting | (np.abs(second) < _STRAIGHT * np.abs(second).max()), 0.0, second)


def _to_a_supremum(objective: Objective, value: float, points: Array, values: Array) -> bool:
    """Whether values (k,) at points (k, d) on a way from ``value`` rise all along, and from some place on by less and less."""
    gains = np.diff(values, prepend=value)
    noise = objective.precision * max(1.0, abs(value)) + rounding(objective, points).max()
    later = gains[int(np.argmax(gains)) :]
    falling = np.all(later[1:] < _LESS * later[:-1] + noise)
    return bool(np.all(gains[1:] > -noise) and falling and len(later) >= _LATER)
