"""Sentences of the verdict: the closest fit, the two MAPs, Bayes factors."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.comparison.marginal_estimate import MarginalEstimate
from pp_mlekl.diagnostics.findings import Finding
from pp_mlekl.report.formatting import with_error
from pp_mlekl.report.labels import FIT_NAMES, NO_NUMBER
from pp_mlekl.report.tables import SAME, scale_gaps

# A log Bayes factor favours a model if it is more than this number of standard errors from 0.
_ERRORS = 2.0
# Posterior standard deviations: above this the choice of scale matters more than the posterior uncertainty.
_FAR = 1.0
_WHY = "A posterior mode depends on the parametrization; the MLE does not."


def about_closest(fitted: xr.Dataset) -> str:
    """Which fit is closest to the truth, its divergence, and the difference to the second closest; empty if no fit exists.

    Parameters
    ----------
    fitted
        As ``fitted_divergence`` gives it.

    Examples
    --------
    >>> from pp_mlekl.fitted_models.table import with_closest
    >>> kl = xr.Dataset({"kl": ("estimator", [0.5, 0.25]), "kl_mcse": ("estimator", [0.0, 0.01])})
    >>> about_closest(with_closest(kl.assign_coords(estimator=["mle", "map"])).assign_attrs(truth="parameters"))
    'Closest to the truth: MAP (KL 0.250 ± 0.010 nats). Next: MLE (0.250 ± 0.010 nats more).'
    """
    closest, scored = fitted.attrs.get("closest", ""), fitted.attrs.get("truth") == "draws"
    if not closest:
        return ""
    best = fitted.sel(estimator=closest)
    if not scored and not np.isfinite(best["kl"]):
        return "Every fit has infinite KL divergence from the truth."
    by = "Closest to the truth by held-out data" if scored else "Closest to the truth"
    # Held-out scores determine KL up to a constant, so only differences are reported.
    value = "" if scored else f" (KL {with_error(float(best['kl']), float(best['kl_mcse']))} nats)"
    others = fitted.sel(estimator=[e for e in fitted["estimator"].values if e != closest]).sortby("kl_excess")
    known = others.where(others["kl_excess"].notnull(), drop=True)
    if not known.sizes["estimator"]:
        return f"The only fit that exists: {_name(closest)}{value}." if len(others["estimator"]) else ""
    second = known.isel(estimator=0)
    difference = with_error(float(second["kl_excess"]), float(second["kl_excess_mcse"]))
    doubt = "" if fitted.attrs["closest_is_clear"] == "yes" else " The difference is within two standard errors."
    return f"{by}: {_name(closest)}{value}. Next: {_name(second['estimator'].item())} ({difference} nats more).{doubt}"


def _name(estimator: str) -> str:
    return FIT_NAMES.get(estimator, estimator)


def about_bayes_factor(comparison: Any, best: str, other: str) -> Finding:
    """The Bayes factor, and how it changes if the top-level priors of both models become 10% wider.

    Parameters
    ----------
    comparison
        A ``ModelComparison``.
    best, other
        Names of two of its models with a known evidence.
    """
    unreliable = [name for name in (best, other) if name in comparison.doubtful]
    text = f"{_about_factor(comparison, best, other, unreliable)}{_about_priors(comparison, best, other)}"
    return Finding(level="caution" if unreliable else "ok", topic="Bayes factor", text=text)


def _about_factor(comparison: Any, best: str, other: str, unreliable: list[str]) -> str:
    factor = with_error(*comparison.bayes_factor(best, other))
    if unreliable:
        return (
            f"The Bayes factor of {best} over {other} is estimated as {factor}, but the "
            f"evidence of {' and '.join(unreliable)} is unreliable, so it favours neither model."
        )
    cell = comparison.dataset.sel(model=best, against=other)
    if not abs(float(cell["log_bayes_factor"])) > _ERRORS * float(cell["log_bayes_factor_mcse"]):
        return f"The Bayes factor of {best} over {other}, {factor}, is indistinguishable from 1."
    return f"The data favour {best} over {other} by a Bayes factor of {factor}."


def _about_priors(comparison: Any, best: str, other: str) -> str:
    cell = comparison.dataset.sel(model=best, against=other)
    slope, error = (float(cell[f"log_bayes_factor_sensitivity{suffix}"]) for suffix in ("", "_mcse"))
    if not np.isfinite(slope):
        return ""
    if abs(slope) < 2 * error:
        return " Wider or narrower top-level priors change it by less than the standard error of that change."
    # A prior is raised to the power s^-2 and normalised: a normal's scale is multiplied by s, a uniform is unchanged. The
    # slope holds at s = 1 and is not constant over a factor of two, so the sentence reports s = 1.1 and 0.9 only.
    return (
        f" Top-level priors 10% wider in both models (raised to the power 1/1.1²; uniform priors do not change) multiply it by "
        f"{1.1**slope:.3g}, 10% narrower by {0.9**slope:.3g} (d log BF / d log s = {with_error(slope, error)})."
    )


def about_marginal(marginal: MarginalEstimate) -> Finding:
    """Status of the marginal MLE, Laplace's error, and how to compute it alone."""
    latents = ", ".join(marginal.latents)
    alone = f"Alone: mk.find_mle(model, marginalize={list(marginal.latents)})."
    if marginal.status in NO_NUMBER:
        reason = " ".join([marginal.status.replace("_", " ").capitalize() + ".", *marginal.warnings])
        text = f"With {latents} integrated out: {reason} {alone}"
        return Finding(level="caution", topic="Marginal MLE", text=text)
    error = with_error(marginal.laplace_error, marginal.laplace_error_mcse)
    what = f"of the parameters with {latents} integrated out (Laplace; error of the log-likelihood {error} nats)."
    status = "Converged: the MLE" if marginal.status == "converged" else f"Status {marginal.status}: the MLE"
    text = " ".join([f"{status} {what}", *marginal.warnings, alone])
    sound = marginal.status == "converged" and not marginal.warnings
    return Finding(level="ok" if sound else "caution", topic="Marginal MLE", text=text)


def about_scales(summary: pd.DataFrame, statuses: dict[str, str]) -> Finding | None:
    """How much the MAP depends on the scale; None if no MAP exists.

    Parameters
    ----------
    summary
        As ``Comparison.summary`` gives it.
    statuses
        Status of each point estimate.

    Examples
    --------
    >>> table = pd.DataFrame({"MAP": [1.0], "MAP_unconstrained": [1.5], "sd": [2.0]}, index=["sigma"])
    >>> about_scales(table, {"map": "converged", "map_unconstrained": "converged"}).level
    'ok'
    """
    exists = {kind: statuses[kind] not in NO_NUMBER for kind in ("map", "map_unconstrained")}
    if not any(exists.values()):
        return None
    if not all(exists.values()):
        where = "natural" if exists["map"] else "unconstrained"
        return Finding(level="caution", topic="MAP and scale", text=f"A MAP exists on the {where} scale only. {_WHY}")
    gaps = scale_gaps(summary).abs().dropna()
    largest = float(gaps.max()) if len(gaps) else 0.0
    if largest < SAME:
        text = "The MAP is the same on the natural and the unconstrained scale."
        return Finding(level="ok", topic="MAP and scale", text=text)
    name = gaps.idxmax()
    row = summary.loc[name]
    text = (
        f"The MAPs on the two scales differ by up to {largest:.2g} posterior sd ({name}: {row['MAP']:.4g} natural, "
        f"{row['MAP_unconstrained']:.4g} unconstrained). {_WHY}"
    )
    return Finding(level="caution" if largest > _FAR else "ok", topic="MAP and scale", text=text)
