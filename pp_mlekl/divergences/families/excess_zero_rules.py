"""Closed forms for counts with excess zeros and for hurdles, by the chain rule: zero or not, then the positive part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from pp_mlekl.divergences.closed_form import closed_form_kl, kl_rule
from pp_mlekl.divergences.families.binary import Binomial
from pp_mlekl.divergences.families.counts import NegativeBinomial, Poisson
from pp_mlekl.divergences.families.hurdle import HurdleGamma, HurdleLogNormal
from pp_mlekl.divergences.families.probability import Probability, category_divergence
from pp_mlekl.divergences.families.zero_inflated import (
    HurdleNegativeBinomial,
    HurdlePoisson,
    ZeroInflatedBinomial,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from pp_mlekl.divergences.special import GAUSS_NODES, GAUSS_WEIGHTS, expm1_minus, log1p_minus
from pp_mlekl.typing import Array

# Change of the natural parameter within which 20 Gauss points integrate the variance exactly.
_NEAR = 0.5


@dataclass(frozen=True, kw_only=True)
class _Positive:
    """Counts without 0 as an exponential family in ``theta``.

    ``hidden`` is -log of the mass at 0 that was cut off, ``mean`` the mean before the cut; ``spread`` is the variance
    before the cut over the mean, less 1, and ``slack`` is ``hidden`` less ``mean``. Before the cut, the mean is proportional
    to exp(theta) (1 + spread).
    """

    theta: Array
    hidden: Array
    mean: Array
    spread: Array
    slack: Array

    def truncated_mean(self) -> Array:
        return self.mean / -np.expm1(-self.hidden)

    def mean_above_one(self) -> Array:
        """The truncated mean less 1, which is its limit at small means."""
        return (expm1_minus(-self.hidden) - self.slack) / -np.expm1(-self.hidden)

    def normaliser(self) -> Array:
        """The log normaliser less its limit at small means, which is ``theta`` and a constant."""
        # The mass above 0 is proportional to exp(hidden) - 1 = hidden exp(hidden) (1 - exp(-hidden)) / hidden.
        above = self.hidden + np.log1p(-expm1_minus(-self.hidden) / self.hidden)
        return above + np.log1p(self.slack / self.mean) + np.log1p(self.spread)

    def variance(self) -> Array:
        # 1 + mean - truncated mean is 1 - mean / expm1(hidden), without cancellation at small means.
        small = (expm1_minus(np.minimum(self.hidden, 30.0)) + self.slack) / np.expm1(self.hidden)
        rest = np.where(self.hidden < 30, small, 1 - self.mean * np.exp(-self.hidden))
        return self.truncated_mean() * (self.spread + rest)


def _poisson(theta: Array, _: Array) -> _Positive:
    mean = np.exp(theta)
    return _Positive(theta=theta, hidden=mean, mean=mean, spread=np.zeros(()), slack=np.zeros(()))


def _negative_binomial(theta: Array, alpha: Array) -> _Positive:
    ratio = np.exp(theta) / -np.expm1(theta)
    hidden, slack = alpha * np.log1p(ratio), alpha * log1p_minus(ratio)
    return _Positive(theta=theta, hidden=hidden, mean=alpha * ratio, spread=ratio, slack=slack)


def _binomial(theta: Array, n: Array) -> _Positive:
    p = special.expit(theta)
    hidden = n * np.logaddexp(0.0, theta)
    return _Positive(theta=theta, hidden=hidden, mean=n * p, spread=-p, slack=-n * log1p_minus(-p))


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A family of counts: natural parameter, parameter that p and q must share, step from p to q, zero-truncated family."""

    theta: Callable[[Any], Array]
    fixed: Callable[[Any], Array]
    step: Callable[[Any, Any], Array]
    truncated: Callable[[Array, Array], _Positive]


_POISSON = _Kind(
    theta=lambda d: np.log(d.mu),
    fixed=lambda d: np.zeros(()),
    step=lambda p, q: _log_quotient(q.mu, p.mu),
    truncated=_poisson,
)
_NEGATIVE_BINOMIAL = _Kind(
    theta=lambda d: -np.log1p(d.alpha / d.mu),
    fixed=lambda d: d.alpha,
    step=lambda p, q: _log_quotient(q.mu, p.mu) - _log_quotient(q.mu + q.alpha, p.mu + p.alpha),
    truncated=_negative_binomial,
)
_BINOMIAL = _Kind(
    theta=lambda d: _success(d).log_odds,
    fixed=lambda d: d.n,
    step=lambda p, q: _step_of_log_odds(_success(p), _success(q)),
    truncated=_binomial,
)


