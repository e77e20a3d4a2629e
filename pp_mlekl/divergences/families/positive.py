"""Pareto, Wald and Rice."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms, Support
from pp_mlekl.divergences.families.moments import WithLogMoments, WithMoments, WithPartialMean, WithPowers
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import LOG_2PI, excess, relative_change, scaled_exp1
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Pareto(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """Pareto with exponent ``alpha`` and minimum ``m``."""

    alpha: Array
    m: Array
    needed_expectations = ("log",)
    closed_entropy = True
    # Its support starts above 0, wherever that may be.
    narrowest = (1.0, np.inf)
    widest = (np.nextafter(0.0, 1.0), np.inf)

    def validate(self) -> None:
        """Raise where a parameter is not positive."""
        self._require_positive("alpha", "m")

    def frozen(self) -> Any:
        """SciPy's Pareto."""
        return stats.pareto(self.alpha, scale=self.m)

    def log_density(self, x: Array) -> Array:
        """Log density in nats; SciPy's takes the logarithm of a density that underflows."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            value = np.log(self.alpha / x) - self.alpha * np.log(x / self.m)
        return np.where(x >= self.m, value, -np.inf)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        with np.errstate(all="ignore"):
            return self.m * np.exp(-np.log(u) / self.alpha)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        return np.broadcast_to(np.log(self.m / self.alpha) + 1 + 1 / self.alpha, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean of log(X / m)."""
        log_m = np.log(self.m)
        return CrossEntropyTerms(constant=log_m - np.log(self.alpha), statistics=((self.alpha + 1, "log", log_m),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        a = self.alpha
        mean = np.where(a > 1, a * self.m / (a - 1), np.inf)
        return mean, np.where(a > 2, mean**2 / (a * (a - 2)), np.inf)

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        return np.log(self.m) + 1 / self.alpha, 1 / self.alpha**2

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        return np.where(k < self.alpha, k * np.log(self.m) - np.log1p(-k / self.alpha), np.inf)

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]."""
        rest = 1 - self.alpha
        return self.alpha * self.m * special.exprel(rest * np.log(c / self.m)) * np.log(c / self.m)


@kl_rule(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Array:
    # log(X / m) is exponential of rate alpha.
    value = excess(relative_change(q.alpha, p.alpha)) + q.alpha * np.log1p(relative_change(p.m, q.m))
    return np.where(p.m >= q.m, value, np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Wald(WithMoments, WithPowers, Univariate):
    """Inverse Gaussian with mean ``mu`` and shape ``lam``, shifted by ``alpha``."""

    mu: Array
    lam: Array
    alpha: Array | float = 0.0
    needed_expectations = ("log", "x", "power")
    closed_entropy = True
    narrowest = widest = (0.0, np.inf)
    deepest = 1e-13

    def validate(self) -> None:
        """Raise where ``mu`` or ``lam`` is not positive."""
        self._require_positive("mu", "lam")
        self._require_finite("alpha")

    def frozen(self) -> Any:
        """SciPy's inverse Gaussian."""
        return stats.invgauss(self.mu / self.lam, self.alpha, self.lam)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, also where x^2 overflows."""
        y = np.asarray(x, dtype=np.float64) - self.alpha
        with np.errstate(all="ignore"):
            exponent = self.lam / (2 * self.mu) * ((y - self.mu) / self.mu) * ((y - self.mu) / y)
            value = 0.5 * np.log(self.lam / (2 * np.pi)) - 1.5 * np.log(y) - exponent
            return np.where(y > 0, np.where(np.isnan(value), -np.inf, value), -np.inf)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return self._extreme(super().cdf(x), x, below=0.0, above=1.0)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return self._extreme(super().survival(x), x, below=1.0, above=0.0)

    def _extreme(self, value: Array, x: Array, below: float, above: float) -> Array:
        """Replace NaN, which SciPy returns at some points far from the mean, by the limits."""
        limit = np.where(np.asarray(x) > self.mu + self.alpha, above, below)
        return np.where(np.isnan(value) & ~np.isnan(x), limit, value)

    def support(self) -> Support:
        """Beyond the shift."""
        lower = np.broadcast_to(self.alpha, self.batch_shape)
        return Support(lower=lower, upper=np.full(lower.shape, np.inf), discrete=False)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        value = (LOG_2PI - np.log(self.lam) + 1) / 2 + 1.5 * self._log_mean()
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Means of log(X / mu), of X and of mu / X, where there is no shift."""
        log_mu, phi = np.log(self.mu), self.lam / self.mu
        constant = (LOG_2PI - np.log(self.lam)) / 2 + 1.5 * log_mu
        statistics = (
            (1.5, "log", log_mu),
            (phi / (2 * self.mu), "x", self.mu),
            (phi / 2, "power", -1.0, self.mu),
        )
        return CrossEntropyTerms(constant=self._unshifted(constant - phi / 2), statistics=statistics)

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.mu + self.alpha, self.mu**3 / self.lam

    def expected_log(self, centre: Array) -> Array:
        """E[log X - c]."""
        return self._unshifted(self._log_mean() - centre)

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        inside = 2 * self.mu**2 * t / self.lam
        # lam / mu (1 - sqrt(1 - inside)) without cancellation.
        exponent = self.lam / self.mu * inside / (1 + np.sqrt(1 - inside))
        return np.where(inside <= 1, np.exp(exponent + t * (self.alpha - centre)), np.inf)

    def log_power(self, k: Array) -> Array:
        """log E X^k, by a Bessel function (Joergensen 1982)."""
        phi = self.lam / self.mu
        log_bessel = np.log(special.kve(np.abs(k - 0.5), phi))
        return self._unshifted(k * np.log(self.mu) + np.log(2 * phi / np.pi) / 2 + log_bessel)

    def _log_mean(self) -> Array:
        # Of the distribution without its shift; E1 is the exponential integral.
        return np.log(self.mu) - scaled_exp1(2 * self.lam / self.mu)

    def _unshifted(self, value: Array) -> Array:
        return np.where(np.asarray(self.alpha) == 0, value, np.nan)


@kl_rule(Wald, Wald)
def _wald(p: Wald, q: Wald) -> Array:
    value = excess(relative_change(q.lam, p.lam)) / 2 + q.lam * ((p.mu - q.mu) / q.mu) ** 2 / (2 * p.mu)
    return np.where(p.alpha == q.alpha, value, np.where(p.alpha < q.alpha, np.inf, np.nan))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Rice(Univariate):
    """Rice with noncentrality ``nu`` and scale ``sigma``."""

    nu: Array
    sigma: Array
    deepest = 1e-13
    narrowest = widest = (0.0, np.inf)

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("nu")
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's Rice."""
        return stats.rice(self.nu / self.sigma, scale=self.sigma)

    def log_density(self, x: Array) -> Array:
        """Log density in nats; SciPy's takes the logarithm of a density that underflows."""
        with np.errstate(all="ignore"):
            bessel = np.log(special.i0e(np.abs(x / self.sigma * (self.nu / self.sigma))))
            distance = (np.asarray(x) - np.abs(self.nu)) / self.sigma
            value = np.log(x) - 2 * np.log(self.sigma) - distance**2 / 2 + bessel
        return np.where(np.asarray(x) > 0, value, -np.inf)
