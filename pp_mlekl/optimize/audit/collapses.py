"""Climbs that a profile towards an edge misses, because something else runs off on the way and takes the climb with it."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.profile_paths import ROUGHLY, Climb, Paths, climbs, earliest, profile_paths
from pp_mlekl.typing import Array

# A coordinate that moves farther than this on a profile has run off, in e-foldings.
_RAN = 5.0
# Steps short enough for a location to follow the nearest observation as its scale shrinks, and those after the release.
_WITH_OTHERS_HELD = np.concatenate([np.arange(0.5, 6.1, 0.5), np.arange(7.0, 12.1)])
_RELEASED = np.arange(1.0, 9.1)
# With its weight held a collapsing component rises by one nat an e-folding; what does not rise does not climb when released.
_RISING = 0.02
# It is no short way: only the first few edges are gone to, in problems of moderate size.
_MOST_EDGES, _MOST_PARAMETERS = 6, 40


def hidden_climb(
    objective: Objective, paths: Paths, directions: Array, verdict: Verdict, suspicious: Array
) -> Climb | None:
    """The first climb towards an edge that is found when what ran off on the profile is held till near the edge.

    As the scale of one component of a mixture shrinks, its weight goes to zero first, where its location says nothing any
    more. With its weight held the location comes to rest on an observation, and with the weight then set free the likelihood
    grows without limit.

    Parameters
    ----------
    objective
        What is maximised.
    paths, directions
        Profiles along unit directions (b, d), on none of which a climb was seen.
    verdict
        On the maximum at which they began.
    suspicious
        Which of the directions there do not fall off: with any of them the verdict is another one, and nothing is sought.
    """
    if objective.size > _MOST_PARAMETERS or suspicious.any():
        return None
    ran = (np.abs(paths.points - verdict.z).max(axis=0) > _RAN) & (directions == 0)
    chosen = np.flatnonzero(ran.any(axis=1))[:_MOST_EDGES]
    if not len(chosen):
        return None
    ways = directions[chosen]
    starts = np.repeat(verdict.z[None], len(chosen), axis=0)
    near = profile_paths(
        held_in_rows(objective, ran[chosen]),
        starts,
        ways,
        _WITH_OTHERS_HELD,
        rows=np.arange(len(chosen)),
        close=ROUGHLY,
    )
    with np.errstate(invalid="ignore"):
        arrived = near.values[-1] - near.values[-2] > _RISING
    if not arrived.any():
        return None
    released = profile_paths(objective, near.points[-1, arrived], ways[arrived], _RELEASED, close=ROUGHLY)
    found = climbs(released, ways[arrived], verdict.value)
    gone = _WITH_OTHERS_HELD[-1]
    climb = earliest(found)
    return climb and replace(climb, crossing=climb.crossing + gone, distances=climb.distances + gone)


def held_in_rows(objective: Objective, held: Array) -> Objective:
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
