"""The interface of every family of distributions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from pp_mlekl.typing import Array
from pp_mlekl.utils.real_numbers import real_numbers
from pp_mlekl.utils.shown import shown


def numbers(family: str, name: str, value: Any) -> Array:
    """A parameter of a family in double precision; ValueError where it is made of something else than numbers."""
    try:
        return real_numbers(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{family}: {name} must be a number or an array of numbers, got {shown(value)}.") from error


@dataclass(frozen=True, kw_only=True)
class Support:
    """Where a one-dimensional distribution has mass: an interval, or the integers in it.

    ``lower`` and ``upper`` have the batch shape and may be infinite. ``discrete`` says whether only the
    integers of the interval carry mass.
    """

    lower: Array
    upper: Array
    discrete: bool


@dataclass(frozen=True, kw_only=True)
class CrossEntropyTerms:
    """-E[log q] as ``constant`` + the sum of coefficient * E[statistic(X; arguments)].

    ``statistics`` holds tuples of a coefficient, the name of a statistic and its arguments; see
    ``Distribution.expectation``.
    """

    constant: Array
    statistics: tuple[tuple[Any, ...], ...]


class Distribution(ABC):
    """A distribution, or an array of independent distributions of one family.

    A family is a frozen dataclass whose fields are its parameters, named and parametrised as in PyMC, held
    as float64 arrays that broadcast against one another to ``batch_shape`` (times the event dimensions for
    vector-valued families). Values ``x`` have the shape ``(*sample, *batch_shape, *event_shape)`` with any
    number of leading sample axes, and broadcast.
    """

    discrete: ClassVar[bool] = False
    event_ndim: ClassVar[int] = 0
    # The number of trailing event axes of each parameter; 0 for parameters that are not listed.
    parameter_ndim: ClassVar[dict[str, int]] = {}
    # The statistics in which the log density is linear; None where there are none.
    needed_expectations: ClassVar[tuple[str, ...] | None] = None
    closed_entropy: ClassVar[bool] = False
    # The bounds of the narrowest and of the widest support in the family.
    narrowest: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    widest: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if f.type == Distribution:
                self._check_distributions(f.name, (value,))
            elif f.type == tuple[Distribution, ...]:
                self._check_distributions(f.name, value)
            elif value is not None:
                object.__setattr__(self, f.name, numbers(type(self).__name__, f.name, value))
        self.validate()

    def _check_distributions(self, name: str, value: Any) -> None:
        for part in value:
            if not isinstance(part, Distribution):
                raise ValueError(
                    f"{type(self).__name__}: {name} must be made of distributions, got {type(part).__name__}."
                )

    def validate(self) -> None:  # noqa: B027
        """Raise ValueError where a parameter is outside its range (a scale of 0 is)."""

    def _require_counts(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not np.all((value >= 0) & np.isfinite(value) & (value == np.floor(value))):
                raise ValueError(f"{type(self).__name__}: {name} must be a whole number, not negative.")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The broadcast shape of the parameters without their event axes."""
        return np.broadcast_shapes(*(shape for f in fields(self) for shape in self._shapes(f.name)))  # type: ignore[arg-type]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one value: that of the first parameter that has event axes."""
        if self.event_ndim == 0:
            return ()
        name = next(f.name for f in fields(self) if self.parameter_ndim.get(f.name, 0) >= self.event_ndim)  # type: ignore[arg-type]
        return getattr(self, name).shape[-self.event_ndim :]

    def free_coordinates(self, x: Array) -> Array:
        """The coordinates of values (*shape, *event) in which the density is taken, of shape (*shape, m)."""
        return x.reshape(*x.shape[: x.ndim - self.event_ndim], -1)

    @property
    def free_dimension(self) -> int:
        """Number of free coordinates: fewer than a value has elements on a simplex or for a symmetric matrix."""
        return self.free_coordinates(np.zeros(self.event_shape)).size

    def _shapes(self, name: str) -> list[tuple[int, ...]]:
        value = getattr(self, name)
        if isinstance(value, Distribution):
            return [value.batch_shape]
        if isinstance(value, tuple):
            return [part.batch_shape for part in value]
        if value is None:
            return []
        return [value.shape[: value.ndim - self.parameter_ndim.get(name, 0)]]

    @abstractmethod
    def log_density(self, x: Array) -> Array:
        """Log density (log mass for a discrete family) at ``x``, in nats; ``-inf`` outside the support."""

    @abstractmethod
    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws of shape ``(*shape, *batch_shape, *event_shape)``."""

    def support(self) -> Support:
        """Where a one-dimensional family has mass."""
        raise NotImplementedError

    def quantile(self, u: Array) -> Array:
        """Lower quantile of a one-dimensional family at ``u`` in [0, 1], ``u`` of shape ``(*sample, *batch_shape)``."""
        raise NotImplementedError

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function, accurate for tiny ``u``."""
        raise NotImplementedError

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        raise NotImplementedError

    def survival(self, x: Array) -> Array:
        """P(X > x), accurate in the upper tail."""
        raise NotImplementedError

    def entropy(self) -> Array | None:
        """Differential (or discrete) entropy in nats, of the batch shape; None where there is no closed form."""
        return None

    def fold(self) -> "tuple[str, Distribution] | None":
        """A bijection's name and the distribution of its image: KL is the same for images under one bijection."""
        return None

    def reflected(self) -> "Distribution | None":
        """The distribution of 1 - X for families on the unit interval, since X has too few digits near 1; else None."""
        return None

    def expectation(self, statistic: str, *arguments: Array | float) -> Array | None:
        """E of a statistic; None where the family has no closed form for it.

        ============  =============  ==========================================
        statistic     arguments      is
        ============  =============  ==========================================
        x             c              X - c
        square        c              (X - c)^2
        abs           c              abs(X - c)
        exp           t, c           exp(t (X - c))
        log           c              log X - c
        log2          c              (log X - c)^2
        power         k, s           (X / s)^k
        log1m                        log(1 - X)
        logit2        c              (logit X - c)^2
        log1p_square  c, s           log(1 + ((X - c) / s)^2)
        versine       c              1 - cos(X - c)
        ============  =============  ==========================================

        Statistics are centred and scaled by Q's parameters, which avoids cancellation and overflow far from 0. A family
        implements a statistic as a method named ``expected_`` and the statistic.
        """
        method = getattr(self, f"expected_{statistic}", None)
        return None if method is None else method(*arguments)

    def cross_entropy_terms(self) -> CrossEntropyTerms | None:
        """-E[log density] under another distribution as a sum of expectations; None where there is no such sum."""
        return None

    def log_density_below(self, upper: Array, distance: Array) -> Array:
        """Log density at ``upper - distance``, accurate for small distances from an upper bound ``upper`` of the support."""
        return self.log_density(np.minimum(upper - distance, np.nextafter(upper, -np.inf)))

    def components(self) -> "list[tuple[Array, Distribution]]":
        """Weights and parts of a mixture; the distribution itself with weight 1 otherwise."""
        return [(np.ones(()), self)]

    def atoms(self) -> Array | None:
        """Points of positive mass of an otherwise continuous distribution, shape (*batch, k); None where there are none."""
        return None

    def points(self) -> Array | None:
        """All values (k, *event) of a vector-valued discrete family; None where they are many or differ between elements."""
        return None

    def kinks(self) -> "tuple[Array, ...]":
        """Points inside the support at which the density bends or jumps, each of the batch shape."""
        return ()

    def panels(self) -> Array | None:
        """Ascending edges (m, *batch) of panels over the support, on each of which the density is smooth.

        None where quantiles are a good choice of panels, which holds for all families except those on a circle.
        """
        return None

    def select(self, index: object) -> Self:
        """The distribution with every parameter indexed along the batch axes (after broadcasting)."""
        batch = self.batch_shape
        return type(self)(**{f.name: self._selected(f.name, batch, index) for f in fields(self)})  # type: ignore[arg-type]

    def expand(self, batch: tuple[int, ...]) -> Self:
        """The distribution with its parameters broadcast to a batch shape."""
        return type(self)(**{f.name: self._selected(f.name, batch, ...) for f in fields(self)})  # type: ignore[arg-type]

    def _selected(self, name: str, batch: tuple[int, ...], index: Any) -> Any:
        value = getattr(self, name)
        if isinstance(value, Distribution):
            return value.expand(batch).select(index)
        if isinstance(value, tuple):
            return tuple(part.expand(batch).select(index) for part in value)
        if value is None:
            return None
        ndim = self.parameter_ndim.get(name, 0)
        return np.broadcast_to(value, batch + value.shape[value.ndim - ndim :])[index]
