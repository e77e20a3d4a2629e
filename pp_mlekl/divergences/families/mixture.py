"""Mixtures of distributions, all discrete or all continuous."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.divergences.families.normal import Normal
from pp_mlekl.divergences.families.point_mass import PointMass
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted


class _Mixture(Distribution):
    """The base class of mixtures with weights ``w`` (last axis) of ``parts``."""

    w: Array
    parts: tuple[Distribution, ...]

    def _normalise(self) -> None:
        if self.w.ndim == 0 or not np.all(self.w >= 0) or not np.all(self.w.sum(axis=-1) > 0):
            raise ValueError(
                f"{type(self).__name__}: w must be a vector of weights, not negative, with a positive sum."
            )
        object.__setattr__(self, "w", self.w / self.w.sum(axis=-1, keepdims=True))

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """Whether a part is discrete; point masses may be parts of either kind of mixture."""
        return any(part.discrete for part in self.parts)

    @property
    def event_ndim(self) -> int:  # type: ignore[override]
        """As the parts have."""
        return self.parts[0].event_ndim

    @property
    def event_shape(self) -> tuple[int, ...]:
        """As the parts have."""
        return self.parts[0].event_shape

    def free_coordinates(self, x: Array) -> Array:
        """As those of the parts."""
        return self.parts[0].free_coordinates(x)

    def components(self) -> list[tuple[Array, Distribution]]:
        """Weights and parts, with nested mixtures expanded."""
        return [
            (self.w[..., i] * weight, part) for i, whole in enumerate(self.parts) for weight, part in whole.components()
        ]

    def atoms(self) -> Array | None:
        """The atoms of all parts."""
        if self.discrete:
            return None
        found = [part.atoms() for part in self.parts]
        known = [np.broadcast_to(a, (*self.batch_shape, a.shape[-1])) for a in found if a is not None]
        return np.concatenate(known, axis=-1) if known else None

    def points(self) -> Array | None:
        """The values of all parts, of vector-valued discrete ones."""
        found = [part.points() for part in self.parts]
        known = [points for points in found if points is not None]
        return np.unique(np.concatenate(known), axis=0) if len(known) == len(found) else None

    def log_density(self, x: Array) -> Array:
        """Log of the weighted sum of densities; at an atom, of the masses there."""
        terms = [part.log_density(x) for part in self.parts]
        atoms = self.atoms()
        if atoms is not None:
            at_atom = _is_in(x, atoms)
            own = [part.atoms() for part in self.parts]
            terms = [np.where(at_atom & ~_is_in(x, a), -np.inf, term) for a, term in zip(own, terms, strict=True)]
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
            result = np.where((which == i).reshape((*full, *extra)), draw, result)
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
        whole = np.broadcast_arrays(*ends, np.empty(np.broadcast_shapes(np.shape(u), self.batch_shape)))[:-1]
        low, high = np.min(whole, axis=0), np.max(whole, axis=0)
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


def _is_in(x: Array, atoms: Array | None) -> Array:
    return np.zeros(np.shape(x), dtype=bool) if atoms is None else np.any(np.asarray(x)[..., None] == atoms, axis=-1)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture(_Mixture):
    """Mixture of ``parts`` with weights ``w`` (last axis), divided by their sum."""

    w: Array
    parts: tuple[Distribution, ...]
    parameter_ndim = {"w": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where a weight is negative, or the parts are of different number, kind, shape or dimension."""
        self._normalise()
        if self.w.shape[-1] != len(self.parts):
            raise ValueError(
                f"Mixture: w has {counted(self.w.shape[-1], 'weight')} for {counted(len(self.parts), 'part')}; "
                "give one weight for each part."
            )
        kinds = {part.discrete for part in self.parts if not isinstance(part, PointMass)}
        if len(kinds) > 1 or len({part.event_shape for part in self.parts}) > 1:
            raise ValueError("Mixture: the parts must all be discrete or all continuous, with values of one shape.")
        if len({part.free_dimension for part in self.parts}) > 1:
            raise ValueError(
                "Mixture: all parts must lie in one space; some lie in a subspace (a simplex, symmetric matrices), others do not."
            )


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class NormalMixture(_Mixture):
    """Mixture of normals: ``w``, ``mu`` and ``sigma`` have the components on their last axis."""

    w: Array
    mu: Array
    sigma: Array
    parameter_ndim = {"w": 1, "mu": 1, "sigma": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where a weight is negative or a scale is not positive; one number stands for all components."""
        self._normalise()
        for name in ("mu", "sigma"):
            value = getattr(self, name)
            object.__setattr__(self, name, np.broadcast_to(value, (*value.shape[:-1], self.w.shape[-1])))
        if not np.all(self.sigma > 0):
            raise ValueError("NormalMixture: sigma must be positive.")

    @property
    def parts(self) -> tuple[Distribution, ...]:  # type: ignore[override]
        """The normals."""
        return tuple(Normal(mu=self.mu[..., i], sigma=self.sigma[..., i]) for i in range(self.w.shape[-1]))

    def log_density(self, x: Array) -> Array:
        """Log of the weighted sum of densities."""
        z = (np.asarray(x)[..., None] - self.mu) / self.sigma
        with np.errstate(divide="ignore"):
            constant = np.log(self.w) - np.log(self.sigma) - 0.5 * LOG_2PI
        return special.logsumexp(constant - 0.5 * z**2, axis=-1)
