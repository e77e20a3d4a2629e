"""Arrays of real numbers from whatever a user hands in."""

from typing import Any

import numpy as np

from pp_mlekl.typing import Array


def real_numbers(value: Any) -> Array:
    """Numbers as doubles.

    Raises
    ------
    TypeError
        Where they are text, dates, durations or complex, or some are masked: NumPy would convert those without a word.
    ValueError
        Where rows have different lengths.

    Examples
    --------
    >>> real_numbers((1, 2.5))
    array([1. , 2.5])
    """
    if np.ma.is_masked(value):
        raise TypeError("some values are masked; leave them out")
    array = np.asarray(value)
    if array.dtype.kind not in "biufO":
        raise TypeError(f"got {array.dtype.name}")
    return array.astype(np.float64, copy=False)
