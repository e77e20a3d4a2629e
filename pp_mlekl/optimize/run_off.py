"""Searches that run off to infinity, where the objective rises towards a finite supremum."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize import words
from pp_mlekl.optimize.curvature import losses_along
from pp_mlekl.optimize.objective import Objective, rounding
from pp_mlekl.optimize.paths import profile_paths
from pp_mlekl.optimize.space import Space, axes
from pp_mlekl.optimize.verdict import Verdict

Array = np.ndarray

# Multiples of a coordinate's size to which it is moved on along a bent way, and the share of a gain that the next, after as
# long a way as all before, may have: a supremum is finite where the gains are a geometric series.
_DOUBLED = 2.0 ** np.arange(1, 8) - 1
_LESS = 0.8
_MOST_ON_BENT_WAYS = 40


def runs_off(objective: Objective, verdict: Verdict, trail: Array, space: Space) -> Verdict | None:
    """The verdict on a search on its way to a limit at infinity: onwards nothing is lost, backwards much is; None if on none.

    Parameters
    ----------
    objective, verdict, space
        What is maximised, what is known of the end of the search, and the parameters.
    trail
        The points it went through, (t, d). Some of its coordinates may have come to a kink (the location of a skew normal
        that becomes half-normal), so the way is also tried without what is small in it.
    """
    direction = verdict.z - trail[3 * len(trail) // 4 if len(trail) > 2 else 0]
    if np.linalg.norm(direction) <= 1.0:
        return None
    largest = np.abs(direction).max()
    rays = np.array([np.where(np.abs(direction) < share * largest, 0.0, direction) for share in (0.0, 0.01, 0.5)])
    # What moved farthest may have done so where it says nothing any more.
    moved = np.flatnonzero(np.abs(verdict.z - trail[0]) > 1.0)[:_MOST_ON_BENT_WAYS]
    alone = axes(moved, objective.size) * np.sign(verdict.z - trail[0])[moved, None]
    rays = np.concatenate([rays, alone])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    ahead = losses_along(objective, verdict.z, verdict.value, rays, space.reach)[0]
    # A search may have begun far out already: the way back leads beyond where it did.
    beyond = space.reach + np.abs(verdict.z - trail[0])
    back = losses_along(objective, verdict.z, verdict.value, -rays, beyond)[1]
    good = np.flatnonzero((ahead < 1e-6) & (back > 0.1))
    if len(good):
        return words.at_the_edge(replace(verdict, run_off=rays[good[:1]]), space)
    return _bent(objective, verdict, direction, trail, space)


def _bent(objective: Objective, verdict: Verdict, direction: Array, trail: Array, space: Space) -> Verdict | None:
    """The same along a bent way: each time the farthest coordinate is doubled less is gained, all else following.

    At the end of a search the gains may be but rounding, so it is looked at from the middle of its way too.
    """
    place = int(np.argmax(np.abs(direction)))
    if space.transformed[place] or objective.size > _MOST_ON_BENT_WAYS:
        return None
    way = np.sign(direction) * (np.arange(objective.size) == place)
    gone = np.abs(trail[:, place] - trail[0, place])
    middle = int(np.argmax(gone >= 0.01 * gone[-1]))
    for start in (verdict.z, trail[middle]):
        value = float(objective.value(start[None])[0])
        paths = profile_paths(objective, start[None], way[None], max(1.0, abs(start[place])) * _DOUBLED)
        points, values = paths.points[:, 0], paths.values[:, 0]
        if not np.all(np.isfinite(values)):
            continue
        gains = np.diff(values, prepend=value)[1:]
        noise = objective.precision * max(1.0, abs(value)) + rounding(objective, points).max()
        if np.all(gains > -noise) and np.all(gains[1:] < _LESS * gains[:-1] + noise):
            onward = points[-1] - points[-2]
            limit = replace(verdict, z=points[-1], value=float(values[-1]))
            return words.at_the_edge(replace(limit, run_off=onward[None] / np.linalg.norm(onward)), space)
    return None
