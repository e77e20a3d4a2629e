"""The labelled result of ``fitted_divergence``."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from pp_mlekl.fitted_models.fits import Fit
from pp_mlekl.fitted_models.row_divergences import QUANTITIES, RowDivergences
from pp_mlekl.fitted_models.theory import Theory
from pp_mlekl.pymc_model.layout import ObservedVariable, coords_of
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.warning_attributes import warnings_attribute

Results = Mapping[str, Mapping[str, RowDivergences]]

_DIRECTION = {"posterior_predictive": "KL(posterior predictive||fitted)"}


def assemble(
    functions: ModelFunctions,
    fits: list[Fit],
    results: Results,
    expected: Theory,
    kind: str,
    new_groups: tuple[str, ...] = (),
) -> xr.Dataset:
    """The Dataset over ``estimator`` from the row divergences of every fit and observed variable."""
    names = [fit.name for fit in fits]
    dataset = xr.Dataset(coords={"estimator": names})
    for quantity in QUANTITIES:
        _add_totals(dataset, functions, results, quantity)
        _add_rows(dataset, functions, results, quantity)
    rows_of_fit = [list(results[n].values()) for n in names]
    dataset["kl_theory"] = ("estimator", np.array([expected.of(n) for n in names]))
    dataset["kl_bias"] = ("estimator", np.array([sum(r.kl_bias for r in rows) for rows in rows_of_fit]))
    dataset["kl_draw_error"] = (
        "estimator",
        np.array([np.hypot.reduce([r.kl_draw_error for r in rows]) for rows in rows_of_fit]),
    )
    dataset["draws"] = ("estimator", np.array([max(r.draws for r in rows) for rows in rows_of_fit]))
    warnings = [w for fit in fits for w in fit.warnings] + [w for rows in rows_of_fit for r in rows for w in r.warnings]
    dataset = with_closest(dataset)
    return dataset.assign_attrs(
        direction=_DIRECTION.get(kind, "KL(true||fitted)"),
        unit="nats",
        truth=kind,
        scope=_scope(new_groups),
        warnings=warnings_attribute(warnings),
    )


def _scope(new_groups: tuple[str, ...]) -> str:
    groups = f"new groups ({', '.join(new_groups)} redrawn)" if new_groups else "the same groups"
    return f"sums over the rows of one new observation each, given their covariates, for {groups}"


def _add_totals(dataset: xr.Dataset, functions: ModelFunctions, results: Results, quantity: str) -> None:
    """The sum over rows of KL, the mean of the others; their standard errors; the part of each observed variable."""
    observed = [v.name for v in functions.measured]
    rows = sum(v.pointwise.stop - v.pointwise.start for v in functions.measured)
    totals = np.array([[r[o].total(quantity) for o in observed] for r in results.values()])
    errors = np.array([[r[o].total_errors[quantity] for o in observed] for r in results.values()])
    scale = 1 if quantity.startswith("kl") else rows
    total, error = totals.sum(axis=1), np.sqrt(np.sum(errors**2, axis=1))
    if quantity == "wasserstein" and len(observed) > 1:
        # Variables in different units have no common distance.
        total, error = np.full(len(totals), np.nan), np.full(len(totals), np.nan)
    dataset[quantity] = ("estimator", total / scale)
    dataset[f"{quantity}_mcse"] = ("estimator", error / scale)
    if quantity == "kl":
        dataset["kl_mean"] = ("estimator", total / rows)
        dataset["kl_mean_mcse"] = ("estimator", error / rows)
    if len(observed) > 1:
        sizes = np.array([v.pointwise.stop - v.pointwise.start for v in functions.measured])
        own = totals if scale == 1 else totals / sizes
        dataset[f"{quantity}_by_variable"] = (("estimator", "observed"), own)
        dataset.coords["observed"] = observed


def _add_rows(dataset: xr.Dataset, functions: ModelFunctions, results: Results, quantity: str) -> None:
    for variable in functions.measured:
        suffix = "" if len(functions.measured) == 1 else f"_{variable.name}"
        own = [rows[variable.name] for rows in results.values()]
        for label, arrays in (("", [r.values for r in own]), ("_mcse", [r.row_errors for r in own])):
            stacked = np.stack([a[quantity] for a in arrays])
            name = f"{quantity}_pointwise{label}{suffix}"
            dataset[name] = on_rows(functions, variable, list(results), stacked)


def on_rows(
    functions: ModelFunctions, variable: ObservedVariable, estimators: list[str], values: Array
) -> xr.DataArray:
    """Values of shape (estimators, *rows) on the observed variable's own dims and coords."""
    coords = coords_of(functions.model, variable.dims, variable.shape)
    return xr.DataArray(values, dims=("estimator", *variable.dims), coords={"estimator": estimators, **coords})


def with_closest(dataset: xr.Dataset, difference: Array | None = None, error: Array | None = None) -> xr.Dataset:
    """Add how much farther than the closest each fit is, and name the closest.

    Parameters
    ----------
    dataset
        With ``kl`` and ``kl_mcse`` over ``estimator``.
    difference, error
        ``kl`` of each fit (first axis) less that of each other (second axis) and its standard error, where the fits were
        scored on the same data; independent errors are added up otherwise.

    Returns
    -------
    With ``kl_excess`` (KL above that of the closest fit), ``kl_excess_mcse``, and the attributes ``closest`` and
    ``closest_is_clear``: whether every other fit is farther by more than two standard errors.
    """
    kl, mcse = dataset["kl"].values, dataset["kl_mcse"].values
    known = np.flatnonzero(~np.isnan(kl))
    if not known.size:
        missing = ("estimator", np.full(len(kl), np.nan))
        return dataset.assign(kl_excess=missing, kl_excess_mcse=missing).assign_attrs(closest="", closest_is_clear="no")
    best = int(known[np.argmin(kl[known])])
    with np.errstate(invalid="ignore"):
        excess = kl - kl[best] if difference is None else difference[:, best]
        spread = np.hypot(mcse, mcse[best]) if error is None else error[:, best]
    spread = np.where(np.arange(len(kl)) == best, 0.0, spread)
    others = known[known != best]
    clear = others.size > 0 and bool(np.all(excess[others] > 2 * spread[others]))
    return dataset.assign(kl_excess=("estimator", excess), kl_excess_mcse=("estimator", spread)).assign_attrs(
        closest=str(dataset["estimator"].values[best]), closest_is_clear="yes" if clear else "no"
    )
