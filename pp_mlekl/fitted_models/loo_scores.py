"""Leave-one-out log scores: exact refits for plug-ins, PSIS for the posterior predictive."""

from dataclasses import dataclass

import arviz as az
import numpy as np
import xarray as xr

from pp_mlekl.divergences.monte_carlo import RELIABLE_SHAPE
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.replicates.replicate_fits import ReplicateFits
from pp_mlekl.optimize.curvature import curvature
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import maximize_again
from pp_mlekl.optimize.solvers.quadratic_model import quadratic_model
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.shared_state import alone, silenced

# Maximum number of Hessian elements, over all refits, for exact refits.
_MAX_HESSIAN_ELEMENTS = 100_000_000
# Maximum Newton decrement in nats at a smooth maximum; at a kink the gradient does not vanish.
_MAX_DECREMENT = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class LeftOut:
    """Log density of every observation under the fit to all others, (n,).

    ``failed`` counts observations whose removal leaves no fit, or for which importance sampling failed.
    """

    scores: Array
    failed: int = 0
    method: str
    warnings: tuple[str, ...] = ()


def plug_in_scores(functions: ModelFunctions, name: str, flat: Array, places: Array) -> LeftOut:
    """Leave-one-out log scores of an estimate, from one refit per observation in a single batch.

    Parameters
    ----------
    functions
        The model's functions.
    name
        ``"mle"``, ``"map"`` or ``"map_unconstrained"``.
    flat
        The estimate from all observations, z (d,).
    places
        Which pointwise terms are observations.
    """
    a, b = ReplicateFits.COEFFICIENTS[name]
    problem = Problem(functions=functions, kind=name)
    kept, n = problem.kept, functions.n_observations
    inverse = _inverse_information(problem.objective, flat[kept])
    if inverse is not None and len(places) * n * len(kept) ** 2 > _MAX_HESSIAN_ELEMENTS:
        return _by_influence(functions, flat, kept, inverse, places)

    def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
        weights = np.ones((len(rows), n))
        weights[np.arange(len(rows)), places[rows]] = 0.0
        if order == 0:
            return (functions.value(z, a=a, b=b, weights=weights),)
        method = functions.value_gradient if order == 1 else functions.value_gradient_hessian
        return method(z, a=a, b=b, weights=weights)

    whole = Objective(size=functions.size, evaluate=evaluate, derivatives=problem.objective.derivatives)
    starts = np.repeat(flat[None, kept], len(places), axis=0)
    if inverse is not None:
        starts -= functions.scores(flat)[places][:, kept] @ inverse
    found = maximize_again(whole.restricted(kept, problem.base), starts, inverse)
    z = np.repeat(flat[None], len(places), axis=0)
    z[:, kept] = found.z
    left_out = functions.pointwise(z)[np.arange(len(places)), places]
    left_out[~found.converged] = np.nan
    failed = int(np.sum(~found.converged))
    note = f"{name}: leaving out {counted(failed, 'observation')}, one at a time, leaves no estimate, so the log score is unavailable."
    return LeftOut(scores=left_out, failed=failed, method="refits", warnings=(note,) if failed else ())


def _inverse_information(objective: Objective, z: Array) -> Array | None:
    """The inverse of the negative Hessian at an estimate (k,); None without a Hessian or at a kink."""
    if objective.derivatives < 2:
        return None
    _, gradient, hessian = objective.hessian(z[None])
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        model = quadratic_model(gradient, hessian)
    found = curvature(hessian[0])
    return (
        found.inverse()
        if model.decrement[0] < _MAX_DECREMENT and found.eigenvalues[0] > objective.tolerances.rank_eigenvalue
        else None
    )


def _by_influence(functions: ModelFunctions, flat: Array, kept: Array, inverse: Array, places: Array) -> LeftOut:
    """First order in 1/n: leaving out an observation shifts the estimate by the inverse information times its score."""
    scores = functions.scores(flat)[places][:, kept]
    shift = np.einsum("ni,ij,nj->n", scores, inverse, scores)
    return LeftOut(scores=functions.pointwise(flat)[places] - shift, method="infinitesimal jackknife")


def predictive_scores(functions: ModelFunctions, draws: Array, places: Array) -> LeftOut:
    """Leave-one-out log scores of the posterior predictive, by Pareto-smoothed importance sampling.

    Parameters
    ----------
    functions
        The model's functions.
    draws
        Posterior draws of z, (chain, draw, d).
    places
        Which pointwise terms are observations.
    """
    terms = functions.pointwise(draws)[..., places]
    dims = ("chain", "draw", "observation")
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"z": (("chain", "draw", "parameter"), draws)}),
            "log_likelihood": xr.Dataset({"y": (dims, terms)}),
        }
    )
    # ArviZ warns about Pareto k, which is checked below.
    with alone(), silenced():
        found = az.loo(tree, var_name="y", pointwise=True)
    failed = int(np.sum(found.pareto_k.values > RELIABLE_SHAPE))
    note = f"posterior_predictive: PSIS is unreliable for {counted(failed, 'observation')} (Pareto k above {RELIABLE_SHAPE})."
    return LeftOut(scores=found.elpd_i.values, failed=failed, method="PSIS", warnings=(note,) if failed else ())
