"""The ``posterior`` group of an ArviZ tree."""

from typing import Any

import xarray as xr

SAMPLE_DIMS = ("chain", "draw")


def posterior_of(idata: Any) -> xr.Dataset:
    """The ``posterior`` group as a Dataset whose dims include ``chain`` and ``draw``.

    Raises
    ------
    TypeError
        Where ``idata`` is no DataTree.
    ValueError
        Where the group, its draws or one of these dims is missing.
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
