"""p values: adjusted for their number, and as text."""

import numpy as np
from numpy.typing import ArrayLike

from pp_mlekl.typing import Array

_SMALLEST = 0.001


def holm(p: ArrayLike) -> Array:
    """p values adjusted for their number by the step-down method of Holm (1979); NaN stays NaN and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, np.nan]).round(3).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    given = np.asarray(p, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(~np.isnan(given))
    order = known[np.argsort(given[known], kind="stable")]
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)), 1.0)
    return adjusted


def p_value(p: float) -> str:
    """A p value as an equation or inequality.

    Examples
    --------
    >>> p_value(0.0312), p_value(2e-5), p_value(0.5), p_value(1.0), p_value(float("nan"))
    ('p = .031', 'p < .001', 'p = .50', 'p = 1', 'p unavailable')
    """
    if np.isnan(p):
        return "p unavailable"
    if p < _SMALLEST:
        return f"p < {f'{_SMALLEST:g}'.removeprefix('0')}"
    text = f"{p:.{3 if p < 0.1 else 2}f}"
    return f"p = {'1' if float(text) == 1 else text.removeprefix('0')}"
