"""Means, standard errors and fractions over the data sets, batch by batch, in constant memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.simulation.batches import Batch
from pp_mlekl.simulation.result_arrays import COVERS, Layout, ResultArrays
from pp_mlekl.simulation.target import Target
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Number, mean and sum of squared deviations of the values that are not NaN, each of shape (estimators, *core).

    Moments of two batches are joined by the update of Chan, Golub and LeVeque (1983).
    """

    count: Array
    mean: Array
    squares: Array

    @classmethod
    def of(cls, values: Array) -> "Moments":
        """The moments of values (estimators, replicates, *core) over replicates."""
        known = ~np.isnan(values)
        count = known.sum(axis=1)
        mean = np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1)
        squares = np.where(known, values - mean[:, None], 0.0) ** 2
        return cls(count=count, mean=mean, squares=squares.sum(axis=1))

    def joined(self, other: "Moments") -> "Moments":
        """The moments of both sets of values together."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        off = other.mean - self.mean
        squares = self.squares + other.squares + off**2 * self.count * share
        return Moments(count=count, mean=self.mean + off * share, squares=squares)

    @property
    def average(self) -> Array:
        """The mean; NaN where there are no values."""
        return np.where(self.count > 0, self.mean, np.nan)

    @property
    def standard_error(self) -> Array:
        """Standard error of the mean; NaN for fewer than two values."""
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(self.squares / (self.count - 1) / self.count)
        return np.where(self.count > 1, error, np.nan)


def moments(quantities: Iterable[tuple[Batch, Mapping[str, Array]]], sizes: int) -> dict[str, list[Moments]]:
    """Moments of every quantity for every size, joined in the order of the batches."""
    found: dict[str, list[Moments | None]] = {}
    for batch, values in quantities:
        for name, array in values.items():
            of_sizes = found.setdefault(name, [None] * sizes)
            new, old = Moments.of(array), of_sizes[batch.place]
            of_sizes[batch.place] = new if old is None else old.joined(new)
    return {name: [m for m in parts if m is not None] for name, parts in found.items()}


def study_summary(arrays: ResultArrays, batches: list[Batch], layout: Layout, target: Target) -> xr.Dataset:
    """The summary of a study over ``estimator`` and ``size`` (see ``study``)."""
    quantities = ((b, _quantities(arrays.read(b), target)) for b in batches)
    found = moments(quantities, len(layout.sizes))
    size = xr.DataArray(list(layout.sizes), dims="size")

    def table(name: str, part: str, *dims: str) -> xr.DataArray:
        values = np.stack([getattr(m, part) for m in found[name]])
        return xr.DataArray(values, dims=("size", "estimator", *dims))

    summary: dict[str, Any] = {}
    if "excess" in found:
        summary["excess"] = table("excess", "average")
        summary["kl"] = summary["excess"] + target.kl_min
        summary["kl_mcse"] = table("excess", "standard_error")
        summary["kl_theory"] = target.kl_min + target.information.trace / (2 * size)  # type: ignore[union-attr]
    summary["exists"] = table("exists", "average")
    summary["status_count"] = table("status", "mean", "status") * table("status", "count", "status")
    summary["status_count"] = summary["status_count"].round().astype(int)
    summary["bias"] = table("error", "average", "parameter")
    summary["bias_mcse"] = table("error", "standard_error", "parameter")
    summary["rmse"] = np.sqrt(table("squared_error", "average", "parameter"))
    # By the delta method from the error of the mean squared error.
    summary["rmse_mcse"] = table("squared_error", "standard_error", "parameter") / (2 * summary["rmse"])
    for name in found:
        if name.startswith(COVERS):
            summary[f"coverage_{name.removeprefix(COVERS)}"] = table(name, "average", "parameter")
    names = {"estimator": list(layout.estimators), "size": list(layout.sizes), "parameter": list(target.names)}
    return xr.Dataset(summary, coords=names | {"status": list(STATUSES)})


def _quantities(values: Mapping[str, Array], target: Target) -> dict[str, Array]:
    """The quantities that are averaged, (estimators, count, *core); NaN where a data set has no fit."""
    exists = values["exists"]
    estimates = np.concatenate([values[name].reshape(*exists.shape, -1) for name in target.variables], axis=-1)
    error = np.where(exists[..., None], target.errors(estimates), np.nan)
    found = {
        "exists": exists.astype(float),
        "status": (values["status"][..., None] == np.arange(len(STATUSES))).astype(float),
        "error": error,
        "squared_error": error**2,
    }
    if "excess" in values:
        found["excess"] = np.where(exists, values["excess"], np.nan)
    covers = {name: array for name, array in values.items() if name.startswith(COVERS)}
    return found | {name: np.where(exists[..., None], array, np.nan) for name, array in covers.items()}
