"""Ends of searches that are but rounding: far out a density is a difference of large terms."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.curvature import DOUBTFUL, curvature
from pp_mlekl.optimize.ends import Ends
from pp_mlekl.optimize.objective import ONLY_ROUNDING, Objective, rounding

Array = np.ndarray

# A value is known to within this many times its scatter, which is seen from this share of the value on.
_SCATTERS, _SEEN = 10.0, 1e-8
# Where on a step it is looked for rounding.
_SHARES = np.linspace(0.125, 1.0, 8)


def meaningful(objective: Objective, ends: Ends) -> Ends:
    """The ends, of which those that came to rest in the rounding of large terms are taken back to before that.

    Where others are at rest elsewhere they are left out, and so are those that are higher than a quieter one by rounding
    alone.
    """
    resting = np.flatnonzero(ends.state == "stationary")
    flat = [row for row in resting.tolist() if curvature(ends.hessian[row]).eigenvalues[0] < DOUBTFUL]
    back = before_rounding(objective, ends, np.array(flat, dtype=int))
    scatter = rounding(objective, ends.z[resting])
    lost = (back.state[resting] != "stationary") | (scatter > ONLY_ROUNDING)
    if not lost.all():
        lost[~lost] = high_by_rounding(ends.value[resting[~lost]], scatter[~lost])
    noisy = resting[lost]
    if not len(noisy):
        return ends
    if len(noisy) == len(resting):
        return before_rounding(objective, ends, noisy)
    kept = np.setdiff1d(np.arange(len(ends.z)), noisy)
    names = ("z", "value", "gradient", "hessian", "decrement", "state", "count")
    trail = [(z[kept], value[kept]) for z, value in ends.trail]
    return replace(ends, **{name: getattr(ends, name)[kept] for name in names}, trail=trail)


def high_by_rounding(value: Array, scatter: Array) -> Array:
    """Which values (k,) are as high as a quieter one to within their own scatter (k,); (k,) of bool.

    Examples
    --------
    >>> high_by_rounding(np.array([-17.3051, -17.3034, -19.2]), np.array([1e-9, 1e-3, 1e-4])).tolist()
    [False, True, False]
    """
    doubt = _SCATTERS * scatter
    best = int(np.argmax(value - doubt))
    seen = doubt > _SEEN * np.maximum(1.0, np.abs(value))
    near = np.abs(value - value[best]) <= doubt + doubt[best]
    return seen & (doubt > doubt[best]) & near


def before_rounding(objective: Objective, ends: Ends, rows: Array) -> Ends:
    """The ends, of which those among ``rows`` are taken back to before the first step across a region of mere rounding.

    Beyond such a region all digits may cancel and the density be a constant, in which nothing scatters any more.
    """
    for row in rows.tolist():
        points = np.array([z[row] for z, _ in ends.trail])
        crossed = np.flatnonzero(crosses_rounding(objective, points[:-1], points[1:]))
        if len(crossed):
            ends = _taken_back(objective, ends, row, int(crossed[0]))
    return ends


def crosses_rounding(objective: Objective, first: Array, second: Array) -> Array:
    """Whether on each straight line from the first points (k, d) to the second there is but rounding somewhere, (k,)."""
    between = first + _SHARES[:, None, None] * (second - first)
    scatter = rounding(objective, between.reshape(-1, first.shape[1])).reshape(len(_SHARES), len(first))
    return np.any(scatter > ONLY_ROUNDING, axis=0)


def _taken_back(objective: Objective, ends: Ends, row: int, last: int) -> Ends:
    """The ends with one search, as if still running, at a point of its trail."""
    points = np.array([z[row] for z, _ in ends.trail])
    fields = {name: getattr(ends, name).copy() for name in ("z", "value", "gradient", "hessian", "state")}
    if objective.derivatives < 2:
        found = (*objective.gradient(points[[last]]), ends.hessian[[row]])
    else:
        found = objective.hessian(points[[last]])
    for name, (part,) in zip(("value", "gradient", "hessian"), found, strict=True):
        fields[name][row] = part
    fields["z"][row], fields["state"][row] = points[last], "running"
    trail = []
    for k, (z, value) in enumerate(ends.trail):
        z, value = z.copy(), value.copy()
        z[row], value[row] = points[min(k, last)], ends.trail[min(k, last)][1][row]
        trail.append((z, value))
    return replace(ends, **fields, trail=trail)
