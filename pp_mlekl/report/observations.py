"""Observed data and their predictions, laid out for a picture."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

# Counts that reach further are drawn as if they were continuous.
_LARGEST_COUNT = 200


def kind_of(values: np.ndarray) -> str:
    """What a plot of predictions should take data for: ``real``, ``count`` or ``binary``.

    Examples
    --------
    >>> kind_of(np.array([0.5, 1.0])), kind_of(np.array([[0, 3], [2, 1]])), kind_of(np.array(1))
    ('real', 'count', 'binary')
    """
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        return "real"
    if set(np.unique(values)) <= {0, 1}:
        return "binary"
    return "count" if values.min() >= 0 and values.dtype.kind in "iu" and np.ptp(values) <= _LARGEST_COUNT else "real"


def in_one_row(tree: xr.DataTree, names: Sequence[str]) -> xr.DataTree:
    """Observed variables and their posterior predictive draws, each over a single dim of numbers.

    Parameters
    ----------
    tree
        With ``observed_data`` and ``posterior_predictive``.
    names
        Of observed variables of any shape; a scalar becomes one observation.

    Examples
    --------
    >>> observed = xr.Dataset({"y": (("row", "column"), np.ones((4, 5)))})
    >>> drawn = xr.Dataset({"y": (("chain", "draw", "row", "column"), np.ones((2, 10, 4, 5)))})
    >>> flat = in_one_row(xr.DataTree.from_dict({"observed_data": observed, "posterior_predictive": drawn}), ["y"])
    >>> dict(flat["posterior_predictive/y"].sizes)
    {'chain': 2, 'draw': 10, 'y_number': 20}
    """
    data_of, draws_of = tree["observed_data"].to_dataset(), tree["posterior_predictive"].to_dataset()
    observed, drawn = {}, {}
    for name in names:
        row, data = f"{name}_number", data_of[name]
        draws = draws_of[name].transpose("chain", "draw", *data.dims)
        observed[name] = (row, data.values.ravel())
        drawn[name] = (("chain", "draw", row), draws.values.reshape(*draws.shape[:2], -1))
    return xr.DataTree.from_dict({"observed_data": xr.Dataset(observed), "posterior_predictive": xr.Dataset(drawn)})
