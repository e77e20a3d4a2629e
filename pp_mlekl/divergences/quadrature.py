"""Expectations of log ratios under a one-dimensional P, by Gauss-Legendre panels or by summation, batched.

The integral over x is one over the tail probability u = exp(-t): the integrand is then the log ratio at P's quantiles,
which is smooth in t however narrow P is and wherever it lies, and reaches tails of 1e-300.
"""

from collections.abc import Callable

import numpy as np

from pp_mlekl.divergences.distribution import Array, Distribution

# Panels in t = -log(2 u) from the median outwards.
_PANELS = np.array([0.0, 0.5, 1.2, 2.0, 3.0, 4.5, 6.5, 9.0, 13.0, 18.0, 26.0, 37.0, 64.0, 128.0, 256.0, 690.0])
_POINTS = 16
_X, _W = np.polynomial.legendre.leggauss(_POINTS)
# Where Q's mass lies, the integrand may bend: these quantiles of Q cut P's panels.
_LEVELS = np.array([1e-12, 1e-6, 1e-3, 0.02, 0.16, 0.5])
# Mass left out at each end of a sum, and the number of terms beyond which a sum is refused.
_LOG_TAIL = -80.0
_LONGEST_SUM = 50_000_000
_CHUNK = 2_000_000

# Tail probability, as -log, beyond which a value that is not finite is one of rounding.
_FAR = 30.0

Function = Callable[[Array], Array]


def expectation(p: Distribution, function: Function, others: tuple[Distribution, ...] = ()) -> Array:
    """E_P[function(X)] for a one-dimensional P without atoms, elementwise over the batch.

    Parameters
    ----------
    p
        Of batch shape (n,): the caller flattens and broadcasts.
    function
        Maps points of shape (k, n) to values of the same shape.
    others
        Distributions of batch shape (n,) that enter ``function`` and whose mass should not be missed.

    Returns
    -------
    Array of shape (n,); not finite where the integrand is not.
    """
    if p.discrete:
        return _sum(p, function)
    return _integral(p, function, others)


def half_expectation(p: Distribution, function: Function, others: tuple[Distribution, ...] = ()) -> Array:
    """The part of ``expectation`` from below P's median, for a continuous P."""
    return _integral(p, function, others, sides=1)


def _integral(p: Distribution, function: Function, others: tuple[Distribution, ...], sides: int = 2) -> Array:
    cuts = [_cuts(p, q) for q in others if q.atoms() is None]
    total = np.zeros(p.batch_shape)
    for side, quantile in enumerate((p.quantile, p.upper_quantile)[:sides]):
        edges = np.broadcast_to(_PANELS[:, None], (len(_PANELS), *p.batch_shape))
        edges = np.sort(np.concatenate([edges, *(c[side] for c in cuts)]), axis=0)
        centre, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
        t = centre + half * _X.reshape(-1, 1, 1)
        with np.errstate(all="ignore"):
            mass = 0.5 * np.exp(-t) * half * _W.reshape(-1, 1, 1)
            t = t.reshape(-1, *p.batch_shape)
            value = function(quantile(0.5 * np.exp(-t)))
            mass = mass.reshape(t.shape)
            # So far out the quantile may have run into the end of double precision, where densities are 0 or infinite.
            value = np.where(np.isfinite(value) | (t < _FAR), value, 0.0)
            total = total + np.sum(np.where(mass > 0, mass * value, 0.0), axis=0)
    return total


def _cuts(p: Distribution, q: Distribution) -> tuple[Array, Array]:
    """Places of Q's quantiles on the two half-axes of t; 0 on the half where a quantile does not lie."""
    levels = _LEVELS[:, None]
    with np.errstate(all="ignore"):
        x = np.concatenate([np.asarray(q.quantile(levels)), np.asarray(q.upper_quantile(levels[:-1]))])
        lower = -np.log(2 * np.clip(p.cdf(x), 1e-300, 0.5))
        upper = -np.log(2 * np.clip(p.survival(x), 1e-300, 0.5))
    return tuple(np.clip(np.nan_to_num(t), 0.0, _PANELS[-1]) for t in (lower, upper))  # type: ignore[return-value]


def _sum(p: Distribution, function: Function) -> Array:
    low, high = _range(p)
    length = int(np.max(high - low, initial=0)) + 1
    if length > _LONGEST_SUM:
        raise ValueError(f"The sum would have {length:,} terms; rescale, or use a continuous approximation.")
    step = max(1, _CHUNK // max(int(np.prod(p.batch_shape)), 1))
    total = np.zeros(p.batch_shape)
    for start in range(0, length, step):
        k = np.arange(start, min(start + step, length)).reshape(-1, *([1] * len(p.batch_shape)))
        x = np.minimum(low + k, high)
        with np.errstate(all="ignore"):
            mass = np.where(low + k <= high, np.exp(p.log_density(x)), 0.0)
            value = function(x)
            total = total + np.sum(np.where(mass > 0, mass * value, 0.0), axis=0)
    return total


def _range(p: Distribution) -> tuple[Array, Array]:
    """The integers outside which the log mass is below that of any sum's rounding, by steps outwards from the bulk."""
    support = p.support()
    bulk = np.full(p.batch_shape, 1e-10)
    with np.errstate(all="ignore"):
        low = np.where(np.isfinite(support.lower), np.maximum(support.lower, p.quantile(bulk)), p.quantile(bulk))
        high = np.where(np.isfinite(support.upper), np.minimum(support.upper, p.upper_quantile(bulk)), np.inf)
        high = np.where(np.isfinite(high), high, p.upper_quantile(bulk))
        step = np.maximum(np.ceil((high - low) / 2), 8.0)
        for _ in range(60):
            low_done = (low <= support.lower) | (p.log_density(low) < _LOG_TAIL)
            high_done = (high >= support.upper) | (p.log_density(high) < _LOG_TAIL)
            if np.all(low_done & high_done):
                break
            low = np.where(low_done, low, np.maximum(low - step, support.lower))
            high = np.where(high_done, high, np.minimum(high + step, support.upper))
            step = step * 1.5 // 1
    return low, high
