"""Which fit is closest to the truth, in words."""

import numpy as np
import xarray as xr

from pp_mlekl.compare.names import FIT_NAMES


def about_closest(fitted: xr.Dataset) -> str:
    """Which fit is closest to a known truth, how far off it is, and how much farther the next one; empty where none exists.

    Parameters
    ----------
    fitted
        As ``fitted_divergence`` gives it.

    Examples
    --------
    >>> from pp_mlekl.fitted.table import with_closest
    >>> kl = xr.Dataset({"kl": ("estimator", [0.5, 0.25]), "kl_mcse": ("estimator", [0.0, 0.01])})
    >>> about_closest(with_closest(kl.assign_coords(estimator=["mle", "map"])).assign_attrs(truth="parameters"))
    'Closest to the truth is the MAP, KL 0.25 ± 0.01 nats in all; the MLE is 0.25 ± 0.01 farther.'
    """
    closest, scored = fitted.attrs["closest"], fitted.attrs["truth"] == "draws"
    if not closest:
        return ""
    best = fitted.sel(estimator=closest)
    if not scored and not np.isfinite(best["kl"]):
        return "No fit is at a finite distance from the truth."
    clear = "" if fitted.attrs["closest_is_clear"] == "yes" else ", though not clearly,"
    by = "By held-out data closest to the truth" if scored else "Closest to the truth"
    # Scores of held-out data are known up to a constant alone.
    off = "" if scored else f", KL {_number(best['kl'], best['kl_mcse'])} nats in all"
    others = fitted.sel(estimator=[e for e in fitted["estimator"].values if e != closest]).sortby("kl_excess")
    known = others.where(others["kl_excess"].notnull(), drop=True)
    if not known.sizes["estimator"]:
        return f"The only fit that exists is the {_name(closest)}{off}." if len(others["estimator"]) else ""
    next_one = known.isel(estimator=0)
    farther = (
        f"the {_name(next_one['estimator'].item())} is {_number(next_one['kl_excess'], next_one['kl_excess_mcse'])}"
    )
    return f"{by}{clear} is the {_name(closest)}{off}; {farther} {'nats ' if scored else ''}farther."


def _name(estimator: str) -> str:
    return FIT_NAMES.get(estimator, estimator)


def _number(value: xr.DataArray, error: xr.DataArray) -> str:
    number, spread = float(value), float(error)
    if not np.isfinite(number) or not spread > 0:
        return f"{number:.3g}"
    places = max(0, int(-np.floor(np.log10(spread))))
    return f"{number:.{places}f} ± {spread:.{places}f}"
