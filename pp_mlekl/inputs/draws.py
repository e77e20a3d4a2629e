"""Draws from arrays and xarray objects: which axes are draws, chains, events and batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.typing import Array
from pp_mlekl.utils.arguments import check_names
from pp_mlekl.utils.posterior_group import SAMPLE_DIMS
from pp_mlekl.utils.real_numbers import real_numbers

# Draws of chains, or stacked.
DRAW_DIMS = (*SAMPLE_DIMS, "sample")


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleArray:
    """Draws of shape (*batch, n, d), stacked chain by chain.

    Parameters
    ----------
    template
        Zeros with the batch dims and coords; None for plain arrays, which have no batch.
    """

    values: Array
    chains: int | None
    template: xr.DataArray | None = None


def is_draws(candidate: Any) -> bool:
    """Whether the type of an object is one that ``read_draws`` accepts."""
    return isinstance(candidate, np.ndarray | list | tuple | xr.DataArray | xr.Dataset | xr.DataTree)


def opened(candidate: Any) -> Any:
    """The ``posterior`` group of a DataTree as a Dataset; any other object unchanged.

    Raises
    ------
    ValueError
        If the tree has no such group.
    """
    if not isinstance(candidate, xr.DataTree):
        return candidate
    if "posterior" not in candidate.children:
        raise ValueError("The DataTree has no group 'posterior'; give the group that holds the draws, as a Dataset.")
    return candidate["posterior"].to_dataset()


def read_draws(
    candidate: Any, event_dims: Sequence[str] | None = None, var_names: Sequence[str] | None = None
) -> SampleArray:
    """Draws from an array of shape (n,) or (n, d), or from xarray objects with dims chain and draw, or sample.

    Parameters
    ----------
    candidate
        An array; a DataArray; a Dataset or a DataTree's ``posterior``, whose variables form one vector.
    event_dims
        The dims of a DataArray that form one draw. None means all dims except the sample dims; () means that each element
        is a draw of its own.
    var_names
        The variables of a Dataset to use; all by default.

    Raises
    ------
    TypeError
        If values are not real numbers.
    ValueError
        If there are no draws, a DataArray has no sample dim, or a dim or variable does not exist.
    """
    candidate = opened(candidate)
    if isinstance(candidate, xr.Dataset):
        return _from_dataset(candidate, var_names)
    if isinstance(candidate, xr.DataArray):
        return _from_dataarray(candidate, event_dims)
    values = _real(candidate)
    if values.ndim not in (1, 2):
        raise ValueError(
            f"Draws must be an array of shape (n,) or (n, d), or a DataArray with named dims, got {values.shape}."
        )
    _check_any(values)
    return SampleArray(values=values.reshape(len(values), -1), chains=None)


def _real(candidate: Any) -> Array:
    """Draws as doubles."""
    array = candidate if isinstance(candidate, np.ndarray) else None
    if array is not None and np.iscomplexobj(array):
        raise TypeError("The draws are complex numbers; give real and imaginary parts as two coordinates.")
    try:
        return real_numbers(candidate)
    except (TypeError, ValueError) as error:
        kinds = ", ".join(dict.fromkeys(type(v).__name__ for v in candidate)) if array is None else array.dtype.name
        raise TypeError(
            f"A {type(candidate).__name__} of {kinds} is neither draws nor a distribution ({error}); give one "
            "distribution, or an array of numbers."
        ) from error


def _check_any(values: Array) -> None:
    if values.size == 0:
        raise ValueError(f"At least one draw is needed; the shape is {values.shape}.")


def _from_dataarray(array: xr.DataArray, event_dims: Sequence[str] | None) -> SampleArray:
    sample = [d for d in DRAW_DIMS if d in array.dims]
    if not sample:
        raise ValueError(f"The draws have dims {array.dims}; one must be named 'draw' (and 'chain') or 'sample'.")
    others = [str(d) for d in array.dims if d not in sample]
    events = others if event_dims is None else list(event_dims)
    check_names("event_dims", events, others, fewest=0)
    batch = [d for d in others if d not in events]
    values = _real(array.transpose(*batch, *sample, *events).values)
    _check_any(values)
    shape = tuple(array.sizes[d] for d in batch)
    template = xr.zeros_like(array.isel(dict.fromkeys([*sample, *events], 0), drop=True), dtype=np.float64)
    n = int(np.prod([array.sizes[d] for d in sample]))
    chains = array.sizes["chain"] if "chain" in sample else (1 if "draw" in sample else None)
    return SampleArray(values=values.reshape(*shape, n, -1), chains=chains, template=template.transpose(*batch))


def _from_dataset(dataset: xr.Dataset, var_names: Sequence[str] | None) -> SampleArray:
    names = [str(n) for n in dataset.data_vars] if var_names is None else list(var_names)
    if not dataset.data_vars:
        raise ValueError("The Dataset of draws must hold at least one variable.")
    check_names("var_names", names, [str(n) for n in dataset.data_vars])
    sampled = {n: [d for d in DRAW_DIMS if d in dataset[n].dims] for n in names}
    other = next((n for n in names if sampled[n] != sampled[names[0]]), None)
    if other is not None:
        raise ValueError(
            f"The draws of {names[0]!r} have dims {', '.join(sampled[names[0]]) or 'none'} and those of {other!r} "
            f"{', '.join(sampled[other]) or 'none'}; one vector needs the same ones: stack the draws, or select by var_names."
        )
    parts = [_from_dataarray(dataset[n], None) for n in names]
    return SampleArray(values=np.concatenate([p.values for p in parts], axis=-1), chains=parts[0].chains)
