"""Calibration of the leave-one-out predictive distributions (LOO-PIT)."""

from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.diagnostics.findings import Finding, finding
from pp_mlekl.utils.p_values import p_value

# p value below which LOO-PIT values count as not uniform (Tesso et al. 2026).
_UNEVEN = 0.01


def uniformity(tree: xr.DataTree, name: str, loo: Any) -> float:
    """The p value of the test that LOO-PIT values are uniform; NaN for vectors and without predictive draws."""
    import arviz as az

    observed = tree["observed_data"].get(name) if "observed_data" in tree.children else None
    if observed is None or "posterior_predictive" not in tree.children or are_vectors(tree, name, loo):
        return np.nan
    # Tails of continuous predictions are smoothed; values for counts are randomised within their steps.
    smooth = observed.dtype.kind == "f"
    weights, k = (xr.Dataset({name: found}) for found in (loo.log_weights, loo.pareto_k))
    pit = az.loo_pit(tree, var_names=[name], log_weights=weights, pareto_k=k, pareto_pit=smooth)
    test = pit.azstats.uniformity_test(dim=list(pit[name].dims), method="pot_c" if smooth else "prit_c")
    return float(test[0][name])


def about_calibration(name: str, p: float) -> list[Finding]:
    """A finding about an observed variable, from the adjusted p value; none if it is NaN."""
    if np.isnan(p):
        return []
    if p < _UNEVEN:
        text = f"LOO-PIT is not uniform ({p_value(p)}): the model's distribution of {name} does not fit the data."
        return [finding("problem", "calibration", f"{name}: {text}")]
    return [finding("ok", "calibration", f"{name}: no miscalibration detected by LOO-PIT ({p_value(p)}).")]


def are_vectors(tree: xr.DataTree, name: str, loo: Any) -> bool:
    """Whether an observed variable has more numbers than terms of the log-likelihood."""
    observed = tree["observed_data"].get(name) if "observed_data" in tree.children else None
    return observed is not None and observed.shape != loo.pareto_k.shape
