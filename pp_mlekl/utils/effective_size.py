"""Effective sample sizes of means over Markov chains, by ArviZ."""

import numpy as np
from arviz_stats.base import array_stats

from pp_mlekl.typing import Array

# ArviZ needs four draws, to split a chain into halves. Fewer draws count as independent.
_FEWEST_DRAWS = 4


def mean_and_error(values: Array) -> tuple[float, float]:
    """Mean of ``values`` (chain, draw) and its standard error, which accounts for autocorrelation."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(effective_size(values)))


def effective_size(values: Array) -> float:
    """Effective sample size of the mean of ``values`` (chain, draw), or (draw,) of a single chain."""
    return float(effective_sizes(np.atleast_2d(values)[..., None])[0])


def effective_sizes(values: Array) -> Array:
    """Effective sample size of the mean of each column of ``values`` (chain, draw, k), shape (k,).

    Geyer's (1992) initial monotone sequence on split chains, as in Vehtari et al. (2021); NaN where a value is not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    chains, draws, columns = values.shape
    if draws < _FEWEST_DRAWS:
        return np.full(columns, float(chains * draws))
    return np.asarray(array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean"))
