"""Normal, log-normal, logit-normal and half-normal."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms, Distribution, Support
from pp_mlekl.divergences.families.moments import WithLogMoments, WithMoments, WithPartialMean, WithPowers
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import LOG_2PI, excess
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Normal(WithMoments, Univariate):
    """Normal with mean ``mu`` and standard deviation ``sigma``."""

    mu: Array
    sigma: Array
    needed_expectations = ("square",)
    closed_entropy = True
    narrowest = widest = (-np.inf, np.inf)

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
        """The mean square about ``mu``."""
        constant = np.log(self.sigma) + 0.5 * LOG_2PI
        return CrossEntropyTerms(constant=constant, statistics=((0.5 / self.sigma**2, "square", self.mu),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.mu, self.sigma**2

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|."""
        z = (self.mu - centre) / self.sigma
        bell = self.sigma * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2)
        return bell + (self.mu - centre) * special.erf(z / np.sqrt(2))

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        return np.exp(t * (self.mu - centre) + (t * self.sigma) ** 2 / 2)


@kl_rule(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Array:
    # (r - 1 - log r) / 2 + d^2 / 2 with r the ratio of variances, d the distance of the means in units of q.
    ratio = (p.sigma - q.sigma) / q.sigma * ((p.sigma + q.sigma) / q.sigma)
    return (excess(ratio) + ((p.mu - q.mu) / q.sigma) ** 2) / 2


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class LogNormal(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """The exponential of a normal with mean ``mu`` and standard deviation ``sigma``."""

    mu: Array
    sigma: Array
    needed_expectations = ("log", "log2")
    narrowest = widest = (0.0, np.inf)
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
        """Mean and mean square of log X about ``mu``."""
        constant = np.log(self.sigma) + 0.5 * LOG_2PI + self.mu
        return CrossEntropyTerms(
            constant=constant, statistics=((0.5 / self.sigma**2, "log2", self.mu), (1.0, "log", self.mu))
        )

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        mean = np.exp(self.mu + self.sigma**2 / 2)
        return mean, np.expm1(self.sigma**2) * mean**2

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        return self.mu, self.sigma**2

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        return k * self.mu + (k * self.sigma) ** 2 / 2

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]: X weighted by itself is log-normal again."""
        return self.mean_variance()[0] * special.ndtr((np.log(c) - self.mu) / self.sigma - self.sigma)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class LogitNormal(Univariate):
    """The logistic function of a normal with mean ``mu`` and standard deviation ``sigma``."""

    mu: Array
    sigma: Array
    needed_expectations = ("logit2", "log", "log1m")
    narrowest = widest = (0.0, 1.0)

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean square of the logit, and the Jacobian."""
        return CrossEntropyTerms(
            constant=np.log(self.sigma) + 0.5 * LOG_2PI,
            statistics=((0.5 / self.sigma**2, "logit2", self.mu), (1.0, "log", 0.0), (1.0, "log1m")),
        )

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
class HalfNormal(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """The absolute value of a normal with mean 0 and standard deviation ``sigma``."""

    sigma: Array
    needed_expectations = ("square",)
    narrowest = widest = (0.0, np.inf)
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's half-normal."""
        return stats.halfnorm(0, self.sigma)

    def quantile(self, u: Array) -> Array:
        """Lower quantile, accurate for small ``u``; SciPy's inverts (1 + u) / 2, which is not."""
        return self.sigma * np.sqrt(2) * special.erfinv(u)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return special.erf(np.maximum(x, 0.0) / (self.sigma * np.sqrt(2)))

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Second moment."""
        constant = np.log(self.sigma) + 0.5 * np.log(np.pi / 2)
        return CrossEntropyTerms(constant=constant, statistics=((0.5 / self.sigma**2, "square", 0.0),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.sigma * np.sqrt(2 / np.pi), self.sigma**2 * (1 - 2 / np.pi)

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of log X = log(sigma) + (log 2 + log G) / 2 with G from Gamma(1/2, 1)."""
        return np.log(self.sigma) + (np.log(2) + special.digamma(0.5)) / 2, special.polygamma(1, 0.5) / 4

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        value = k * (np.log(self.sigma) + np.log(2) / 2) + special.gammaln((1 + k) / 2) - special.gammaln(0.5)
        return np.where(k > -1, value, np.inf)

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]."""
        return -self.sigma * np.sqrt(2 / np.pi) * np.expm1(-((c / self.sigma) ** 2) / 2)

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c)), from the sum of the logarithms of its factors."""
        r = t * self.sigma
        return np.exp(np.log(2) + r**2 / 2 - t * centre + special.log_ndtr(r))


@kl_rule(HalfNormal, Normal)
def _half_normal_in_normal(p: HalfNormal, q: Normal) -> Array:
    # KL of the whole normal about 0, log 2 for the half, and the term of P's positive mean.
    mean = p.sigma * np.sqrt(2 / np.pi)
    ratio = (p.sigma - q.sigma) / q.sigma * ((p.sigma + q.sigma) / q.sigma)
    return excess(ratio) / 2 + np.log(2) + q.mu * (q.mu - 2 * mean) / (2 * q.sigma**2)
