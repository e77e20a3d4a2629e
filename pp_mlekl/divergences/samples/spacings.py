"""Log densities in one dimension from the spacings of ordered draws."""

import numpy as np
from scipy import special

from pp_mlekl.divergences.distribution import Array

# Half-widths of the windows in order statistics: at least, and at most as a share of the root of the number of draws.
_NARROWEST = 3
_SHARE_OF_ROOT = 0.5
# A window is at most so wide, as a share of the draws beyond it: in a tail the density changes from draw to draw.
_SHARE_OF_TAIL = 0.25


def _half_widths(rank: Array, n: int) -> Array:
    widest = max(2 * _NARROWEST, int(_SHARE_OF_ROOT * np.sqrt(n)))
    return np.clip((_SHARE_OF_TAIL * np.minimum(rank, n - 1 - rank)).astype(int), _NARROWEST, widest)


def log_density_within(ordered: Array) -> Array:
    """Log density at the draws ``ordered`` (n,), from the width between order statistics on either side.

    The expected log of a spacing of w steps is digamma(w) - digamma(n + 1) - log p where p is flat (Vasicek 1976; the
    digammas after Singh et al. 2003); at the ends the window is what is there.
    """
    n, rank = len(ordered), np.arange(len(ordered))
    half = _half_widths(rank, n)
    left, right = np.maximum(rank - half, 0), np.minimum(rank + half, n - 1)
    with np.errstate(divide="ignore"):
        width = np.log(ordered[right] - ordered[left])
    return special.digamma(right - left) - special.digamma(n + 1) - width


def log_density_against(at: Array, ordered: Array) -> Array:
    """Log density relative to a standard normal at points (n,) from the spacings of ordered draws (m,) about each.

    In the scale of the normal's distribution function, where the draws are near to uniform on [0, 1]. From a fixed
    point to the w-th draw on one side it is as far as w spacings, between the w-th draws on both sides 2 w. Points near
    or beyond an end look to the inside alone, so that it does not matter how far beyond they are.
    """
    m = len(ordered)
    rank = np.searchsorted(ordered, at)
    half = _half_widths(rank, m + 1)
    left = np.where(rank >= half, ordered[np.maximum(rank - half, 0)], at)
    right = np.where(rank + half <= m, ordered[np.minimum(rank + half, m) - 1], at)
    steps = np.where((rank >= half) & (rank + half <= m), 2 * half, half)
    # Differences of the smaller tail probabilities, which keep their digits.
    sign = np.where(at > 0, -1.0, 1.0)
    width = np.abs(special.ndtr(sign * right) - special.ndtr(sign * left))
    return special.digamma(steps) - special.digamma(m + 1) - np.log(np.maximum(width, np.finfo(float).tiny))


def normal_scores(z: Array, ordered: Array) -> Array:
    """Points (n,) as normal quantiles of their ranks among draws (m,); beyond those in proportion to normal tails."""
    m = len(ordered)
    half_step = 0.5 / m
    scores = np.interp(z, ordered, special.ndtri((np.arange(m) + 0.5) / m))
    for sign, end in ((1.0, ordered[0]), (-1.0, ordered[-1])):
        beyond = sign * (z - end) < 0
        tail = special.log_ndtr(sign * z[beyond]) - special.log_ndtr(sign * end) + np.log(half_step)
        scores[beyond] = sign * special.ndtri_exp(tail)
    return scores
