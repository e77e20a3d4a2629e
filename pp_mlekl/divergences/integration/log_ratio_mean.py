"""Expectations under P of functions of log p - log q: the exact sum over atoms, plus a quadrature or a sum."""

import numpy as np
from scipy import special

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.expectation import Function, expectation
from pp_mlekl.divergences.integration.gauss_kronrod import Integral
from pp_mlekl.divergences.integration.summation import summed_expectation
from pp_mlekl.divergences.special import expm1_minus
from pp_mlekl.typing import Array

_LOG_2 = np.log(2)
# Argument below which h is computed by a series, and the number of its terms; the next one is below 1e-17 of the sum.
_SMALL = 0.3
_TERMS = 16
# Terms computed at a time.
_CHUNK = 1_000_000


def itself(ratio: Array) -> tuple[Array, Array]:
    """The log ratio: its expectation is the divergence."""
    return ratio, np.ones_like(ratio)


def negative(ratio: Array) -> tuple[Array, Array]:
    """Minus the log ratio, for entropies."""
    return -ratio, np.ones_like(ratio)


def remainder(ratio: Array) -> tuple[Array, Array]:
    """r - 1 + exp(-r) >= 0, that is p log(p / q) - p + q, which avoids cancellation where P and Q nearly agree."""
    return expm1_minus(-ratio), np.abs(np.expm1(-ratio))


def even_part(ratio: Array) -> tuple[Array, Array]:
    """h(d) = ((1 + d) log(1 + d) + (1 - d) log(1 - d)) / 2 with d = (p - q) / (p + q) = tanh(r / 2).

    The Jensen-Shannon divergence is the integral of h against (p + q) / 2, hence the mean of its expectations under P
    and under Q.
    """
    d = np.tanh(ratio / 2)
    d2 = d * d
    series = np.zeros_like(d)
    for k in range(_TERMS, 0, -1):
        series = series * d2 + 1 / (2 * k * (2 * k - 1))
    whole = (special.xlog1py(1 + d, d) + special.xlog1py(1 - d, -d)) / 2
    slope = np.where(np.abs(ratio) < 700, np.abs(ratio) * (1 - d2) / 4, 0.0)
    return np.where(np.abs(d) < _SMALL, series * d2, np.minimum(whole, _LOG_2)), slope


def sum_of(p: Distribution, q: Distribution | None, function: Function) -> Array | None:
    """E_P[function(log p - log q)] by a sum over all count vectors, of the broadcast batch shape; None where there are too many."""
    points = p.points()
    if points is None:
        return None
    batch = np.broadcast_shapes(p.batch_shape, () if q is None else q.batch_shape)
    total = np.zeros(batch)
    step = max(1, _CHUNK // max(int(np.prod(batch)), 1))
    for start in range(0, len(points), step):
        x = points[start : start + step]
        x = x.reshape(len(x), *[1] * len(batch), x.shape[-1])
        with np.errstate(all="ignore"):
            log_p = p.log_density(x)
            term = np.exp(log_p) * function(log_p - (0.0 if q is None else q.log_density(x)))[0]
        total = total + np.sum(np.where(np.exp(log_p) > 0, term, 0.0), axis=0)
    return total


def mean_of(p: Distribution, q: Distribution | None, function: Function) -> Integral:
    """E_P[function(log p - log q)] of one-dimensional distributions of batch shape (n,); log p where ``q`` is None."""
    if p.discrete:
        return summed_expectation(p, q, function)
    points = p.atoms()
    if points is None:
        return expectation(p, q, function)
    # Away from the atoms the log density is that of the continuous part; quadrature nodes never coincide with an atom.
    smooth = expectation(p, q, function)
    total = smooth.value
    for k in range(points.shape[-1]):
        at = np.broadcast_to(points[..., k], p.batch_shape)
        earlier = np.any(points[..., :k] == at[..., None], axis=-1) | ~np.isfinite(at)
        with np.errstate(all="ignore"):
            at = np.where(np.isfinite(at), at, 0.0)
            log_p = p.log_density(at)
            ratio = log_p if q is None else log_p - log_mass(q, at)
            term = np.exp(log_p) * function(ratio)[0]
        total = total + np.where(earlier | ~(log_p > -np.inf), 0.0, term)
    return Integral(value=total, error=smooth.error)


def log_mass(q: Distribution, at: Array) -> Array:
    """Log of Q's mass at one point; -inf where it has only a density."""
    points = q.atoms()
    if points is None:
        return np.full(at.shape, -np.inf)
    return np.where(np.any(points == at[..., None], axis=-1), q.log_density(at), -np.inf)
