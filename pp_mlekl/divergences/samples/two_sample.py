"""log p/q at draws of p, from draws of p and of q alone."""

from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.spatial import cKDTree

from pp_mlekl.divergences.distribution import Array
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.divergences.samples.correction import QUERIES, density_correction, ratio_correction
from pp_mlekl.divergences.samples.discriminative import lower_bound
from pp_mlekl.divergences.samples.gaussianize import Gaussianizer, fit_gaussianizer
from pp_mlekl.divergences.samples.neighbours import (
    distances_to,
    distances_within,
    log_density_against,
    log_density_by_spacings,
    log_ratio,
)
from pp_mlekl.divergences.samples.one_sample import NEIGHBOURS
from pp_mlekl.divergences.samples.terms import Terms, halves, independent_size, remaining_bias

# Blocks for a subsampling error, and the fewest draws in one.
_BLOCKS = 10
_SMALLEST_BLOCK = 25
# Share of P's draws farther from Q's than Q's are from one another, from which Q does not cover P.
_UNCOVERED = 0.02
# A bound from below that exceeds the estimate by so many standard errors contradicts it.
_CONTRADICTION = 3.0
# The correction's own uncertainty, as a share of it: it was found on fitted densities, not on the true ones.
_OF_CORRECTION = 0.15
# The share of the margins' noise that they do not share with the neighbours' estimate.
_UNSHARED = 0.3
# Correlations below which coordinates count as independent, and the share of a correction by margins that may be wrong.
_WEAK = 0.2
_OF_MARGINS = 0.3


def neighbours_for(n: int, m: int, d: int) -> int:
    """How many neighbours: many in one dimension, where they cost no bias, few in high ones."""
    smaller = min(n, m)
    if d == 1:
        return max(3, int(0.5 * np.sqrt(smaller)))
    return 10 if d == 2 and smaller > 500 else 5


def log_ratio_terms(p: Draws, q: Draws, generator: np.random.Generator) -> Terms:
    """Estimates of log p/q at the draws of P."""
    if p.discrete:
        return _discrete_terms(p, q)
    return _terms_in_one_dimension(p, q, generator) if p.dimension == 1 else _terms_in_more(p, q, generator)


def _terms_in_one_dimension(p: Draws, q: Draws, generator: np.random.Generator) -> Terms:
    full, half = one_dimensional_log_ratio(p.values, q.values), np.empty(p.size)
    for i, j in zip(halves(p.size, generator), halves(q.size, generator), strict=True):
        half[i] = one_dimensional_log_ratio(p.values[i], q.values[j])
    z = fit_gaussianizer(np.concatenate([p.values, q.values]))
    x, y = z(p.values)[0], z(q.values)[0]
    k = neighbours_for(p.size, q.size, 1)
    own = np.var(full, ddof=1) / p.size
    # The fitted tails differ from sample to sample, which shows between blocks alone.
    extra = max(_other_sample_variance(x, y, q, k), _variance_by_blocks(p.values, q.values) - own)
    error = float(np.sqrt(own + extra))
    return Terms(
        values=full,
        method="spacings",
        extra_variance=extra,
        bias=remaining_bias(full, half, 1),
        warnings=_warnings(full, x, y, k, error, generator),
    )


