"""The place of each variable in the flat vectors, and its labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pymc as pm
import xarray as xr
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.constant_values import constant_value
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True)
class FreeVariable:
    """A free variable: ``flat`` is its place in the unconstrained vector, ``natural`` in the natural one."""

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    flat: slice
    natural: slice
    value_name: str
    value_shape: tuple[int, ...]
    transform_name: str | None

    @property
    def circular(self) -> bool:
        """Whether it is an angle; its coordinate may exceed one turn."""
        return self.transform_name == "circular"


@dataclass(frozen=True, kw_only=True)
class ObservedVariable:
    """An observed variable (or a potential that counts as likelihood, whose ``value`` is empty).

    ``shape`` and ``dims`` are those of its pointwise log-likelihood, ``pointwise`` its place in the flat vector
    of all pointwise terms, ``value`` the data, with ``event_ndim`` more axes than ``shape``.
    """

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    pointwise: slice
    value: Array
    event_ndim: int


def free_variables(
    model: pm.Model, value_shapes: Mapping[str, tuple[int, ...]], shapes: Sequence[tuple[int, ...]]
) -> tuple[FreeVariable, ...]:
    """Lay out the model's free variables, in the model's order."""
    result = []
    flat = natural = 0
    for rv, shape in zip(model.free_RVs, shapes, strict=True):
        value = model.rvs_to_values[rv]
        transform = model.rvs_to_transforms[rv]
        value_shape = value_shapes[value.name]
        flat_size, natural_size = int(np.prod(value_shape, dtype=int)), int(np.prod(shape, dtype=int))
        result.append(
            FreeVariable(
                name=rv.name,
                shape=shape,
                dims=dims_of(model, rv.name, len(shape)),
                flat=slice(flat, flat + flat_size),
                natural=slice(natural, natural + natural_size),
                value_name=value.name,
                value_shape=value_shape,
                transform_name=None if transform is None else transform.name,
            )
        )
        flat, natural = flat + flat_size, natural + natural_size
    return tuple(result)


def observed_variables(
    model: pm.Model, shapes: Mapping[str, tuple[int, ...]], data: Mapping[str, Array]
) -> tuple[ObservedVariable, ...]:
    """Lay out the pointwise log-likelihood terms."""
    result = []
    start = 0
    for name, shape in shapes.items():
        size = int(np.prod(shape, dtype=int))
        value = data.get(name, np.empty(0))
        event_ndim = max(value.ndim - len(shape), 0) if name in data else 0
        dims = dims_of(model, name, len(shape) + event_ndim)[: len(shape)]
        place = slice(start, start + size)
        result.append(
            ObservedVariable(
                name=name, shape=tuple(shape), dims=dims, pointwise=place, value=value, event_ndim=event_ndim
            )
        )
        start += size
    return tuple(result)


def dims_of(model: pm.Model, name: str, ndim: int) -> tuple[str, ...]:
    """The variable's dims, with ArviZ's default names where the model gives none."""
    given = model.named_vars_to_dims.get(name, ()) or ()
    return tuple(given[i] if i < len(given) and given[i] is not None else f"{name}_dim_{i}" for i in range(ndim))


def coords_of(model: pm.Model, dims: Sequence[str], shape: Sequence[int]) -> dict[str, Array]:
    """The coordinates of some dims; positions where the model has no labels."""
    result = {}
    for dim, length in zip(dims, shape, strict=True):
        labels = model.coords.get(dim)
        result[dim] = np.arange(length) if labels is None else np.asarray(labels)
    return result


def labels(model: pm.Model, name: str, dims: Sequence[str], shape: Sequence[int]) -> list[str]:
    """Names such as ``theta[Choate]`` of the elements of a variable, in C order."""
    if not shape:
        return [name]
    coords = coords_of(model, dims, shape)
    return [f"{name}[{', '.join(str(i) for i in index)}]" for index in product(*(coords[d] for d in dims))]


def labelled(model: pm.Model, name: str, values: Array, batch_dims: Sequence[str], dims: Sequence[str]) -> xr.DataArray:
    """An array on the variable's own dims and coords, behind ``batch_dims``."""
    shape = values.shape[len(batch_dims) :]
    return xr.DataArray(values, dims=[*batch_dims, *dims], coords=coords_of(model, dims, shape), name=name)


def observed_data(model: pm.Model) -> dict[str, Array]:
    """Data by observed variable, with the latest values of ``pm.set_data``."""
    return {rv.name: _current(model.rvs_to_values[rv]) for rv in model.observed_RVs}


def _current(value: TensorVariable) -> Array:
    if isinstance(value, SharedVariable):
        return np.asarray(value.get_value())
    if isinstance(value, Constant):
        return np.asarray(value.data)
    return constant_value(value).astype(value.type.dtype)
