"""Entropy of a one-dimensional sample from the spacings of its order statistics."""

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.distribution import Array


def spacing_entropy(x: Array) -> tuple[float, Array]:
    """Differential entropy in nats, and the log density at each draw, in the draws' order.

    The m-spacing estimate with Vasicek's (1976) correction by digamma functions; its bias is measured on the quantiles
    of the normal distribution with the sample's mean and standard deviation, whose entropy is known, and removed.

    Parameters
    ----------
    x
        Shape (n,), few values equal.

    Raises
    ------
    ValueError
        Where there are fewer than 50 draws, or so many are tied that a spacing is 0.
    """
    n = len(x)
    if n < 50:
        raise ValueError(f"{n} draws are too few for an entropy; take at least 50.")
    order = np.argsort(x)
    ordered = x[order]
    m = max(int(np.sqrt(n)), 3)
    # A chain repeats a draw where it rejects a proposal: the window must be wider than the longest such run.
    while m <= n // 8 and np.any(ordered[m // 2 :] == ordered[: n - m // 2]):
        m *= 2
    if m > n // 8:
        raise ValueError("Many draws are equal: the variable is not continuous, or the sampler was stuck.")
    logs = _log_spacings(ordered, m)
    normal = stats.norm(ordered.mean(), ordered.std())
    reference = _log_spacings(normal.ppf((np.arange(n) + 0.5) / n), m)
    bias = reference.mean() - normal.entropy()
    density = np.empty(n)
    density[order] = -(logs - bias)
    return float(logs.mean() - bias), density


def _log_spacings(ordered: Array, m: int) -> Array:
    n = len(ordered)
    # At the ends the window is cut: fewer spacings in it, and their own digamma.
    low, high = np.maximum(np.arange(n) - m // 2, 0), np.minimum(np.arange(n) + (m - m // 2), n - 1)
    width = np.maximum(ordered[high] - ordered[low], np.finfo(float).tiny)
    return np.log(width) - special.digamma(high - low) + special.digamma(n + 1)
