"""All mass at one point: the atoms of censored and hurdle distributions."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class PointMass(Distribution):
    """All mass at ``at``."""

    at: Array

    def log_density(self, x: Array) -> Array:
        """0 at the point."""
        return np.where(np.asarray(x) == self.at, 0.0, -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """The point."""
        return np.broadcast_to(self.at, (*shape, *self.batch_shape))

    def atoms(self) -> Array:
        """The point."""
        return self.at[..., None]

    def support(self) -> Support:
        """The point."""
        return Support(lower=self.at, upper=self.at, discrete=False)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return np.where(np.asarray(x) >= self.at, 1.0, 0.0)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return np.where(np.asarray(x) >= self.at, 0.0, 1.0)

    def quantile(self, u: Array) -> Array:
        """The point."""
        return np.broadcast_to(self.at, np.broadcast_shapes(np.shape(u), self.batch_shape))

    upper_quantile = quantile
