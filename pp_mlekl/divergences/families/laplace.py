"""Laplace and its asymmetric form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms
from pp_mlekl.divergences.families.moments import WithMoments
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import excess, expm1_minus, log1p_minus, relative_change
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Laplace(WithMoments, Univariate):
    """Laplace with location ``mu`` and scale ``b``."""

    mu: Array
    b: Array
    needed_expectations = ("abs",)
    closed_entropy = True
    narrowest = widest = (-np.inf, np.inf)

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

    def log_density(self, x: Array) -> Array:
        """Log density in nats; SciPy's takes the logarithm of a density that underflows."""
        return -np.abs(np.asarray(x) - self.mu) / self.b - np.log(2 * self.b)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean distance from ``mu``."""
        return CrossEntropyTerms(constant=np.log(2 * self.b), statistics=((1 / self.b, "abs", self.mu),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.mu, 2 * self.b**2

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|."""
        d = np.abs(self.mu - centre)
        return d + self.b * np.exp(-d / self.b)

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        r = t * self.b
        return np.where(np.abs(r) < 1, np.exp(t * (self.mu - centre)) / (1 - r**2), np.inf)


@kl_rule(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Array:
    # r - 1 - log r + r (exp(-t) - 1 + t) with r = p.b / q.b and t the distance in units of p.b.
    t = np.abs(p.mu - q.mu) / p.b
    return excess(relative_change(p.b, q.b)) + p.b / q.b * expm1_minus(-t)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class AsymmetricLaplace(WithMoments, Univariate):
    """Asymmetric Laplace with asymmetry ``kappa``, location ``mu`` and rate ``b``."""

    kappa: Array
    mu: Array
    b: Array
    needed_expectations = ("abs", "x")
    closed_entropy = True
    narrowest = widest = (-np.inf, np.inf)

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

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean distance from ``mu``, and the mean, because the two sides weigh differently."""
        sides = self.kappa + 1 / self.kappa, self.kappa - 1 / self.kappa
        return CrossEntropyTerms(
            constant=np.log(sides[0] / self.b),
            statistics=((self.b * sides[0] / 2, "abs", self.mu), (self.b * sides[1] / 2, "x", self.mu)),
        )

    def sides(self) -> "_Sides":
        """Rates above and below ``mu``, and the probability of being above."""
        return _Sides(up=self.b * self.kappa, down=self.b / self.kappa, above=1 / (1 + self.kappa**2))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.mu + (1 / self.kappa - self.kappa) / self.b, (1 / self.kappa**2 + self.kappa**2) / self.b**2

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|: the far side by lack of memory, the other by the mean."""
        sides, d = self.sides(), centre - self.mu
        above = sides.above / sides.up * np.exp(-sides.up * np.abs(d))
        below = (1 - sides.above) / sides.down * np.exp(-sides.down * np.abs(d))
        shift = self.expected_x(centre)
        return np.where(d >= 0, 2 * above - shift, 2 * below + shift)

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        sides = self.sides()
        value = sides.above / (1 - t / sides.up) + (1 - sides.above) / (1 + t / sides.down)
        return np.where((t < sides.up) & (t > -sides.down), np.exp(t * (self.mu - centre)) * value, np.inf)


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """Exponentials on both sides of a cusp."""

    up: Array
    down: Array
    above: Array


def _asymmetric_laplace(p: Laplace | AsymmetricLaplace, q: Laplace | AsymmetricLaplace) -> Array:
    a, c = _asymmetric(p).sides(), _asymmetric(q).sides()
    up, down = relative_change(a.up, c.up), relative_change(a.down, c.down)
    mean = a.above * up + (1 - a.above) * down
    # For equal locations: E[u^2 / (1 + u)] + log(1 + E u) - E u, u the relative change of the rates.
    together = a.above * up**2 / (1 + up) + (1 - a.above) * down**2 / (1 + down) + log1p_minus(mean)
    # Shifting q by d adds this; its first-order term vanishes where the rates of p and q are equal.
    d = q.mu - p.mu
    rate, weight = np.where(d >= 0, a.up, a.down), np.where(d >= 0, a.above, 1 - a.above)
    first = a.up * a.above * (up - down) / ((1 + up) * (1 + down))
    return together + (c.up + c.down) * weight / rate * expm1_minus(-rate * np.abs(d)) + d * first


def _asymmetric(d: Laplace | AsymmetricLaplace) -> AsymmetricLaplace:
    return AsymmetricLaplace(kappa=np.ones(()), mu=d.mu, b=1 / d.b) if isinstance(d, Laplace) else d


for _p, _q in ((AsymmetricLaplace, AsymmetricLaplace), (Laplace, AsymmetricLaplace), (AsymmetricLaplace, Laplace)):
    kl_rule(_p, _q)(_asymmetric_laplace)
