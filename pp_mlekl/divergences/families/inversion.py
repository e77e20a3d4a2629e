"""Quantiles of counts, by bisection of the CDF or the survival function."""

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array

_STEPS = 1_100


def integer_quantile(p: Distribution, u: Array, *, upper: bool) -> Array:
    """Smallest integer x with P(X <= x) >= u, or with ``upper`` the smallest with P(X > x) <= u.

    The search doubles its step from the lower end of the support (or from 0 where there is none), then halves.
    """
    support = p.support()
    shape = np.broadcast_shapes(np.shape(u), p.batch_shape)
    u = np.broadcast_to(u, shape)

    def enough(x: Array) -> Array:
        with np.errstate(all="ignore"):
            return p.survival(x) <= u if upper else p.cdf(x) >= u

    low = np.broadcast_to(np.where(np.isfinite(support.lower), support.lower, 0.0) - 1, shape).copy()
    step, high = np.ones(shape), low + 1
    top = np.broadcast_to(support.upper, shape)
    for _ in range(_STEPS):
        open_ = ~(enough(high) | (high >= top))
        if not np.any(open_):
            break
        low, step = np.where(open_, high, low), np.where(open_, 2 * step, step)
        high = np.where(open_, np.minimum(high + step, top), high)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        stuck = (middle <= low) | (middle >= high)
        if np.all(stuck):
            break
        found = enough(middle)
        high = np.where(found & ~stuck, middle, high)
        low = np.where(found | stuck, low, middle)
    return high
