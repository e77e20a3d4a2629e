"""Tests of uniformity of ranks or probability integral transforms, and the kind of departure.

At each point the empirical distribution function has a binomial distribution. The test statistic is the smallest tail
probability over points (Säilynoja, Bürkner and Vehtari 2022). Its null distribution is simulated, so that the p value is exact
for continuous ranks, up to Monte Carlo error.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.special import bdtr, bdtrc

from pp_mlekl.typing import Array

_SIMULATIONS = 4000


@dataclass(frozen=True, kw_only=True)
class Uniformity:
    """The result of a test of uniformity.

    Parameters
    ----------
    count
        The number of ranks.
    p_value
        p value of the hypothesis that the ranks are uniform.
    mean, spread
        Standard scores of the ranks' mean (above 0: the ranks are too high, the draws too low) and of their mean squared
        distance from 1/2 (above 0: too many extreme ranks, the draws too narrow).
    """

    count: int
    p_value: float
    mean: float
    spread: float

    def kind(self, level: float) -> str:
        """``calibrated``, or the largest departure: ``biased low``, ``biased high``, ``over-confident``, ``under-confident``."""
        if np.isnan(self.p_value):
            return "not tested"
        if self.p_value >= level:
            return "calibrated"
        if abs(self.mean) >= abs(self.spread):
            return "biased low" if self.mean > 0 else "biased high"
        return "over-confident" if self.spread > 0 else "under-confident"


def uniformity(ranks: Array) -> Uniformity:
    """Test whether ranks in (0, 1) are uniform; NaN are left out.

    Examples
    --------
    >>> uniformity(np.random.default_rng(1).uniform(size=500)).kind(0.01)
    'calibrated'
    >>> uniformity(np.random.default_rng(1).beta(0.7, 0.7, size=500)).kind(0.01)
    'over-confident'
    """
    known = ranks[~np.isnan(ranks)]
    count = len(known)
    if count < 2:
        return Uniformity(count=count, p_value=np.nan, mean=np.nan, spread=np.nan)
    null = _null(count)
    below = np.searchsorted(np.sort(known), _points(count), side="right")
    smallest = _smallest_tail(below, count)
    p_value = (1 + np.sum(null <= smallest)) / (1 + len(null))
    # Variances of u and of (u - 1/2)^2 for uniform u: 1/12 and 1/180.
    mean = (known.mean() - 0.5) * np.sqrt(12 * count)
    spread = (np.mean((known - 0.5) ** 2) - 1 / 12) * np.sqrt(180 * count)
    return Uniformity(count=count, p_value=float(p_value), mean=float(mean), spread=float(spread))


def joint_p_value(p_values: Array) -> float:
    """The p value of the hypothesis that all of several hold, whatever their dependence (Bonferroni); NaN are left out."""
    known = p_values[~np.isnan(p_values)]
    return float(min(1.0, len(known) * known.min())) if len(known) else np.nan


def wilson(successes: Array, count: Array, prob: float = 0.95) -> tuple[Array, Array]:
    """Wilson's (1927) interval for a proportion.

    Examples
    --------
    >>> low, high = wilson(np.array(95), np.array(100))
    >>> round(float(low), 4), round(float(high), 4)
    (0.8882, 0.9785)
    """
    z = stats.norm.ppf(0.5 + prob / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = successes / count
        centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return centre - half, centre + half


def _points(count: int) -> Array:
    # More points than ranks add nothing, and more than a hundred only cost time.
    number = min(count, 100)
    return np.arange(1, number) / number if number > 1 else np.array([0.5])


def _smallest_tail(below: Array, count: int) -> Array:
    """The smallest binomial tail probability over the points, from numbers of ranks at or below each, (..., points)."""
    points = _points(count)
    lower = bdtr(below, count, points)
    upper = np.where(below > 0, bdtrc(np.maximum(below - 1, 0), count, points), 1.0)
    return np.minimum(lower, upper).min(axis=-1)


@lru_cache(maxsize=16)
def _null(count: int) -> Array:
    ends = np.concatenate([[0.0], _points(count), [1.0]])
    between = np.random.default_rng(count).multinomial(count, np.diff(ends), size=_SIMULATIONS)
    return _smallest_tail(np.cumsum(between, axis=1)[:, :-1], count)
