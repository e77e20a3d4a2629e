"""Results of all data sets of a simulation, as arrays over (size, estimator, replicate)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.simulation.batches import Batch
from pp_mlekl.typing import Array

LEADING = ("size", "estimator", "replicate")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One variable of the result.

    Parameters
    ----------
    dims, shape
        Dims and shape after ``size``, ``estimator`` and ``replicate``.
    dtype
        A name of NumPy's: float64, bool or int8.
    attrs
        Attributes of the variable.
    """

    dims: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float64"
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fill(self) -> Any:
        """The value of elements that have not been computed."""
        return np.nan if self.dtype.startswith("float") else np.dtype(self.dtype).type(0)


STATUS = Column(dtype="int8", attrs={"flag_values": list(range(len(STATUSES))), "flag_meanings": " ".join(STATUSES)})
"""The verdict on each fit."""
COVERS = "covers_"
"""Stands before the names of intervals: whether each holds its target."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All variables of a result.

    Parameters
    ----------
    estimators, sizes, replicates
        The leading coordinates, and the number of data sets of each size.
    columns
        By name.
    coords
        Coordinates of the variables' own dims.
    """

    estimators: tuple[str, ...]
    sizes: tuple[int, ...]
    replicates: int
    columns: Mapping[str, Column]
    coords: xr.Dataset

    @property
    def shape(self) -> tuple[int, int, int]:
        """Lengths of the leading dims."""
        return len(self.sizes), len(self.estimators), self.replicates

    def coordinates(self) -> xr.Dataset:
        """A dataset with the coordinates only."""
        return self.coords.assign_coords(size=list(self.sizes), estimator=list(self.estimators))


class ResultArrays(Protocol):
    """Storage of the results of batches."""

    def finished(self, batch: Batch) -> bool:
        """Whether the results of the batch are stored."""

    def write(self, batch: Batch, values: Mapping[str, Array]) -> None:
        """Store the results of a batch: arrays (estimators, count, *shape of the column)."""

    def read(self, batch: Batch) -> dict[str, Array]:
        """Return the stored results of a batch."""

    def dataset(self) -> xr.Dataset:
        """All results with their dims and coordinates."""


class MemoryArrays:
    """Results in memory."""

    def __init__(self, layout: Layout):
        self._layout = layout
        self._arrays = {
            name: np.full((*layout.shape, *column.shape), column.fill, dtype=column.dtype)
            for name, column in layout.columns.items()
        }
        self._finished: set[int] = set()

    def finished(self, batch: Batch) -> bool:
        """As ``ResultArrays``."""
        return batch.index in self._finished

    def write(self, batch: Batch, values: Mapping[str, Array]) -> None:
        """As ``ResultArrays``."""
        for name, array in self._arrays.items():
            array[batch.where] = values[name]
        self._finished.add(batch.index)

    def read(self, batch: Batch) -> dict[str, Array]:
        """As ``ResultArrays``."""
        return {name: array[batch.where] for name, array in self._arrays.items()}

    def dataset(self) -> xr.Dataset:
        """As ``ResultArrays``."""
        return self._layout.coordinates().assign(
            {
                name: ((*LEADING, *column.dims), self._arrays[name], dict(column.attrs))
                for name, column in self._layout.columns.items()
            }
        )
