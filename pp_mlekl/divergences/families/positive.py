"""Families on a half-line that are not of the gamma kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Array, CrossEntropyTerms
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import excess, log1p_square, relative_change, student_t_log_density


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Pareto(Univariate):
    """Pareto with exponent ``alpha`` and minimum ``m``."""

    alpha: Array
    m: Array
    known_expectations = ("x", "x2", "log", "log2", "power")
    needed_expectations = ("log",)
    closed_entropy = True

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
        """E log X."""
        constant = -np.log(self.alpha) - self.alpha * np.log(self.m)
        return CrossEntropyTerms(constant=constant, statistics=((self.alpha + 1, "log", 0.0),))

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        mean_log = np.log(self.m) + 1 / self.alpha

        def power(k: Array) -> Array:
            k = np.asarray(k, dtype=np.float64)
            return np.where(k < self.alpha, self.alpha * self.m**k / (self.alpha - k), np.inf)

        return {
            "x": lambda _: power(np.float64(1)),
            "x2": lambda _: power(np.float64(2)),
            "power": power,
            "log": lambda _: mean_log,
            "log2": lambda _: mean_log**2 + 1 / self.alpha**2,
        }


@kl_rule(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Array:
    # log(X / m) is exponential of rate alpha.
    value = excess(relative_change(q.alpha, p.alpha)) + q.alpha * np.log1p(relative_change(p.m, q.m))
    return np.where(p.m >= q.m, value, np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HalfCauchy(Univariate):
    """The absolute value of a Cauchy with scale ``beta``."""

    beta: Array
    known_expectations = ("log", "log2")
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

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        infinite = np.full(self.batch_shape, np.inf)
        return {
            "x": lambda _: infinite,
            "x2": lambda _: infinite,
            "log": lambda _: np.log(self.beta),
            "log2": lambda _: np.log(self.beta) ** 2 + np.pi**2 / 4,
        }


@kl_rule(HalfCauchy, HalfCauchy)
def _half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Array:
    # The divergence of the symmetric Cauchy distributions they are halves of.
    return np.log1p((p.beta - q.beta) ** 2 / (4 * p.beta * q.beta))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HalfStudentT(Univariate):
    """The absolute value of a Student t with ``nu`` degrees of freedom and scale ``sigma``."""

    nu: Array
    sigma: Array
    known_expectations = ("x2",)
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
        """Lower quantile, by a series-free inversion of the incomplete beta function."""
        # T^2 / (nu + T^2) is Beta(1/2, nu/2): accurate for small u, where 1/2 + u/2 would not be.
        b = special.betaincinv(0.5, self.nu / 2, u)
        with np.errstate(all="ignore"):
            return self.sigma * np.sqrt(self.nu * b / (1 - b))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self.frozen().isf(np.asarray(u) / 2)

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
        from pp_mlekl.divergences.families.location_scale import StudentT

        whole = StudentT(nu=self.nu, mu=np.zeros(()), sigma=self.sigma)
        return whole.entropy() - np.log(2)

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        second = np.where(self.nu > 2, self.sigma**2 * self.nu / (self.nu - 2), np.inf)
        return {"x2": lambda _: second}


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Wald(Univariate):
    """Inverse Gaussian with mean ``mu`` and shape ``lam``, shifted by ``alpha``."""

    mu: Array
    lam: Array
    alpha: Array | float = 0.0
    needed_expectations = ("log", "x", "power")
    deepest = 1e-13

    def validate(self) -> None:
        """Raise where ``mu`` or ``lam`` is not positive."""
        self._require_positive("mu", "lam")
        self._require_finite("alpha")

    def frozen(self) -> Any:
        """SciPy's inverse Gaussian."""
        return stats.invgauss(self.mu / self.lam, self.alpha, self.lam)

    def cross_entropy_terms(self) -> CrossEntropyTerms | None:
        """E log X, the mean and E 1/X, where there is no shift."""
        if np.any(self.alpha != 0):
            return None
        constant = 0.5 * np.log(2 * np.pi / self.lam) - self.lam / self.mu
        return CrossEntropyTerms(
            constant=constant,
            statistics=(
                (np.float64(1.5), "log", 0.0),
                (self.lam / (2 * self.mu**2), "x", 0.0),
                (self.lam / 2, "power", -1.0),
            ),
        )


@kl_rule(Wald, Wald)
def _wald(p: Wald, q: Wald) -> Array | None:
    if not np.all(p.alpha == q.alpha):
        return None
    return excess(relative_change(q.lam, p.lam)) / 2 + q.lam * ((p.mu - q.mu) / q.mu) ** 2 / (2 * p.mu)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Rice(Univariate):
    """Rice with noncentrality ``nu`` and scale ``sigma``."""

    nu: Array
    sigma: Array
    deepest = 1e-13

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
            bessel = np.log(special.i0e(np.abs(x * self.nu) / self.sigma**2))
            distance = (np.asarray(x) - np.abs(self.nu)) / self.sigma
            value = np.log(x) - 2 * np.log(self.sigma) - distance**2 / 2 + bessel
        return np.where(np.asarray(x) > 0, value, -np.inf)
