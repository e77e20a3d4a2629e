"""Mixtures of distributions of one kind."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from pp_mlekl.divergences.distribution import Array, Distribution, Support
from pp_mlekl.divergences.families.normal import Normal
from pp_mlekl.divergences.families.registry import register_family


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
