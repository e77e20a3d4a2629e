"""Climbs that a profile towards an edge misses, because something else runs off on the way and takes the climb with it."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.paths import Climb, Paths, climbs, profile_paths
from pp_mlekl.optimize.verdict import Verdict

Array = np.ndarray

# A coordinate that moves farther than this on a profile has run off, in e-foldings.
_RAN = 5.0
# Steps short enough for a location to follow the nearest observation as its scale shrinks, and those after the release.
_WITH_OTHERS_HELD = np.concatenate([np.arange(0.5, 6.1, 0.5), np.arange(7.0, 12.1)])
_RELEASED = np.arange(1.0, 9.1)
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
    z, tried = verdict.z, 0
    for path, direction in zip(np.moveaxis(paths.points, 1, 0), directions, strict=True):
        ran = (np.abs(path - z).max(axis=0) > _RAN) & (direction == 0)
        if not ran.any() or tried == _MOST_EDGES:
            continue
        tried += 1
        near = _near_the_edge(objective, z, direction, ~ran)
        if near is None:
            continue
        released = profile_paths(objective, near[None], direction[None], _RELEASED)
        for climb in climbs(released, direction[None], verdict.value):
            gone = _WITH_OTHERS_HELD[-1]
            return replace(climb, crossing=climb.crossing + gone, distances=climb.distances + gone)
    return None


def _near_the_edge(objective: Objective, z: Array, direction: Array, free: Array) -> Array | None:
    """The end (d,) of the profile on which only the coordinates ``free`` follow, unless it was given up."""
    kept = np.flatnonzero(free)
    path = profile_paths(objective.restricted(kept, z), z[None, kept], direction[None, kept], _WITH_OTHERS_HELD)
    if not np.isfinite(path.values[-1, 0]):
        return None
    result = z.copy()
    result[kept] = path.points[-1, 0]
    return result
