"""A verdict of the optimiser as a labelled point estimate."""

from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.covariance import Settled, reported
from pp_mlekl.typing import Array


def labelled_estimate(
    problem: Problem,
    verdict: Verdict,
    settings: dict[str, Any],
    *,
    flat: Array | None = None,
    covariance: Array | None = None,
    **fields: Any,
) -> PointEstimate:
    """The labelled result of a verdict.

    Parameters
    ----------
    problem, verdict, settings
        What was maximised, the outcome, and what it was made with.
    flat, covariance
        The whole of z and its covariance, where more is known than the verdict's own coordinates.
    **fields
        Fields of the result that are not the problem's own.
    """
    functions = problem.functions
    z = problem.full(verdict.z) if flat is None else flat
    if not np.all(np.isfinite(z)):
        z = problem.base
    outcome = reported(verdict, problem.space, problem.jacobian(verdict.z))
    joint = None
    nothing = verdict.status in ("unbounded", "failed")
    if covariance is not None and not nothing:
        jacobian = functions.natural_jacobian(z)
        joint = jacobian @ covariance @ jacobian.T
    values = np.full(functions.natural_size, np.nan) if flat is None or nothing else functions.natural_flat(flat)
    natural = _embedded(outcome.covariance, problem.natural_kept, functions.natural_size, joint)
    values[problem.natural_kept] = outcome.values
    values[problem.natural_missing] = natural[problem.natural_missing] = natural[:, problem.natural_missing] = np.nan
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.diagonal(natural))
    names = functions.natural_names
    fields = {
        "log_likelihood": float(functions.log_likelihood(z, weights=problem.weights, data=problem.data))
        if flat is None
        else np.nan,
        "n_observations": functions.n_observations,
        **fields,
    }
    if verdict.local is not None and flat is None:
        fields["local_maximum"] = labelled_estimate(problem, verdict.local, settings)
    return PointEstimate(
        kind=problem.kind,
        values=functions.to_dataset(functions.split(values)),
        standard_error=functions.to_dataset(functions.split(error)),
        covariance=xr.DataArray(
            natural, dims=("parameter", "parameter_"), coords={"parameter": names, "parameter_": names}
        ),
        log_prior=float(functions.log_prior(z)),
        status=verdict.status,
        warnings=(*verdict.warnings, *problem.warnings),
        audit=verdict.audit,
        findings=verdict.findings,
        flat=z,
        flat_covariance=_embedded(outcome.flat_covariance, problem.kept, functions.size, covariance),
        n_parameters=len(problem.kept),
        settled=settled(problem, verdict, covariance),
        settings=settings | given(problem),
        model=functions.model,
        **fields,
    )


def settled(problem: Problem, verdict: Verdict, covariance: Array | None = None) -> Settled:
    """What of the whole of z a verdict settles; ``covariance`` where more is known than the verdict's own."""
    size, kept = problem.functions.size, problem.kept
    whole = np.zeros((size, size)) if covariance is None else covariance
    if covariance is None:
        whole[np.ix_(kept, kept)] = verdict.covariance
    if verdict.singular or verdict.status in ("unbounded", "failed"):
        whole = np.full((size, size), np.nan)
    directions = []
    for part in (np.concatenate([verdict.irregular, verdict.null]), verdict.run_off):
        embedded = np.zeros((len(part), size))
        embedded[:, kept] = part
        directions.append(embedded)
    units = np.ones(size)
    units[kept] = verdict.units
    return Settled(
        covariance=whole,
        flat=directions[0],
        run_off=directions[1],
        absent=problem.missing,
        units=units,
    )


def given(problem: Problem) -> dict[str, Any]:
    """Weights, data and use of potentials that were chosen by the caller, and belong to the estimate from then on."""
    own = {"weights": problem.weights, "data": problem.data, "potentials": problem.functions.potentials}
    return {name: value for name, value in own.items() if value is not None}


def _embedded(part: Array, places: Array, size: int, whole: Array | None) -> Array:
    """A covariance of some places in one of all: NaN elsewhere, or what ``whole`` has there."""
    result = np.full((size, size), np.nan) if whole is None else whole.copy()
    lost = places[np.isnan(np.diagonal(part))]
    result[np.ix_(places, places)] = part
    result[lost] = np.nan
    result[:, lost] = np.nan
    return result
