"""Skew normal, ex-Gaussian and skew Student t, whose divergences have no closed form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import LOG_2PI, LOG_DEEP
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class SkewNormal(Univariate):
    """Azzalini's skew-normal: location ``mu``, scale ``sigma``, shape ``alpha``."""

    mu: Array
    sigma: Array
    alpha: Array
    deepest = 1e-13
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu", "alpha")
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's skew-normal."""
        return stats.skewnorm(self.alpha, self.mu, self.sigma)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, accurate in the far tail; SciPy's is not."""
        z = (x - self.mu) / self.sigma
        return np.log(2) - 0.5 * z**2 - 0.5 * LOG_2PI - np.log(self.sigma) + special.log_ndtr(self.alpha * z)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ExGaussian(Univariate):
    """Normal (``mu``, ``sigma``) plus an exponential of mean ``nu``."""

    mu: Array
    sigma: Array
    nu: Array
    deepest = 1e-13
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where a scale is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma", "nu")

    def frozen(self) -> Any:
        """SciPy's exponentially modified normal."""
        return stats.exponnorm(self.nu / self.sigma, self.mu, self.sigma)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class SkewStudentT(Univariate):
    """Jones and Faddy's skew t with shapes ``a``, ``b``, location ``mu`` and scale ``sigma``."""

    a: Array
    b: Array
    mu: Array
    sigma: Array
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where a shape or the scale is not positive."""
        self._require_finite("mu")
        self._require_positive("a", "b", "sigma")

    def frozen(self) -> Any:
        """SciPy's Jones-Faddy t."""
        return stats.jf_skew_t(self.a, self.b, self.mu, self.sigma)

    def log_density(self, x: Array) -> Array:
        """Log density in nats; SciPy's takes the logarithm of a density that underflows."""
        t = (np.asarray(x, dtype=np.float64) - self.mu) / self.sigma
        total = self.a + self.b
        s = np.hypot(np.sqrt(total), t)
        # 1 + |t| / s and 1 - |t| / s, the latter without cancellation.
        near, far = np.log1p(np.abs(t) / s), np.log(total) - np.log(s) - np.log(s + np.abs(t))
        shape = np.where(
            t >= 0, (self.a + 0.5) * near + (self.b + 0.5) * far, (self.a + 0.5) * far + (self.b + 0.5) * near
        )
        constant = (total - 1) * np.log(2) + special.betaln(self.a, self.b) + np.log(total) / 2
        return shape - constant - np.log(self.sigma)

    def quantile(self, u: Array) -> Array:
        """Lower quantile: (1 + t / s) / 2 is Beta(a, b)."""
        u = np.asarray(u, dtype=np.float64)
        t = np.where(u <= 0.5, -_minus_lower_quantile(u, self.a, self.b), _minus_lower_quantile(1 - u, self.b, self.a))
        return self.mu + self.sigma * t

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        u = np.asarray(u, dtype=np.float64)
        t = np.where(u <= 0.5, _minus_lower_quantile(u, self.b, self.a), -_minus_lower_quantile(1 - u, self.a, self.b))
        return self.mu + self.sigma * t

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return special.betainc(self.a, self.b, self._share_below(x, 1.0))

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return special.betainc(self.b, self.a, self._share_below(x, -1.0))

    def _share_below(self, x: Array, sign: float) -> Array:
        """(1 + t / s) / 2, or with ``sign`` -1 (1 - t / s) / 2, without cancellation."""
        t = sign * (np.asarray(x, dtype=np.float64) - self.mu) / self.sigma
        total = self.a + self.b
        s = np.hypot(np.sqrt(total), t)
        ratio = np.where(np.isinf(s), 1.0, t / s)
        return np.where(t >= 0, (1 + ratio) / 2, total / s / (s + np.abs(t)) / 2)


def _minus_lower_quantile(u: Array, a: Array, b: Array) -> Array:
    """Minus the lower quantile at ``u`` of the standard distribution."""
    total = a + b
    with np.errstate(all="ignore"):
        log_share = (np.log(u) + np.log(a) + special.betaln(a, b)) / a
        share = special.betaincinv(a, b, u)
        point = np.sqrt(total) * (1 - 2 * share) / (2 * np.sqrt(share * (1 - share)))
        return np.where(log_share < LOG_DEEP, np.sqrt(total) / 2 * np.exp(-log_share / 2), point)
