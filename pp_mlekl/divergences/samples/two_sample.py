"""log p/q at draws of p, from draws of p and of q alone."""

import numpy as np
from scipy import special
from scipy.spatial import cKDTree

from pp_mlekl.divergences.distribution import Array
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.divergences.samples.correction import density_correction, ratio_correction
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

# Share of P's draws farther from Q's than Q's are from one another, from which Q does not cover P.
_UNCOVERED = 0.02
# A bound from below that exceeds the estimate by so many standard errors contradicts it.
_CONTRADICTION = 3.0
# The correction's own uncertainty, as a share of it: it was found on fitted densities, not on the true ones.
_OF_CORRECTION = 0.15
# Shuffles of the coordinates, the share of the margins' noise that they do not share with the neighbours' estimate,
# and the standard errors from which what they show is taken for an error of the margins.
_SHUFFLES = 4
_UNSHARED = 0.3
_SIGNIFICANT = 2.0


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
    extra = _other_sample_variance(x, y, q, k)
    error = float(np.sqrt(np.var(full, ddof=1) / p.size + extra))
    return Terms(
        values=full,
        method="spacings",
        extra_variance=extra,
        bias=remaining_bias(full, half, 1),
        warnings=_warnings(full, x, y, k, error, generator),
    )


def _terms_in_more(p: Draws, q: Draws, generator: np.random.Generator) -> Terms:
    found = _Corrected(p.values, q.values, generator)
    half, half_error = _by_halves(found, generator)
    margins, unsure = _margin_error(p.values, q.values, found.common, generator)
    terms = found.terms - margins
    own = np.var(terms, ddof=1) / p.size
    correction = found.correction
    extra = _other_sample_variance(found.x, found.y, q, found.k) + correction.error**2
    # The simulated spread has what the terms and counts miss: neighbours that many draws share.
    extra = max(extra, correction.spread**2 - own) + unsure**2
    extra += (_OF_CORRECTION * (abs(correction.bias) + abs(margins))) ** 2
    bias = remaining_bias(found.terms, half, p.dimension, float(np.hypot(correction.error, half_error)))
    return Terms(
        values=terms,
        method=f"{found.k} nearest neighbours ({found.common.name}, corrected on fitted densities and margins)",
        extra_variance=extra,
        bias=bias,
        warnings=_warnings(terms, found.x, found.y, found.k, float(np.sqrt(own + extra)), generator),
    )


class _Corrected:
    """The neighbour estimate less its error on two densities fitted to the samples."""

    def __init__(self, p: Array, q: Array, generator: np.random.Generator):
        self.common = fit_gaussianizer(np.concatenate([p, q]))
        self.fits = fit_gaussianizer(p, self.common), fit_gaussianizer(q, self.common)
        self.x, self.y = self.common(p)[0], self.common(q)[0]
        self.k = neighbours_for(len(p), len(q), p.shape[1])
        self.correction = ratio_correction(*self.fits, self.common, (len(p), len(q)), self.k, generator)
        self.terms = log_ratio(self.x, self.y, self.k) - self.correction.bias


def _margin_error(p: Array, q: Array, common: Gaussianizer, generator: np.random.Generator) -> tuple[float, float]:
    """What the neighbour estimate misses of the margins: what is certain of it, and what cannot be told from noise.

    With the coordinates shuffled the divergence is the sum of those of the margins, which one dimension gives well.
    """
    margins = [one_dimensional_log_ratio(a[:, None], b[:, None]) for a, b in zip(p.T, q.T, strict=True)]
    fits = (
        fit_gaussianizer(_shuffled(p, generator), common),
        fit_gaussianizer(_shuffled(q, generator), common),
    )
    k = neighbours_for(len(p), len(q), p.shape[1])
    correction = ratio_correction(*fits, common, (len(p), len(q)), k, generator)
    found = []
    for _ in range(_SHUFFLES):
        x, y = (common(_shuffled(v, generator))[0] for v in (p, q))
        found.append(np.mean(log_ratio(x, y, k)))
    error = float(np.mean(found) - correction.bias - sum(m.mean() for m in margins))
    spread = np.sqrt(sum(m.var() for m in margins) / len(p))
    noise = np.sqrt(np.var(found, ddof=1) / _SHUFFLES + correction.error**2 + (_UNSHARED * spread) ** 2)
    return (error, 0.0) if abs(error) > _SIGNIFICANT * noise else (0.0, abs(error))


def _shuffled(x: Array, generator: np.random.Generator) -> Array:
    return np.stack([generator.permutation(column) for column in x.T], axis=-1)


def one_dimensional_log_ratio(x: Array, y: Array) -> Array:
    """log p/q at draws (n, 1) of p: each side's spacings in the scale of a density fitted to it."""
    p, q = fit_gaussianizer(x), fit_gaussianizer(y, like=fit_gaussianizer(np.concatenate([x, y])))
    z, log_slope = p(x)
    log_p = log_density_by_spacings(z) - density_correction(len(x), 1, NEIGHBOURS)[0] + log_slope
    return log_p - q.log_density(x) - log_density_against(special.ndtr(q(x)[0][:, 0]), special.ndtr(q(y)[0][:, 0]))


def _by_halves(found: _Corrected, generator: np.random.Generator) -> tuple[Array, float]:
    x, y = found.x, found.y
    result = np.empty(len(x))
    sizes = len(x) // 2, len(y) // 2
    k = neighbours_for(*sizes, x.shape[1])
    correction = ratio_correction(*found.fits, found.common, sizes, k, generator)
    for i, j in zip(halves(len(x), generator), halves(len(y), generator), strict=True):
        result[i] = log_ratio(x[i], y[j], k) - correction.bias
    return result, correction.error


def _other_sample_variance(x: Array, y: Array, q: Draws, k: int) -> float:
    """What the randomness of Q's draws adds: the variance of p/q over them, by counts in balls of 2k neighbours."""
    n, m = len(x), len(y)
    size = 2 * k
    _, index = cKDTree(np.concatenate([x, y])).query(y, size)
    own = np.sum(index >= n, axis=1)
    ratio = ((size - own) / n) / (own / m)
    return float(np.var(ratio, ddof=1) / independent_size(ratio, q.chains, None))


def _warnings(
    terms: Array, x: Array, y: Array, k: int, error: float, generator: np.random.Generator
) -> tuple[str, ...]:
    found = []
    value = float(np.mean(terms))
    uncovered = float(np.mean(distances_to(x, y, k) > np.max(distances_within(y, k))))
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
