"""The density of one sample: its margins by spacings, their dependence by a normal copula and nearest neighbours.

log p = sum of log densities of the margins + log copula density. The margins are taken in the scale of a smooth fitted
map. The copula's density is that of a normal copula (whitened normal scores) times a ratio that nearest neighbours estimate.
The expected estimate for exactly normal scores at the same place is known and subtracted point by point.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special
from scipy.spatial import cKDTree

from pp_mlekl.divergences.samples.gaussianize import (
    Gaussianizer,
    MarginMaps,
    cholesky_of_correlation,
    fit_margins,
    standard_log_density,
    whitened,
)
from pp_mlekl.divergences.samples.neighbours import (
    distances_to,
    distances_within,
    expected_log_density,
    log_density_by_neighbours,
)
from pp_mlekl.divergences.samples.spacings import log_density_against, log_density_within, normal_scores
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array

# Number of neighbours: minimum, maximum, and in between this fraction of the square root of the number of draws.
_FEWEST, _MOST, _SHARE_OF_ROOT = 5, 10, 0.1
# Factor on the error of a mean over draws: draws share neighbours, so their terms are correlated.
SHARED_NEIGHBOURS = 1.3


def neighbours_for(n: int) -> int:
    """Number of neighbours for n draws; more neighbours reduce the noise, and many draws keep them close."""
    return int(np.clip(_SHARE_OF_ROOT * np.sqrt(n), _FEWEST, _MOST))


@dataclass(frozen=True, kw_only=True)
class Correction:
    """The error of the mean estimated log density of normal draws.

    Parameters
    ----------
    smooth, beyond
        Its mean, of either part of ``LogDensities``.
    error
        The standard error of the sum of the two.
    hidden_variance
        Variance of the mean between samples beyond that estimated from the scatter of its terms, due to shared neighbours
        and fitted correlations.
    """

    smooth: float
    beyond: float
    error: float
    hidden_variance: float


@dataclass(frozen=True, kw_only=True, eq=False)
class LogDensities:
    """Log densities at points, in two parts.

    Parameters
    ----------
    smooth
        Log density of the margins and their normal copula, (n,).
    beyond
        Log density relative to the normal copula, by nearest neighbours, at some of the points, (q,).
    queries
        Indices of those q points among the n.
    correction
        Error of the means of both parts on normal draws, which has been subtracted.
    """

    smooth: Array
    beyond: Array
    queries: Array
    correction: Correction | None = None

    @property
    def at_queries(self) -> Array:
        """The log densities at the points ``queries``, (q,)."""
        return self.smooth[self.queries] + self.beyond

    @property
    def terms(self) -> Array:
        """One value for each point, (n,), whose mean is the estimate; ``beyond`` enters as a mean if it has fewer points."""
        beyond = self.beyond if len(self.beyond) == len(self.smooth) else np.mean(self.beyond)
        return self.smooth + beyond

    @property
    def correction_error(self) -> float:
        """Standard error of the correction."""
        return self.correction.error if self.correction else 0.0

    @property
    def extra_variance(self) -> float:
        """Variance of the mean that the scatter of ``terms`` does not contain: shared neighbours and the correction's error."""
        return self.correction.hidden_variance + self.correction_error**2 if self.correction else 0.0


@dataclass(frozen=True, kw_only=True)
class Beyond:
    """The mean log density relative to a normal copula, by nearest neighbours.

    Parameters
    ----------
    mean, noise
        The mean and its standard error.
    shrunken
        The mean times 1 - noise^2 / mean^2 where that is positive, else 0 (James and Stein 1961). For a normal copula,
        neighbours then add little noise.
    added_variance
        Variance that the mean adds to an estimate where it is taken over some of the draws only.
    """

    mean: float
    noise: float
    shrunken: float
    added_variance: float


def mean_beyond(beyond: Array, n: int) -> Beyond:
    """The mean of ``LogDensities.beyond`` (q,) at q of n draws, with its noise."""
    seen = len(beyond)
    mean, variance = float(np.mean(beyond)), float(np.var(beyond, ddof=1))
    noise = SHARED_NEIGHBOURS * np.sqrt(variance / seen)
    kept = max(1 - (noise / mean) ** 2, 0.0) if mean else 0.0
    return Beyond(mean=mean, noise=noise, shrunken=kept * mean, added_variance=variance / seen if seen < n else 0.0)


