"""Intervals of quantities with a range, symmetric on the scale on which the quantity is unbounded."""

from typing import Literal

import numpy as np
from scipy.special import expit

from pp_mlekl.typing import Array

Transform = Literal["auto", "identity", "log", "logit", "fisher_z"]

RANGES: dict[str, tuple[float, float]] = {
    "identity": (-np.inf, np.inf),
    "log": (0.0, np.inf),
    "logit": (0.0, 1.0),
    "fisher_z": (-1.0, 1.0),
}
"""The range of a quantity that each transform takes to the real numbers."""


def bounded_interval(value: Array, half: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Lower and upper limits (m,) of quantities (m,) that lie between bounds (m,).

    The half width on the unbounded scale is that of the delta method. That scale is log(x - low) or -log(high - x) with one
    finite bound and log(x - low) - log(high - x) with two: the logit between 0 and 1, twice Fisher's z between -1 and 1.

    Parameters
    ----------
    value, half
        Quantities and half widths on their own scale; a NaN gives NaN.
    low, high
        Their bounds, possibly infinite.

    Examples
    --------
    >>> ends = bounded_interval(np.array([0.9, 0.9]), np.array([0.2, 0.2]), np.array([0.0, -1.0]), np.array([1.0, np.inf]))
    >>> np.round(ends, 3).tolist()
    [[0.494, 0.71], [0.988, 1.111]]
    """
    with np.errstate(all="ignore"):
        above, below = value - low, high - value
        both, lower, upper = np.isfinite(low) & np.isfinite(high), np.isfinite(low), np.isfinite(high)
        score, width = np.log(above) - np.log(below), half * (1 / above + 1 / below)
        ends = []
        for sign in (-1.0, 1.0):
            between = low + (high - low) * expit(score + sign * width)
            one = np.where(
                lower, low + above * np.exp(sign * half / above), high - below * np.exp(-sign * half / below)
            )
            ends.append(np.where(both, between, np.where(lower | upper, one, value + sign * half)))
    return ends[0], ends[1]
