"""Effective sample size of a mean over chains."""

import numpy as np
from scipy import fft

from pp_mlekl.typing import Array


def effective_size(values: Array) -> float:
    """Effective sample size of the mean of ``values``, shape (chains, draws).

    Geyer's (1992) initial monotone sequence on autocovariances pooled over chains as in Vehtari et al. (2021); at
    most the number of draws times its logarithm (antithetic chains).
    """
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    chains, n = values.shape
    total = float(values.size)
    within = values.var(axis=1, ddof=1).mean()
    if n < 4 or not np.isfinite(within) or within == 0:
        return total
    between = values.mean(axis=1).var(ddof=1) if chains > 1 else 0.0
    variance = within * (n - 1) / n + between
    rho = 1 - (within - _autocovariance(values).mean(axis=0)) / variance
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = pairs[: negative[0]] if len(negative) else pairs
    time = 2 * np.minimum.accumulate(pairs).sum() - 1 if len(pairs) else 1.0
    return total / max(time, 1 / np.log10(total))


def _autocovariance(values: Array) -> Array:
    """Autocovariance of each chain at lags 0, 1, ..., with divisor n - 1 at lag 0."""
    n = values.shape[1]
    centred = values - values.mean(axis=1, keepdims=True)
    size = fft.next_fast_len(2 * n)
    power = np.abs(fft.rfft(centred, n=size, axis=1)) ** 2
    return fft.irfft(power, n=size, axis=1)[:, :n] / (n - 1)
