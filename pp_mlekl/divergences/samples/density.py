"""The density of one sample: its margins by spacings, their dependence by a normal copula and nearest neighbours.

log p = sum of log densities of the margins + log copula density. The margins are taken in the scale of a smooth fitted
map. The copula's density is that of a normal copula (whitened normal scores) times what nearest neighbours see
beyond it; what they would see at the same place of exactly normal scores is known and taken off point by point.
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
from pp_mlekl.typing import Array

# Neighbours: at least and at most, and in between as a share of the root of the number of draws.
_FEWEST, _MOST, _SHARE_OF_ROOT = 5, 10, 0.1
# Factor on the error of a mean over draws: draws share neighbours, so their terms are correlated.
SHARED_NEIGHBOURS = 1.3
_LOG_2PI = np.log(2 * np.pi)


def neighbours_for(n: int) -> int:
    """How many neighbours: more of many draws, where they are near all the same and less noise."""
    return int(np.clip(_SHARE_OF_ROOT * np.sqrt(n), _FEWEST, _MOST))


@dataclass(frozen=True, kw_only=True)
class Correction:
    """The error of the mean estimated log density of normal draws.

    Parameters
    ----------
    mean, error
        Its mean, and the standard error of that.
    hidden_variance
        Variance of the mean from sample to sample on top of what the scatter of its terms shows: of neighbours that
        draws share, of fitted correlations.
    """

    mean: float
    error: float
    hidden_variance: float


@dataclass(frozen=True, kw_only=True, eq=False)
class LogDensities:
    """Log densities at points in two parts.

    Parameters
    ----------
    smooth
        Of the margins and of their normal copula, (n,).
    beyond
        What neighbours see beyond the normal copula, (q,).
    queries
        The places of those q points among the n.
    correction
        What the mean of both parts misses on normals, to be taken off.
    """

    smooth: Array
    beyond: Array
    queries: Array
    correction: Correction | None = None

    @property
    def _missed(self) -> float:
        return self.correction.mean if self.correction else 0.0

    @property
    def at_queries(self) -> Array:
        """Both parts at the points where neighbours were looked for, (q,)."""
        return self.smooth[self.queries] + self.beyond - self._missed

    @property
    def terms(self) -> Array:
        """One value for each point (n,), whose mean is the estimate; what lies beyond as a mean where it is not all."""
        beyond = self.beyond if len(self.beyond) == len(self.smooth) else np.mean(self.beyond)
        return self.smooth + beyond - self._missed

    @property
    def correction_error(self) -> float:
        """Standard error of the correction."""
        return self.correction.error if self.correction else 0.0

    @property
    def extra_variance(self) -> float:
        """Variance of the mean that the scatter of ``terms`` does not show: of the correction, of what draws share."""
        return self.correction.hidden_variance + self.correction_error**2 if self.correction else 0.0


@dataclass(frozen=True, kw_only=True)
class Beyond:
    """What neighbours see beyond a normal copula, as a mean.

    Parameters
    ----------
    mean, noise
        The mean and its standard error.
    shrunken
        What of the mean is more than noise, (1 - noise^2 / mean^2) of it where that is positive (James and Stein
        1961): between normals, where there is nothing to see, neighbours then add no noise.
    added_variance
        Variance that the mean adds to an estimate because it was taken at some of the draws only.
    """

    mean: float
    noise: float
    shrunken: float
    added_variance: float


def mean_beyond(beyond: Array, n: int) -> Beyond:
    """The mean of what neighbours see beyond a normal copula at (q,) of n draws."""
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
            # Draws that coincide have one place: the first one's.
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
        """Places of draws that all differ, one for each value."""
        return self._unique[0]

    @property
    def _which(self) -> Array:
        """Each draw's place among those."""
        return self._unique[1]

    @cached_property
    def chol(self) -> Array:
        """Cholesky factor of the correlation of the normal scores."""
        return cholesky_of_correlation(self._scores)

    @cached_property
    def whitened_scores(self) -> Array:
        """The draws where neighbours are looked for."""
        return whitened(self._scores, self.chol)

    @cached_property
    def tree(self) -> cKDTree:
        """The different draws where neighbours are looked for, as a tree."""
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
        """Log densities at the draws themselves; what lies beyond the normal copula at those of places ``queries``."""
        margins = self._log_slopes.sum(axis=1)
        for order, ordered in zip(self._order.T, self._sorted.T, strict=True):
            margins[order] += log_density_within(ordered)
        if self.d == 1:
            return LogDensities(smooth=margins, beyond=np.zeros(len(queries)), queries=queries)
        v = self.whitened_scores
        distance = distances_within(self.tree, neighbours_for(self.n), v[queries])
        return self._densities(margins, self._scores, v, distance, queries, itself=1)

    def at(self, x: Array, queries: Array) -> LogDensities:
        """Log densities at other points (q, d)."""
        z, log_slopes = self.maps(x)
        margins, scores = (log_slopes - 0.5 * z**2 - 0.5 * _LOG_2PI).sum(axis=1), np.empty_like(z)
        # Points in order are found among the draws several times as fast.
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
