"""Gamma, its special cases, its inverse, and the Weibull and Gumbel that are powers and logarithms of an exponential."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Array, CrossEntropyTerms, Distribution
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import excess, expm1_minus, gammaln_excess, relative_change


class _GammaLike(Univariate):
    """What Gamma and its special cases share; ``shape`` and ``rate`` are Gamma's alpha and beta."""

    known_expectations = ("x", "x2", "log", "log2", "power")
    needed_expectations = ("x", "log")
    closed_entropy = True

    def as_gamma(self) -> "Gamma":
        """The same distribution as a Gamma."""
        raise NotImplementedError

    def frozen(self) -> Any:
        """SciPy's gamma."""
        g = self.as_gamma()
        return stats.gamma(g.alpha, scale=1 / g.beta)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        g = self.as_gamma()
        value = g.alpha - np.log(g.beta) + special.gammaln(g.alpha) + (1 - g.alpha) * special.digamma(g.alpha)
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean and E log X."""
        g = self.as_gamma()
        constant = special.gammaln(g.alpha) - g.alpha * np.log(g.beta)
        return CrossEntropyTerms(constant=constant, statistics=((g.beta, "x", 0.0), (1 - g.alpha, "log", 0.0)))

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        g = self.as_gamma()
        mean_log = special.digamma(g.alpha) - np.log(g.beta)

        def power(k: Array) -> Array:
            k = np.asarray(k, dtype=np.float64)
            value = np.exp(special.gammaln(g.alpha + k) - special.gammaln(g.alpha) - k * np.log(g.beta))
            return np.where(g.alpha + k > 0, value, np.inf)

        return {
            "x": lambda _: g.alpha / g.beta,
            "x2": lambda _: g.alpha * (g.alpha + 1) / g.beta**2,
            "power": power,
            "log": lambda _: mean_log,
            "log2": lambda _: mean_log**2 + special.polygamma(1, g.alpha),
        }


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Gamma(_GammaLike):
    """Gamma with shape ``alpha`` and rate ``beta``."""

    alpha: Array
    beta: Array

    def validate(self) -> None:
        """Raise where a parameter is not positive."""
        self._require_positive("alpha", "beta")

    def as_gamma(self) -> "Gamma":
        """Itself."""
        return self


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Exponential(_GammaLike):
    """Exponential with rate ``lam``."""

    lam: Array

    def validate(self) -> None:
        """Raise where ``lam`` is not positive."""
        self._require_positive("lam")

    def frozen(self) -> Any:
        """SciPy's exponential."""
        return stats.expon(scale=1 / self.lam)

    def as_gamma(self) -> Gamma:
        """Gamma of shape 1."""
        return Gamma(alpha=np.ones(()), beta=self.lam)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ChiSquared(_GammaLike):
    """Chi-squared with ``nu`` degrees of freedom."""

    nu: Array

    def validate(self) -> None:
        """Raise where ``nu`` is not positive."""
        self._require_positive("nu")

    def as_gamma(self) -> Gamma:
        """Gamma of shape nu / 2 and rate 1/2."""
        return Gamma(alpha=self.nu / 2, beta=np.full((), 0.5))


def _gamma(p: _GammaLike, q: _GammaLike) -> Array:
    # Bregman form of the log-normaliser: no difference of large numbers where p is close to q.
    a, b = p.as_gamma(), q.as_gamma()
    change = relative_change(b.beta, a.beta)
    with np.errstate(all="ignore"):
        return gammaln_excess(a.alpha, b.alpha) + a.alpha * excess(change) + (a.alpha - b.alpha) * np.log1p(change)


