"""The labelled estimate of a model with linear predictors whose observations are separated, or which is not identified."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.existence import Existence, LimitingFit
from pp_mlekl.estimation.labelled_estimate import given
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.separation import Court, LimitFit, limit_fit, moved_coordinates, natural_signs
from pp_mlekl.optimize.audit.directions import combination
from pp_mlekl.optimize.audit.verdict import Finding, Verdict
from pp_mlekl.optimize.covariance import Settled, reported
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# A message lists at most this many names.
_LISTED = 6
# Log-likelihoods below this are what rounding leaves of one that tends to 0.
_NOTHING = 1e-12
_NOT_A_MAXIMUM = ("at_infinity", "not_identified", "unbounded", "multimodal", "failed")


def decided(court: Court, places: Array, settings: dict[str, Any]) -> PointEstimate | None:
    """The estimate that the decision leads to; None where the maximum exists, so that any search will find it.

    Parameters
    ----------
    court
        The decision.
    places
        Where a search may begin, kept coordinates of z (b, k).
    settings
        What the estimate was made with.
    """
    if court.exists and court.identified:
        return None
    fit = limit_fit(court, places)
    return None if fit is None else _labelled(court, fit, settings)


def confirmed(court: Court, estimate: PointEstimate, places: Array) -> PointEstimate:
    """What a search found where the maximum exists; where it found none, the maximum of the concave likelihood."""
    if estimate.status in _NOT_A_MAXIMUM and court.alone:
        fit = limit_fit(court, places)
        if fit is not None:
            return _labelled(court, fit, estimate.settings)
    return replace(estimate, existence=_existence(court, None))


def _labelled(court: Court, fit: LimitFit, settings: dict[str, Any]) -> PointEstimate:
    """The result: what diverges is infinite, what is not determined has no number where another has its limit."""
    problem, functions, predictors = court.problem, court.problem.functions, court.predictors
    z = predictors.to_z(fit.x)
    slope = predictors.slope(fit.x)
    units = court.units[fit.free]
    by_units = (functions.natural_jacobian(z) @ slope)[np.ix_(problem.natural_kept, fit.free)] * units
    found = reported(fit.verdict, fit.space, by_units)
    values, covariance = np.full(functions.natural_size, np.nan), np.full((functions.natural_size,) * 2, np.nan)
    values[problem.natural_kept] = found.values
    covariance[np.ix_(problem.natural_kept, problem.natural_kept)] = found.covariance
    signs = natural_signs(court)
    moved = signs != 0
    values[moved] = (
        np.where(np.isnan(signs), np.nan, np.copysign(np.inf, signs))[moved]
        if not court.exists
        else functions.natural_flat(z)[moved]
    )
    covariance[moved] = covariance[:, moved] = np.nan
    whole = np.zeros((functions.size, functions.size))
    whole[np.ix_(fit.free, fit.free)] = fit.verdict.covariance * np.outer(units, units)
    flat_covariance = np.full((functions.size, functions.size), np.nan)
    flat_covariance[np.ix_(fit.free, fit.free)] = found.flat_covariance * np.outer(units, units)
    unsettled = moved_coordinates(court.undetermined)
    flat_covariance[unsettled] = flat_covariance[:, unsettled] = np.nan
    irregular = np.zeros((len(fit.verdict.irregular) + len(fit.verdict.null), functions.size))
    irregular[:, fit.free] = np.concatenate([fit.verdict.irregular, fit.verdict.null]) * units
    names = functions.natural_names
    error = functions.to_dataset(functions.split(np.sqrt(np.diagonal(covariance))))
    labelled = functions.to_dataset(functions.split(values))
    limit = None
    if not court.exists:
        limit = LimitingFit(
            values=labelled,
            standard_error=error,
            log_likelihood=fit.verdict.value,
            n_observations=problem.n_observations - len(court.sharing[0]),
            n_parameters=len(fit.free),
        )
    existence = _existence(court, limit)
    return PointEstimate(
        kind=problem.kind,
        values=labelled,
        standard_error=error,
        covariance=xr.DataArray(
            covariance, dims=("parameter", "parameter_"), coords={"parameter": names, "parameter_": names}
        ),
        log_likelihood=fit.verdict.value,
        log_prior=float(functions.log_prior(z)),
        status=_status(court, fit.verdict),
        warnings=(*_messages(court, fit.verdict), *problem.warnings),
        audit=fit.verdict.audit,
        findings=_findings(court, fit.verdict),
        flat=z,
        flat_covariance=slope @ flat_covariance @ slope.T if predictors.ordered else flat_covariance,
        n_observations=problem.n_observations,
        n_parameters=len(problem.kept),
        settled=Settled(
            covariance=slope @ whole @ slope.T,
            flat=np.concatenate([court.constant, irregular]) @ slope.T,
            run_off=np.zeros((0, functions.size)) if court.exists else court.undetermined @ slope.T,
            absent=problem.missing,
        ),
        settings=settings | given(problem),
        model=problem.functions.model,
        existence=existence,
    )


def _status(court: Court, verdict: Verdict) -> str:
    if not court.exists:
        return "at_infinity"
    return verdict.status if court.identified else "not_identified"


def _existence(court: Court, limit: LimitingFit | None) -> Existence:
    linear = court.predictors.natural_places()
    names = [court.problem.functions.natural_names[i] for i in linear.values()]
    columns = np.array(list(linear), dtype=int)

    def labelled(directions: Array) -> xr.DataArray:
        return xr.DataArray(directions[:, columns], dims=("direction", "parameter"), coords={"parameter": names})

    rows, partial = court.sharing
    signs = natural_signs(court)[list(linear.values())]
    return Existence(
        exists=court.exists,
        identified=court.identified,
        rows=rows,
        partial_rows=partial,
        directions=labelled(court.direction[None][: 0 if court.exists else 1]),
        constant=labelled(court.constant),
        diverging=xr.DataArray(
            np.zeros_like(signs) if court.exists else signs, dims="parameter", coords={"parameter": names}
        ),
        limit=limit,
    )


def _messages(court: Court, verdict: Verdict) -> list[str]:
    names = np.array(court.problem.functions.natural_names)
    signs = natural_signs(court)
    texts = []
    if not court.exists:
        rows, partial = court.sharing
        ends = [
            f"{name} -> {'-' if sign < 0 else '+'}inf"
            for name, sign in zip(names, signs, strict=True)
            if abs(sign) == 1
        ]
        separated = [f"{len(rows)} of {counted(court.problem.n_observations, 'observation')} ({_list(rows)})"] * bool(
            len(rows)
        )
        separated += [f"some outcomes of {counted(len(partial), 'observation')} ({_list(partial)})"] * bool(
            len(partial)
        )
        towards = _list(ends) or f"{combination(court.direction, court.problem.functions.spoken_names)} grows"
        supremum = 0.0 if abs(verdict.value) < _NOTHING else verdict.value
        texts.append(
            f"No maximum: the log-likelihood rises towards a finite supremum of {supremum:.6g} as {towards}. This separates "
            f"{' and '.join(separated)}. profile(model, estimate) gives one-sided intervals. Three ways on: a penalty, "
            'find_map(model, penalty="jeffreys"); proper priors, find_map(model); or drop what separates.'
        )
        lost = names[np.isnan(signs)]
        if len(lost):
            texts.append(f"Not identified in the limit: {_list(lost)}. The other values are those of the limiting fit.")
    if len(court.constant):
        directions = "; ".join(combination(n, court.problem.functions.spoken_names) for n in court.constant[:_LISTED])
        texts.append(f"The log-likelihood does not change along: {directions}.")
    return [*texts, *verdict.warnings]


def _findings(court: Court, verdict: Verdict) -> tuple[Finding, ...]:
    """What the linear programme found, and what the limiting fit's audit did."""
    names, found = court.problem.functions.spoken_names, []
    if not court.exists:
        found.append(("recession", "direction", court.direction[None], float(court.separated.sum()), "separated rows"))
    if len(court.constant):
        found.append(("identifiability", "flat", court.constant, 0.0, "change of the linear predictors"))
    exact = tuple(
        Finding(
            test=test,
            kind=kind,
            directions=directions,
            measured=measured,
            threshold=0.0,
            unit=unit,
            parameters=tuple(names[i] for i in np.flatnonzero(moved_coordinates(directions)).tolist()),
        )
        for test, kind, directions, measured, unit in found
    )
    return (*exact, *verdict.findings)


def _list(items: Any) -> str:
    shown = ", ".join(str(item) for item in items[:_LISTED])
    return shown + (f" and {len(items) - _LISTED} more" if len(items) > _LISTED else "")