def _variance_by_blocks(x: Array, y: Array) -> float:
    """Variance of the estimate from its values on disjoint blocks of draws (Politis and Romano 1994)."""
    blocks = min(_BLOCKS, min(len(x), len(y)) // _SMALLEST_BLOCK)
    if blocks < 2:
        return 0.0
    values = [one_dimensional_log_ratio(x[i::blocks], y[i::blocks]).mean() for i in range(blocks)]
    return float(np.var(values, ddof=1) / blocks)


def _terms_in_more(p: Draws, q: Draws, generator: np.random.Generator) -> Terms:
    maps = _fitted(p.values, q.values)
    found = _Corrected(p.values, q.values, maps, generator)
    correction = found.correction
    own = np.var(found.terms, ddof=1) / p.size
    extra = _other_sample_variance(found.x, found.y, q, found.k) + correction.error**2
    # The simulated spread has what the terms and counts miss: neighbours that many draws share.
    extra = max(extra, correction.spread**2 - own) + (_OF_CORRECTION * correction.bias) ** 2
    margins, noise = _margin_error(p.values, q.values, maps, generator)
    terms = found.terms
    if _nearly_independent(p.values, maps.p) and _nearly_independent(q.values, maps.q):
        # Then what the shuffled draws show is true of the draws themselves.
        terms, margins = terms - margins, _OF_MARGINS * margins
    elif abs(margins) < noise:
        margins = 0.0
    return Terms(
        values=terms,
        method=f"{found.k} nearest neighbours ({maps.common.name}, corrected on fitted densities)",
        extra_variance=extra,
        bias=float(np.hypot(_half_bias(found, generator), margins)),
        warnings=_warnings(terms, found.x, found.y, found.k, float(np.sqrt(own + extra)), generator),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Maps:
    """Maps fitted to both samples together, to P's and to Q's."""

    common: Gaussianizer
    p: Gaussianizer
    q: Gaussianizer


def _fitted(p: Array, q: Array) -> _Maps:
    common = fit_gaussianizer(np.concatenate([p, q]))
    return _Maps(common=common, p=fit_gaussianizer(p, common), q=fit_gaussianizer(q, common))


class _Corrected:
    """The neighbour estimate less its error on two densities fitted to the samples."""

    def __init__(self, p: Array, q: Array, maps: _Maps, generator: np.random.Generator, queries: int | None = None):
        self.maps = maps
        self.x, self.y = maps.common(p)[0], maps.common(q)[0]
        self.k = neighbours_for(len(p), len(q), p.shape[1])
        self.correction = ratio_correction(maps.p, maps.q, maps.common, (len(p), len(q)), self.k, generator)
        self.terms = log_ratio(self.x, self.y, self.k, queries) - self.correction.bias


def _margin_error(p: Array, q: Array, maps: _Maps, generator: np.random.Generator) -> tuple[float, float]:
    """What the neighbour estimate misses of the margins, and its noise.

    With the coordinates shuffled the divergence is the sum of those of the margins, which one dimension gives well.
    """
    margins = []
    for j in range(p.shape[1]):
        x, y = p[:, [j]], q[:, [j]]
        margins.append(_by_spacings(x, y, maps.p.margin(j, x), maps.q.margin(j, y)))
    x, y = _shuffled(p, generator), _shuffled(q, generator)
    own = _Maps(common=maps.common.rewhitened(np.concatenate([x, y])), p=maps.p.rewhitened(x), q=maps.q.rewhitened(y))
    shuffled = _Corrected(x, y, own, generator, QUERIES)
    error = float(shuffled.terms.mean() - sum(m.mean() for m in margins))
    spread = _UNSHARED * np.sqrt(sum(m.var() for m in margins) / len(p))
    noise = np.sqrt(shuffled.terms.var() / len(shuffled.terms) + spread**2 + shuffled.correction.error**2)
    return error, float(noise)


def _nearly_independent(x: Array, fitted: Gaussianizer) -> bool:
    return bool(np.max(np.abs(np.corrcoef(fitted(x)[0] @ fitted.chol.T, rowvar=False) - np.eye(x.shape[1]))) < _WEAK)


def _shuffled(x: Array, generator: np.random.Generator) -> Array:
    return np.stack([generator.permutation(column) for column in x.T], axis=-1)


def one_dimensional_log_ratio(x: Array, y: Array) -> Array:
    """log p/q at draws (n, 1) of p: each side's spacings in the scale of a density fitted to it."""
    return _by_spacings(x, y, fit_gaussianizer(x), fit_gaussianizer(y, like=fit_gaussianizer(np.concatenate([x, y]))))


def _by_spacings(x: Array, y: Array, p: Gaussianizer, q: Gaussianizer) -> Array:
    z, log_slope = p(x)
    log_p = log_density_by_spacings(z) - density_correction(len(x), 1, NEIGHBOURS)[0] + log_slope
    return log_p - q.log_density(x) - log_density_against(special.ndtr(q(x)[0][:, 0]), special.ndtr(q(y)[0][:, 0]))


def _half_bias(found: _Corrected, generator: np.random.Generator) -> float:
    """The bias that the number of draws leaves, from halves of them, at no more than so many draws of each."""
    x, y, maps = found.x, found.y, found.maps
    sizes = len(x) // 2, len(y) // 2
    k = neighbours_for(*sizes, x.shape[1])
    correction = ratio_correction(maps.p, maps.q, maps.common, sizes, k, generator)
    full, half = [], []
    for i, j in zip(halves(len(x), generator), halves(len(y), generator), strict=True):
        full.append(found.terms[i[:QUERIES]])
        half.append(log_ratio(x[i], y[j], k, QUERIES) - correction.bias)
    error = float(np.hypot(found.correction.error, correction.error))
    return remaining_bias(np.concatenate(full), np.concatenate(half), x.shape[1], error)


def _other_sample_variance(x: Array, y: Array, q: Draws, k: int) -> float:
    """What the randomness of Q's draws adds: the variance of p/q over them, by counts in balls of 2k neighbours."""
    n, m = len(x), len(y)
    size = 2 * k
    # Of many draws some are enough: a variance need not be exact.
    step = max(1, m // QUERIES) if q.chains is None else 1
    _, index = cKDTree(np.concatenate([x, y])).query(y[::step], size)
    own = np.sum(index >= n, axis=1)
    ratio = ((size - own) / n) / (own / m)
    return float(np.var(ratio, ddof=1) / (step * independent_size(ratio, q.chains, None)))


def _warnings(
    terms: Array, x: Array, y: Array, k: int, error: float, generator: np.random.Generator
) -> tuple[str, ...]:
    found = []
    value = float(np.mean(terms))
    step = max(1, len(x) // QUERIES)
    farthest = np.max(distances_within(y, k, QUERIES))
    uncovered = float(np.mean(distances_to(x[::step], y, k) > farthest))
    if uncovered > _UNCOVERED or value > np.log(len(y)) - 1:
        found.append(
            f"Q's draws do not cover P's ({uncovered:.0%} of them lie outside): the value is only a lower bound."
        )
    bound = lower_bound(x, y, generator)
    if bound is not None and bound[0] - value > _CONTRADICTION * np.hypot(bound[1], error):
        found.append(f"A logistic regression bounds the value from below by {bound[0]:.3g}: it is too low.")
    return tuple(found)


def _discrete_terms(p: Draws, q: Draws) -> Terms:
    """Frequencies; digamma(m + 1) has the expectation log E m for Poisson counts m, and is finite where m = 0."""
    _, which = np.unique(np.concatenate([p.values, q.values]), axis=0, return_inverse=True)
    which = which.ravel()
    own = np.bincount(which[: p.size], minlength=which.max() + 1)
    other = np.bincount(which[p.size :], minlength=which.max() + 1)
    i, j = which[: p.size], which[p.size :]
    terms = special.digamma(own[i]) - np.log(p.size) - special.digamma(other[i] + 1) + np.log(q.size)
    ratio = (own[j] / p.size) / (other[j] / q.size)
    unseen = float(np.mean(other[i] == 0))
    warnings: tuple[str, ...] = ()
    if unseen > 0:
        warnings = (f"Q's draws lack values that {unseen:.1%} of P's have: the value is only a lower bound.",)
    variance = float(np.var(ratio, ddof=1) / independent_size(ratio, q.chains, None))
    return Terms(values=terms, method="frequencies", extra_variance=variance, warnings=warnings)
