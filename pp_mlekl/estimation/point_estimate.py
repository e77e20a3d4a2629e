"""The result of ``find_mle`` and ``find_map``."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.estimation.existence import Existence
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.wald_table import wald_table
from pp_mlekl.optimize.uncertainty import Settled, reported
from pp_mlekl.optimize.verdict import Audit, Verdict
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.html import table_html

_LISTED = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class PointEstimate:
    """A point estimate with its uncertainty and a verdict on whether it can be believed.

    Parameters
    ----------
    kind
        ``"mle"``, ``"map"`` (mode of the density of the parameters themselves) or ``"map_unconstrained"`` (mode of
        the density of the unconstrained parameters).
    values
        The free variables on their natural scale, on the model's own dims and coords. NaN where there is no
        estimate, infinite where the estimate runs off.
    standard_error
        From the observed information by the delta method; NaN where there is none.
    covariance
        (parameter, parameter_) of the flat natural vector. With more than 400 parameters NaN but for the variables named
        in ``standard_errors``; select with ``sel``, as the whole square is made only where ``.values`` asks for it.
    log_likelihood, log_prior
        At the estimate, in nats.
    status
        ``converged``, ``boundary``, ``at_infinity``, ``unbounded``, ``not_identified``, ``multimodal`` or ``failed``.
    warnings
        What to know before the estimate is believed; empty for a regular one.
    audit
        Gradient norm, eigenvalues of the Hessian, rank, starts and how many agree, other modes.
    flat
        The unconstrained vector z (d,) of the estimate: always finite, so that a plug-in distribution can be had.
        Where the estimate lies at an edge it is a point very near to it; hyperparameters that the likelihood does
        not contain keep the model's initial value.
    flat_covariance
        Covariance of z, (d, d); NaN where there is none.
    n_observations
        Number of terms of the log-likelihood: one for each element of an observed variable, but a single one for each
        vector of a multivariate distribution, so 1 for a series with a multivariate normal distribution, and for each table
        of counts of a multinomial one. Weights do not change it.
    n_parameters
        Number of parameters estimated, on the unconstrained scale.
    settled
        What of z is settled: the covariance along the regular directions, and those that are not.
    settings
        What the estimate was made with: seed, number of starts, ``weights`` and ``data`` where they were given.
    laplace_error
        Of a marginal estimate: log of the marginal likelihood by importance sampling over its Laplace approximation,
        at the estimate, in nats; absent otherwise.
    existence
        Where the likelihood is one of linear predictors (logistic, Poisson, ordinal, ... models): whether it has a maximum, which
        observations are separated, and the limiting fit; absent otherwise.
    """

    kind: str
    values: xr.Dataset
    standard_error: xr.Dataset
    covariance: xr.DataArray
    log_likelihood: float
    log_prior: float
    status: str
    warnings: tuple[str, ...]
    audit: Audit
    flat: Array
    flat_covariance: Array
    n_observations: int
    n_parameters: int
    settled: Settled
    settings: dict[str, Any] = field(default_factory=dict)
    laplace_error: Estimate | None = None
    existence: Existence | None = None

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log L; NaN unless a maximum of the likelihood was found."""
        return self._criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log n - 2 log L with n = ``n_observations``; NaN unless a maximum of the likelihood was found.

        NaN also for a single term, whose logarithm would charge nothing for parameters: how many independent observations
        a joint density of all data is worth is not to be seen.
        """
        if self.n_observations < 2:
            return np.nan
        return self._criterion(float(np.log(self.n_observations)))

    def _criterion(self, penalty: float) -> float:
        if self.kind != "mle" or self.status not in ("converged", "multimodal", "boundary"):
            return np.nan
        return penalty * self.n_parameters - 2.0 * self.log_likelihood

    @deprecated_arguments(renamed={"prob": "ci_prob"}, positional=("self", "ci_prob"))
    def summary(self, *, ci_prob: float = 0.95) -> pd.DataFrame:
        """One row for each parameter: estimate, standard error and Wald interval, of an MLE also z and p value (of being 0).

        Parameters
        ----------
        ci_prob
            Coverage of the intervals.

        Raises
        ------
        ValueError
            Where ``ci_prob`` is not between 0 and 1.
        """
        names = [str(name) for name in self.covariance["parameter"].values]
        table = wald_table(names, _flat(self.values), _flat(self.standard_error), ci_prob, index="parameter")
        # A mode of a posterior density is tested by nothing.
        return table if self.kind == "mle" else table.drop(columns=["z", "p"])

    def __repr__(self) -> str:
        return "\n".join([*self._header(), self.summary().to_string(float_format="{:.5g}".format)])

    def _repr_html_(self) -> str:
        return table_html(self._header(), self.summary())

    def _header(self) -> list[str]:
        title = {"mle": "Maximum likelihood", "map": "MAP (natural scale)", "map_unconstrained": "MAP (unconstrained)"}
        count = "1 term" if self.n_observations == 1 else f"{self.n_observations} observations"
        numbers = f"log-likelihood {self.log_likelihood:.6g}, {count}"
        if np.isfinite(self.aic):
            numbers += f", AIC {self.aic:.6g}, " + (
                f"BIC {self.bic:.6g}" if np.isfinite(self.bic) else "no BIC for a single term"
            )
        name = "Penalised maximum likelihood (Jeffreys)" if "penalty" in self.settings else title[self.kind]
        return [f"{name}: {self.status}", numbers, *(f"! {w}" for w in self.warnings)]


def _flat(dataset: xr.Dataset) -> Array:
    return np.concatenate([np.ravel(v.values) for v in dataset.data_vars.values()])


def check_belongs(functions: ModelFunctions, estimate: PointEstimate) -> None:
    """Raise ValueError where an estimate's parameters are not those of the model, in the same order and coordinates."""
    own, others = functions.natural_names, [str(name) for name in estimate.covariance["parameter"].values]
    if own != others or functions.size != len(estimate.flat):
        raise ValueError(
            f"The estimate belongs to another model: its parameters are {_counted(others, len(estimate.flat))}, this model's "
            f"{_counted(own, functions.size)}; pass what find_mle or find_map returned for this model."
        )


def _counted(names: list[str], coordinates: int) -> str:
    more = f", ... ({len(names)})" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more} with {coordinates} coordinate{'s' * (coordinates > 1)}"


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
        flat=z,
        flat_covariance=_embedded(outcome.flat_covariance, problem.kept, functions.size, covariance),
        n_parameters=len(problem.kept),
        settled=settled(problem, verdict, covariance),
        settings=settings | given(problem),
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
    return Settled(
        covariance=whole,
        flat=directions[0],
        run_off=directions[1],
        absent=problem.missing,
        without_hessian=problem.without_hessian,
    )


def given(problem: Problem) -> dict[str, Any]:
    """Weights and data that are not the model's own, which belong to the estimate from then on."""
    own = {"weights": problem.weights, "data": problem.data}
    return {name: value for name, value in own.items() if value is not None}


def _embedded(part: Array, places: Array, size: int, whole: Array | None) -> Array:
    """A covariance of some places in one of all: NaN elsewhere, or what ``whole`` has there."""
    result = np.full((size, size), np.nan) if whole is None else whole.copy()
    lost = places[np.isnan(np.diagonal(part))]
    result[np.ix_(places, places)] = part
    result[lost] = np.nan
    result[:, lost] = np.nan
    return result
