"""Whether several models are of the same data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.pymc_model.model_functions import model_functions


def check_same_data(models: Mapping[str, Any], potentials: Any = None) -> None:
    """The evidence of different data cannot be compared: as many observations, and the same values where names agree.

    Parameters
    ----------
    models
        By name: a PyMC model, a pair of one and a tree, or a tree with ``log_likelihood`` or what has it as its ``tree``.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Raises
    ------
    ValueError
        Where the data differ.
    """
    found = {name: _data(given, potentials) for name, given in models.items()}
    first_name, (first_count, first) = next(iter(found.items()))
    for name, (count, data) in found.items():
        if count != first_count:
            raise ValueError(
                f"{first_name} has {first_count} observations and {name} has {count}: compare models of the same data."
            )
        for variable in sorted(set(first) & set(data)):
            if not np.array_equal(first[variable], data[variable]):
                raise ValueError(f"The data of {variable!r} differ between {first_name} and {name}.")


def _data(given: Any, potentials: Any) -> tuple[int, dict[str, np.ndarray]]:
    """How many observations there are, and the observed values by variable."""
    tree = getattr(given, "tree", given)
    if isinstance(tree, xr.DataTree):
        terms = tree["log_likelihood"].to_dataset().isel(chain=0, draw=0)
        observed = tree["observed_data"].to_dataset() if "observed_data" in tree.children else xr.Dataset()
        return sum(t.size for t in terms.data_vars.values()), {str(n): a.values for n, a in observed.data_vars.items()}
    functions = model_functions(given[0] if isinstance(given, tuple) else given, potentials)
    return sum(int(np.prod(v.shape)) for v in functions.observed), functions.observed_data()
