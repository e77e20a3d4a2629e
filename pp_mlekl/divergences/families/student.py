"""Student t and Cauchy, and the half distributions of both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms
from pp_mlekl.divergences.families.moments import WithLogMoments, WithMoments
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import LOG_DEEP, half_step_of_digamma, log1p_square, student_t_log_density
from pp_mlekl.typing import Array


def _upper_t_quantile(u: Array, nu: Array) -> Array:
    """Point that a standard t exceeds with probability ``u`` <= 1/2; SciPy's is wrong beyond about 1e150.

    For a small w = nu / (nu + x^2), P(T > x) equals w^(nu/2) / (nu B(nu/2, 1/2)) in double precision.
    """
    with np.errstate(all="ignore"):
        log_w = 2 / nu * (np.log(u) + np.log(nu) + special.betaln(nu / 2, 0.5))
        return np.where(log_w < LOG_DEEP, np.sqrt(nu) * np.exp(-0.5 * log_w), stats.t.isf(u, nu))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Cauchy(Univariate):
    """Cauchy with location ``alpha`` and scale ``beta``."""

    alpha: Array
    beta: Array
    needed_expectations = ("log1p_square",)
    closed_entropy = True
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where ``beta`` is not positive."""
        self._require_finite("alpha")
        self._require_positive("beta")

    def frozen(self) -> Any:
        """SciPy's Cauchy."""
        return stats.cauchy(self.alpha, self.beta)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, also where x^2 overflows."""
        return -np.log(np.pi * self.beta) - log1p_square((np.asarray(x) - self.alpha) / self.beta)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean of log(1 + z^2)."""
        return CrossEntropyTerms(
            constant=np.log(np.pi * self.beta), statistics=((1.0, "log1p_square", self.alpha, self.beta),)
        )

    def expected_log1p_square(self, centre: Array, scale: Array) -> Array:
        """E log(1 + ((X - c) / s)^2): the logarithm is harmonic above the line (Chyzak and Nielsen 2019)."""
        return 2 * np.log(np.hypot(self.alpha - centre, self.beta + scale) / scale)


