"""Expectations of functions of a log ratio under a discrete P on the integers: sums over P's range, batched."""

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.breakpoints import DEEP, LEVELS, range_points
from pp_mlekl.divergences.integration.expectation import Function
from pp_mlekl.divergences.integration.gauss_kronrod import Integral
from pp_mlekl.divergences.integration.long_sums import long_sum
from pp_mlekl.divergences.log_ratios import log_ratio_at
from pp_mlekl.typing import Array

_EPSILON = np.finfo(float).eps
# Terms computed at a time.
_CHUNK = 1_000_000
# Longest range of which all terms are computed; longer ones are summed in blocks.
_LONGEST = 30_000
_NEGLIGIBLE = 1e-17


def summed_expectation(p: Distribution, q: Distribution | None, function: Function) -> Integral:
    """E_P[function(log p - log q)] for discrete P, elementwise.

    Parameters
    ----------
    p, q
        Of batch shape (n,); with ``q`` None the argument is log p.
    function
        Of a log ratio, which is infinite where Q has no mass.

    Returns
    -------
    Integral
        Values and estimated errors of shape (n,).
    """
    low, high = _range(p, q)
    value, error = np.zeros(low.size), np.zeros(low.size)
    length = high - low + 1
    terms = _Terms(p=p, q=q, function=function)
    long = length > _LONGEST
    short = np.flatnonzero(~long)
    # Groups of elements of about _CHUNK terms, at least one element each.
    group = np.cumsum(length[short]) // _CHUNK
    for g in np.unique(group):
        rows = short[group == g]
        value[rows], error[rows] = _whole_sums(terms, rows, low[rows], length[rows].astype(np.int64))
    if np.any(long):
        rows = np.flatnonzero(long)
        blocks = long_sum(terms, rows, low[rows], high[rows], _middle(p)[rows])
        value[rows], error[rows] = blocks.value, blocks.error
    return Integral(value=value, error=error)


class _Terms:
    """Terms of the sums: P's mass times the function of the log ratio, and the size of its rounding."""

    def __init__(self, *, p: Distribution, q: Distribution | None, function: Function) -> None:
        self.p, self.q, self.function = p, q, function

    def __call__(self, x: Array, which: Array) -> tuple[Array, Array]:
        p, q = self.p.select(which), None if self.q is None else self.q.select(which)
        with np.errstate(all="ignore"):
            log_p = p.log_density(x)
            ratio, size = log_ratio_at(p, q, x, log_p)
            value, slope = self.function(ratio)
            mass = np.exp(log_p)
            rounding = np.where(np.isfinite(size), _EPSILON * size * slope, 0.0)
            present = mass > 0
            return np.where(present, mass * value, 0.0), np.where(present, mass * rounding, 0.0)


def _whole_sums(terms: _Terms, rows: Array, low: Array, length: Array) -> tuple[Array, Array]:
    """Sums over ranges of different lengths, by one call for their concatenation."""
    local = np.repeat(np.arange(rows.size), length)
    start = np.cumsum(length) - length
    x = low[local] + (np.arange(local.size) - start[local])
    value, rounding = terms(x[None], rows[local])
    return np.add.reduceat(value[0], start), np.add.reduceat(rounding[0], start)


def _range(p: Distribution, q: Distribution | None) -> tuple[Array, Array]:
    """First and last integer of the sums: P's quantiles at 1e-32, further out where the log ratio grows fast."""
    lower, upper = range_points(p, LEVELS[-1:])
    support = p.support()
    ends = [np.min(lower, axis=0) - 1, np.max(upper, axis=0) + 1]
    which = np.arange(ends[0].size)
    further = range_points(p, DEEP[-1:])
    for i, pick in enumerate((np.min, np.max)):
        x = np.clip(ends[i], support.lower, support.upper)
        with np.errstate(all="ignore"):
            ratio = p.log_density(x) - (0.0 if q is None else q.select(which).log_density(x))
            grows = LEVELS[-1] * np.abs(ratio) > _NEGLIGIBLE
        ends[i] = np.clip(
            np.where(grows & np.isfinite(ratio), pick(further[i], axis=0), x), support.lower, support.upper
        )
    return np.ceil(ends[0]), np.floor(ends[1])


def _middle(p: Distribution) -> Array:
    return np.asarray(p.quantile(np.full((1, *p.batch_shape), 0.5)))[0]