for _p in (Gamma, Exponential, ChiSquared):
    for _q in (Gamma, Exponential, ChiSquared):
        kl_rule(_p, _q)(_gamma)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class InverseGamma(Univariate):
    """The reciprocal of a Gamma with shape ``alpha`` and rate ``beta``."""

    alpha: Array
    beta: Array
    known_expectations = ("x", "x2", "log", "log2", "power")
    needed_expectations = ("log", "power")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where a parameter is not positive."""
        self._require_positive("alpha", "beta")

    def frozen(self) -> Any:
        """SciPy's inverse gamma."""
        return stats.invgamma(self.alpha, scale=self.beta)

    def fold(self) -> tuple[str, Distribution]:
        """Its reciprocal is Gamma."""
        return "reciprocal", Gamma(alpha=self.alpha, beta=self.beta)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        a = self.alpha
        value = a + np.log(self.beta) + special.gammaln(a) - (1 + a) * special.digamma(a)
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """E log X and E 1/X."""
        constant = special.gammaln(self.alpha) - self.alpha * np.log(self.beta)
        return CrossEntropyTerms(
            constant=constant, statistics=((self.alpha + 1, "log", 0.0), (self.beta, "power", -1.0))
        )

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        inner = Gamma(alpha=self.alpha, beta=self.beta)._expectations()
        return {
            "x": lambda _: inner["power"](-1.0),
            "x2": lambda _: inner["power"](-2.0),
            "power": lambda k: inner["power"](-np.asarray(k)),
            "log": lambda _: -inner["log"](0),
            "log2": lambda _: inner["log2"](0),
        }


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Weibull(Univariate):
    """``beta`` times the power 1 / ``alpha`` of a standard exponential."""

    alpha: Array
    beta: Array
    known_expectations = ("x", "x2", "log", "log2", "power")
    needed_expectations = ("log", "power")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where a parameter is not positive."""
        self._require_positive("alpha", "beta")

    def frozen(self) -> Any:
        """SciPy's Weibull."""
        return stats.weibull_min(self.alpha, scale=self.beta)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        value = np.euler_gamma * (1 - 1 / self.alpha) + np.log(self.beta / self.alpha) + 1
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """E log X and E X^alpha."""
        constant = self.alpha * np.log(self.beta) - np.log(self.alpha)
        scale = np.exp(-self.alpha * np.log(self.beta))
        return CrossEntropyTerms(
            constant=constant, statistics=((1 - self.alpha, "log", 0.0), (scale, "power", self.alpha))
        )

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        mean_log = np.log(self.beta) - np.euler_gamma / self.alpha

        def power(k: Array) -> Array:
            r = np.asarray(k) / self.alpha
            value = np.exp(np.asarray(k) * np.log(self.beta) + special.gammaln(1 + r))
            return np.where(r > -1, value, np.inf)

        return {
            "x": lambda _: power(np.float64(1)),
            "x2": lambda _: power(np.float64(2)),
            "power": power,
            "log": lambda _: mean_log,
            "log2": lambda _: mean_log**2 + np.pi**2 / 6 / self.alpha**2,
        }


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Gumbel(Univariate):
    """``mu`` minus ``beta`` times the logarithm of a standard exponential."""

    mu: Array
    beta: Array
    known_expectations = ("x", "x2", "exp")
    needed_expectations = ("x", "exp")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``beta`` is not positive."""
        self._require_finite("mu")
        self._require_positive("beta")

    def frozen(self) -> Any:
        """SciPy's right-skewed Gumbel."""
        return stats.gumbel_r(self.mu, self.beta)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean and E exp(-X / beta)."""
        constant = np.log(self.beta) - self.mu / self.beta
        return CrossEntropyTerms(
            constant=constant,
            statistics=((1 / self.beta, "x", 0.0), (np.exp(self.mu / self.beta), "exp", -1 / self.beta)),
        )

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        mean = self.mu + np.euler_gamma * self.beta

        def exponential(t: Array) -> Array:
            value = np.exp(t * self.mu + special.gammaln(1 - t * self.beta))
            return np.where(t * self.beta < 1, value, np.inf)

        return {
            "x": lambda _: mean,
            "x2": lambda _: mean**2 + np.pi**2 / 6 * self.beta**2,
            "exp": exponential,
        }


def _power_of_exponential(ratio_change: Array, log_scale: Array) -> Array:
    """KL between a E^(1/k) and b E^(1/l), E exponential: ratio l / k = 1 + ``ratio_change``, ``log_scale`` l log(a / b)."""
    log_gamma = special.gammaln(2 + ratio_change)
    return (
        expm1_minus(log_scale + log_gamma)
        + gammaln_excess(np.full_like(ratio_change, 2.0), 2 + ratio_change)
        + excess(ratio_change)
    )


@kl_rule(Weibull, Weibull)
def _weibull(p: Weibull, q: Weibull) -> Array:
    p_alpha, p_beta, alpha, beta = np.broadcast_arrays(p.alpha, p.beta, q.alpha, q.beta)
    return _power_of_exponential(relative_change(alpha, p_alpha), alpha * np.log1p(relative_change(p_beta, beta)))


@kl_rule(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Array:
    p_mu, p_beta, mu, beta = np.broadcast_arrays(p.mu, p.beta, q.mu, q.beta)
    return _power_of_exponential(relative_change(p_beta, beta), (mu - p_mu) / beta)
