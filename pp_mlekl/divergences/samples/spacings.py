"""Log densities in one dimension from the spacings of ordered draws."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from pp_mlekl.typing import Array

# Half-widths of the windows in order statistics: the minimum, the maximum as a fraction of the square root of the number of
# draws, and the maximum as a fraction of the draws beyond, since the density changes from draw to draw in a tail.
_NARROWEST = 3
_SHARE_OF_ROOT = 0.5
_SHARE_OF_TAIL = 0.25
# Relative difference below which values are equal up to the rounding of a map.
_ROUNDING = 8 * np.finfo(float).eps


def _half_widths(rank: Array, n: int) -> Array:
    widest = max(2 * _NARROWEST, int(_SHARE_OF_ROOT * np.sqrt(n)))
    return np.clip((_SHARE_OF_TAIL * np.minimum(rank, n - 1 - rank)).astype(int), _NARROWEST, widest)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Distinct:
    """The distinct values of ordered draws.

    Parameters
    ----------
    values
        In order, (k,).
    counts
        Number of draws of each value, (k,).
    drawn
        Number of all draws.
    """

    values: Array
    counts: Array
    drawn: int

    @cached_property
    def _below(self) -> Array:
        return np.concatenate([[0], np.cumsum(self.counts)])

    def log_repeats(self, first: Array, last: Array, without: Array | int = 0) -> Array | float:
        """Log mean number of draws per value among ranks in [first, last), ``without`` some draws, relative to all values.

        A sampler that rejects proposals repeats draws, most often in the tails. The density of the values is then the density
        of the draws divided by the mean number of repeats.
        """
        if self.drawn == len(self.values):
            return 0.0
        draws = self._below[last] - self._below[first] - without
        values = last - first - np.sign(without)
        return np.log(draws / values) - np.log(self.drawn / len(self.values))


def _distinct(ordered: Array) -> _Distinct:
    n = len(ordered)

    apart = np.diff(ordered) > _ROUNDING * max(abs(ordered[0]), abs(ordered[-1]))
    if apart.all():
        return _Distinct(values=ordered, counts=np.ones(n, dtype=int), drawn=n)
    starts = np.concatenate([[0], 1 + np.flatnonzero(apart)])
    return _Distinct(values=ordered[starts], counts=np.diff(starts, append=n), drawn=n)


def log_density_within(ordered: Array) -> Array:
    """Log density at the draws ``ordered`` (n,), from the width between order statistics on either side.

    The expected log of a spacing of w steps is digamma(w) - digamma(n + 1) - log p where p is flat (Vasicek 1976; the
    digammas after Singh et al. 2003). Windows are cut at the ends. Steps are between distinct values, and the density is
    multiplied by the mean number of repeats of the other values in the window.
    """
    found = _distinct(ordered)
    k, rank = len(found.values), np.arange(len(found.values))
    half = _half_widths(rank, k)
    left, right = np.maximum(rank - half, 0), np.minimum(rank + half, k - 1)
    with np.errstate(divide="ignore"):
        width = np.log(found.values[right] - found.values[left])
    spread = special.digamma(right - left) - special.digamma(k + 1) - width
    return np.repeat(spread + found.log_repeats(left, right + 1, without=found.counts), found.counts)


def log_density_against(at: Array, ordered: Array) -> Array:
    """Log density relative to a standard normal at points (n,) from the spacings of ordered draws (m,) about each.

    Distances are measured after the normal distribution function, where the draws are close to uniform on [0, 1]. A fixed
    point is w spacings away from the w-th draw on one side; the w-th draws on both sides are 2 w spacings apart. Windows of
    points near or beyond an end extend inwards only, so that the distance beyond the end does not matter.
    """
    found = _distinct(ordered)
    values, k = found.values, len(found.values)
    rank = np.searchsorted(values, at)
    half = _half_widths(rank, k + 1)
    first, last = np.where(rank >= half, rank - half, rank), np.where(rank + half <= k, rank + half, rank)
    left = np.where(first < rank, values[np.minimum(first, k - 1)], at)
    right = np.where(last > rank, values[last - 1], at)
    # Differences of the smaller tail probabilities, which keep their digits.
    sign = np.where(at > 0, -1.0, 1.0)
    width = np.abs(special.ndtr(sign * right) - special.ndtr(sign * left))
    spread = special.digamma(last - first) - special.digamma(k + 1) - np.log(np.maximum(width, np.finfo(float).tiny))
    return spread + found.log_repeats(first, last)


def normal_scores(z: Array, ordered: Array) -> Array:
    """Normal scores of points (n,) by their ranks among draws (m,); beyond the draws they follow the normal tails."""
    m = len(ordered)
    half_step = 0.5 / m
    scores = np.interp(z, ordered, special.ndtri((np.arange(m) + 0.5) / m))
    for sign, end in ((1.0, ordered[0]), (-1.0, ordered[-1])):
        beyond = sign * (z - end) < 0
        tail = special.log_ndtr(sign * z[beyond]) - special.log_ndtr(sign * end) + np.log(half_step)
        scores[beyond] = sign * special.ndtri_exp(tail)
    return scores
