"""Leave-one-out cross-validation of whole models by Pareto-smoothed importance sampling, and stacking weights."""

from collections.abc import Mapping
from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from pp_mlekl.typing import Array
from pp_mlekl.utils.shared_state import alone, silenced


def leave_one_out(tree: xr.DataTree) -> Any:
    """ArviZ's leave-one-out for all observations of all observed variables; None with fewer than two observations."""
    terms = [
        v.stack(row=[d for d in v.dims if d not in ("chain", "draw")]) if v.ndim > 2 else v.expand_dims("row", -1)
        for v in tree["log_likelihood"].data_vars.values()
    ]
    joined = np.concatenate([t.transpose("chain", "draw", "row").values for t in terms], axis=-1)
    if joined.shape[-1] < 2:
        return None
    group = xr.Dataset({"observations": (("chain", "draw", "row"), joined)})
    posterior = tree["posterior"].to_dataset()
    # ArviZ's warnings about Pareto k are silenced, since callers count and report it.
    with alone(), silenced():
        return az.loo(xr.DataTree.from_dict({"posterior": posterior, "log_likelihood": group}), pointwise=True)


def loo_weights(loos: Mapping[str, Any]) -> Array:
    """Stacking weights of the models; all NaN if a model has no leave-one-out estimate."""
    if any(r is None for r in loos.values()):
        return np.full(len(loos), np.nan)
    with alone(), silenced():
        table = az.compare(dict(loos), round_to="none")
    return np.array([float(table.loc[name, "weight"]) for name in loos])
