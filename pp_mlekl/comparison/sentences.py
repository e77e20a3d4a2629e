"""Sentences of the verdict: the closest fit, the two MAPs, Bayes factors."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.diagnostics.findings import Finding
from pp_mlekl.report.labels import FIT_NAMES, NO_NUMBER
from pp_mlekl.report.tables import SAME, scale_gaps

# So many standard errors from 0 a log Bayes factor has to be before it favours a model.
_ERRORS = 2.0
# From here on the choice of the scale moves the estimate by more than the posterior's own spread.
_FAR = 1.0
_WHY = "A mode depends on the scale on which the density is taken; the MLE does not."


def about_closest(fitted: xr.Dataset) -> str:
    """Which fit is closest to a known truth, how far off it is, and how much farther the next one; empty where none exists.

    Parameters
    ----------
    fitted
        As ``fitted_divergence`` gives it.

    Examples
    --------
    >>> from pp_mlekl.fitted_models.table import with_closest
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


def about_bayes_factor(comparison: Any, best: str, other: str) -> Finding:
    """The Bayes factor, and what becomes of it when both models' priors are flattened by a tenth.

    Parameters
    ----------
    comparison
        A ``ModelComparison``.
    best, other
        Names of two of its models that have an evidence.
    """
    doubted = [name for name in (best, other) if name in comparison.doubtful]
    text = f"{_about_factor(comparison, best, other, doubted)}{_about_priors(comparison, best, other)}"
    return Finding(level="caution" if doubted else "ok", topic="Bayes factor", text=text)


def _about_factor(comparison: Any, best: str, other: str, doubted: list[str]) -> str:
    factor, error = comparison.bayes_factor(best, other)
    if doubted:
        return (
            f"The Bayes factor of {best} over {other} comes out as {factor:.4g} (standard error {error:.2g}), but the evidence "
            f"of {' and of '.join(doubted)} is not to be trusted: neither is known to be better."
        )
    cell = comparison.dataset.sel(model=best, against=other)
    if not abs(float(cell["log_bayes_factor"])) > _ERRORS * float(cell["log_bayes_factor_mcse"]):
        return (
            f"The Bayes factor of {best} over {other}, {factor:.4g}, is not told from 1 (standard error {error:.2g})."
        )
    return f"The data favour {best} over {other} by a Bayes factor of {factor:.4g} (standard error {error:.2g})."


def _about_priors(comparison: Any, best: str, other: str) -> str:
    cell = comparison.dataset.sel(model=best, against=other)
    slope, error = (float(cell[f"log_bayes_factor_sensitivity{suffix}"]) for suffix in ("", "_mcse"))
    if not np.isfinite(slope):
        return ""
    if abs(slope) < 2 * error:
        return " Flatter or sharper top-level priors in both change it by no more than the error of that estimate."
    # A prior raised to the power s^-2 and normalised: a normal's scale grows s-fold, a uniform stays. The slope is that at
    # s = 1; over a factor of two it bends, so no more is said than what a tenth does.
    return (
        " Top-level priors flattened in both (raised to the power 1/1.1², which makes a normal one 10% wider and leaves a "
        f"uniform one as it is) multiply it by {1.1**slope:.3g}, sharpened as much by {0.9**slope:.3g} "
        f"(d log BF / d log s = {slope:.2g} ± {error:.1g})."
    )


def about_scales(summary: pd.DataFrame, statuses: dict[str, str]) -> Finding | None:
    """What to know of the two MAPs; None where neither exists.

    Parameters
    ----------
    summary
        As ``Comparison.summary`` gives it.
    statuses
        Of the point estimates.

    Examples
    --------
    >>> table = pd.DataFrame({"MAP": [1.0], "MAP_unconstrained": [1.5], "sd": [2.0]}, index=["sigma"])
    >>> about_scales(table, {"map": "converged", "map_unconstrained": "converged"}).text.partition(".")[2].partition(" (")[0]
    '25 posterior sd apart'
    """
    exists = {kind: statuses[kind] not in NO_NUMBER for kind in ("map", "map_unconstrained")}
    if not any(exists.values()):
        return None
    if not all(exists.values()):
        where = "natural" if exists["map"] else "unconstrained"
        return Finding(level="caution", topic="MAP and scale", text=f"A MAP exists on the {where} scale alone. {_WHY}")
    gaps = scale_gaps(summary).abs().dropna()
    largest = float(gaps.max()) if len(gaps) else 0.0
    if largest < SAME:
        text = "The MAP is the same on both scales, as it is where no parameter is bounded."
        return Finding(level="ok", topic="MAP and scale", text=text)
    name = gaps.idxmax()
    row = summary.loc[name]
    text = (
        f"The MAPs on the two scales lie up to {largest:.2g} posterior sd apart ({name}: {row['MAP']:.4g} natural, "
        f"{row['MAP_unconstrained']:.4g} unconstrained). {_WHY}"
    )
    return Finding(level="caution" if largest > _FAR else "ok", topic="MAP and scale", text=text)