def _success(d: Any) -> Probability:
    return d.success if isinstance(d, Binomial) else d.counts().success


def _step_of_log_odds(p: Probability, q: Probability) -> Array:
    if p.logit is None and q.logit is None:
        return _log_quotient(q.p, p.p) - _log_quotient(1 - q.p, 1 - p.p)
    return q.log_odds - p.log_odds


def _log_quotient(new: Array, old: Array) -> Array:
    return np.log1p((new - old) / old)


def _positive_part(kind: _Kind, p: Any, q: Any) -> Array:
    """KL of the counts given that they are not 0: the Bregman divergence of the log normaliser."""
    fixed, theta, step = np.broadcast_arrays(kind.fixed(p), kind.theta(p), kind.step(p, q))
    start, end = kind.truncated(theta, fixed), kind.truncated(theta + step, fixed)
    far = end.normaliser() - start.normaliser() - step * start.mean_above_one()
    s = GAUSS_NODES.reshape(-1, *([1] * theta.ndim))
    variance = kind.truncated(theta + s * step, fixed).variance()
    near = step**2 * np.tensordot(GAUSS_WEIGHTS * (1 - GAUSS_NODES), variance, axes=1)
    # Half the distance to theta = 0 too, where a negative binomial's variance has its pole.
    limit = _NEAR * np.minimum(1.0, np.abs(theta)) if kind is _NEGATIVE_BINOMIAL else _NEAR
    value = np.where(np.abs(step) < limit, near, far)
    same = np.broadcast_to(kind.fixed(p) == kind.fixed(q), value.shape)
    return np.where(same, np.where(step == 0, 0.0, value), np.nan)


def _log_zero_and_rest(d: Any, kind: _Kind) -> tuple[Array, Array]:
    """Logarithms of the mass at 0 and of the mass above 0."""
    name = type(d).__name__
    if name.startswith("Hurdle"):
        return d.presence.log_complement, d.presence.log
    if kind is _POISSON:
        hidden = d.mu
    elif kind is _NEGATIVE_BINOMIAL:
        hidden = d.alpha * np.log1p(d.mu / d.alpha)
    else:
        hidden = -d.n * _success(d).log_complement
    rest = np.log(-np.expm1(-hidden))
    if not name.startswith("ZeroInflated"):
        return -hidden, rest
    return np.logaddexp(d.presence.log_complement, d.presence.log - hidden), d.presence.log + rest


def _chain_rule(kind: _Kind) -> Callable[[Any, Any], Array]:
    def rule(p: Any, q: Any) -> Array:
        of_p, of_q = (np.stack(np.broadcast_arrays(*_log_zero_and_rest(d, kind)), axis=-1) for d in (p, q))
        first = category_divergence(np.exp(of_p), of_p, of_q)
        rest = np.exp(of_p[..., 1])
        second = np.where(rest == 0, 0.0, rest * _positive_part(kind, p, q))
        return np.where(np.isinf(first), np.inf, first + second)

    return rule


def _hurdle(p: Any, q: Any) -> Array | None:
    positive = closed_form_kl(p.positive(), q.positive())
    if positive is None:
        return None
    return p.presence.divergence(q.presence) + np.where(p.psi == 0, 0.0, p.psi * positive)


def _register() -> None:
    for kind, plain, others in (
        (_POISSON, Poisson, (ZeroInflatedPoisson, HurdlePoisson)),
        (_NEGATIVE_BINOMIAL, NegativeBinomial, (ZeroInflatedNegativeBinomial, HurdleNegativeBinomial)),
        (_BINOMIAL, Binomial, (ZeroInflatedBinomial,)),
    ):
        for p in (plain, *others):
            for q in (plain, *others):
                if not p is q is plain:
                    kl_rule(p, q)(_chain_rule(kind))
    for p in (HurdleGamma, HurdleLogNormal):
        for q in (HurdleGamma, HurdleLogNormal):
            kl_rule(p, q)(_hurdle)


_register()
