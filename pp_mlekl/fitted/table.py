"""The labelled result of ``fitted_divergence``."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from pp_mlekl.fitted.fits import Fit
from pp_mlekl.fitted.rows import QUANTITIES, RowDivergences
from pp_mlekl.fitted.theory import Theory
from pp_mlekl.pymc_model.layout import ObservedVariable, coords_of
from pp_mlekl.pymc_model.model_functions import ModelFunctions

_DIRECTION = {
    "posterior_predictive": "KL(posterior predictive||fitted)",
    "draws": "KL(true||fitted) less that of the reference",
}


def assemble(
    functions: ModelFunctions,
    fits: list[Fit],
    results: Mapping[str, Mapping[str, RowDivergences]],
    expected: Theory,
    kind: str,
) -> xr.Dataset:
    """The Dataset over ``estimator`` from the row divergences of every fit and observed variable."""
    names = [fit.name for fit in fits]
    observed = [v.name for v in functions.measured]
    rows = sum(v.pointwise.stop - v.pointwise.start for v in functions.measured)
    columns: dict[str, np.ndarray] = {}
    for quantity in QUANTITIES:
        totals = np.array([[results[n][o].total(quantity) for o in observed] for n in names])
        errors = np.array([[results[n][o].total_errors[quantity] for o in observed] for n in names])
        scale = rows if quantity == "jsd" else 1
        columns[quantity] = totals.sum(axis=1) / scale
        columns[f"{quantity}_mcse"] = np.sqrt(np.sum(errors**2, axis=1)) / scale
        if quantity == "kl":
            columns["kl_by_variable"] = totals
    columns["kl_mean"] = columns["kl"] / rows
    columns["kl_mean_mcse"] = columns["kl_mcse"] / rows
    columns["kl_theory"] = np.array([expected.of(n) for n in names])
    columns["kl_bias"] = np.array([sum(r.kl_bias for r in results[n].values()) for n in names])
    columns["draws"] = np.array([max(r.draws for r in results[n].values()) for n in names])
    by_variable = columns.pop("kl_by_variable")
    dataset = xr.Dataset({k: ("estimator", v) for k, v in columns.items()}, coords={"estimator": names})
    if len(observed) > 1:
        dataset["kl_by_variable"] = xr.DataArray(
            by_variable, dims=("estimator", "observed"), coords={"estimator": names, "observed": observed}
        )
    for variable in functions.measured:
        suffix = "" if len(observed) == 1 else f"_{variable.name}"
        pointwise = np.stack([results[n][variable.name].values["kl"] for n in names])
        error = np.stack([results[n][variable.name].row_errors["kl"] for n in names])
        dataset[f"kl_pointwise{suffix}"] = on_rows(functions, variable, names, pointwise)
        dataset[f"kl_pointwise_mcse{suffix}"] = on_rows(functions, variable, names, error)
    warnings = [w for fit in fits for w in fit.warnings]
    warnings += [w for n in names for r in results[n].values() for w in r.warnings]
    return dataset.assign_attrs(_attributes(dataset, kind, warnings))


def on_rows(
    functions: ModelFunctions, variable: ObservedVariable, estimators: list[str], values: np.ndarray
) -> xr.DataArray:
    """Values of shape (estimators, *rows) on the observed variable's own dims and coords."""
    coords = coords_of(functions.model, variable.dims, variable.shape)
    return xr.DataArray(values, dims=("estimator", *variable.dims), coords={"estimator": estimators, **coords})


def _attributes(dataset: xr.Dataset, kind: str, warnings: list[str]) -> dict[str, str]:
    closest, clear = closest_fit(dataset)
    return {
        "direction": _DIRECTION.get(kind, "KL(true||fitted)"),
        "unit": "nats",
        "truth": kind,
        "scope": "sums over the rows of one new observation each, given their covariates (and groups)",
        "closest": closest,
        "closest_is_clear": "yes" if clear else "no",
        "warnings": " | ".join(dict.fromkeys(warnings)),
    }


def closest_fit(dataset: xr.Dataset) -> tuple[str, bool]:
    """Which estimator has the smallest divergence, and whether it leads by more than two standard errors."""
    order = dataset["kl"].values.argsort()
    known = [i for i in order if not np.isnan(dataset["kl"].values[i])]
    if not known:
        return "", False
    best = str(dataset["estimator"].values[known[0]])
    if len(known) == 1:
        return best, False
    kl, error = dataset["kl"].values, dataset["kl_mcse"].values
    lead = kl[known[1]] - kl[known[0]]
    return best, bool(lead > 2 * np.hypot(error[known[0]], error[known[1]]))
