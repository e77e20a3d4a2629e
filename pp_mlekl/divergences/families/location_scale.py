"""Families on the whole line (or the circle) with a location and a scale."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Array, CrossEntropyTerms, Support
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import (
    excess,
    expm1_minus,
    log1p_square,
    log_bessel_excess,
    relative_change,
    student_t_log_density,
)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Laplace(Univariate):
    """Laplace with location ``mu`` and scale ``b``."""

    mu: Array
    b: Array
    known_expectations = ("x", "x2", "abs", "exp")
    needed_expectations = ("abs",)
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``b`` is not positive."""
        self._require_finite("mu")
        self._require_positive("b")

    def kinks(self) -> tuple[Array, ...]:
        """The cusp."""
        return (self.mu,)

    def frozen(self) -> Any:
        """SciPy's Laplace."""
        return stats.laplace(self.mu, self.b)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean distance from ``mu``."""
        return CrossEntropyTerms(constant=np.log(2 * self.b), statistics=((1 / self.b, "abs", self.mu),))

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        def absolute(c: Array) -> Array:
            d = np.abs(self.mu - c)
            return d + self.b * np.exp(-d / self.b)

        def exponential(t: Array) -> Array:
            r = t * self.b
            return np.where(np.abs(r) < 1, np.exp(t * self.mu) / (1 - r**2), np.inf)

        return {
            "x": lambda _: self.mu,
            "x2": lambda _: self.mu**2 + 2 * self.b**2,
            "abs": absolute,
            "exp": exponential,
        }


@kl_rule(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Array:
    # r - 1 - log r + r (exp(-t) - 1 + t) with r = p.b / q.b and t the distance in units of p.b.
    t = np.abs(p.mu - q.mu) / p.b
    return excess(relative_change(p.b, q.b)) + p.b / q.b * expm1_minus(-t)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class AsymmetricLaplace(Univariate):
    """Asymmetric Laplace with asymmetry ``kappa``, location ``mu`` and rate ``b``."""

    kappa: Array
    mu: Array
    b: Array
    known_expectations = ("x", "x2")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``kappa`` or ``b`` is not positive."""
        self._require_finite("mu")
        self._require_positive("kappa", "b")

    def kinks(self) -> tuple[Array, ...]:
        """The cusp."""
        return (self.mu,)

    def frozen(self) -> Any:
        """SciPy's asymmetric Laplace, whose scale is 1 / b."""
        return stats.laplace_asymmetric(self.kappa, self.mu, 1 / self.b)

    def entropy(self) -> Array:
        """Differential entropy in nats: a sign and two exponentials."""
        return np.broadcast_to(1 + np.log((self.kappa + 1 / self.kappa) / self.b), self.batch_shape)

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        shift = (1 / self.kappa - self.kappa) / self.b
        variance = (1 / self.kappa**2 + self.kappa**2) / self.b**2
        return {"x": lambda _: self.mu + shift, "x2": lambda _: (self.mu + shift) ** 2 + variance}


@kl_rule(AsymmetricLaplace, AsymmetricLaplace)
def _asymmetric_laplace(p: AsymmetricLaplace, q: AsymmetricLaplace) -> Array:
    # X - mu is an exponential of rate b kappa with probability 1 / (1 + kappa^2), minus one of rate b / kappa otherwise.
    up, down = p.b * p.kappa, p.b / p.kappa
    weight_up = 1 / (1 + p.kappa**2)
    d = q.mu - p.mu
    rate = np.where(d >= 0, up, down)
    weight = np.where(d >= 0, weight_up, 1 - weight_up)
    # E (X - q.mu)_+ and E (q.mu - X)_+, the near one by the lack of memory, the other by their difference, the mean.
    near = weight * np.exp(-rate * np.abs(d)) / rate
    mean = weight_up / up - (1 - weight_up) / down - d
    above = np.where(d >= 0, near, mean + near)
    below = np.where(d >= 0, near - mean, near)
    cross = np.log((q.kappa + 1 / q.kappa) / q.b) + q.b * q.kappa * above + q.b / q.kappa * below
    value = cross - p.entropy()
    same = (p.mu == q.mu) & (p.b == q.b) & (p.kappa == q.kappa)
    return np.where(same, 0.0, value)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Cauchy(Univariate):
    """Cauchy with location ``alpha`` and scale ``beta``."""

    alpha: Array
    beta: Array
    closed_entropy = True

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

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        infinite = np.full(self.batch_shape, np.inf)
        return {"x2": lambda _: infinite}


