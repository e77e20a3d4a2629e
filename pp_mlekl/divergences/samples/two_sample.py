"""log p/q at draws of p, from draws of p and of q alone."""

import numpy as np
from scipy import special
from scipy.spatial import cKDTree

from pp_mlekl.divergences.distribution import Array
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.divergences.samples.correction import ratio_correction
from pp_mlekl.divergences.samples.discriminative import lower_bound
from pp_mlekl.divergences.samples.gaussianize import fit_gaussianizer
from pp_mlekl.divergences.samples.neighbours import distances_to, distances_within, log_ratio
from pp_mlekl.divergences.samples.terms import Terms, halves, independent_size, remaining_bias

# Share of P's draws farther from Q's than Q's are from one another, from which Q does not cover P.
_UNCOVERED = 0.02
# A bound from below that exceeds the estimate by so many standard errors contradicts it.
_CONTRADICTION = 3.0


def neighbours_for(n: int, m: int, d: int) -> int:
    """How many neighbours: many in one dimension, where they cost no bias, few in high ones."""
    smaller = min(n, m)
    if d == 1:
        return max(3, int(0.5 * np.sqrt(smaller)))
    return 10 if d == 2 and smaller > 500 else 5


def log_ratio_terms(p: Draws, q: Draws, generator: np.random.Generator) -> Terms:
    """Estimates of log p/q at the draws of P, less the error of the same estimator on two normals of their moments."""
    if p.discrete:
        return _discrete_terms(p, q)
    gaussianizer = fit_gaussianizer(np.concatenate([p.values, q.values]))
    x, y = gaussianizer(p.values)[0], gaussianizer(q.values)[0]
    k = neighbours_for(p.size, q.size, p.dimension)
    correction, error = ratio_correction(x, y, k, generator)
    full = log_ratio(x, y, k) - correction
    half, half_error = _by_halves(x, y, generator)
    bound = lower_bound(x, y, generator)
    terms = Terms(
        values=full,
        method=f"{k} nearest neighbours ({gaussianizer.name}, corrected on normals)",
        extra_variance=error**2 + _other_sample_variance(x, y, q, k),
        bias=remaining_bias(full, half, p.dimension, float(np.hypot(error, half_error))),
    )
    return _with_warnings(terms, x, y, k, bound)


def _by_halves(x: Array, y: Array, generator: np.random.Generator) -> tuple[Array, float]:
    result, errors = np.empty(len(x)), []
    for i, j in zip(halves(len(x), generator), halves(len(y), generator), strict=True):
        k = neighbours_for(len(i), len(j), x.shape[1])
        correction, error = ratio_correction(x[i], y[j], k, generator)
        result[i] = log_ratio(x[i], y[j], k) - correction
        errors.append(error)
    return result, float(np.mean(errors) / np.sqrt(2))


def _other_sample_variance(x: Array, y: Array, q: Draws, k: int) -> float:
    """What the randomness of Q's draws adds: the variance of p/q over them, by counts in balls of 2k neighbours."""
    n, m = len(x), len(y)
    both = np.concatenate([x, y])
    size = 2 * k
    _, index = cKDTree(both).query(y, size)
    own = np.sum(index >= n, axis=1)
    ratio = ((size - own) / n) / (own / m)
    return float(np.var(ratio, ddof=1) / independent_size(ratio, q.chains, None))


def _with_warnings(terms: Terms, x: Array, y: Array, k: int, bound: tuple[float, float] | None) -> Terms:
    warnings = list(terms.warnings)
    value = float(np.mean(terms.values))
    uncovered = float(np.mean(distances_to(x, y, k) > np.max(distances_within(y, k))))
    if uncovered > _UNCOVERED or value > np.log(len(y)) - 1:
        warnings.append(
            f"Q's draws do not cover P's ({uncovered:.0%} of them lie outside): the value is only a lower bound."
        )
    if bound is not None:
        error = np.hypot(bound[1], np.sqrt(np.var(terms.values) / len(x) + terms.extra_variance))
        if bound[0] - value > _CONTRADICTION * error + abs(terms.bias):
            warnings.append(f"A logistic regression bounds the value from below by {bound[0]:.3g}: it is too low.")
    return Terms(
        values=terms.values,
        method=terms.method,
        extra_variance=terms.extra_variance,
        bias=terms.bias,
        warnings=tuple(warnings),
    )


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
    warnings = ()
    if unseen > 0:
        warnings = (f"Q's draws lack values that {unseen:.1%} of P's have: the value is only a lower bound.",)
    variance = float(np.var(ratio, ddof=1) / independent_size(ratio, q.chains, None))
    return Terms(values=terms, method="frequencies", extra_variance=variance, warnings=warnings)
