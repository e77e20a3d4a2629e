"""Gamma, its special cases and its inverse."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms
from pp_mlekl.divergences.families.moments import WithLogMoments, WithPartialMean, WithPowers
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.saddle_point import gamma_log_density
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import excess, gamma_entropy, gammaln_excess, relative_change
from pp_mlekl.typing import Array


class _GammaLike(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """The base class of Gamma and its special cases."""

    needed_expectations = ("x", "log")
    closed_entropy = True
    narrowest = widest = (0.0, np.inf)

    def as_gamma(self) -> "Gamma":
        """The same distribution as a Gamma."""
        raise NotImplementedError

    def frozen(self) -> Any:
        """SciPy's gamma."""
        g = self.as_gamma()
        return stats.gamma(g.alpha, scale=1 / g.beta)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, exact for shapes of 1e6."""
        g = self.as_gamma()
        return gamma_log_density(np.asarray(x, dtype=np.float64), g.alpha, g.beta)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        g = self.as_gamma()
        return np.broadcast_to(gamma_entropy(g.alpha) - np.log(g.beta), self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean and mean of log(beta X)."""
        g = self.as_gamma()
        log_scale = -np.log(g.beta)
        constant = special.gammaln(g.alpha) + log_scale
        return CrossEntropyTerms(constant=constant, statistics=((g.beta, "x", 0.0), (1 - g.alpha, "log", log_scale)))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        g = self.as_gamma()
        return g.alpha / g.beta, g.alpha / g.beta**2

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        g = self.as_gamma()
        return special.digamma(g.alpha) - np.log(g.beta), special.polygamma(1, g.alpha)

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        g = self.as_gamma()
        value = special.gammaln(g.alpha + k) - special.gammaln(g.alpha) - k * np.log(g.beta)
        return np.where(g.alpha + k > 0, value, np.inf)

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]: X weighted by itself is a gamma of shape alpha + 1."""
        g = self.as_gamma()
        return g.alpha / g.beta * special.gammainc(g.alpha + 1, g.beta * c)

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        g = self.as_gamma()
        return np.where(t < g.beta, np.exp(-g.alpha * np.log1p(-t / g.beta) - t * centre), np.inf)


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
    return gammaln_excess(a.alpha, b.alpha) + a.alpha * excess(change) + (a.alpha - b.alpha) * np.log1p(change)


for _p in (Gamma, Exponential, ChiSquared):
    for _q in (Gamma, Exponential, ChiSquared):
        kl_rule(_p, _q)(_gamma)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class InverseGamma(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """The reciprocal of a Gamma with shape ``alpha`` and rate ``beta``."""

    alpha: Array
    beta: Array
    needed_expectations = ("log", "power")
    closed_entropy = True
    narrowest = widest = (0.0, np.inf)

    def validate(self) -> None:
        """Raise where a parameter is not positive."""
        self._require_positive("alpha", "beta")

    def frozen(self) -> Any:
        """SciPy's inverse gamma."""
        return stats.invgamma(self.alpha, scale=self.beta)

    def log_density(self, x: Array) -> Array:
        """Log density in nats: that of the reciprocal, and the Jacobian x^-2."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            inside = gamma_log_density(1 / x, self.alpha, self.beta) - 2 * np.log(x)
            return np.where((x > 0) & np.isfinite(x) & np.isfinite(1 / x), inside, -np.inf)

    def reciprocal(self) -> Gamma:
        """The distribution of 1 / X."""
        return Gamma(alpha=self.alpha, beta=self.beta)

    def fold(self) -> tuple[str, Gamma]:
        """Its reciprocal is Gamma."""
        return "reciprocal", self.reciprocal()

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        value = gamma_entropy(self.alpha) + np.log(self.beta) - 2 * special.digamma(self.alpha)
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Means of log(X / beta) and of beta / X."""
        log_scale = np.log(self.beta)
        return CrossEntropyTerms(
            constant=special.gammaln(self.alpha) + log_scale,
            statistics=((self.alpha + 1, "log", log_scale), (1.0, "power", -1.0, self.beta)),
        )

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        a = self.alpha
        mean = np.where(a > 1, self.beta / (a - 1), np.inf)
        return mean, np.where(a > 2, mean**2 / (a - 2), np.inf)

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        mean, variance = self.reciprocal().log_mean_variance()
        return -mean, variance

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        return self.reciprocal().log_power(-k)

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]: X weighted by itself is an inverse gamma of shape alpha - 1."""
        return self.beta / (self.alpha - 1) * special.gammaincc(self.alpha - 1, self.beta / c)

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c)) for t < 0, by a Bessel function (Witkovsky 2001)."""
        product = self.beta * np.abs(t)
        z = 2 * np.sqrt(product)
        log_bessel = np.log(special.kve(self.alpha, z)) - z
        log_value = np.log(2) + self.alpha / 2 * np.log(product) + log_bessel - special.gammaln(self.alpha)
        return np.where(t < 0, np.exp(log_value - t * centre), np.inf)
