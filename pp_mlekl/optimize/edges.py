"""What lies towards the edges of a maximum's surroundings: a climb without end, or a higher maximum."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.collapses import hidden_climb
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.paths import Paths, climbs, largest_loss, profile_paths
from pp_mlekl.optimize.rounded import before_rounding
from pp_mlekl.optimize.space import Space
from pp_mlekl.optimize.support import climb_to_support
from pp_mlekl.optimize.trust_region import Ends, maximize
from pp_mlekl.optimize.verdict import Verdict

Array = np.ndarray

# Two e-foldings of a scale, and the nats that no path along which a density diverges is likely to win back.
_FIRST_STEP = 2.0
_LOST = 1000.0
# Profiles towards the edges hold this many numbers at a time at most.
_PATH_BUDGET = 4_000_000


def look_to_the_edges(
    objective: Objective, verdict: Verdict, space: Space, suspicious: Array
) -> tuple[Verdict, Ends | None]:
    """The verdict with the first climb without end, and where higher maxima were met the searches that lead to them.

    Parameters
    ----------
    objective, verdict, space
        What is maximised, what is known of its maximum, and the parameters.
    suspicious
        Which directions at the maximum do not fall off, (d,) of bool: with any of them climbs that hide are not sought.
    """
    edges = _edges(objective, verdict, space)
    if len(edges):
        paths = profile_paths(objective, np.repeat(verdict.z[None], len(edges), axis=0), edges)
        found = climbs(paths, edges, verdict.value)
        verdict = replace(verdict, climb=min(found, key=lambda c: c.crossing, default=None))
        if verdict.climb is not None and verdict.climb.within_reach:
            return verdict, None
        higher = _higher(objective, paths, verdict, space)
        if higher is not None:
            return verdict, higher
        verdict = replace(verdict, climb=verdict.climb or hidden_climb(objective, paths, edges, verdict, suspicious))
    if verdict.climb is None and not suspicious.any():
        verdict = replace(verdict, climb=climb_to_support(objective, verdict.z, verdict.value, space))
    return verdict, None


def _edges(objective: Objective, verdict: Verdict, space: Space) -> Array:
    """The edges towards which a profile is taken, as many as can be afforded: a singularity may hide there."""
    edges = space.edges(verdict.z)
    affordable = max(1, int(_PATH_BUDGET / objective.size**3))
    if len(edges) > affordable:
        edges = edges[np.linspace(0, len(edges) - 1, affordable).astype(int)]
    return edges[_promising(objective, verdict, edges)] if len(edges) else edges


def _promising(objective: Objective, verdict: Verdict, edges: Array) -> Array:
    """Which edges a profile could reach: not those towards which a first step loses far more than is climbed back."""
    trial = verdict.z + _FIRST_STEP * edges
    lost = verdict.value - objective.value(trial)
    most = largest_loss(objective, _LOST)
    doubtful = np.flatnonzero(np.isfinite(lost) & (lost > most))
    if len(doubtful):
        ends = maximize(objective, trial[doubtful], held=edges[doubtful], max_iterations=4)
        lost[doubtful] = verdict.value - ends.value
    return lost <= most


def _higher(objective: Objective, paths: Paths, verdict: Verdict, space: Space) -> Ends | None:
    """Searches from points of the paths that are higher than the mode from which they began, if there are any."""
    better = np.argmax(paths.values, axis=0)
    columns = np.flatnonzero(paths.values.max(axis=0) > verdict.value + 1e-4)
    if not len(columns):
        return None
    starts = paths.points[better[columns], columns]
    ends = maximize(objective, starts, reach=space.reach, keep_trail=True)
    ends = before_rounding(objective, ends, np.arange(len(ends.z)))
    return ends if np.any(ends.value[ends.state == "stationary"] > verdict.value + 1e-4) else None
