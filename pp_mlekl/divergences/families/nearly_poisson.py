"""Accurate log ratios of negative binomials with little overdispersion, whose masses nearly equal a Poisson's."""

import numpy as np

from pp_mlekl.divergences.families.counts import NegativeBinomial, Poisson
from pp_mlekl.divergences.log_ratios import log_ratio_rule
from pp_mlekl.divergences.special import excess, log1p_minus, log_ratio
from pp_mlekl.typing import Array

# Dispersion below which the difference of the log masses keeps ten digits. Above it, two terms of Stirling's series are exact.
_LARGE = 1e5


def _to_own_poisson(p: NegativeBinomial, x: Array) -> Array:
    """Log mass less that of the Poisson of the same mean, about ((x - mu)^2 - x) / (2 alpha).

    It is log Gamma(x + a) - log Gamma(a) - x log a - (x + a) log(1 + mu / a) + mu, with Stirling's series of log Gamma;
    (1 + u) log(1 + u) - u is (1 + u) times the excess of 1 / (1 + u).
    """
    a, m, u = p.alpha, p.mu / p.alpha, x / p.alpha
    gammas = a * (1 + u) * excess(-u / (1 + u)) - np.log1p(u) / 2 - u / (12 * a * (1 + u))
    value = gammas - x * np.log1p(m) - a * log1p_minus(m)
    return np.where(a > _LARGE, value, np.nan)


def _between_poissons(p: NegativeBinomial | Poisson, q: NegativeBinomial | Poisson, x: Array) -> Array:
    return x * log_ratio(p.mu, q.mu) - (p.mu - q.mu)


@log_ratio_rule(NegativeBinomial, Poisson)
def _to_poisson(p: NegativeBinomial, q: Poisson, x: Array) -> Array:
    return _to_own_poisson(p, x) + _between_poissons(p, q, x)


@log_ratio_rule(Poisson, NegativeBinomial)
def _from_poisson(p: Poisson, q: NegativeBinomial, x: Array) -> Array:
    return _between_poissons(p, q, x) - _to_own_poisson(q, x)


@log_ratio_rule(NegativeBinomial, NegativeBinomial)
def _between(p: NegativeBinomial, q: NegativeBinomial, x: Array) -> Array:
    return _to_own_poisson(p, x) - _to_own_poisson(q, x) + _between_poissons(p, q, x)
