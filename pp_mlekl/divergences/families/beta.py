"""Families on a bounded interval: Beta, Kumaraswamy, Uniform, Triangular."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Array, CrossEntropyTerms, Support
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import excess, gammaln_excess, relative_change


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Beta(Univariate):
    """Beta with shapes ``alpha`` and ``beta``."""

    alpha: Array
    beta: Array
    known_expectations = ("x", "x2", "log", "log2", "log1m", "power")
    needed_expectations = ("log", "log1m")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where a shape is not positive."""
        self._require_positive("alpha", "beta")

    def frozen(self) -> Any:
        """SciPy's beta."""
        return stats.beta(self.alpha, self.beta)

    def log_density_below(self, upper: Array, distance: Array) -> Array:
        """Log density by the distance from 1, where 1 - x has lost its digits."""
        with np.errstate(all="ignore"):
            near = special.xlog1py(self.alpha - 1, -distance) + special.xlogy(self.beta - 1, distance)
            near = near - special.betaln(self.alpha, self.beta)
        return np.where(upper == 1, near, super().log_density_below(upper, distance))

    def reflected(self) -> "Beta":
        """Beta with the shapes exchanged."""
        return Beta(alpha=self.beta, beta=self.alpha)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        a, b = self.alpha, self.beta
        value = (
            special.betaln(a, b)
            - (a - 1) * special.digamma(a)
            - (b - 1) * special.digamma(b)
            + (a + b - 2) * special.digamma(a + b)
        )
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """E log X and E log(1 - X)."""
        return CrossEntropyTerms(
            constant=special.betaln(self.alpha, self.beta),
            statistics=((1 - self.alpha, "log", 0.0), (1 - self.beta, "log1m", 0.0)),
        )

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        a, b = self.alpha, self.beta
        mean_log = special.digamma(a) - special.digamma(a + b)

        def power(k: Array) -> Array:
            k = np.asarray(k, dtype=np.float64)
            return np.where(a + k > 0, np.exp(special.betaln(a + k, b) - special.betaln(a, b)), np.inf)

        return {
            "x": lambda _: a / (a + b),
            "x2": lambda _: a * (a + 1) / ((a + b) * (a + b + 1)),
            "power": power,
            "log": lambda _: mean_log,
            "log2": lambda _: mean_log**2 + special.polygamma(1, a) - special.polygamma(1, a + b),
            "log1m": lambda _: special.digamma(b) - special.digamma(a + b),
        }


