"""Exact tail probabilities of one observation, and of the mean of n for families that are closed under sums."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.integration.quadrature_nodes import expectation_nodes
from pp_mlekl.divergences.integration.tails import diverges_in_tail
from pp_mlekl.theorem.setting import Setting
from pp_mlekl.typing import Array

# Relative tolerance for limits of summation that are integers up to rounding.
_INTEGER_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservationTail:
    """P(|Y - mean| >= k sd) of one observation, for each ``k``."""

    k: Array
    probability: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanTail:
    """P(|mean of n - mean| >= eps) for each n, and Chebyshev's bound."""

    eps: float
    probability: Array
    bound: Array


def first_row(setting: Setting) -> Distribution | None:
    """The true distribution of the first row of the first observed variable; None if that is a vector."""
    p = next(iter(setting.truth.distributions.values()))
    if p.event_ndim:
        return None
    return p.select((0,) * len(p.batch_shape)) if p.batch_shape else p


def moments(p: Distribution) -> tuple[float, float]:
    """Mean and variance of a scalar distribution, by quadrature; NaN and infinity if its tails are too heavy for a variance."""
    # The cross-entropy of a normal distribution is a second moment.
    if diverges_in_tail(p.expand((1,)), family("Normal")(mu=np.zeros(1), sigma=1.0)).any():
        return np.nan, np.inf
    nodes = expectation_nodes(p, np.random.default_rng(0))
    mean = float(nodes.mean(nodes.points))
    return mean, float(nodes.mean((nodes.points - mean) ** 2))


def observation_tail(setting: Setting) -> ObservationTail | None:
    """The tail of the first row; None if it is a vector or has no finite variance."""
    p = first_row(setting)
    if p is None:
        return None
    mean, variance = moments(p)
    if not np.isfinite(variance) or variance <= 0:
        return None
    k = np.array([1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0])
    return ObservationTail(k=k, probability=two_sided(p, mean, k * np.sqrt(variance)))


def two_sided(p: Distribution, mean: float, distance: Array) -> Array:
    """P(|Y - mean| >= distance), including equality."""
    low, high = mean - distance, mean + distance
    if p.discrete:
        return p.cdf(np.floor(low + _INTEGER_TOLERANCE)) + p.survival(np.ceil(high - _INTEGER_TOLERANCE) - 1)
    return p.cdf(low) + p.survival(high)


def mean_tail(setting: Setting, sizes: Array) -> MeanTail | None:
    """The exact tail of the mean of n observations; None if the family is not closed under sums."""
    p = first_row(setting)
    sums = {} if p is None else _SUMS
    make = sums.get(type(p).__name__)
    if p is None or make is None:
        return None
    mean, variance = moments(p)
    eps = float(np.sqrt(4 * variance / sizes[len(sizes) // 2]))
    probability = [sum_tail(make(p, int(n)), int(n), mean, eps, p.discrete) for n in sizes]
    return MeanTail(eps=eps, probability=np.array(probability), bound=variance / (sizes * eps**2))


def sum_tail(total: Any, n: int, mean: float, eps: float, discrete: bool) -> float:
    """P(|sum / n - mean| >= eps) for a sum with known distribution."""
    low, high = n * (mean - eps), n * (mean + eps)
    if discrete:
        low, high = np.floor(low + _INTEGER_TOLERANCE * n), np.ceil(high - _INTEGER_TOLERANCE * n) - 1
    return float(total.cdf(low) + total.sf(high))


_SUMS: dict[str, Callable[[Any, int], Any]] = {
    "Normal": lambda p, n: stats.norm(n * p.mu, np.sqrt(n) * p.sigma),
    "Exponential": lambda p, n: stats.gamma(n, scale=1 / p.lam),
    "Gamma": lambda p, n: stats.gamma(n * p.alpha, scale=1 / p.beta),
    "Bernoulli": lambda p, n: stats.binom(n, p.p),
    "Poisson": lambda p, n: stats.poisson(n * p.mu),
    "NegativeBinomial": lambda p, n: stats.nbinom(n * p.alpha, p.alpha / (p.alpha + p.mu)),
}
