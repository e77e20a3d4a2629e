"""What lies towards the edges of a maximum's surroundings: a climb without end, or a higher maximum."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit.collapses import hidden_climb
from pp_mlekl.optimize.audit.support import climb_to_support
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.numerical_noise import before_rounding
from pp_mlekl.optimize.objective import Objective, rounding
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.profile_paths import ROUGHLY, Paths, climbs, earliest, largest_loss, profile_paths
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# Two e-foldings of a scale, and the nats that no path along which a density diverges is likely to win back.
_FIRST_STEP = 2.0
_LOST = 1000.0
# Profiles towards the edges hold this many numbers at a time at most.
_PATH_BUDGET = 4_000_000
# Standard errors at which a line through a maximum is looked at, in problems of moderate size, and what is higher than it.
_ON_A_LINE = np.array([-2.0, -1.4, -1.0, -0.7, -0.4, -0.2, -0.1, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0])
_MOST_LINES = 12
_HIGHER = 1e-6


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
        paths = profile_paths(objective, np.repeat(verdict.z[None], len(edges), axis=0), edges, close=ROUGHLY)
        found = climbs(paths, edges, verdict.value)
        verdict = replace(verdict, climb=earliest(found))
        if verdict.climb is not None and verdict.climb.within_reach:
            return verdict, None
        higher = _higher(objective, paths, verdict, space)
        if higher is not None:
            return verdict, higher
        verdict = replace(verdict, climb=verdict.climb or hidden_climb(objective, paths, edges, verdict, suspicious))
    if verdict.climb is None and not len(verdict.run_off) and not len(verdict.null):
        verdict = replace(verdict, climb=climb_to_support(objective, verdict.z, verdict.value, space))
    return verdict, None


def higher_nearby(objective: Objective, verdict: Verdict, space: Space) -> Ends | None:
    """Searches from points within two standard errors that are higher than a maximum, if there are any.

    Where slopes jump (a knot that passes from one observation to the next) there may be a maximum between any two of them.
    """
    if objective.size > _MOST_LINES:
        return None
    variances = np.diagonal(verdict.covariance)
    known = np.flatnonzero(variances > 0)
    lines = verdict.covariance[known] / np.sqrt(variances[known])[:, None]
    points = (verdict.z + _ON_A_LINE[:, None, None] * lines).reshape(-1, objective.size)
    values = objective.value(points)
    best = int(np.argmax(values)) if len(values) else 0
    least = verdict.value + _HIGHER * max(1.0, abs(verdict.value))
    if not len(values) or not values[best] > least + 3.0 * rounding(objective, points[[best]])[0]:
        return None
    ends = maximize(objective, points[[best]], reach=space.reach, keep_trail=True)
    return ends if ends.value[0] > least else None


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
