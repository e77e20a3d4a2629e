"""Posterior draws matched to a model by the names of variables, dims and labels, for all functions that take draws."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.pymc_model.bambi import with_free_variables
from pp_mlekl.pymc_model.layout import FreeVariable, coords_of
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.posterior_group import SAMPLE_DIMS, posterior_of

# Labels that a message lists; it counts the others.
_NAMED_LABELS = 4


def matched_posterior(functions: ModelFunctions, idata: xr.DataTree) -> xr.Dataset:
    """The free variables' draws in double precision, with dims (chain, draw, *the model's dims) and the model's order of labels.

    A dim without labels in the model or in ``idata`` is matched by name and length. A dim without a name in the model is
    matched by its position among such dims.

    Parameters
    ----------
    functions
        The model's functions.
    idata
        With a group ``posterior``; variables that are not free variables of the model are left out.

    Raises
    ------
    TypeError
        Where ``idata`` is not a DataTree, or draws are not real numbers.
    ValueError
        Where a variable, ``chain`` or ``draw`` is missing, or dims, lengths or labels differ from those of the model.
    """
    posterior = with_free_variables(functions.model, posterior_of(idata))
    missing = [v.name for v in functions.free if v.name not in posterior]
    if missing:
        raise ValueError(
            f"The posterior lacks the model's {_listed(missing)}; it holds {_listed(posterior.data_vars)}. Pass draws of this "
            "model, or rename them."
        )
    return xr.Dataset({v.name: _matched(functions, v, posterior[v.name]) for v in functions.free})


def unconstrained_draws(functions: ModelFunctions, idata: xr.DataTree) -> Array:
    """The unconstrained vectors of the draws, shape (chain, draw, d); angles lie within half a turn of their mean direction.

    Raises
    ------
    TypeError, ValueError
        Those of ``matched_posterior``, and where draws are NaN or outside the support of the prior.
    """
    posterior = matched_posterior(functions, idata)
    z = functions.unconstrain({v.name: posterior[v.name].values for v in functions.free})
    outside = [v.name for v in functions.free if np.isnan(z[..., v.flat]).any()]
    if outside:
        raise ValueError(
            f"idata has draws of {outside[0]} that are NaN or outside the support of its prior; drop these draws, or check that "
            "they are on the natural scale."
        )
    return functions.wound(z, functions.mean_direction(z))


def _matched(functions: ModelFunctions, variable: FreeVariable, draws: xr.DataArray) -> xr.DataArray:
    if draws.dtype.kind not in "fiub":
        raise TypeError(f"The draws of {variable.name} must be real numbers, got {draws.dtype}.")
    # Samplers on JAX hand over its arrays.
    draws = draws.copy(data=np.asarray(draws.data))
    draws = _with_dims(functions, variable, draws)
    for dim, length in zip(variable.dims, variable.shape, strict=True):
        draws = _in_order(functions, variable.name, dim, length, draws)
    coords = coords_of(functions.model, variable.dims, variable.shape)
    return draws.astype(np.float64, order="C").assign_coords(coords)


def _with_dims(functions: ModelFunctions, variable: FreeVariable, draws: xr.DataArray) -> xr.DataArray:
    """The draws with dims (chain, draw, *those of the variable)."""
    lacking = [dim for dim in SAMPLE_DIMS if dim not in draws.dims]
    others = [str(dim) for dim in draws.dims if dim not in SAMPLE_DIMS]
    if set(others) != set(variable.dims):
        # Only dims without a name in the model may be renamed.
        named = set(functions.model.named_vars_to_dims.get(variable.name) or ())
        unnamed = [dim for dim in variable.dims if dim not in named]
        unknown = [dim for dim in others if dim not in variable.dims]
        absent = [dim for dim in unnamed if dim not in others]
        if len(unknown) == len(absent):
            draws = draws.rename(dict(zip(unknown, absent, strict=True)))
    if lacking or set(draws.dims) != {*SAMPLE_DIMS, *variable.dims}:
        raise ValueError(
            f"{variable.name} has dims ({', '.join(map(str, draws.dims))}) in the posterior, but in the model "
            f"({', '.join([*SAMPLE_DIMS, *variable.dims])}); rename or select dims so that they agree."
        )
    return draws.transpose(*SAMPLE_DIMS, *variable.dims)


def _in_order(functions: ModelFunctions, name: str, dim: str, length: int, draws: xr.DataArray) -> xr.DataArray:
    """The draws with one dim in the model's order of labels."""
    if draws.sizes[dim] != length:
        raise ValueError(
            f"{name} has length {draws.sizes[dim]} along {dim!r} in the posterior, but must have {length} as in the model."
        )
    if dim not in draws.coords:
        return draws
    wanted, given = coords_of(functions.model, [dim], [length])[dim], draws.coords[dim].values
    if _equal(given, wanted):
        return draws
    places = _places(given, wanted)
    if places is None:
        foreign = [label for label in given.tolist() if label not in wanted.tolist()]
        raise ValueError(
            f"{name} has labels along {dim!r} that the model does not have ({_listed(foreign or given)}; the model has "
            f"{_listed(wanted)}); relabel them by assign_coords, or drop them by drop_vars({dim!r}) where the order is the model's."
        )
    return draws.isel({dim: places})


def _equal(given: Array, wanted: Array) -> bool:
    return bool(pd.Index(given).equals(pd.Index(wanted))) or [*map(str, given)] == [*map(str, wanted)]


def _places(given: Array, wanted: Array) -> Array | None:
    """The position of each wanted label among the given ones; None unless both hold the same labels, each once."""
    for labels, sought in ((pd.Index(given), pd.Index(wanted)), (pd.Index([*map(str, given)]), [*map(str, wanted)])):
        if labels.is_unique:
            places = labels.get_indexer(sought)
            # File formats may return numbers as text, or text as objects.
            if sorted(places) == list(range(len(places))):
                return places
    return None


def _listed(names: Any) -> str:
    listed: list[Hashable] = list(names)
    more = f" and {len(listed) - _NAMED_LABELS} more" if len(listed) > _NAMED_LABELS else ""
    return ", ".join(map(str, listed[:_NAMED_LABELS])) + more
