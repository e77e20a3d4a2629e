"""Whether KL(P||Q) is infinite: from the supports, and from the growth of -log q along P's tails."""

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array

# Minus log10 of the tail probabilities at which the growth is evaluated, up to the limit of double precision. The first ones
# serve quantiles that soon underflow, as those of a gamma of shape 0.02.
_EXPONENTS = np.concatenate([np.arange(1.0, 10.0), np.arange(10.0, 301.0, 10.0)])
# u * (-log q) at P's quantile of u behaves as u^slope; the integral over u diverges at slope 0.
_SLOPE = 1e-4


def leaves_support(p: Distribution, q: Distribution) -> Array:
    """Whether P's support extends beyond Q's, of the broadcast batch shape."""
    inner, outer = p.support(), q.support()
    return (inner.lower < outer.lower) | (inner.upper > outer.upper)


def diverges_in_tail(p: Distribution, q: Distribution) -> Array:
    """Whether E_P[-log q] diverges at either end of P's support; for P and Q of one batch shape (n,).

    If P's tail and the growth of -log q are powers, the product u * (-log q(quantile(u))) is a power of u in the limit. The
    integral of -log q over u exists if and only if the exponent is positive. It is measured as a slope in logarithms at
    u = 0.1, ..., 1e-10, 1e-20, ..., 1e-300.
    """
    result = np.zeros(p.batch_shape, dtype=bool)
    if p.discrete and np.all(np.isfinite(p.support().lower) & np.isfinite(p.support().upper)):
        return result
    u = np.broadcast_to((10.0**-_EXPONENTS)[:, None], (len(_EXPONENTS), *p.batch_shape))
    log_u = -_EXPONENTS[:, None] * np.log(10)
    support = p.support()
    for quantile, end in ((p.quantile, support.lower), (p.upper_quantile, support.upper)):
        with np.errstate(all="ignore"):
            x = quantile(u)
            # Points that underflow to the bound of the support or overflow to infinity are useless.
            usable = np.isfinite(x) & (x != end) & (np.abs(x - np.where(np.isfinite(end), end, 0.0)) > 1e-290)
            # Equal consecutive quantiles, including the first of them, are at the limit of the quantile function.
            moves = np.concatenate([np.ones((1, *p.batch_shape), dtype=bool), np.diff(x, axis=0) != 0])
            usable &= moves & np.concatenate([moves[1:], np.ones((1, *p.batch_shape), dtype=bool)])
            growth = -q.log_density(x)
            product = log_u + np.log(np.maximum(growth, 1e-300))
        result |= _flat_at_the_end(np.broadcast_to(log_u, u.shape), product, usable & (growth > 1))
    return result


def _flat_at_the_end(log_u: Array, product: Array, usable: Array) -> Array:
    count = usable.sum(axis=0)
    last = len(usable) - 1 - np.argmax(usable[::-1], axis=0)
    before = np.maximum(last - 3, 0)
    columns = np.arange(usable.shape[1])
    run = log_u[last, columns] - log_u[before, columns]
    with np.errstate(all="ignore"):
        rise = product[last, columns] - product[before, columns]
        slope = np.where(np.isinf(product[last, columns]), -np.inf, rise / run)
    return (count >= 4) & usable[before, columns] & ~(slope > _SLOPE)
