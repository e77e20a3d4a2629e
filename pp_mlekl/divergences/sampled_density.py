"""Distributions given by their log density and draws alone, without quantiles or closed forms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledDensity(Distribution):
    """One distribution for each parameter draw and row.

    Parameters
    ----------
    taken
        Indices of the parameter draws, shape (draws,).
    row_shape
        The shape of the rows, which the batch shape holds as one axis.
    value_shape
        The shape of one value of all rows: ``row_shape`` and the axes of an event.
    density
        From ``taken`` and values (k, *value_shape) to log densities (k, draws, rows).
    draw
        From ``taken`` and a generator to values (draws, *value_shape), one for each parameter draw.
    one_by_one
        Whether each value is drawn by a separate call, which is slow.
    """

    taken: Array
    row_shape: tuple[int, ...]
    value_shape: tuple[int, ...]
    density: Callable[[Array, Array], Array]
    draw: Callable[[Array, np.random.Generator], Array]
    one_by_one: bool = False

    def __post_init__(self) -> None:
        """Do nothing: the fields are not parameters that need conversion."""

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """(draws, rows)."""
        return len(self.taken), int(np.prod(self.row_shape, dtype=int))

    def log_density(self, x: Array) -> Array:
        """Log densities (k, draws, rows) at values (k, 1, rows, *event), the same for every parameter draw."""
        found = self.density(self.taken, x.reshape(len(x), *self.value_shape))
        return found.reshape(len(x), *self.batch_shape)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """One value for each parameter draw, (draws, rows, *event); ``shape`` must be ()."""
        if shape:
            raise NotImplementedError(
                "A distribution known by draws alone gives one value for each parameter draw; pass shape=()."
            )
        return self.draw(self.taken, generator).reshape((*self.batch_shape, *self.value_shape[len(self.row_shape) :]))

    def data_sets(self, size: int, generator: np.random.Generator) -> Array:
        """Values of all rows in their own shape, (size, *value_shape), under the first parameter draw."""
        return self.draw(np.repeat(self.taken[:1], size), generator)

    def select(self, index: Any) -> Self:
        """Some of the parameter draws: ``index`` has one entry, for the first axis."""
        (first,) = index
        return type(self)(
            taken=self.taken[first],
            row_shape=self.row_shape,
            value_shape=self.value_shape,
            density=self.density,
            draw=self.draw,
            one_by_one=self.one_by_one,
        )
