"""What the divergences need to know of a distribution: the contract that every family fulfils."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Support:
    """Where a one-dimensional distribution has mass: an interval, or the integers in it.

    ``lower`` and ``upper`` have the batch shape and may be infinite. ``discrete`` says whether only the
    integers of the interval carry mass.
    """

    lower: Array
    upper: Array
    discrete: bool


class Distribution(ABC):
    """A distribution, or an array of independent distributions of one family.

    A family is a frozen dataclass whose fields are its parameters, named and parametrised as in PyMC, held
    as float64 arrays that broadcast against one another to ``batch_shape`` (times the event dimensions for
    vector-valued families). Values ``x`` have the shape ``(*sample, *batch_shape, *event_shape)`` with any
    number of leading sample axes, and broadcast.
    """

    discrete: ClassVar[bool] = False
    event_ndim: ClassVar[int] = 0
    # The number of trailing event axes of each parameter; 0 where it is not named.
    parameter_ndim: ClassVar[dict[str, int]] = {}

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if not isinstance(value, Distribution | tuple):
                object.__setattr__(self, f.name, np.asarray(value, dtype=np.float64))
        self.validate()

    def validate(self) -> None:
        """Raise ValueError where a parameter is outside its range (a scale of 0 is)."""

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The broadcast shape of the parameters without their event axes."""
        shapes = []
        for f in fields(self):  # type: ignore[arg-type]
            shape = getattr(self, f.name).shape
            shapes.append(shape[: len(shape) - self.parameter_ndim.get(f.name, 0)])
        return np.broadcast_shapes(*shapes)

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

    def select(self, index: object) -> Self:
        """The distribution with every parameter indexed along the batch axes (after broadcasting)."""
        batch = self.batch_shape
        chosen = {}
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            ndim = self.parameter_ndim.get(f.name, 0)
            event = value.shape[value.ndim - ndim :]
            chosen[f.name] = np.broadcast_to(value, batch + event)[index]
        return type(self)(**chosen)
