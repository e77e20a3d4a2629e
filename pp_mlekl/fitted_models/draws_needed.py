"""The number of posterior draws needed for a requested standard error of KL."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.warning_attributes import read_warnings, warnings_attribute

# Safety factor on the number of draws, because the error is itself estimated.
_SAFETY = 1.1


@dataclass(frozen=True, kw_only=True)
class MoreDraws:
    """Estimators with too few draws, and the number of draws needed; false if there are none."""

    estimators: tuple[str, ...]
    draws: int

    def __bool__(self) -> bool:
        return bool(self.estimators)


def draws_needed(dataset: xr.Dataset, error: float) -> xr.DataArray:
    """Draws at which ``kl_mcse`` would be ``error``, over ``estimator``.

    The variance due to draws is inversely proportional to their number; the rest is constant. 0 for plug-ins, infinite if
    the rest alone is too large, NaN without a fit.

    Examples
    --------
    >>> one = {"kl": 1.0, "kl_mcse": 0.05, "kl_draw_error": 0.05, "draws": 400.0}
    >>> dataset = xr.Dataset({name: ("estimator", [value]) for name, value in one.items()})
    >>> draws_needed(dataset, 0.01).values.tolist()
    [10000.0]
    """
    rest = dataset["kl_mcse"] ** 2 - dataset["kl_draw_error"] ** 2
    room = error**2 - rest.where(rest > 0, 0.0)
    needed = np.ceil(np.round(dataset["draws"] * dataset["kl_draw_error"] ** 2 / room.where(room > 0), 6))
    needed = xr.where((room <= 0) & (dataset["draws"] > 0), np.inf, needed)
    return xr.where(dataset["draws"] == 0, 0.0, needed).where(dataset["kl"].notnull())


def short_of_draws(dataset: xr.Dataset, error: float) -> MoreDraws:
    """The estimators that need more draws than were used."""
    needed = draws_needed(dataset, error)
    short = np.isfinite(needed.values) & (needed.values > dataset["draws"].values)
    names = dataset["estimator"].values[short]
    most = int(np.ceil(_SAFETY * needed.values[short].max())) if short.any() else 0
    return MoreDraws(estimators=tuple(str(n) for n in names), draws=most)


def with_draws_needed(dataset: xr.Dataset, error: float) -> xr.Dataset:
    """Add ``draws_needed``, and a warning if the posterior has too few draws."""
    needed = draws_needed(dataset, error)
    warnings = list(read_warnings(dataset.attrs))
    for name in dataset["estimator"].values[dataset["kl_mcse"].values > error]:
        count = float(needed.sel(estimator=name))
        remedy = f"pass about {counted(round(count), 'draw')}" if np.isfinite(count) else "more draws do not suffice"
        used = int(dataset["draws"].sel(estimator=name))
        if count > used:
            warnings.append(
                f"{name}: the standard error exceeds {error:g} nats with {counted(used, 'draw')}; {remedy}."
            )
    return dataset.assign(draws_needed=needed).assign_attrs(error=error, warnings=warnings_attribute(warnings))
