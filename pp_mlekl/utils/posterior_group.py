"""The ``posterior`` group of an ArviZ tree."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.typing import Array

SAMPLE_DIMS = ("chain", "draw")


def posterior_of(idata: Any) -> xr.Dataset:
    """The ``posterior`` group as a Dataset whose dims include ``chain`` and ``draw``.

    Raises
    ------
    TypeError
        If ``idata`` is not a DataTree.
    ValueError
        If the group, its draws or one of these dims is missing.
    """
    if not isinstance(idata, xr.DataTree):
        raise TypeError(
            f"idata must be a DataTree with a group 'posterior', got {type(idata).__name__}; make one by "
            "xarray.DataTree.from_dict({'posterior': dataset})."
        )
    if "posterior" not in idata.children:
        raise ValueError("idata has no group 'posterior'; pass what pm.sample returned.")
    posterior = idata["posterior"].to_dataset()
    missing = [dim for dim in SAMPLE_DIMS if dim not in posterior.dims]
    if missing:
        raise ValueError(
            f"The posterior has no dimension {missing[0]!r}, only {', '.join(map(str, posterior.dims)) or 'scalars'}; draws of one "
            "chain get it by dataset.expand_dims('chain'), stacked draws by dataset.unstack()."
        )
    if not all(posterior.sizes[dim] for dim in SAMPLE_DIMS):
        raise ValueError("The posterior must hold at least one draw.")
    return posterior


def draws_within(posterior: xr.Dataset, group: xr.Dataset) -> Array:
    """The positions of a group's draws among the posterior's draws, found by their labels.

    The group may hold only some of the draws. All positions are returned if the labels do not identify them.

    Examples
    --------
    >>> posterior, group = (xr.Dataset(coords={"draw": labels}) for labels in ([0, 1, 2, 3], [0, 2]))
    >>> draws_within(posterior, group).tolist()
    [0, 2]
    """
    n = posterior.sizes["draw"]
    labels = posterior.indexes.get("draw", pd.RangeIndex(n))
    places = (
        labels.get_indexer(group.indexes["draw"]) if "draw" in group.indexes and labels.is_unique else np.array([-1])
    )
    return np.arange(n) if (places < 0).any() else places
