"""Von Mises on the circle."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms, Support
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import bessel_ratio, log_bessel_excess
from pp_mlekl.typing import Array

# Edges of the panels of a quadrature, in standard deviations.
_EDGES = np.array([0.0, 0.8, 1.6, 2.4, 3.2, 4.0, 5.0, 6.0, 7.5, 9.0, 12.0, 40.0, 400.0])


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class VonMises(Univariate):
    """Von Mises on the circle [-pi, pi] with mean direction ``mu`` and concentration ``kappa``."""

    mu: Array
    kappa: Array
    needed_expectations = ("versine",)
    closed_entropy = True
    narrowest = widest = (-np.pi, np.pi)

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
        """Log density in nats, ``-inf`` outside [-pi, pi]."""
        x = np.asarray(x, dtype=np.float64)
        half = np.sin((x - self.mu) / 2)
        value = -2 * self.kappa * half**2 - np.log(2 * np.pi * special.i0e(self.kappa))
        return np.where(np.abs(x) <= np.pi, value, -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws in [-pi, pi]."""
        return _wrapped(generator.vonmises(self.mu, self.kappa, size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile on [-pi, pi]."""
        return self._turned(np.asarray(u) + self._cut())

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self._turned(1 - np.asarray(u) + self._cut())

    def panels(self) -> Array:
        """Panels in units of the standard deviation about the mode, with an edge at the cut at -pi."""
        width = np.minimum(1.0, 1 / np.sqrt(self.kappa))
        away = np.minimum(width * _EDGES.reshape(-1, *[1] * len(self.batch_shape)), np.pi)
        inner = _wrapped(np.concatenate([self.mu - away, self.mu + away]))
        ends = np.full((1, *self.batch_shape), np.pi)
        return np.sort(np.concatenate([-ends, inner, ends]), axis=0)

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

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean of 1 - cos(X - mu)."""
        constant = np.log(2 * np.pi * special.i0e(self.kappa))
        return CrossEntropyTerms(constant=constant, statistics=((self.kappa, "versine", self.mu),))

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        ratio = bessel_ratio(self.kappa)
        value = np.log(2 * np.pi * special.i0e(self.kappa)) + self.kappa * (1 - ratio)
        return np.broadcast_to(value, self.batch_shape)


def _wrapped(x: Array) -> Array:
    return np.mod(x + np.pi, 2 * np.pi) - np.pi


@kl_rule(VonMises, VonMises)
def _von_mises(p: VonMises, q: VonMises) -> Array:
    ratio = bessel_ratio(p.kappa)
    return log_bessel_excess(p.kappa, q.kappa) + 2 * q.kappa * ratio * np.sin((p.mu - q.mu) / 2) ** 2