@kl_rule(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Array:
    # Chyzak and Nielsen (2019).
    return np.log1p(((p.beta - q.beta) ** 2 + (p.alpha - q.alpha) ** 2) / (4 * p.beta * q.beta))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class StudentT(Univariate):
    """Student t with ``nu`` degrees of freedom, location ``mu`` and scale ``sigma``."""

    nu: Array
    mu: Array
    sigma: Array
    known_expectations = ("x", "x2")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``nu`` or ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("nu", "sigma")

    def frozen(self) -> Any:
        """SciPy's t."""
        return stats.t(self.nu, self.mu, self.sigma)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, also where x^2 overflows."""
        return student_t_log_density(self.nu, (np.asarray(x) - self.mu) / self.sigma) - np.log(self.sigma)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        half = (self.nu + 1) / 2
        value = half * (special.digamma(half) - special.digamma(self.nu / 2))
        value = value + np.log(self.nu) / 2 + special.betaln(self.nu / 2, 0.5) + np.log(self.sigma)
        return np.broadcast_to(value, self.batch_shape)

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        variance = np.where(self.nu > 2, self.sigma**2 * self.nu / (self.nu - 2), np.inf)
        # The mean of nu <= 1 does not exist, but then the second moment is infinite and decides.
        return {"x": lambda _: self.mu + 0 * self.nu, "x2": lambda _: self.mu**2 + variance}


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Logistic(Univariate):
    """Logistic with location ``mu`` and scale ``s``."""

    mu: Array
    s: Array
    known_expectations = ("x", "x2", "exp", "abs")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``s`` is not positive."""
        self._require_finite("mu")
        self._require_positive("s")

    def frozen(self) -> Any:
        """SciPy's logistic."""
        return stats.logistic(self.mu, self.s)

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        def exponential(t: Array) -> Array:
            r = t * self.s
            return np.where(np.abs(r) < 1, np.exp(t * self.mu) / np.sinc(r), np.inf)

        def absolute(c: Array) -> Array:
            d = np.abs(self.mu - c)
            return d + 2 * self.s * np.log1p(np.exp(-d / self.s))

        return {
            "x": lambda _: self.mu,
            "x2": lambda _: self.mu**2 + np.pi**2 / 3 * self.s**2,
            "exp": exponential,
            "abs": absolute,
        }


@kl_rule(Logistic, Logistic)
def _logistic(p: Logistic, q: Logistic) -> Array | None:
    # Equal scales: d coth(d / 2) - 2 with d the distance; its series where that cancels.
    if not np.all(p.s == q.s):
        return None
    d = np.abs(p.mu - q.mu) / p.s
    d2 = d * d
    series = d2 / 6 * (1 - d2 / 60 * (1 - d2 / 42 * (1 - d2 / 40 * (1 - 10 * d2 / 396))))
    return np.where(d < 0.05, series, d / np.tanh(np.where(d == 0, 1.0, d) / 2) - 2)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class VonMises(Univariate):
    """Von Mises on the circle [-pi, pi] with mean direction ``mu`` and concentration ``kappa``."""

    mu: Array
    kappa: Array
    closed_entropy = True

    def validate(self) -> None:
        """Raise where ``kappa`` is not positive."""
        self._require_finite("mu")
        self._require_positive("kappa")

    def frozen(self) -> Any:
        """SciPy's von Mises on one turn about ``mu``."""
        return stats.vonmises_line(self.kappa, self.mu)

    def support(self) -> Support:
        """One turn."""
        pi = np.full(self.batch_shape, np.pi)
        return Support(lower=-pi, upper=pi, discrete=False)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, the same at every turn."""
        half = np.sin((np.asarray(x) - self.mu) / 2)
        return -2 * self.kappa * half**2 - np.log(2 * np.pi * special.i0e(self.kappa))

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws in [-pi, pi]."""
        return _wrapped(generator.vonmises(self.mu, self.kappa, size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile on [-pi, pi]."""
        return self._turned(np.asarray(u) + self._cut())

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self._turned(1 - np.asarray(u) + self._cut())

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        x = np.clip(x, -np.pi, np.pi)
        return np.clip(stats.vonmises(self.kappa).cdf(x - self.mu) - self._cut(), 0, 1)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        x = np.clip(x, -np.pi, np.pi)
        return np.clip(1 + self._cut() - stats.vonmises(self.kappa).cdf(x - self.mu), 0, 1)

    def _cut(self) -> Array:
        """Probability, counted from ``mu`` less half a turn, up to the cut at -pi."""
        return stats.vonmises(self.kappa).cdf(-np.pi - self.mu)

    def _turned(self, probability: Array) -> Array:
        turns = np.floor(probability)
        line = stats.vonmises_line(self.kappa).ppf(probability - turns)
        return np.clip(self.mu + line + 2 * np.pi * turns, -np.pi, np.pi)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        ratio = special.i1e(self.kappa) / special.i0e(self.kappa)
        value = np.log(2 * np.pi * special.i0e(self.kappa)) + self.kappa * (1 - ratio)
        return np.broadcast_to(value, self.batch_shape)


def _wrapped(x: Array) -> Array:
    return np.mod(x + np.pi, 2 * np.pi) - np.pi


@kl_rule(VonMises, VonMises)
def _von_mises(p: VonMises, q: VonMises) -> Array:
    ratio = special.i1e(p.kappa) / special.i0e(p.kappa)
    return log_bessel_excess(p.kappa, q.kappa) + 2 * q.kappa * ratio * np.sin((p.mu - q.mu) / 2) ** 2


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ExGaussian(Univariate):
    """Normal (``mu``, ``sigma``) plus an exponential of mean ``nu``."""

    mu: Array
    sigma: Array
    nu: Array
    deepest = 1e-13

    def validate(self) -> None:
        """Raise where a scale is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma", "nu")

    def frozen(self) -> Any:
        """SciPy's exponentially modified normal."""
        return stats.exponnorm(self.nu / self.sigma, self.mu, self.sigma)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Moyal(Univariate):
    """Moyal with location ``mu`` and scale ``sigma``."""

    mu: Array
    sigma: Array
    deepest = 1e-13

    def validate(self) -> None:
        """Raise where ``sigma`` is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")

    def frozen(self) -> Any:
        """SciPy's Moyal."""
        return stats.moyal(self.mu, self.sigma)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class SkewStudentT(Univariate):
    """Jones and Faddy's skew t with shapes ``a``, ``b``, location ``mu`` and scale ``sigma``."""

    a: Array
    b: Array
    mu: Array
    sigma: Array

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
