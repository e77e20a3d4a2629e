"""Continuous distributions behind a hurdle: a point mass at 0 and a positive part."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.divergences.families.gamma import Gamma
from pp_mlekl.divergences.families.normal import LogNormal
from pp_mlekl.divergences.families.point_mass import PointMass
from pp_mlekl.divergences.families.probability import WithPresence
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.typing import Array


class _Hurdle(WithPresence):
    """0 with probability 1 - ``psi``, else a draw of a positive distribution."""

    psi: Array
    logit_psi: Array | None

    def positive(self) -> Distribution:
        """The distribution of positive values."""
        raise NotImplementedError

    def validate(self) -> None:
        """Raise where ``psi`` is no probability."""
        if not np.all((self.psi >= 0) & (self.psi <= 1)):
            raise ValueError(f"{type(self).__name__}: psi must lie in [0, 1].")
        self.positive()

    def components(self) -> list[tuple[Array, Distribution]]:
        """The point mass and the positive part."""
        return [(self.presence.complement, PointMass(at=np.zeros(()))), (self.psi, self.positive())]

    def atoms(self) -> Array:
        """Zero."""
        return np.zeros((*self.batch_shape, 1))

    def log_density(self, x: Array) -> Array:
        """Log mass at 0, log density above."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(divide="ignore"):
            above = self.presence.log + self.positive().log_density(np.where(x > 0, x, 1.0))
            return np.where(x == 0, self.presence.log_complement, np.where(x > 0, above, -np.inf))

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        draws = self.positive().expand(self.batch_shape).sample(shape, generator)
        return np.where(generator.uniform(size=draws.shape) < self.psi, draws, 0.0)

    def support(self) -> Support:
        """The half-line."""
        zero = np.zeros(self.batch_shape)
        return Support(lower=zero, upper=np.where(self.presence.is_impossible, zero, np.inf), discrete=False)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        x = np.asarray(x, dtype=np.float64)
        return np.where(x >= 0, self.presence.complement + self.psi * self.positive().cdf(np.maximum(x, 0.0)), 0.0)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        x = np.asarray(x, dtype=np.float64)
        return np.where(x >= 0, self.psi * self.positive().survival(np.maximum(x, 0.0)), 1.0)

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        u = np.asarray(u, dtype=np.float64)
        with np.errstate(all="ignore"):
            above = self.positive().quantile(np.clip((u - self.presence.complement) / self.psi, 0.0, 1.0))
        return np.where(u <= self.presence.complement, 0.0, above)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        u = np.asarray(u, dtype=np.float64)
        with np.errstate(all="ignore"):
            above = self.positive().upper_quantile(np.clip(u / self.psi, 0.0, 1.0))
        return np.where(u >= self.psi, 0.0, above)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleGamma(_Hurdle):
    """Gamma(``alpha``, ``beta``) with probability ``psi``, else 0."""

    psi: Array = None  # type: ignore[assignment]
    logit_psi: Array | None = None
    alpha: Array
    beta: Array

    def positive(self) -> Distribution:
        """Gamma."""
        return Gamma(alpha=self.alpha, beta=self.beta)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleLogNormal(_Hurdle):
    """LogNormal(``mu``, ``sigma``) with probability ``psi``, else 0."""

    psi: Array = None  # type: ignore[assignment]
    logit_psi: Array | None = None
    mu: Array
    sigma: Array

    def positive(self) -> Distribution:
        """Log-normal."""
        return LogNormal(mu=self.mu, sigma=self.sigma)
