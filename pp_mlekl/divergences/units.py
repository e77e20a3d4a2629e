"""Changes of unit for values so large or small that products of a few of them overflow or underflow."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.typing import Array

# Sizes of values between which no quadrature here overflows or underflows, and of parameters for products of three.
_SMALLEST, _LARGEST = 1e-60, 1e60
_SMALLEST_PARAMETER, _LARGEST_PARAMETER = 1e-102, 1e102
_LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


@dataclass(frozen=True, kw_only=True, eq=False)
class InUnit(Distribution):
    """The distribution of X / ``unit`` for a continuous X without atoms; with a power of 2 there is no rounding error."""

    dist: Distribution
    unit: Array

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        return self.dist.log_density(x * self.unit) + np.log(self.unit)

    def log_density_below(self, upper: Array, distance: Array) -> Array:
        """Log density at ``upper - distance``."""
        return self.dist.log_density_below(upper * self.unit, distance * self.unit) + np.log(self.unit)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        return self.dist.sample(shape, generator) / self.unit

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        return self.dist.quantile(u) / self.unit

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self.dist.upper_quantile(u) / self.unit

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return self.dist.cdf(x * self.unit)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return self.dist.survival(x * self.unit)

    def support(self) -> Support:
        """The support in this unit."""
        whole = self.dist.support()
        return Support(lower=whole.lower / self.unit, upper=whole.upper / self.unit, discrete=False)

    def kinks(self) -> tuple[Array, ...]:
        """The kinks in this unit."""
        return tuple(kink / self.unit for kink in self.dist.kinks())

    def components(self) -> list[tuple[Array, Distribution]]:
        """The parts in this unit."""
        parts = self.dist.components()
        return [(weight, self if len(parts) == 1 else InUnit(dist=part, unit=self.unit)) for weight, part in parts]


def has_ordinary_parameters(p: Distribution) -> Array:
    """Whether products of a few parameters neither overflow nor underflow, by element of the batch shape."""
    result = np.ones(p.batch_shape, dtype=bool)
    for value in vars(p).values():
        if isinstance(value, np.ndarray):
            size = np.abs(value)
            result = result & (
                (size == 0) | np.isinf(size) | ((size >= _SMALLEST_PARAMETER) & (size <= _LARGEST_PARAMETER))
            )
    return result


def in_unit_of(p: Distribution, q: Distribution, *, both: bool = False) -> tuple[Distribution, Distribution, Array]:
    """Both distributions in a unit for each element, and the unit: 1 wherever P's values are of ordinary size.

    Parameters
    ----------
    p, q
        One-dimensional, of one batch shape.
    both
        Whether Q's values count as well, as for a distance; expectations are under P alone.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> p, q, unit = in_unit_of(family("Gamma")(alpha=2.0, beta=1e300), family("Gamma")(alpha=3.0, beta=1e300))
    >>> float(np.log2(unit)), 0.1 < float(p.quantile(np.array(0.5)) + q.quantile(np.array(0.5))) < 10
    (-995.0, True)
    """
    one = np.ones(p.batch_shape)
    if p.discrete or any(d.atoms() is not None or d.panels() is not None for d in (p, q)):
        return p, q, one
    u = np.broadcast_to(_LEVELS.reshape(-1, *[1] * one.ndim), (len(_LEVELS), *one.shape))
    try:
        with np.errstate(all="ignore"):
            values = np.abs(np.concatenate([d.quantile(u) for d in ((p, q) if both else (p,))]))
    except NotImplementedError:
        return p, q, one
    size = np.max(np.where(np.isfinite(values), values, 0.0), axis=0)
    extreme = (size > 0) & ~((size > _SMALLEST) & (size < _LARGEST))
    if not np.any(extreme):
        return p, q, one
    unit = np.where(extreme, np.exp2(np.round(np.log2(np.where(extreme, size, 1.0)))), 1.0)
    return InUnit(dist=p, unit=unit), InUnit(dist=q, unit=unit), unit
