"""Counts with excess zeros, and counts behind a hurdle."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.divergences.families.binary import Binomial
from pp_mlekl.divergences.families.counts import NegativeBinomial, Poisson
from pp_mlekl.divergences.families.point_mass import PointMass
from pp_mlekl.divergences.families.probability import WithPresence
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.truncated import Truncated
from pp_mlekl.typing import Array


class _ExcessZeros(WithPresence):
    """A count distribution mixed with a mass 1 - ``psi`` at 0."""

    discrete = True
    narrowest = (0.0, 0.0)
    widest = (0.0, np.inf)
    psi: Array
    logit_psi: Array | None

    def counts(self) -> Distribution:
        """The distribution of the counts that occur with probability ``psi``."""
        raise NotImplementedError

    def validate(self) -> None:
        """Raise where ``psi`` is no probability."""
        if not np.all((self.psi >= 0) & (self.psi <= 1)):
            raise ValueError(f"{type(self).__name__}: psi must lie in [0, 1].")
        self.counts()

    def support(self) -> Support:
        """From 0."""
        base = self.counts().support()
        lower = np.where(self.presence.is_certain, base.lower, 0.0)
        return Support(lower=lower, upper=np.where(self.presence.is_impossible, 0.0, base.upper), discrete=True)

    def components(self) -> list[tuple[Array, Distribution]]:
        """The excess zeros and the counts."""
        return [(self.presence.complement, PointMass(at=np.zeros(()))), (self.psi, self.counts())]

    def log_density(self, x: Array) -> Array:
        """Log mass in nats."""
        with np.errstate(divide="ignore"):
            count = self.presence.log + self.counts().log_density(x)
            return np.where(np.asarray(x) == 0, np.logaddexp(self.presence.log_complement, count), count)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        counts = self.counts().expand(self.batch_shape).sample(shape, generator)
        return np.where(generator.uniform(size=counts.shape) < self.psi, counts, 0.0)

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        with np.errstate(all="ignore"):
            inner = np.clip((np.asarray(u) - self.presence.complement) / self.psi, 0.0, 1.0)
            count = self.counts().quantile(inner)
        return np.where(np.asarray(u) <= self.cdf(np.zeros(())), 0.0, np.nan_to_num(count))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        with np.errstate(all="ignore"):
            count = self.counts().upper_quantile(np.minimum(np.asarray(u) / self.psi, 1.0))
        return np.where(np.asarray(u) >= self.survival(np.zeros(())), 0.0, np.nan_to_num(count))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return np.where(np.asarray(x) >= 0, self.presence.complement + self.psi * self.counts().cdf(x), 0.0)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return np.where(np.asarray(x) >= 0, self.psi * self.counts().survival(x), 1.0)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroInflatedPoisson(_ExcessZeros):
    """Poisson(``mu``) with probability ``psi``, else 0."""

    psi: Array = None  # type: ignore[assignment]
    logit_psi: Array | None = None
    mu: Array

    def counts(self) -> Distribution:
        """Poisson."""
        return Poisson(mu=self.mu)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroInflatedBinomial(_ExcessZeros):
    """Binomial(``n``, ``p``) with probability ``psi``, else 0."""

    psi: Array = None  # type: ignore[assignment]
    logit_psi: Array | None = None
    n: Array
    p: Array = None  # type: ignore[assignment]
    logit_p: Array | None = None

    def __post_init__(self) -> None:
        if self.p is None:
            object.__setattr__(self, "p", Binomial(n=self.n, logit_p=self.logit_p).p)
        super().__post_init__()

    def counts(self) -> Binomial:
        """Binomial."""
        return Binomial(n=self.n, p=self.p, logit_p=self.logit_p)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroInflatedNegativeBinomial(_ExcessZeros):
    """Negative binomial (``mu``, ``alpha``) with probability ``psi``, else 0."""

    psi: Array = None  # type: ignore[assignment]
    logit_psi: Array | None = None
    mu: Array
    alpha: Array

    def counts(self) -> Distribution:
        """Negative binomial."""
        return NegativeBinomial(mu=self.mu, alpha=self.alpha)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdlePoisson(_ExcessZeros):
    """Poisson(``mu``) above 0 with probability ``psi``, else 0."""

    psi: Array = None  # type: ignore[assignment]
    logit_psi: Array | None = None
    mu: Array

    def counts(self) -> Distribution:
        """Poisson without 0."""
        return Truncated(dist=Poisson(mu=self.mu), lower=np.ones(()))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleNegativeBinomial(_ExcessZeros):
    """Negative binomial (``mu``, ``alpha``) above 0 with probability ``psi``, else 0."""

    psi: Array = None  # type: ignore[assignment]
    logit_psi: Array | None = None
    mu: Array
    alpha: Array

    def counts(self) -> Distribution:
        """Negative binomial without 0."""
        return Truncated(dist=NegativeBinomial(mu=self.mu, alpha=self.alpha), lower=np.ones(()))
