"""Powers and logarithms of gamma variables that have names of their own: Weibull, Gumbel, Moyal."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.distribution import CrossEntropyTerms
from pp_mlekl.divergences.families.moments import WithLogMoments, WithMoments, WithPartialMean, WithPowers
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Weibull(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """``beta`` times the power 1 / ``alpha`` of a standard exponential."""

    alpha: Array
    beta: Array
    needed_expectations = ("log", "power")
    closed_entropy = True
    narrowest = widest = (0.0, np.inf)

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
        """Means of log(X / beta) and of (X / beta)^alpha."""
        log_scale = np.log(self.beta)
        return CrossEntropyTerms(
            constant=log_scale - np.log(self.alpha),
            statistics=((1 - self.alpha, "log", log_scale), (1.0, "power", self.alpha, self.beta)),
        )

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        first, second = special.gamma(1 + 1 / self.alpha), special.gamma(1 + 2 / self.alpha)
        return self.beta * first, self.beta**2 * (second - first**2)

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        return np.log(self.beta) - np.euler_gamma / self.alpha, np.pi**2 / 6 / self.alpha**2

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        return np.where(k > -self.alpha, k * np.log(self.beta) + special.gammaln(1 + k / self.alpha), np.inf)

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]: (X / beta)^alpha weighted by X is a gamma of shape 1 + 1 / alpha."""
        r = 1 + 1 / self.alpha
        return self.beta * special.gamma(r) * special.gammainc(r, (c / self.beta) ** self.alpha)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Gumbel(WithMoments, Univariate):
    """``mu`` minus ``beta`` times the logarithm of a standard exponential."""

    mu: Array
    beta: Array
    needed_expectations = ("x", "exp")
    closed_entropy = True
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where ``beta`` is not positive."""
        self._require_finite("mu")
        self._require_positive("beta")

    def frozen(self) -> Any:
        """SciPy's right-skewed Gumbel."""
        return stats.gumbel_r(self.mu, self.beta)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Means of (X - mu) / beta and of exp(-(X - mu) / beta)."""
        return CrossEntropyTerms(
            constant=np.log(self.beta),
            statistics=((1 / self.beta, "x", self.mu), (1.0, "exp", -1 / self.beta, self.mu)),
        )

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.mu + np.euler_gamma * self.beta, np.pi**2 / 6 * self.beta**2

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        value = np.exp(t * (self.mu - centre) + special.gammaln(1 - t * self.beta))
        return np.where(t * self.beta < 1, value, np.inf)

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|, from E(X - c)_+ = beta (E1(z) + log z + gamma) with z = exp(-(c - mu) / beta)."""
        log_z = (self.mu - centre) / self.beta
        above = self.beta * (special.exp1(np.exp(log_z)) + log_z + np.euler_gamma)
        # The sum cancels where z is small; there its series z - z^2 / 4 + ... is enough.
        z = np.exp(np.minimum(log_z, 0.0))
        above = np.where(log_z < -12, self.beta * (z - z**2 / 4 + z**3 / 18), above)
        return 2 * above - self.expected_x(centre)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Moyal(WithMoments, Univariate):
    """``mu`` minus ``sigma`` times the logarithm of a chi-squared with one degree of freedom."""

    mu: Array
    sigma: Array
    needed_expectations = ("x", "exp")
    closed_entropy = True
    deepest = 1e-13
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's Moyal."""
        return stats.moyal(self.mu, self.sigma)

    def log_density(self, x: Array) -> Array:
        """Log density in nats; SciPy's takes the logarithm of a density that underflows."""
        z = (np.asarray(x) - self.mu) / self.sigma
        with np.errstate(over="ignore"):
            return -(z + np.exp(-z) + LOG_2PI) / 2 - np.log(self.sigma)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        value = np.log(self.sigma) + (np.log(4 * np.pi) + np.euler_gamma + 1) / 2
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Means of z = (X - mu) / sigma and of exp(-z)."""
        return CrossEntropyTerms(
            constant=np.log(self.sigma) + 0.5 * LOG_2PI,
            statistics=((0.5 / self.sigma, "x", self.mu), (0.5, "exp", -1 / self.sigma, self.mu)),
        )

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.mu + self.sigma * (np.euler_gamma + np.log(2)), np.pi**2 / 2 * self.sigma**2

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        r = t * self.sigma
        log_value = t * (self.mu - centre) - r * np.log(2) + special.gammaln(0.5 - r) - special.gammaln(0.5)
        return np.where(r < 0.5, np.exp(log_value), np.inf)
