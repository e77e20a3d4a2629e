"""The bias of neighbour estimates on normals of the same size and dimension, whose densities are known.

Used as a control variate: the estimate on the draws less the error of the same estimator on simulated normal draws.
After ``gaussianize`` the draws are close to normal, and so is the bias.
"""

from functools import lru_cache

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.distribution import Array
from pp_mlekl.divergences.samples.neighbours import log_density, log_ratio

# Draws simulated in all: enough for an error well below that of the estimate.
_SIMULATED = 20_000
_MOST_ROUNDS = 20
_SMALLEST_EIGENVALUE = 1e-12


@lru_cache(maxsize=256)
def density_correction(n: int, d: int, k: int) -> tuple[float, float]:
    """Mean of log p-hat - log p over n standard normal draws in d dimensions, and its standard error.

    In more than one dimension it is that of the copula's density, estimated on normal scores.
    """
    generator = np.random.default_rng([n, d, k])
    means = []
    for _ in range(min(max(_SIMULATED // n, 2), _MOST_ROUNDS)):
        z = generator.standard_normal((n, d))
        means.append(np.mean(log_copula_density(z, k) if d > 1 else log_density(z, k) - _log_standard(z)))
    return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(len(means)))


def log_copula_density(x: Array, k: int) -> Array:
    """log of p / product of the margins at draws (n, d), by neighbours of whitened normal scores; not corrected.

    Raises
    ------
    ValueError
        Where the draws lie in a subspace: a coordinate is a function of the others.
    """
    scores = normal_scores(x)
    covariance = np.cov(scores.T)
    if np.linalg.eigvalsh(covariance)[0] < _SMALLEST_EIGENVALUE * np.trace(covariance):
        raise ValueError(
            "The draws lie in a subspace (a coordinate is a function of others), where they have no density; "
            "drop the redundant coordinate."
        )
    chol = np.linalg.cholesky(covariance)
    joint = log_density(np.linalg.solve(chol, scores.T).T, k) - np.sum(np.log(np.diagonal(chol)))
    return joint - _log_standard(scores)


def normal_scores(x: Array) -> Array:
    """Each coordinate's ranks as normal quantiles."""
    return special.ndtri((stats.rankdata(x, axis=0) - 0.5) / len(x))


def _log_standard(z: Array) -> Array:
    return -0.5 * np.sum(z**2, axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)


def ratio_correction(x: Array, y: Array, k: int, generator: np.random.Generator) -> tuple[float, float]:
    """Mean of log-ratio-hat - log ratio over draws of two normals with the moments of ``x`` and ``y``, and its error."""
    (n, d), m = x.shape, len(y)
    p, q = (_moments(v) for v in (x, y))
    means = []
    for _ in range(min(max(_SIMULATED // max(n, m), 2), _MOST_ROUNDS)):
        a = p[0] + generator.standard_normal((n, d)) @ p[1].T
        b = q[0] + generator.standard_normal((m, d)) @ q[1].T
        means.append(np.mean(log_ratio(a, b, k) - _log_normal(a, *p) + _log_normal(a, *q)))
    return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(len(means)))


def _moments(x: Array) -> tuple[Array, Array]:
    return x.mean(axis=0), np.linalg.cholesky(np.atleast_2d(np.cov(x.T)))


def _log_normal(x: Array, mean: Array, chol: Array) -> Array:
    z = np.linalg.solve(chol, (x - mean).T).T
    return -0.5 * np.sum(z**2, axis=1) - np.sum(np.log(np.diagonal(chol)))
