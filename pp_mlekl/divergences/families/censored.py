"""Censored distributions: values outside an interval are moved to its bounds."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.divergences.families.point_mass import PointMass
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.truncated import Truncated
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Censored(Distribution):
    """``dist`` with values outside [``lower``, ``upper``] moved to the nearest bound."""

    dist: Distribution
    lower: Array = -np.inf  # type: ignore[assignment]
    upper: Array = np.inf  # type: ignore[assignment]

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As the base is."""
        return self.dist.discrete

    def validate(self) -> None:
        """Raise where ``lower`` is not less than ``upper``."""
        if not np.all(np.asarray(self.lower) < self.upper):
            raise ValueError("Censored: lower must be less than upper.")

    def _masses(self) -> tuple[Array, Array]:
        edge = np.ceil(self.upper) - 1 if self.discrete else self.upper
        return self.dist.cdf(self.lower), self.dist.survival(edge)

    def atoms(self) -> Array | None:
        """The bounds that are finite."""
        if self.discrete:
            return None
        shape = self.batch_shape
        return np.stack([np.broadcast_to(self.lower, shape), np.broadcast_to(self.upper, shape)], axis=-1)

    def components(self) -> list[tuple[Array, Distribution]]:
        """Two point masses and the truncated base; a discrete distribution is one component."""
        if self.discrete:
            return [(np.ones(()), self)]
        low, high = self._masses()
        low, high = (np.broadcast_to(m, self.batch_shape) for m in (low, high))
        inner = Truncated(dist=self.dist, lower=self.lower, upper=self.upper)
        return [
            (low, PointMass(at=np.asarray(self.lower))),
            (high, PointMass(at=np.asarray(self.upper))),
            (np.maximum(1 - low - high, 0.0), inner),
        ]

    def support(self) -> Support:
        """The base's support, clipped."""
        base = self.dist.support()
        return Support(
            lower=np.clip(base.lower, self.lower, self.upper),
            upper=np.clip(base.upper, self.lower, self.upper),
            discrete=self.discrete,
        )

    def log_density(self, x: Array) -> Array:
        """Log mass at the bounds, log density between them."""
        low, high = self._masses()
        x = np.asarray(x, dtype=np.float64)
        inside = np.where((x > self.lower) & (x < self.upper), self.dist.log_density(x), -np.inf)
        with np.errstate(divide="ignore"):
            value = np.where((x == self.lower) & np.isfinite(x), np.log(low), inside)
            return np.where((x == self.upper) & np.isfinite(x), np.log(high), value)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws, clipped."""
        return np.clip(self.dist.expand(self.batch_shape).sample(shape, generator), self.lower, self.upper)

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        return np.clip(self.dist.quantile(u), self.lower, self.upper)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return np.clip(self.dist.upper_quantile(u), self.lower, self.upper)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        value = np.where(np.asarray(x) >= self.upper, 1.0, self.dist.cdf(x))
        return np.where(np.asarray(x) >= self.lower, value, 0.0)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        value = np.where(np.asarray(x) >= self.upper, 0.0, self.dist.survival(x))
        return np.where(np.asarray(x) >= self.lower, value, 1.0)
