"""Distributions whose parameters are DataArrays, with dims and coords."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledDistribution:
    """An array of distributions on named dimensions; ``mk.distribution`` makes one.

    Parameters
    ----------
    name
        PyMC's name of the family.
    parameters
        DataArrays and scalars by parameter name; for multivariate families the event dims come last.
    """

    name: str
    parameters: Mapping[str, Any]

    def template(self) -> xr.DataArray:
        """Zeros on the batch dims and coords of all parameters.

        Raises
        ------
        ValueError
            If the coords of two parameters differ.
        """
        found = [self._batch_part(n, v) for n, v in self.parameters.items() if isinstance(v, xr.DataArray)]
        found += [v.template() for v in self.parameters.values() if isinstance(v, LabelledDistribution)]
        return joined_template(found)

    def on(self, dims: Sequence[str]) -> Distribution:
        """The distribution of arrays, with batch axes in the order of ``dims``; length 1 for a dim that it does not have."""
        values = {}
        for name, value in self.parameters.items():
            if isinstance(value, LabelledDistribution):
                value = value.on(dims)
            elif isinstance(value, xr.DataArray):
                value = self._array(name, value, dims)
            values[name] = value
        return family(self.name)(**values)

    def _event_dims(self, name: str, value: xr.DataArray) -> tuple[str, ...]:
        count = family(self.name).parameter_ndim.get(name, 0)
        return tuple(str(d) for d in value.dims[value.ndim - count :])

    def _batch_part(self, name: str, value: xr.DataArray) -> xr.DataArray:
        zeros = xr.zeros_like(value, dtype=np.float64)
        return zeros.isel(dict.fromkeys(self._event_dims(name, value), 0), drop=True)

    def _array(self, name: str, value: xr.DataArray, dims: Sequence[str]) -> Array:
        events = self._event_dims(name, value)
        own = [d for d in dims if d in value.dims]
        array = value.transpose(*own, *events).values
        shape = tuple(value.sizes[d] if d in value.dims else 1 for d in dims)
        return np.asarray(array, dtype=np.float64).reshape(shape + tuple(value.sizes[d] for d in events))


def joined_template(arrays: Sequence[xr.DataArray]) -> xr.DataArray:
    """Zeros on the union of dims.

    Raises
    ------
    ValueError
        If the coords of a shared dim differ.
    """
    try:
        aligned = xr.align(*arrays, join="exact")
    except ValueError as error:
        raise ValueError(
            "The coords of a dimension that several parameters share must be equal; align them first."
        ) from error
    total = xr.DataArray(0.0)
    for array in aligned:
        total = total + array
    return total
