"""The result of ``find_mle`` and ``find_map``."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.estimation.bootstrap_replicates import Bootstrap, bootstrap_of
from pp_mlekl.estimation.bounded_interval import Transform
from pp_mlekl.estimation.delta_method import DerivedEstimate, delta_method
from pp_mlekl.estimation.existence import Existence
from pp_mlekl.estimation.profile_curves import profile_of
from pp_mlekl.estimation.profile_result import Profile
from pp_mlekl.estimation.sandwich import sandwich, sandwich_interval
from pp_mlekl.estimation.wald_interval import check_ci_prob, wald_interval
from pp_mlekl.estimation.wald_table import wald_table
from pp_mlekl.optimize.audit.verdict import Audit, Finding
from pp_mlekl.optimize.covariance import Settled
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.typing import Array, Names, RandomSeed
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.display import Display, Displayed, Level
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import distributed
    import pymc as pm

_TITLES = {"mle": "Maximum likelihood", "map": "MAP (natural scale)", "map_unconstrained": "MAP (unconstrained)"}
_PENALIZED = "Penalised maximum likelihood (Jeffreys)"
_AUDITED = (
    "gradient_norm",
    "smallest_eigenvalue",
    "largest_eigenvalue",
    "rank",
    "size",
    "starts",
    "agree",
    "iterations",
)
_METHODS = ("wald", "profile", "bootstrap", "sandwich")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PointEstimate(Displayed):
    """A point estimate with its uncertainty and a verdict on whether it can be trusted.

    Its methods compute intervals, profiles, bootstraps and derived quantities from the model that was fitted. A copy keeps the
    model. A pickle does not: after ``pickle.loads`` use ``mk.profile(model, estimate)`` and the like.

    Parameters
    ----------
    kind
        ``"mle"``, ``"map"`` (mode of the density of the parameters themselves), ``"map_unconstrained"`` (mode of
        the density of the unconstrained parameters) or ``"pseudo_true"``.
    values
        The free variables on their natural scale, on the model's own dims and coords. NaN where there is no
        estimate, infinite where the estimate diverges.
    standard_error
        From the observed information by the delta method; NaN where there is none.
    covariance
        ``(parameter, parameter_)`` of the flat natural vector. In models of more than 400 parameters it is NaN except for the
        variables named in ``standard_errors``; select with ``sel``, because ``.values`` makes the whole matrix.
    log_likelihood, log_prior
        At the estimate, in nats.
    status
        ``converged``, ``boundary``, ``at_infinity``, ``unbounded``, ``not_identified``, ``multimodal`` or ``failed``.
    warnings
        What to know before the estimate is used; empty for a regular one.
    audit
        Gradient norm, eigenvalues of the Hessian, rank, number of starts and of agreeing starts, other modes.
    flat
        The unconstrained vector z (d,) of the estimate. It is always finite, so that it has a plug-in distribution.
        Where the estimate lies on a boundary it is a point very near to it; hyperparameters that the likelihood does
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
        The covariance of z along its regular directions, and the directions that are not regular.
    settings
        What the estimate was made with: seed, number of starts; ``weights``, ``data`` and ``potentials`` where they were given.
    laplace_error
        The log of the ratio of the marginal likelihood by importance sampling to its Laplace approximation, at the estimate,
        in nats; None where no latent variables are integrated out.
    existence
        Where the likelihood is one of linear predictors (logistic, Poisson, ordinal, ... models): whether it has a maximum, which
        observations are separated, and the limiting fit; None otherwise.
    findings
        What the tests of the audit found, and ``status`` follows from: each with the test, the directions and parameters it is
        about, what was measured, the threshold, and their unit.
    local_maximum
        Where the status is ``unbounded``: the highest regular local maximum that the search met, with its standard errors,
        as textbooks report it (the likelihood is unbounded elsewhere); None where there is none.
    model
        The model that was fitted; None after unpickling.
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
    findings: tuple[Finding, ...] = ()
    local_maximum: "PointEstimate | None" = None
    model: "pm.Model | None" = None

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log L; NaN unless a maximum of the likelihood was found."""
        return self._criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log n - 2 log L with n = ``n_observations``; NaN unless a maximum of the likelihood was found.

        NaN also for a single term, because its logarithm is 0: the number of independent observations that a joint density
        of all data is worth is unknown.
        """
        if self.n_observations < 2:
            return np.nan
        return self._criterion(float(np.log(self.n_observations)))

    def _criterion(self, penalty: float) -> float:
        if self.kind != "mle" or self.status not in ("converged", "multimodal", "boundary"):
            return np.nan
        return penalty * self.n_parameters - 2.0 * self.log_likelihood

    @deprecated_arguments(renamed={"prob": "ci_prob"}, positional=("self", "ci_prob"))
    @checked_arguments
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
        # The mode of a posterior density has no test of being 0.
        return table if self.kind == "mle" else table.drop(columns=["z", "p"])

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        """The summary as the package maketables reads it, which writes tables in LaTeX, Word and Typst."""
        names = {"estimate": "b", "se": "se", "z": "t", "p": "p", "2.5%": "ci95l", "97.5%": "ci95u"}
        table = self.summary(ci_prob=0.95).rename(columns=names).reindex(columns=list(names.values()))
        return table.rename_axis("Coefficient")

    @property
    def __maketables_depvar__(self) -> str:
        """The observed variables, for maketables."""
        return "" if self.model is None else ", ".join(v.name for v in self.model.observed_RVs)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        """What maketables writes below the parameters."""
        return ["N", "ll", "aic", "bic"] if self.kind == "mle" else ["N", "ll"]

    def __maketables_stat__(self, key: str) -> float | str | None:
        """A number for maketables; None if it is unknown."""
        found = {"N": self.n_observations, "ll": self.log_likelihood, "aic": self.aic, "bic": self.bic}
        return found.get(key, self.status if key == "status" else None)

    @checked_arguments
    def interval(
        self,
        method: Literal["wald", "profile", "bootstrap", "sandwich"] = "wald",
        *,
        ci_prob: float = 0.95,
        random_seed: RandomSeed = None,
    ) -> xr.Dataset:
        """Intervals of all parameters, on the model's own dims, over ``bound`` (lower, upper).

        Parameters
        ----------
        method
            ``"wald"`` (see ``mk.wald_interval``), ``"profile"`` (``mk.profile``), ``"bootstrap"`` (percentiles of 500
            case resamples, ``mk.bootstrap``) or ``"sandwich"`` (``mk.sandwich_interval``).
        ci_prob
            Coverage.
        random_seed
            For the bootstrap.

        Returns
        -------
        xarray.Dataset
            NaN where a parameter has no such interval.

        Raises
        ------
        ValueError
            Where the method is not known, ``ci_prob`` is not between 0 and 1, or for the reasons of the function named above.
        """
        check_ci_prob(ci_prob)
        if method == "bootstrap":
            return self.bootstrap(random_seed=random_seed).interval(ci_prob=ci_prob)
        if method == "profile":
            # Two points: the interval does not depend on the curve's.
            return self._on_own_dims(self.profile(ci_prob=ci_prob, points=2).interval)
        model, functions = self._fitted()
        function = wald_interval if method == "wald" else sandwich_interval
        return function(model, self, ci_prob=ci_prob, potentials=functions.potentials)

    def sandwich(self) -> xr.Dataset:
        """Standard errors that hold when the model is wrong; see ``mk.sandwich``."""
        model, functions = self._fitted()
        return sandwich(model, self, potentials=functions.potentials)

    @checked_arguments
    def profile(
        self,
        var_names: Names | None = None,
        *,
        ci_prob: float = 0.95,
        points: int = 15,
        client: "distributed.Client | None" = None,
    ) -> Profile:
        """Profile likelihood curves and intervals; see ``mk.profile``."""
        functions = self._fitted()[1]
        return profile_of(functions, self, var_names=var_names, ci_prob=ci_prob, points=points, client=client)

    @checked_arguments
    def bootstrap(
        self,
        *,
        kind: Literal["case", "parametric"] = "case",
        replicates: int = 500,
        random_seed: RandomSeed = None,
        client: "distributed.Client | None" = None,
    ) -> Bootstrap:
        """Bootstrap replicates of the estimate; see ``mk.bootstrap``."""
        functions, generator = self._fitted()[1], generator_of(random_seed)
        return bootstrap_of(functions, self, kind=kind, replicates=replicates, generator=generator, client=client)

    @checked_arguments
    def delta_method(
        self,
        var_names: Names | None = None,
        *,
        error: Literal["information", "sandwich"] = "information",
        transform: Transform | Mapping[str, Transform] = "auto",
    ) -> DerivedEstimate:
        """Deterministics with standard errors; see ``mk.delta_method``."""
        model, functions = self._fitted()
        return delta_method(
            model, self, var_names=var_names, error=error, transform=transform, potentials=functions.potentials
        )

    def _fitted(self) -> tuple["pm.Model", ModelFunctions]:
        if self.model is None:
            raise ValueError(
                "The estimate was unpickled without its model; use the function of the same name, such as "
                "mk.profile(model, estimate)."
            )
        return self.model, model_functions(self.model, self.settings.get("potentials"))

    def _on_own_dims(self, bounds: xr.DataArray) -> xr.Dataset:
        """Bounds (parameter, bound) of some elements as a Dataset of all variables."""
        functions = self._fitted()[1]
        flat = bounds.reindex(parameter=functions.natural_names)
        parts = [functions.to_dataset(functions.split(flat.sel(bound=b).values)) for b in bounds["bound"].values]
        return xr.concat(parts, bounds["bound"])

    def __copy__(self) -> "PointEstimate":
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "PointEstimate":
        # The model is shared: PyMC models are not meant to be copied.
        shared = {"model": self.model}
        own = {name: copy.deepcopy(value, memo) for name, value in self.__dict__.items() if name not in shared}
        return replace(self, **own)

    def __getstate__(self) -> dict[str, Any]:
        # A model's functions need cloudpickle and megabytes. The solver of a large model holds such functions too.
        return self.__dict__ | {"model": None, "settled": replace(self.settled, solve=None)}

    def _display(self) -> Display:
        count = "1 term" if self.n_observations == 1 else counted(self.n_observations, "observation")
        numbers = f"log-likelihood {self.log_likelihood:.6g}, {count}"
        if np.isfinite(self.aic):
            numbers += f", AIC {self.aic:.6g}, " + (
                f"BIC {self.bic:.6g}" if np.isfinite(self.bic) else "no BIC for a single term"
            )
        penalized = "penalty" in self.settings
        return self._shown(_PENALIZED if penalized else _TITLES[self.kind], [numbers])

    def _shown(self, title: str, lines: list[str]) -> Display:
        level: Level = {"converged": "good", "boundary": "caution", "multimodal": "caution"}.get(self.status, "bad")  # type: ignore[assignment]
        audit = pd.DataFrame(
            {"value": [getattr(self.audit, name) for name in _AUDITED]}, index=list(_AUDITED), dtype=object
        )
        details = {"Audit": audit}
        if self.findings:
            details["Findings"] = pd.DataFrame(
                [
                    {
                        "found": f"{finding.test}: {finding.kind}",
                        "parameters": ", ".join(finding.parameters),
                        "measured": finding.measured,
                        "threshold": finding.threshold,
                        "unit": finding.unit,
                    }
                    for finding in self.findings
                ]
            ).set_index("found")
        return Display(
            title=title,
            badge=self.status,
            level=level,
            lines=lines,
            warnings=self.warnings,
            table=self.summary(),
            details=details,
        )


def _flat(dataset: xr.Dataset) -> Array:
    return np.concatenate([np.ravel(v.values) for v in dataset.data_vars.values()])
