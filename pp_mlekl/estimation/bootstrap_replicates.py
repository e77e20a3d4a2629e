"""Bootstrap replicates of the maximum likelihood estimate, all in one batch, through weights or new data."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.regular_maximum import regular_problem
from pp_mlekl.estimation.sandwich import check_sums, check_terms
from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.inputs.truth import truth_at
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import Replicates, maximize_again
from pp_mlekl.optimize.sparse_hessian import SparseEvaluation
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory, counted
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.display import Display, Displayed
from pp_mlekl.utils.parallel import map_tasks, shares

if TYPE_CHECKING:
    import distributed

    from pp_mlekl.estimation.point_estimate import PointEstimate

# A spread below this fraction of the estimate's own error is numerical noise.
_NO_VARIATION = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Bootstrap(Displayed):
    """Replicates of an estimate.

    Parameters
    ----------
    draws
        The estimates, on the model's own dims behind ``replicate``; replicates without a regular maximum left out.
    standard_error
        Their standard deviation.
    failed
        Fraction of replicates without a regular maximum.
    warnings
        What to know before the numbers are used; empty where there is nothing.
    parameters
        Labels of the elements, such as ``slope[PSI]``, in the order of the datasets.
    """

    draws: xr.Dataset
    standard_error: xr.Dataset
    failed: float
    warnings: tuple[str, ...]
    parameters: tuple[str, ...]

    @deprecated_arguments(renamed={"prob": "ci_prob"}, positional=("self", "ci_prob"))
    @checked_arguments
    def interval(self, *, ci_prob: float = 0.95) -> xr.Dataset:
        """Percentile intervals, over ``bound``. Raise ValueError where ``ci_prob`` is not between 0 and 1."""
        check_ci_prob(ci_prob)
        tail = 0.5 * (1 - ci_prob)
        limits = self.draws.quantile([tail, 1 - tail], dim="replicate")
        return limits.rename(quantile="bound").assign_coords(bound=["lower", "upper"])

    @deprecated_arguments(renamed={"prob": "ci_prob"}, positional=("self", "ci_prob"))
    @checked_arguments
    def summary(self, *, ci_prob: float = 0.95) -> pd.DataFrame:
        """One row for each parameter: standard error and percentile interval."""
        limits = self.interval(ci_prob=ci_prob)
        parts = [self.standard_error, *(limits.sel(bound=end) for end in ("lower", "upper"))]
        columns = [np.concatenate([np.ravel(v) for v in part.data_vars.values()]) for part in parts]
        tails = [f"{50 * (1 - ci_prob):.3g}%", f"{50 * (1 + ci_prob):.3g}%"]
        index = pd.Index(self.parameters, name="parameter")
        return pd.DataFrame(dict(zip(["se", *tails], columns, strict=True)), index=index)

    def _display(self) -> Display:
        title = f"Bootstrap, {counted(self.draws.sizes['replicate'], 'replicate')}"
        return Display(title=title, warnings=self.warnings, table=self.summary())


def bootstrap_of(
    functions: ModelFunctions,
    best: "PointEstimate",
    *,
    kind: Literal["case", "parametric"],
    replicates: int,
    generator: np.random.Generator,
    client: "distributed.Client | None" = None,
) -> Bootstrap:
    """The replicates of a maximum; see ``bootstrap``."""
    check_count("replicates", replicates, at_least=2)
    problem = regular_problem(functions, best, "The bootstrap", needs_covariance=False)
    weights: Any = None
    data: Any = problem.data
    check_memory(int(replicates) * functions.n_observations, counted(replicates, "replicate"))
    if kind == "case":
        check_sums(problem.functions, "A bootstrap of cases")
        terms = (
            problem.functions.n_observations if problem.weights is None else int(np.sum(np.asarray(problem.weights)))
        )
        check_terms(best, terms, "A bootstrap of cases")
        weights = _case_weights(problem, replicates, generator)
    else:
        if len(functions.measured) < len(functions.observed):
            raise ValueError(
                "New data cannot be drawn for a pm.Potential that counts as likelihood; write it as a pm.CustomDist with "
                "random=..., or resample cases, where it has one term for each."
            )
        weights = problem.weights
        data = truth_at(problem.functions, best.flat).sample(replicates, generator)
    if weights is not None:
        weights = np.broadcast_to(weights, (replicates, problem.functions.n_observations))
    if kind == "case" and data is not None:
        data = {name: np.broadcast_to(v, (replicates, *np.shape(v))) for name, v in data.items()}
    tasks = [
        (
            None if weights is None else weights[rows],
            None if data is None else {n: v[rows] for n, v in data.items()},
            len(rows),
        )
        for rows in shares(replicates, client)
    ]
    parts = map_tasks(partial(refit, problem, best), tasks, client)
    return _labelled(
        problem, best, np.concatenate([part.z for part in parts]), np.concatenate([part.converged for part in parts])
    )


def refit(
    problem: Problem, best: "PointEstimate", task: tuple[Array | None, dict[str, Array] | None, int]
) -> Replicates:
    """Refit to ``count`` sets of weights (count, n) or of data (count, ...), in one batch that starts at the estimate."""
    weights, data, count = task
    functions = problem.functions

    def given(rows: Array) -> dict[str, Any]:
        result: dict[str, Any] = {} if weights is None else {"weights": weights[rows]}
        if data is not None:
            result["data"] = {name: values[rows] for name, values in data.items()}
        return result

    def products(z: Array, probes: Array, rows: Array) -> tuple[Array, ...]:
        return functions.value_gradient_products(z, probes, **given(rows))

    second = SparseEvaluation(functions.size, products)

    def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
        if order == 0:
            return (functions.value(z, **given(rows)),)
        return functions.value_gradient(z, **given(rows)) if order == 1 else second(z, rows)

    whole = Objective(size=functions.size, evaluate=evaluate, derivatives=problem.objective.derivatives)
    objective = whole.restricted(problem.kept, problem.base)
    starts = np.repeat(best.flat[None, problem.kept], count, axis=0)
    return maximize_again(objective, starts, best.flat_covariance[np.ix_(problem.kept, problem.kept)])


def _case_weights(problem: Problem, count: int, generator: np.random.Generator) -> Array:
    pieces = []
    for variable in problem.functions.observed:
        size = variable.pointwise.stop - variable.pointwise.start
        counts = np.ones(size) if problem.weights is None else np.asarray(problem.weights)[variable.pointwise]
        if np.any(counts != np.round(counts)):
            raise ValueError("To resample cases, the weights must be whole numbers; use kind='parametric'.")
        total = int(counts.sum())
        pieces.append(generator.multinomial(total, counts / total, size=count))
    return np.concatenate(pieces, axis=1).astype(float)


def _labelled(problem: Problem, best: "PointEstimate", z: Array, good: Array) -> Bootstrap:
    """The natural values of the replicates z (r, k), those without a regular maximum (r,) left out."""
    functions = problem.functions
    if not good.any():
        raise ValueError(
            "No replicate has a regular maximum: the data are too few for a bootstrap, or the likelihood has steps. "
            "Use profile(model) for intervals."
        )
    centre = functions.natural_flat(best.flat)
    # Angles are cut opposite to the estimate, not at pi.
    natural = centre + functions.natural_difference(functions.natural_flat(problem.full(z[good])), centre)
    absent = np.setdiff1d(np.arange(functions.natural_size), problem.natural_kept)
    natural[:, absent] = np.nan
    draws = functions.to_dataset(functions.split(natural), ("replicate",))
    failed = float(1.0 - good.mean())
    warnings: tuple[str, ...] = ()
    if failed > 0:
        warnings = (f"{100 * failed:.3g} % of the replicates have no regular maximum and were left out.",)
    spread = np.std(natural, axis=0, ddof=1)
    with np.errstate(invalid="ignore"):
        constant = spread < _NO_VARIATION * np.sqrt(np.diagonal(best.covariance.values))
    if constant.any():
        names = ", ".join(np.array(functions.natural_names)[constant])
        warnings += (f"The replicates do not vary in {names}: a single case determines it, or all cases are equal.",)
    return Bootstrap(
        draws=draws,
        standard_error=draws.std("replicate", ddof=1),
        failed=failed,
        warnings=warnings,
        parameters=tuple(functions.natural_names),
    )
