"""One rule for powers of gamma variables and their logarithms: the generalised gamma (Stacy 1962)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families.extreme import Gumbel, Moyal, Weibull
from pp_mlekl.divergences.families.gamma import ChiSquared, Exponential, Gamma, InverseGamma
from pp_mlekl.divergences.families.normal import HalfNormal
from pp_mlekl.divergences.special import entropy_term, excess, expm1_minus, gammaln_excess, log_ratio, relative_change
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True)
class _Power:
    """``scale`` G^(1 / ``exponent``), G from Gamma(``shape``, 1); ``scale`` is a logarithm for families of logarithms."""

    shape: Array | float
    scale: Array
    exponent: Array | float


_POSITIVE: dict[type[Distribution], Callable[[Any], _Power]] = {
    Gamma: lambda d: _Power(shape=d.alpha, scale=1 / d.beta, exponent=1.0),
    Exponential: lambda d: _Power(shape=1.0, scale=1 / d.lam, exponent=1.0),
    ChiSquared: lambda d: _Power(shape=d.nu / 2, scale=np.full((), 2.0), exponent=1.0),
    Weibull: lambda d: _Power(shape=1.0, scale=d.beta, exponent=d.alpha),
    HalfNormal: lambda d: _Power(shape=0.5, scale=np.sqrt(2) * d.sigma, exponent=2.0),
    InverseGamma: lambda d: _Power(shape=d.alpha, scale=d.beta, exponent=-1.0),
}
_LOGARITHMS: dict[type[Distribution], Callable[[Any], _Power]] = {
    Gumbel: lambda d: _Power(shape=1.0, scale=d.mu, exponent=-1 / d.beta),
    Moyal: lambda d: _Power(shape=0.5, scale=d.mu - d.sigma * np.log(2), exponent=-1 / d.sigma),
}


def _divergence(p: _Power, q: _Power, log_scale: Array) -> Array:
    """KL(p||q), where ``log_scale`` is the log of p's scale over q's."""
    arrays = np.broadcast_arrays(p.shape, q.shape, p.exponent, q.exponent, log_scale)
    a, b, k, m, shift = (np.asarray(x, dtype=np.float64) for x in arrays)
    ratio = m / k
    return np.where(ratio > 0, _same_sign(a, b, k, m, m * shift), _opposite_sign(a, b, ratio, m * shift))


def _same_sign(a: Array, b: Array, k: Array, m: Array, shift: Array) -> Array:
    # Let v be the log of the gamma variable of q's representation, E[e^v] = b e^l, and r = m / k = 1 + d. The divergence is
    # then a sum of Bregman remainders, which vanish to second order as p approaches q.
    d = np.where(m / k > 0, relative_change(m, k), 0.0)
    powers = gammaln_excess(a + 1, a + 1 + d)
    log_mean = shift + log_ratio(a, b) + d * special.digamma(a + 1) + powers
    shapes = gammaln_excess(a, b) - entropy_term(b, a)
    return b * expm1_minus(log_mean) + b * powers + shapes + excess(d) + d * (b - a) / a


def _opposite_sign(a: Array, b: Array, ratio: Array, shift: Array) -> Array:
    mean_log = special.digamma(a)
    own = -special.gammaln(a) + a * mean_log - a
    other = -special.gammaln(b) + b * (ratio * mean_log + shift)
    mean = np.exp(shift + special.gammaln(a + ratio) - special.gammaln(a))
    return np.where(a + ratio > 0, own - other + mean - np.log(np.abs(ratio)), np.inf)


def _rule(
    p_power: Callable[..., _Power], q_power: Callable[..., _Power], log_ratio_of_scales: Callable[..., Array]
) -> Callable[..., Array]:
    def rule(p: Distribution, q: Distribution) -> Array:
        one, other = p_power(p), q_power(q)
        return _divergence(one, other, log_ratio_of_scales(one.scale, other.scale))

    return rule


_GAMMA_LIKE = {Gamma, Exponential, ChiSquared}

for _families, _log_ratio in ((_POSITIVE, log_ratio), (_LOGARITHMS, np.subtract)):
    for _p, _p_power in _families.items():
        for _q, _q_power in _families.items():
            # Gamma has a rule of its own, and so has its reciprocal.
            if not {_p, _q} <= _GAMMA_LIKE and (_p, _q) != (InverseGamma, InverseGamma):
                kl_rule(_p, _q)(_rule(_p_power, _q_power, _log_ratio))
