"""Normal and what is normal after a bijection: log-normal, logit-normal, half-normal, skew-normal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Array, CrossEntropyTerms, Distribution, Support
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import excess

LOG_2PI = np.log(2 * np.pi)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Normal(Univariate):
    """Normal with mean ``mu`` and standard deviation ``sigma``."""

    mu: Array
    sigma: Array
    known_expectations = ("x", "x2", "exp", "abs")
    needed_expectations = ("x", "x2")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's normal."""
        return stats.norm(self.mu, self.sigma)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        with np.errstate(all="ignore"):
            z2 = ((x - self.mu) / self.sigma) ** 2
        return -0.5 * z2 - np.log(self.sigma) - 0.5 * LOG_2PI

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean and second moment."""
        v = self.sigma**2
        constant = np.log(self.sigma) + 0.5 * LOG_2PI + self.mu**2 / (2 * v)
        return CrossEntropyTerms(constant=constant, statistics=((1 / (2 * v), "x2", 0.0), (-self.mu / v, "x", 0.0)))

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        def absolute(centre: Array) -> Array:
            z = (self.mu - centre) / self.sigma
            return self.sigma * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) + (self.mu - centre) * special.erf(
                z / np.sqrt(2)
            )

        return {
            "x": lambda _: self.mu,
            "x2": lambda _: self.mu**2 + self.sigma**2,
            "exp": lambda t: np.exp(t * self.mu + (t * self.sigma) ** 2 / 2),
            "abs": absolute,
        }


@kl_rule(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Array:
    # (r - 1 - log r) / 2 + d^2 / 2 with r the ratio of variances, d the distance of the means in units of q.
    ratio = (p.sigma - q.sigma) * (p.sigma + q.sigma) / q.sigma**2
    return (excess(ratio) + ((p.mu - q.mu) / q.sigma) ** 2) / 2


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class LogNormal(Univariate):
    """The exponential of a normal with mean ``mu`` and standard deviation ``sigma``."""

    mu: Array
    sigma: Array
    known_expectations = ("x", "x2", "log", "log2", "power")
    needed_expectations = ("log", "log2")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's log-normal."""
        return stats.lognorm(self.sigma, scale=np.exp(self.mu))

    def fold(self) -> tuple[str, Distribution]:
        """Its logarithm is normal."""
        return "log", Normal(mu=self.mu, sigma=self.sigma)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        return np.broadcast_to(self.mu + 0.5 * (1 + LOG_2PI) + np.log(self.sigma), self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """E log X and E log^2 X."""
        v = self.sigma**2
        constant = np.log(self.sigma) + 0.5 * LOG_2PI + self.mu**2 / (2 * v)
        return CrossEntropyTerms(
            constant=constant, statistics=((1 / (2 * v), "log2", 0.0), (1 - self.mu / v, "log", 0.0))
        )

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        def power(k: Array) -> Array:
            return np.exp(k * self.mu + (k * self.sigma) ** 2 / 2)

        return {
            "x": lambda _: power(np.float64(1)),
            "x2": lambda _: power(np.float64(2)),
            "power": power,
            "log": lambda _: self.mu,
            "log2": lambda _: self.mu**2 + self.sigma**2,
        }


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class LogitNormal(Univariate):
    """The logistic function of a normal with mean ``mu`` and standard deviation ``sigma``."""

    mu: Array
    sigma: Array

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")

    def fold(self) -> tuple[str, Distribution]:
        """Its logit is normal."""
        return "logit", Normal(mu=self.mu, sigma=self.sigma)

    def reflected(self) -> "LogitNormal":
        """The logit changes its sign."""
        return LogitNormal(mu=-self.mu, sigma=self.sigma)

    def support(self) -> Support:
        """The unit interval."""
        zero = np.zeros(self.batch_shape)
        return Support(lower=zero, upper=zero + 1, discrete=False)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        with np.errstate(all="ignore"):
            inside = stats.norm(self.mu, self.sigma).logpdf(special.logit(x)) - np.log(x) - np.log1p(-x)
        return np.where((x > 0) & (x < 1), inside, -np.inf)

    def log_density_below(self, upper: Array, distance: Array) -> Array:
        """Log density by the distance from 1, where 1 - x has lost its digits."""
        with np.errstate(all="ignore"):
            log_x, log_rest = np.log1p(-distance), np.log(distance)
            near = stats.norm(self.mu, self.sigma).logpdf(log_x - log_rest) - log_x - log_rest
        return np.where(upper == 1, near, super().log_density_below(upper, distance))

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        return special.expit(generator.normal(self.mu, self.sigma, size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        return special.expit(stats.norm(self.mu, self.sigma).ppf(u))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return special.expit(stats.norm(self.mu, self.sigma).isf(u))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        with np.errstate(all="ignore"):
            return stats.norm(self.mu, self.sigma).cdf(special.logit(np.clip(x, 0, 1)))

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        with np.errstate(all="ignore"):
            return stats.norm(self.mu, self.sigma).sf(special.logit(np.clip(x, 0, 1)))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HalfNormal(Univariate):
    """The absolute value of a normal with mean 0 and standard deviation ``sigma``."""

    sigma: Array
    known_expectations = ("x", "x2", "log", "log2", "power")
    needed_expectations = ("x2",)
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's half-normal."""
        return stats.halfnorm(0, self.sigma)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Second moment."""
        constant = np.log(self.sigma) + 0.5 * np.log(np.pi / 2)
        return CrossEntropyTerms(constant=constant, statistics=((1 / (2 * self.sigma**2), "x2", 0.0),))

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        # X^2 / (2 sigma^2) is Gamma(1/2, 1), so log X = log(sigma) + (log 2 + log G) / 2.
        mean_log = np.log(self.sigma) + (np.log(2) + special.digamma(0.5)) / 2

        def power(k: Array) -> Array:
            k = np.asarray(k, dtype=np.float64)
            value = np.exp(
                k * (np.log(self.sigma) + np.log(2) / 2) + special.gammaln((1 + k) / 2) - special.gammaln(0.5)
            )
            return np.where(k > -1, value, np.inf)

        return {
            "x": lambda _: power(np.float64(1)),
            "x2": lambda _: self.sigma**2,
            "power": power,
            "log": lambda _: mean_log,
            "log2": lambda _: mean_log**2 + special.polygamma(1, 0.5) / 4,
        }


@kl_rule(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Array:
    return excess((p.sigma - q.sigma) * (p.sigma + q.sigma) / q.sigma**2) / 2


@kl_rule(HalfNormal, Normal)
def _half_normal_in_normal(p: HalfNormal, q: Normal) -> Array:
    mean = p.sigma * np.sqrt(2 / np.pi)
    ratio = (p.sigma - q.sigma) * (p.sigma + q.sigma) / q.sigma**2
    return excess(ratio) / 2 + np.log(2) + q.mu * (q.mu - 2 * mean) / (2 * q.sigma**2)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class SkewNormal(Univariate):
    """Azzalini's skew-normal: location ``mu``, scale ``sigma``, shape ``alpha``."""

    mu: Array
    sigma: Array
    alpha: Array
    deepest = 1e-13

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu", "alpha")
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's skew-normal."""
        return stats.skewnorm(self.alpha, self.mu, self.sigma)

    def log_density(self, x: Array) -> Array:
        """Log density in nats; SciPy's loses the far tail."""
        z = (x - self.mu) / self.sigma
        return np.log(2) - 0.5 * z**2 - 0.5 * LOG_2PI - np.log(self.sigma) + special.log_ndtr(self.alpha * z)