@kl_rule(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Array:
    return (
        gammaln_excess(p.alpha, q.alpha)
        + gammaln_excess(p.beta, q.beta)
        - gammaln_excess(p.alpha + p.beta, q.alpha + q.beta)
    )


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Kumaraswamy(Univariate):
    """Kumaraswamy with density a b x^(a-1) (1 - x^a)^(b-1)."""

    a: Array
    b: Array
    known_expectations = ("x", "x2", "log", "power")
    closed_entropy = True

    def validate(self) -> None:
        """Raise where a shape is not positive."""
        self._require_positive("a", "b")

    def support(self) -> Support:
        """The unit interval."""
        zero = np.zeros(self.batch_shape)
        return Support(lower=zero, upper=zero + 1, discrete=False)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        with np.errstate(all="ignore"):
            # 1 - x^a without cancellation at both ends.
            inside = np.log(self.a * self.b) + (self.a - 1) * np.log(x)
            inside = inside + (self.b - 1) * np.log(-np.expm1(self.a * np.log(x)))
        return np.where((x > 0) & (x < 1), inside, -np.inf)

    def log_density_below(self, upper: Array, distance: Array) -> Array:
        """Log density by the distance from 1, where 1 - x has lost its digits."""
        with np.errstate(all="ignore"):
            log_x = np.log1p(-distance)
            near = np.log(self.a * self.b) + (self.a - 1) * log_x
            near = near + special.xlogy(self.b - 1, -np.expm1(self.a * log_x))
        return np.where(upper == 1, near, super().log_density_below(upper, distance))

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by inversion."""
        return self.quantile(generator.uniform(size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        with np.errstate(all="ignore"):
            return np.exp(np.log(-np.expm1(np.log1p(-u) / self.b)) / self.a)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        with np.errstate(all="ignore"):
            return np.exp(np.log1p(-np.exp(np.log(u) / self.b)) / self.a)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return -np.expm1(self._log_survival(x))

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return np.exp(self._log_survival(x))

    def entropy(self) -> Array:
        """Differential entropy in nats (Michalowicz, Nichols and Bucholtz 2013)."""
        harmonic = special.digamma(self.b + 1) + np.euler_gamma
        value = 1 - 1 / self.b + (1 - 1 / self.a) * harmonic - np.log(self.a * self.b)
        return np.broadcast_to(value, self.batch_shape)

    def _log_survival(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.b * np.log1p(-(np.clip(x, 0, 1) ** self.a))

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        def power(k: Array) -> Array:
            r = 1 + np.asarray(k) / self.a
            return np.where(r > 0, self.b * np.exp(special.betaln(r, self.b)), np.inf)

        return {
            "x": lambda _: power(np.float64(1)),
            "x2": lambda _: power(np.float64(2)),
            "power": power,
            "log": lambda _: -(special.digamma(self.b + 1) + np.euler_gamma) / self.a,
        }


@kl_rule(Kumaraswamy, Kumaraswamy)
def _kumaraswamy(p: Kumaraswamy, q: Kumaraswamy) -> Array | None:
    # With one exponent a the b-th power of 1 - X^a is exponential after a logarithm; otherwise there is no closed form.
    if not np.all(p.a == q.a):
        return None
    return excess(relative_change(q.b, p.b))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Uniform(Univariate):
    """Uniform on the interval from ``lower`` to ``upper``."""

    lower: Array
    upper: Array
    known_expectations = ("x", "x2", "abs", "exp")
    needed_expectations = ()
    closed_entropy = True

    def validate(self) -> None:
        """Raise where the interval is empty."""
        self._require_finite("lower", "upper")
        if not np.all(self.upper > self.lower):
            raise ValueError("Uniform: upper must be larger than lower.")

    def frozen(self) -> Any:
        """SciPy's uniform."""
        return stats.uniform(self.lower, self.upper - self.lower)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self.upper - u * (self.upper - self.lower)

    def reflected(self) -> "Uniform":
        """Uniform on the reflected interval."""
        return Uniform(lower=1 - self.upper, upper=1 - self.lower)

    def entropy(self) -> Array:
        """Logarithm of the length."""
        return np.broadcast_to(np.log(self.upper - self.lower), self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Nothing but the support."""
        return CrossEntropyTerms(constant=np.log(self.upper - self.lower), statistics=())

    def _expectations(self) -> dict[str, Callable[[Any], Array]]:
        low, high = self.lower, self.upper
        width = high - low

        def absolute(c: Array) -> Array:
            inside = ((high - c) * np.abs(high - c) - (low - c) * np.abs(low - c)) / (2 * width)
            return inside

        def exponential(t: Array) -> Array:
            # From the end with the larger value, so that nothing overflows before the logarithm does.
            return np.where(t == 0, 1.0, np.exp(t * low) * np.expm1(t * width) / np.where(t == 0, 1.0, t * width))

        return {
            "x": lambda _: (low + high) / 2,
            "x2": lambda _: (low**2 + low * high + high**2) / 3,
            "abs": absolute,
            "exp": exponential,
        }


@kl_rule(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Array:
    inside = (p.lower >= q.lower) & (p.upper <= q.upper)
    # The lengths differ by what sticks out at either end, a difference of near numbers only where they are near.
    longer = ((q.upper - p.upper) + (p.lower - q.lower)) / (p.upper - p.lower)
    return np.where(inside, np.log1p(longer), np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Triangular(Univariate):
    """Triangular on [``lower``, ``upper``] with mode ``c``."""

    lower: Array
    c: Array
    upper: Array

    def validate(self) -> None:
        """Raise where the mode is outside the interval."""
        self._require_finite("lower", "c", "upper")
        if not np.all((self.lower <= self.c) & (self.c <= self.upper) & (self.lower < self.upper)):
            raise ValueError("Triangular: lower <= c <= upper and lower < upper must hold.")

    def kinks(self) -> tuple[Array, ...]:
        """The mode."""
        return (self.c,)

    def frozen(self) -> Any:
        """SciPy's triangular."""
        width = self.upper - self.lower
        return stats.triang((self.c - self.lower) / width, self.lower, width)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function, from the upper end."""
        width = self.upper - self.lower
        right = self.upper - np.sqrt(u * width * (self.upper - self.c))
        return np.where(u < (self.upper - self.c) / width, right, self.frozen().ppf(1 - u))