@kl_rule(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Array:
    # Chyzak and Nielsen (2019).
    scale = 2 * np.sqrt(p.beta) * np.sqrt(q.beta)
    return np.log1p(((p.beta - q.beta) / scale) ** 2 + ((p.alpha - q.alpha) / scale) ** 2)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class StudentT(WithMoments, Univariate):
    """Student t with ``nu`` degrees of freedom, location ``mu`` and scale ``sigma``."""

    nu: Array
    mu: Array
    sigma: Array
    needed_expectations = ("log1p_square",)
    closed_entropy = True
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where ``nu`` or ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("nu", "sigma")

    def frozen(self) -> Any:
        """SciPy's t."""
        return stats.t(self.nu, self.mu, self.sigma)

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        u = np.asarray(u)
        return np.where(u < 0.5, self.mu - self.sigma * _upper_t_quantile(u, self.nu), super().quantile(u))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        u = np.asarray(u)
        return np.where(u < 0.5, self.mu + self.sigma * _upper_t_quantile(u, self.nu), super().upper_quantile(u))

    def log_density(self, x: Array) -> Array:
        """Log density in nats, also where x^2 overflows."""
        return student_t_log_density(self.nu, (np.asarray(x) - self.mu) / self.sigma) - np.log(self.sigma)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        at_mode = student_t_log_density(self.nu, np.zeros(())) - np.log(self.sigma)
        value = (self.nu + 1) / 2 * half_step_of_digamma(self.nu / 2) - at_mode
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean of log(1 + z^2 / nu)."""
        scale = np.sqrt(self.nu) * self.sigma
        constant = np.log(self.sigma) - student_t_log_density(self.nu, np.zeros(()))
        return CrossEntropyTerms(constant=constant, statistics=(((self.nu + 1) / 2, "log1p_square", self.mu, scale),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        mean = np.where(self.nu > 1, self.mu, np.nan)
        return mean, np.where(self.nu > 2, self.sigma**2 * self.nu / (self.nu - 2), np.inf)

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|."""
        z = (centre - self.mu) / self.sigma
        density = stats.t.pdf(z, self.nu)
        value = z * (1 - 2 * stats.t.sf(z, self.nu)) + 2 * (self.nu + z**2) / (self.nu - 1) * density
        return np.where(self.nu > 1, self.sigma * value, np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HalfCauchy(WithLogMoments, Univariate):
    """The absolute value of a Cauchy with scale ``beta``."""

    beta: Array
    needed_expectations = ("log1p_square",)
    narrowest = widest = (0.0, np.inf)
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``beta`` is not positive."""
        self._require_positive("beta")

    def frozen(self) -> Any:
        """SciPy's half-Cauchy."""
        return stats.halfcauchy(0, self.beta)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, also where x^2 overflows."""
        density = np.log(2 / np.pi) - np.log(self.beta) - log1p_square(np.asarray(x) / self.beta)
        return np.where(np.asarray(x) >= 0, density, -np.inf)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function, beta / tan(pi u / 2)."""
        with np.errstate(all="ignore"):
            return self.beta / np.tan(np.pi / 2 * np.asarray(u))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        return self.beta * np.tan(np.pi / 2 * np.asarray(u))

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean of log(1 + z^2)."""
        return CrossEntropyTerms(
            constant=np.log(np.pi / 2 * self.beta), statistics=((1.0, "log1p_square", 0.0, self.beta),)
        )

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        return np.log(self.beta), np.full((), np.pi**2 / 4)

    def expected_log1p_square(self, centre: Array, scale: Array) -> Array:
        """E log(1 + (X / s)^2), equal to that of the whole Cauchy; NaN for a centre other than 0."""
        return np.where(np.asarray(centre) == 0, 2 * np.log1p(self.beta / scale), np.nan)


@kl_rule(HalfCauchy, HalfCauchy)
def _half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Array:
    # The divergence of the symmetric Cauchy distributions they are halves of.
    return np.log1p(((p.beta - q.beta) / (2 * np.sqrt(p.beta) * np.sqrt(q.beta))) ** 2)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HalfStudentT(WithMoments, Univariate):
    """The absolute value of a Student t with ``nu`` degrees of freedom and scale ``sigma``."""

    nu: Array
    sigma: Array
    needed_expectations = ("log1p_square",)
    narrowest = widest = (0.0, np.inf)
    closed_entropy = True

    def validate(self) -> None:
        """Raise where a parameter is not positive."""
        self._require_positive("nu", "sigma")

    def frozen(self) -> Any:
        """SciPy's folded t."""
        return stats.t(self.nu, 0.0, self.sigma)

    def support(self) -> Any:
        """The positive half-line."""
        return HalfCauchy(beta=np.broadcast_to(self.sigma, self.batch_shape)).support()

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        density = student_t_log_density(self.nu, np.asarray(x) / self.sigma) - np.log(self.sigma)
        return np.where(np.asarray(x) >= 0, density + np.log(2), -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        return np.abs(super().sample(shape, generator))

    def quantile(self, u: Array) -> Array:
        """Lower quantile, by inversion of the incomplete beta function."""
        # T^2 / (nu + T^2) is Beta(1/2, nu/2): accurate for small u, where 1/2 + u/2 would not be.
        b = special.betaincinv(0.5, self.nu / 2, u)
        # The square underflows before the quantile does; there the density is flat.
        flat = np.asarray(u) / (2 * np.exp(student_t_log_density(self.nu, np.zeros(()))))
        with np.errstate(all="ignore"):
            return self.sigma * np.where(np.asarray(u) < 1e-9, flat, np.sqrt(self.nu * b / (1 - b)))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self.sigma * _upper_t_quantile(np.asarray(u) / 2, self.nu)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        x2 = (np.maximum(x, 0.0) / self.sigma) ** 2
        with np.errstate(all="ignore"):
            return special.betainc(0.5, self.nu / 2, np.where(np.isinf(x2), 1.0, x2 / (self.nu + x2)))

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return 2 * self.frozen().sf(np.maximum(x, 0.0))

    def entropy(self) -> Array:
        """That of the t less log 2."""
        whole = StudentT(nu=self.nu, mu=np.zeros(()), sigma=self.sigma)
        return whole.entropy() - np.log(2)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean of log(1 + z^2 / nu)."""
        scale = np.sqrt(self.nu) * self.sigma
        constant = np.log(self.sigma / 2) - student_t_log_density(self.nu, np.zeros(()))
        return CrossEntropyTerms(constant=constant, statistics=(((self.nu + 1) / 2, "log1p_square", 0.0, scale),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        mean = 2 * self.sigma * np.sqrt(self.nu / np.pi) * special.poch(self.nu / 2, 0.5) / (self.nu - 1)
        second = self.sigma**2 * self.nu / (self.nu - 2)
        return np.where(self.nu > 1, mean, np.inf), np.where(self.nu > 2, second - mean**2, np.inf)
