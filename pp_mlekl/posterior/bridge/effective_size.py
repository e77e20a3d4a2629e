"""Means over Markov chains and their standard errors."""

import numpy as np

from pp_mlekl.typing import Array


def mean_and_error(values: Array) -> tuple[float, float]:
    """Mean of ``values`` (chain, draw) and its standard error, autocorrelation taken into account.

    The integrated autocorrelation time is Geyer's (1992) initial monotone sequence on the chains' mean
    autocovariance, with the between-chain variance in the total as in Vehtari et al. (2021).
    """
    return float(np.mean(values)), float(np.std(values) / np.sqrt(effective_size(values)))


def effective_size(values: Array) -> float:
    """Effective sample size of the mean of ``values`` (chain, draw); at most 3 times the number of draws."""
    return float(effective_sizes(np.atleast_2d(values)[..., None])[0])


def effective_sizes(values: Array) -> Array:
    """The same of each column of ``values`` (chain, draw, k), shape (k,)."""
    values = np.asarray(values, dtype=np.float64)
    chains, draws, columns = values.shape
    if draws < 4:
        return np.full(columns, float(chains * draws))
    centred = values - values.mean(axis=1, keepdims=True)
    size = 2 ** int(np.ceil(np.log2(2 * draws)))
    spectrum = np.fft.rfft(centred, size, axis=1)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum), size, axis=1)[:, :draws] / draws
    within = covariance.mean(axis=0)
    total = within[0] + (np.var(values.mean(axis=1), axis=0, ddof=1) if chains > 1 else 0.0)
    constant = (np.ptp(values, axis=(0, 1)) == 0) | ~(total > 0)
    correlation = 1 - (within[0] * draws / (draws - 1) - within) / np.where(constant, 1.0, total)
    correlation[0] = 1.0
    pairs = correlation[: draws // 2 * 2].reshape(-1, 2, columns).sum(axis=1)
    positive = np.logical_and.accumulate(pairs >= 0, axis=0)
    time = -1 + 2 * np.sum(np.where(positive, np.minimum.accumulate(pairs, axis=0), 0.0), axis=0)
    return chains * draws / np.where(constant, 1.0, np.maximum(time, 1 / 3))
