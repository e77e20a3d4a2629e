"""Kernel density estimates of draws for small pictures."""

import numpy as np
from arviz_stats.base import array_stats

from pp_mlekl.typing import Array
from pp_mlekl.utils.shared_state import silenced

GRID = 256
"""Points of a density."""


def kernel_density(draws: Array) -> tuple[Array, Array]:
    """ArviZ's kernel density estimate; empty for draws that are constant up to rounding, such as a correlation of 1."""
    values = draws[np.isfinite(draws)]
    if values.size < 2 or is_constant(np.ptp(values), np.abs(values).max()):
        return np.zeros(0), np.zeros(0)
    # Warnings about bandwidths do not concern the model.
    with silenced():
        grid, density, _ = array_stats.kde(values.ravel(), grid_len=GRID)
    return grid, density


def is_constant(width: float, largest: float) -> bool:
    """Whether numbers within a width are the same up to rounding: a grid between them needs as many different numbers."""
    return bool(width <= GRID * np.spacing(largest))
