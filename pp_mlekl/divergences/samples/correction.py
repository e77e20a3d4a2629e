"""The bias of neighbour estimates on draws of the same size and dimension, whose densities are known.

Used as a control variate: the estimate on the draws less the error of the same estimator on simulated draws, of a
normal (one sample) or of normals seen through the maps fitted to the two samples.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.distribution import Array
from pp_mlekl.divergences.samples.gaussianize import Gaussianizer
from pp_mlekl.divergences.samples.neighbours import log_density, log_ratio

# Draws simulated in all: enough for an error well below that of the estimate.
_SIMULATED = 20_000
_MOST_ROUNDS = 20
# Draws of a large sample at which it is enough to look for an error, among the neighbours of all.
QUERIES = 2000
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


@dataclass(frozen=True, kw_only=True, eq=False)
class RatioCorrection:
    """What ``log_ratio`` misses on draws of two known distributions.

    Parameters
    ----------
    bias, error
        Mean of the estimate less the exact log ratio, and its standard error.
    spread
        Standard deviation of the whole estimate from one pair of samples to the next; 0 where it was not seen.
    """

    bias: float
    error: float
    spread: float


def ratio_correction(
    p: Gaussianizer,
    q: Gaussianizer,
    common: Gaussianizer,
    sizes: tuple[int, int],
    k: int,
    generator: np.random.Generator,
) -> RatioCorrection:
    """The error of the neighbour estimate on draws of ``p`` and ``q``, densities fitted to the two samples."""
    n, m = sizes
    d = len(common.mean)
    errors, values = [], []
    for _ in range(min(max(_SIMULATED // max(n, m), 3), _MOST_ROUNDS)):
        x, y = p.inverse(generator.standard_normal((n, d))), q.inverse(generator.standard_normal((m, d)))
        at = x[:QUERIES]
        estimated = np.mean(log_ratio(common(x)[0], common(y)[0], k, QUERIES))
        errors.append(estimated - np.mean(p.log_density(at) - q.log_density(at)))
        values.append(estimated)
    return RatioCorrection(
        bias=float(np.mean(errors)),
        error=float(np.std(errors, ddof=1) / np.sqrt(len(errors))),
        spread=float(np.std(values, ddof=1)) if n <= QUERIES else 0.0,
    )