class SampleDensity:
    """The density of draws (n, d), estimated at themselves and at other points."""

    def __init__(self, draws: Array, maps: MarginMaps | None = None, images: tuple[Array, Array] | None = None):
        self.n, self.d = draws.shape
        self.maps = fit_margins(draws) if maps is None else maps
        self.draws = draws
        self.z, self._log_slopes = self.maps(draws) if images is None else images

    def part(self, index: Array) -> "SampleDensity":
        """The density of some of the draws, with the same maps of the margins."""
        return SampleDensity(self.draws[index], self.maps, (self.z[index], self._log_slopes[index]))

    @cached_property
    def _order(self) -> Array:
        return np.argsort(self.z, axis=0)

    @cached_property
    def _sorted(self) -> Array:
        return np.take_along_axis(self.z, self._order, axis=0)

    @cached_property
    def _scores(self) -> Array:
        result = np.empty_like(self.z)
        levels = special.ndtri((np.arange(self.n) + 0.5) / self.n)
        np.put_along_axis(result, self._order, levels[:, None], axis=0)
        if len(self._different) < self.n:
            # Equal draws get the score of the first.
            result = result[self._different][self._which]
        return result

    @cached_property
    def _unique(self) -> tuple[Array, Array]:
        if len(np.unique(self.draws[:, 0])) == self.n:
            return np.arange(self.n), np.arange(self.n)
        _, first, which = np.unique(self.draws, axis=0, return_index=True, return_inverse=True)
        return first, which.ravel()

    @property
    def _different(self) -> Array:
        """Indices of distinct draws, the first of each value."""
        return self._unique[0]

    @property
    def _which(self) -> Array:
        """Index of each draw's value among the distinct draws."""
        return self._unique[1]

    @cached_property
    def chol(self) -> Array:
        """Cholesky factor of the correlation of the normal scores."""
        return cholesky_of_correlation(self._scores)

    @cached_property
    def whitened_scores(self) -> Array:
        """The draws in the coordinates in which neighbours are searched."""
        return whitened(self._scores, self.chol)

    @cached_property
    def tree(self) -> cKDTree:
        """The distinct whitened scores as a tree."""
        # Whitened draws fill space evenly: a balanced tree would take longer to build than it saves.
        return cKDTree(self.whitened_scores[self._different], balanced_tree=False, compact_nodes=False)

    @cached_property
    def smooth(self) -> Gaussianizer:
        """A density without neighbours or spacings: the fitted maps and the normal copula."""
        return Gaussianizer(margins=self.maps, chol=cholesky_of_correlation(self.z))

    @property
    def smooth_terms(self) -> Array:
        """Log of the smooth density at the draws themselves, (n,)."""
        return standard_log_density(self.z, self._log_slopes, self.smooth.chol)

    def within(self, queries: Array) -> LogDensities:
        """Log densities at the draws themselves, with neighbours searched at the draws ``queries``."""
        margins = self._log_slopes.sum(axis=1)
        for order, ordered in zip(self._order.T, self._sorted.T, strict=True):
            margins[order] += log_density_within(ordered)
        if self.d == 1:
            return LogDensities(smooth=margins, beyond=np.zeros(len(queries)), queries=queries)
        v = self.whitened_scores
        distance = distances_within(self.tree, neighbours_for(self.n), v[queries])
        return self._densities(margins, self._scores, v, distance, queries, itself=1)

    def at(self, x: Array, queries: Array) -> LogDensities:
        """Log densities at other points ``x`` (m, d), with neighbours searched at the points ``queries``."""
        z, log_slopes = self.maps(x)
        margins, scores = (log_slopes - 0.5 * z**2 - 0.5 * LOG_2PI).sum(axis=1), np.empty_like(z)
        # Searching for sorted points is several times faster.
        for j, (order, ordered) in enumerate(zip(np.argsort(z, axis=0).T, self._sorted.T, strict=True)):
            margins[order] += log_density_against(z[order, j], ordered)
            scores[order, j] = normal_scores(z[order, j], ordered)
        if self.d == 1:
            return LogDensities(smooth=margins, beyond=np.zeros(len(queries)), queries=queries)
        v = whitened(scores, self.chol)
        distance = distances_to(self.tree, neighbours_for(self.n), v[queries])
        return self._densities(margins, scores, v, distance, queries, itself=0)

    def _densities(
        self, margins: Array, scores: Array, v: Array, distance: Array, queries: Array, itself: int
    ) -> LogDensities:
        key = (neighbours_for(self.n), self.tree.n - itself, self.d)
        seen = log_density_by_neighbours(distance, *key)
        dependence = 0.5 * (scores**2 - v**2).sum(axis=1) - np.sum(np.log(np.diagonal(self.chol)))
        beyond = seen - expected_log_density(np.linalg.norm(v[queries], axis=1), *key)
        return LogDensities(smooth=margins + dependence, beyond=beyond, queries=queries)
