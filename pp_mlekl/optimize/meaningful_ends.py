"""Ends of searches without those in numerical noise: a density may be a difference of large terms."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.curvature import curvature
from pp_mlekl.optimize.numerical_noise import crosses_rounding, high_by_rounding, rounding, stairs
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.typing import Array

# The share of a way by which it is gone on with to see whether steps are rounding's.
_FARTHER_ON = 0.1


def meaningful(objective: Objective, ends: Ends) -> Ends:
    """The ends, of which those that came to rest in the rounding of large terms are taken back to before that.

    Where others converged elsewhere these are left out, and so are those that are higher than a less noisy one by noise
    alone.
    """
    resting = np.flatnonzero(ends.state == "stationary")
    if objective.large or not len(resting):
        return ends
    flat = [
        row
        for row in resting.tolist()
        if curvature(ends.hessian[row]).eigenvalues[0] < objective.tolerances.rank_eigenvalue
    ]
    back = before_rounding(objective, ends, np.array(flat, dtype=int))
    scatter = rounding(objective, ends.z[resting])
    lost = (back.state[resting] != "stationary") | (scatter > objective.tolerances.noise_meaningless)
    if not lost.all():
        lost[~lost] = high_by_rounding(ends.value[resting[~lost]], scatter[~lost], objective.tolerances)
    noisy = resting[lost]
    if not len(noisy):
        return ends
    if len(noisy) == len(resting):
        return before_rounding(objective, ends, noisy)
    return ends.chosen(np.setdiff1d(np.arange(len(ends.z)), noisy))


def before_rounding(objective: Objective, ends: Ends, rows: Array) -> Ends:
    """The ends, of which those among ``rows`` are taken back to before the first step across a region of mere rounding.

    So they are to before the first step whose gain rounding may have made. Beyond such a region all digits may cancel and
    the density be a constant, in which nothing scatters any more.
    """
    for row in rows.tolist():
        points = np.array([z[row] for z, _ in ends.trail])
        gains = np.diff([value[row] for _, value in ends.trail])
        # A single jump is no noise: farther on along the path there are no steps.
        beyond = points[1:] + _FARTHER_ON * (points[1:] - points[0])
        scatter = np.maximum(
            rounding(objective, points[1:]), np.minimum(stairs(objective, points[1:]), stairs(objective, beyond))
        )
        moved = np.any(points[1:] != points[:-1], axis=1)
        vain = (
            moved
            & (gains < objective.tolerances.noise_gain_multiple * scatter)
            & (scatter > objective.tolerances.noise_visible * np.maximum(1.0, np.abs(ends.value[row])))
        )
        crossed = np.flatnonzero(vain | crosses_rounding(objective, points[:-1], points[1:]))
        if len(crossed):
            ends = _taken_back(objective, ends, row, int(crossed[0]))
    return ends


def _taken_back(objective: Objective, ends: Ends, row: int, last: int) -> Ends:
    """The ends with one search, as if still running, at a point of its trail."""
    points = np.array([z[row] for z, _ in ends.trail])
    names = ("value", "gradient") if ends.unknown else ("value", "gradient", "hessian")
    fields = {name: getattr(ends, name).copy() for name in ("z", "state", *names)}
    found = objective.gradient(points[[last]]) if ends.unknown else objective.hessian(points[[last]])
    for name, (part,) in zip(names, found, strict=True):
        fields[name][row] = part
    fields["z"][row], fields["state"][row] = points[last], "running"
    trail = []
    for k, (z, value) in enumerate(ends.trail):
        z, value = z.copy(), value.copy()
        z[row], value[row] = points[min(k, last)], ends.trail[min(k, last)][1][row]
        trail.append((z, value))
    return replace(ends, **fields, trail=trail)
