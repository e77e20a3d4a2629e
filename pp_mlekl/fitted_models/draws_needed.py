"""How many posterior draws a requested standard error of a predictive's KL takes."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

# The error is itself estimated: ask for a little more than it says.
_RESERVE = 1.1


@dataclass(frozen=True, kw_only=True)
class MoreDraws:
    """The estimators that have fewer draws than they need, and how many they should have; false if there are none."""

    estimators: tuple[str, ...]
    draws: int

    def __bool__(self) -> bool:
        return bool(self.estimators)


def draws_needed(dataset: xr.Dataset, error: float) -> xr.DataArray:
    """Draws at which ``kl_mcse`` would be ``error``, over ``estimator``.

    The part of the variance that is due to draws falls as one over their number, the rest does not. 0 for plug-ins;
    infinite where the rest alone is larger; NaN where there is no fit.

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
    """Which estimators need more draws than were used."""
    needed = draws_needed(dataset, error)
    short = np.isfinite(needed.values) & (needed.values > dataset["draws"].values)
    names = dataset["estimator"].values[short]
    most = int(np.ceil(_RESERVE * needed.values[short].max())) if short.any() else 0
    return MoreDraws(estimators=tuple(str(n) for n in names), draws=most)


def with_draws_needed(dataset: xr.Dataset, error: float) -> xr.Dataset:
    """Add ``draws_needed``, and a warning where the posterior has too few."""
    needed = draws_needed(dataset, error)
    warnings = [dataset.attrs["warnings"]] if dataset.attrs["warnings"] else []
    for name in dataset["estimator"].values[dataset["kl_mcse"].values > error]:
        count = float(needed.sel(estimator=name))
        what = f"about {count:,.0f} draws" if np.isfinite(count) else "exact expectations, which more draws do not give"
        used = int(dataset["draws"].sel(estimator=name))
        if count > used:
            warnings.append(f"{name}: a standard error of {error:g} nats takes {what}; it has {used:,}.")
    return dataset.assign(draws_needed=needed).assign_attrs(error=error, warnings=" | ".join(warnings))
