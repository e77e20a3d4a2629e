"""Calibration of the leave-one-out predictive distributions (LOO-PIT)."""

from typing import Any

import xarray as xr

from pp_mlekl.diagnostics.findings import Finding, finding

# Tesso et al. (2026): predictions are at odds with the data where their LOO-PIT would be so uneven by chance only so often.
_UNEVEN = 0.01
_SMALLEST_P = 1e-6


def calibration(tree: xr.DataTree, name: str, loo: Any) -> list[Finding]:
    """Whether LOO-PIT values are uniform: one finding, none for vectors."""
    import arviz as az

    observed = tree["observed_data"].get(name) if "observed_data" in tree.children else None
    if observed is None or "posterior_predictive" not in tree.children or are_vectors(tree, name, loo):
        return []
    # The tail of a continuous prediction can be smoothed; a count's value is drawn within its step.
    smooth = observed.dtype.kind == "f"
    weights, k = (xr.Dataset({name: found}) for found in (loo.log_weights, loo.pareto_k))
    pit = az.loo_pit(tree, var_names=[name], log_weights=weights, pareto_k=k, pareto_pit=smooth)
    test = pit.azstats.uniformity_test(dim=list(pit[name].dims), method="pot_c" if smooth else "prit_c")
    p = float(test[0][name])
    chance = f"p {'<' if p < _SMALLEST_P else '='} {max(p, _SMALLEST_P):.2g}"
    if p < _UNEVEN:
        text = f"LOO-PIT is not uniform ({chance}): the model's distribution of {name} does not fit the data."
        return [finding("problem", "calibration", f"{name}: {text}")]
    return [finding("ok", "calibration", f"{name}: no miscalibration detected by LOO-PIT ({chance}).")]


def are_vectors(tree: xr.DataTree, name: str, loo: Any) -> bool:
    """Whether an observed variable has more numbers than terms of the log-likelihood."""
    observed = tree["observed_data"].get(name) if "observed_data" in tree.children else None
    return observed is not None and observed.shape != loo.pareto_k.shape
