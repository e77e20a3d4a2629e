"""Distributions made of others: mixtures, truncation, censoring, excess zeros and hurdles."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.distribution import Array, Distribution, Support
from pp_mlekl.divergences.families.binary import Binomial
from pp_mlekl.divergences.families.counts import NegativeBinomial, Poisson
from pp_mlekl.divergences.families.gamma import Gamma
from pp_mlekl.divergences.families.normal import LogNormal, Normal
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture(Distribution):
    """Mixture of ``parts`` with weights ``w`` (last axis), divided by their sum."""

    w: Array
    parts: tuple[Distribution, ...]
    parameter_ndim = {"w": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where a weight is negative or their number is not that of the parts."""
        if self.w.shape[-1] != len(self.parts) or not np.all(self.w >= 0) or not np.all(self.w.sum(axis=-1) > 0):
            raise ValueError("Mixture: w must have one weight for each part, none negative, with a positive sum.")
        object.__setattr__(self, "w", self.w / self.w.sum(axis=-1, keepdims=True))

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As the parts are."""
        return self.parts[0].discrete

    @property
    def event_ndim(self) -> int:  # type: ignore[override]
        """As the parts have."""
        return self.parts[0].event_ndim

    @property
    def event_shape(self) -> tuple[int, ...]:
        """As the parts have."""
        return self.parts[0].event_shape

    def components(self) -> list[tuple[Array, Distribution]]:
        """Weights and parts, those of a part that is a mixture itself included."""
        return [
            (self.w[..., i] * weight, part) for i, whole in enumerate(self.parts) for weight, part in whole.components()
        ]

    def atoms(self) -> Array | None:
        """The atoms of all parts."""
        found = [part.atoms() for part in self.parts]
        known = [np.broadcast_to(a, (*self.batch_shape, a.shape[-1])) for a in found if a is not None]
        return np.concatenate(known, axis=-1) if known else None

    def log_density(self, x: Array) -> Array:
        """Log of the weighted sum of densities."""
        terms = [part.log_density(x) for part in self.parts]
        with np.errstate(divide="ignore"):
            logs = [np.log(self.w[..., i]) + term for i, term in enumerate(terms)]
        return special.logsumexp(np.stack(np.broadcast_arrays(*logs)), axis=0)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws: a part, then a draw of it."""
        full = (*shape, *self.batch_shape)
        u = generator.uniform(size=full)
        which = np.sum(np.cumsum(self.w, axis=-1) < u[..., None], axis=-1).clip(max=len(self.parts) - 1)
        draws = [part.expand(self.batch_shape).sample(shape, generator) for part in self.parts]
        extra = (1,) * self.event_ndim
        result = draws[0]
        for i, draw in enumerate(draws[1:], 1):
            result = np.where((which == i).reshape(*full, *extra), draw, result)
        return result

    def support(self) -> Support:
        """The smallest interval with the supports of all parts."""
        parts = [p.support() for p in self.parts]
        lower = np.min(np.broadcast_arrays(*(np.broadcast_to(s.lower, self.batch_shape) for s in parts)), axis=0)
        upper = np.max(np.broadcast_arrays(*(np.broadcast_to(s.upper, self.batch_shape) for s in parts)), axis=0)
        return Support(lower=lower, upper=upper, discrete=self.discrete)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return sum(self.w[..., i] * part.cdf(x) for i, part in enumerate(self.parts))  # type: ignore[return-value]

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return sum(self.w[..., i] * part.survival(x) for i, part in enumerate(self.parts))  # type: ignore[return-value]

    def quantile(self, u: Array) -> Array:
        """Lower quantile by bisection between the parts' quantiles."""
        return self._bisected(u, [part.quantile(u) for part in self.parts], lambda x: self.cdf(x) < u)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function by bisection."""
        return self._bisected(u, [part.upper_quantile(u) for part in self.parts], lambda x: self.survival(x) > u)

    def _bisected(self, u: Array, ends: list[Array], below: Any) -> Array:
        ends = np.broadcast_arrays(*ends, np.empty(np.broadcast_shapes(np.shape(u), self.batch_shape)))[:-1]
        low, high = np.min(ends, axis=0), np.max(ends, axis=0)
        if self.discrete:
            low = low - 1
        for _ in range(80):
            with np.errstate(invalid="ignore"):
                middle = np.floor((low + high) / 2) if self.discrete else (low + high) / 2
            smaller = below(middle)
            low, high = np.where(smaller, middle, low), np.where(smaller, high, middle)
            if self.discrete and np.all(high - low <= 1):
                break
        return high


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class NormalMixture(Mixture):
    """Mixture of normals: ``w``, ``mu`` and ``sigma`` have the components on their last axis."""

    w: Array
    parts: tuple[Distribution, ...] = ()
    mu: Array | None = None
    sigma: Array | None = None
    parameter_ndim = {"w": 1, "mu": 1, "sigma": 1}  # noqa: RUF012

    def __post_init__(self) -> None:
        if not self.parts:
            mu, sigma = (np.asarray(v, dtype=np.float64) for v in (self.mu, self.sigma))
            k = np.asarray(self.w).shape[-1]
            mu, sigma = (np.broadcast_to(v, v.shape[:-1] + (k,)) if v.ndim else np.full(k, v) for v in (mu, sigma))
            parts = tuple(Normal(mu=mu[..., i], sigma=sigma[..., i]) for i in range(k))
            object.__setattr__(self, "parts", parts)
            object.__setattr__(self, "mu", mu)
            object.__setattr__(self, "sigma", sigma)
        super().__post_init__()

    def _selected(self, name: str, batch: tuple[int, ...], index: Any) -> Any:
        # The parts are made again from mu and sigma.
        return () if name == "parts" else super()._selected(name, batch, index)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class TruncatedNormal(Univariate):
    """Normal (``mu``, ``sigma``) kept to [``lower``, ``upper``]."""

    mu: Array
    sigma: Array
    lower: Array | float = -np.inf
    upper: Array | float = np.inf

    def validate(self) -> None:
        """Raise where the interval is empty or the scale is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")
        if not np.all(np.asarray(self.lower) < self.upper):
            raise ValueError("TruncatedNormal: lower must be less than upper.")

    def frozen(self) -> Any:
        """SciPy's truncated normal, whose bounds are standardised."""
        return stats.truncnorm(
            (self.lower - self.mu) / self.sigma, (self.upper - self.mu) / self.sigma, self.mu, self.sigma
        )


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Truncated(Distribution):
    """``dist`` kept to [``lower``, ``upper``], both included."""

    dist: Distribution
    lower: Array | float = -np.inf
    upper: Array | float = np.inf

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As the base is."""
        return self.dist.discrete

    def validate(self) -> None:
        """Raise where nothing is left."""
        if not np.all(self._mass() > 0):
            raise ValueError("Truncated: the base has no mass between lower and upper.")

    def support(self) -> Support:
        """The part of the base's support within the bounds."""
        base = self.dist.support()
        lower = np.maximum(base.lower, np.ceil(self.lower) if self.discrete else self.lower)
        upper = np.minimum(base.upper, np.floor(self.upper) if self.discrete else self.upper)
        return Support(lower=lower, upper=upper, discrete=self.discrete)

    def _below(self) -> tuple[Array, Array]:
        """CDF and survival just below the lower bound."""
        edge = np.ceil(self.lower) - 1 if self.discrete else np.asarray(self.lower)
        return self.dist.cdf(edge), self.dist.survival(edge)

    def _mass(self) -> Array:
        cdf, survival = self._below()
        # From the side on which the numbers are small.
        return np.where(cdf < 0.5, self.dist.cdf(self.upper) - cdf, survival - self.dist.survival(self.upper))

    def log_density(self, x: Array) -> Array:
        """Log density of the base, divided by the mass kept."""
        support = self.support()
        inside = (x >= support.lower) & (x <= support.upper)
        return np.where(inside, self.dist.log_density(x) - np.log(self._mass()), -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by inversion."""
        return self.quantile(generator.uniform(size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        cdf, survival = self._below()
        low = self.dist.quantile(np.minimum(cdf + u * self._mass(), 1.0))
        high = self.dist.upper_quantile(np.clip(survival - u * self._mass(), 0.0, 1.0))
        return self._inside(np.where(cdf + u * self._mass() < 0.5, low, high))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        above, cdf = self.dist.survival(self.upper), self.dist.cdf(self.upper)
        high = self.dist.upper_quantile(np.minimum(above + u * self._mass(), 1.0))
        low = self.dist.quantile(np.clip(cdf - u * self._mass(), 0.0, 1.0))
        return self._inside(np.where(above + u * self._mass() < 0.5, high, low))

    def _inside(self, x: Array) -> Array:
        support = self.support()
        return np.clip(x, support.lower, support.upper)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        x = np.minimum(x, self.upper)
        cdf, survival = self._below()
        value = np.where(cdf < 0.5, self.dist.cdf(x) - cdf, survival - self.dist.survival(x))
        return np.clip(value / self._mass(), 0, 1)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        edge = np.ceil(self.lower) - 1 if self.discrete else self.lower
        x = np.maximum(x, edge)
        above = self.dist.survival(self.upper)
        value = np.where(above < 0.5, self.dist.survival(x) - above, self.dist.cdf(self.upper) - self.dist.cdf(x))
        return np.clip(value / self._mass(), 0, 1)


class _ExcessZeros(Distribution):
    """A count distribution mixed with a mass 1 - ``psi`` at 0."""

    discrete = True
    psi: Array

    def counts(self) -> Distribution:
        """The counts that come with probability ``psi``."""
        raise NotImplementedError

    def validate(self) -> None:
        """Raise where ``psi`` is no probability."""
        if not np.all((self.psi >= 0) & (self.psi <= 1)):
            raise ValueError(f"{type(self).__name__}: psi must lie in [0, 1].")
        self.counts()

    def support(self) -> Support:
        """From 0."""
        base = self.counts().support()
        lower = np.where(self.psi < 1, 0.0, base.lower)
        return Support(lower=lower, upper=np.where(self.psi > 0, base.upper, 0.0), discrete=True)

    def log_density(self, x: Array) -> Array:
        """Log mass in nats."""
        with np.errstate(divide="ignore"):
            count = np.log(self.psi) + self.counts().log_density(x)
            return np.where(np.asarray(x) == 0, np.logaddexp(np.log1p(-self.psi), count), count)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        counts = self.counts().expand(self.batch_shape).sample(shape, generator)
        return np.where(generator.uniform(size=counts.shape) < self.psi, counts, 0.0)

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        with np.errstate(all="ignore"):
            inner = np.clip((np.asarray(u) - (1 - self.psi)) / self.psi, 0.0, 1.0)
            count = self.counts().quantile(inner)
        return np.where(np.asarray(u) <= self.cdf(np.zeros(())), 0.0, np.nan_to_num(count))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        with np.errstate(all="ignore"):
            count = self.counts().upper_quantile(np.minimum(np.asarray(u) / self.psi, 1.0))
        return np.where(np.asarray(u) >= self.survival(np.zeros(())), 0.0, np.nan_to_num(count))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return np.where(np.asarray(x) >= 0, 1 - self.psi + self.psi * self.counts().cdf(x), 0.0)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return np.where(np.asarray(x) >= 0, self.psi * self.counts().survival(x), 1.0)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroInflatedPoisson(_ExcessZeros):
    """Poisson(``mu``) with probability ``psi``, else 0."""

    psi: Array
    mu: Array

    def counts(self) -> Distribution:
        """Poisson."""
        return Poisson(mu=self.mu)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroInflatedBinomial(_ExcessZeros):
    """Binomial(``n``, ``p``) with probability ``psi``, else 0."""

    psi: Array
    n: Array
    p: Array

    def counts(self) -> Distribution:
        """Binomial."""
        return Binomial(n=self.n, p=self.p)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroInflatedNegativeBinomial(_ExcessZeros):
    """Negative binomial (``mu``, ``alpha``) with probability ``psi``, else 0."""

    psi: Array
    mu: Array
    alpha: Array

    def counts(self) -> Distribution:
        """Negative binomial."""
        return NegativeBinomial(mu=self.mu, alpha=self.alpha)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdlePoisson(_ExcessZeros):
    """Poisson(``mu``) above 0 with probability ``psi``, else 0."""

    psi: Array
    mu: Array

    def counts(self) -> Distribution:
        """Poisson without 0."""
        return Truncated(dist=Poisson(mu=self.mu), lower=1.0)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleNegativeBinomial(_ExcessZeros):
    """Negative binomial (``mu``, ``alpha``) above 0 with probability ``psi``, else 0."""

    psi: Array
    mu: Array
    alpha: Array

    def counts(self) -> Distribution:
        """Negative binomial without 0."""
        return Truncated(dist=NegativeBinomial(mu=self.mu, alpha=self.alpha), lower=1.0)


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


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleGamma(Mixture):
    """Gamma(``alpha``, ``beta``) with probability ``psi``, else 0."""

    w: Array | tuple = ()
    parts: tuple[Distribution, ...] = ()
    psi: Array | None = None
    alpha: Array | None = None
    beta: Array | None = None

    def __post_init__(self) -> None:
        _make_hurdle(self, lambda: Gamma(alpha=self.alpha, beta=self.beta))  # type: ignore[arg-type]
        super().__post_init__()

    def _selected(self, name: str, batch: tuple[int, ...], index: Any) -> Any:
        return () if name in ("w", "parts") else super()._selected(name, batch, index)

    def log_density(self, x: Array) -> Array:
        """Log mass at 0, log density elsewhere."""
        return _hurdle_density(self, x)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleLogNormal(Mixture):
    """LogNormal(``mu``, ``sigma``) with probability ``psi``, else 0."""

    w: Array | tuple = ()
    parts: tuple[Distribution, ...] = ()
    psi: Array | None = None
    mu: Array | None = None
    sigma: Array | None = None

    def __post_init__(self) -> None:
        _make_hurdle(self, lambda: LogNormal(mu=self.mu, sigma=self.sigma))  # type: ignore[arg-type]
        super().__post_init__()

    def _selected(self, name: str, batch: tuple[int, ...], index: Any) -> Any:
        return () if name in ("w", "parts") else super()._selected(name, batch, index)

    def log_density(self, x: Array) -> Array:
        """Log mass at 0, log density elsewhere."""
        return _hurdle_density(self, x)


def _make_hurdle(hurdle: Any, positive: Any) -> None:
    psi = np.asarray(hurdle.psi, dtype=np.float64)
    if not np.all((psi >= 0) & (psi <= 1)):
        raise ValueError(f"{type(hurdle).__name__}: psi must lie in [0, 1].")
    object.__setattr__(hurdle, "w", np.stack([1 - psi, psi], axis=-1))
    object.__setattr__(hurdle, "parts", (PointMass(at=np.zeros(())), positive()))


def _hurdle_density(hurdle: Any, x: Array) -> Array:
    with np.errstate(divide="ignore"):
        at_zero = np.log1p(-hurdle.psi)
        above = np.log(hurdle.psi) + hurdle.parts[1].log_density(np.where(np.asarray(x) > 0, x, 1.0))
    return np.where(np.asarray(x) == 0, at_zero, np.where(np.asarray(x) > 0, above, -np.inf))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Censored(Distribution):
    """``dist`` with what lies outside [``lower``, ``upper``] moved to the bounds."""

    dist: Distribution
    lower: Array | float = -np.inf
    upper: Array | float = np.inf

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As the base is."""
        return self.dist.discrete

    def validate(self) -> None:
        """Raise where the bounds are crossed."""
        if not np.all(np.asarray(self.lower) <= self.upper):
            raise ValueError("Censored: lower must not exceed upper.")

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
        """Two point masses and the truncated base; a discrete one is whole."""
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
