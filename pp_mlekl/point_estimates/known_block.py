"""A square matrix of which one block is known and the rest NaN, in memory that the block alone takes."""

from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core.indexing import IndexingSupport, LazilyIndexedArray, explicit_indexing_adapter

Array = np.ndarray


class KnownBlock(BackendArray):
    """The matrix, as xarray reads files: what is selected is made when it is asked for.

    Parameters
    ----------
    size
        Number of rows, m.
    places
        Those of the block, (k,) of int, increasing.
    block
        Shape (k, k).

    Examples
    --------
    >>> import xarray as xr
    >>> matrix = xr.DataArray(KnownBlock(10**6, np.array([2, 5]), np.eye(2)).lazily(), dims=("row", "column"))
    >>> matrix[4:7, 5].values.tolist()
    [nan, 1.0, nan]
    """

    def __init__(self, size: int, places: Array, block: Array):
        self.shape = (size, size)
        self.dtype = np.dtype(float)
        self._places = places
        self._block = block

    def lazily(self) -> Any:
        """What an ``xarray.DataArray`` is made of."""
        return LazilyIndexedArray(self)

    def __getitem__(self, key: Any) -> Any:
        """The part that an indexer of xarray's selects."""
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.OUTER, self._outer)

    def _outer(self, key: tuple[Any, ...]) -> Array:
        axes = [np.arange(self.shape[0])[part] for part in key]
        rows, columns = (np.atleast_1d(axis) for axis in axes)
        result = np.full((len(rows), len(columns)), np.nan)
        at, inside = zip(*(self._found(axis) for axis in (rows, columns)), strict=True)
        result[np.ix_(*inside)] = self._block[np.ix_(*at)]
        return result.reshape([len(axis) for axis in axes if np.ndim(axis)])

    def _found(self, axis: Array) -> tuple[Array, Array]:
        """Places in the block of those elements of an axis that are in it, and where they are on the axis."""
        at = np.minimum(np.searchsorted(self._places, axis), max(len(self._places) - 1, 0))
        inside = np.flatnonzero(self._places[at] == axis) if len(self._places) else np.zeros(0, dtype=int)
        return at[inside], inside
