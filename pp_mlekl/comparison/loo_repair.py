"""Leave-one-out of influential observations, repaired by moment matching."""

import arviz as az
import numpy as np
import xarray as xr

from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.utils.shared_state import alone, silenced

# Each observation takes up to 30 rounds of all draws: more of them would need a longer time than the sampling.
_MAX_OBSERVATIONS = 10
_MAX_ROWS_TIMES_DRAWS = 4_000_000


def repaired_loo(functions: ModelFunctions, tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Pointwise leave-one-out of observed variables with a few Pareto k that are too large, by name.

    The draws are shifted and scaled until they resemble those of the posterior without the observation (implicitly
    adaptive importance sampling, Paananen, Piironen, Bürkner and Vehtari 2021), by ArviZ.

    Parameters
    ----------
    functions
        The model's functions.
    tree
        With ``posterior`` and ``log_likelihood``.

    Returns
    -------
    dict
        A Dataset for each repaired variable: ``elpd_i`` and ``pareto_k`` on its own dims, and the attribute ``repaired``, the
        number of observations whose Pareto k is no longer too large. Empty where nothing is repaired.
    """
    sizes = tree["posterior"].sizes
    work = functions.n_observations * sizes["chain"] * sizes["draw"]
    if "log_likelihood" not in tree.children or work > _MAX_ROWS_TIMES_DRAWS:
        return {}
    found = {}
    log_likelihood = tree["log_likelihood"].to_dataset()
    with alone(), silenced():
        for variable in functions.measured:
            if variable.name not in log_likelihood or log_likelihood[variable.name][0, 0].size < 2:
                continue
            repaired = _repaired(functions, tree, variable.name, variable.pointwise)
            if repaired is not None:
                found[variable.name] = repaired
    return found


def _repaired(functions: ModelFunctions, tree: xr.DataTree, name: str, places: slice) -> xr.Dataset | None:
    try:
        loo = az.loo(tree, var_name=name, pointwise=True)
    except ValueError:
        # Of weights without a tail; the diagnostics report it.
        return None
    bad = int(np.sum(~(loo.pareto_k.values <= loo.good_k)))
    if not 0 < bad <= _MAX_OBSERVATIONS:
        return None
    z = xr.DataArray(unconstrained_draws(functions, tree), dims=("chain", "draw", "parameter"))

    def log_density(draws: xr.DataArray) -> xr.DataArray:
        flat = draws.values.reshape(-1, functions.size)
        values = functions.log_likelihood(flat) + functions.log_prior(flat) + functions.log_jacobian(flat)
        return xr.DataArray(values.reshape(draws.shape[:2]), dims=("chain", "draw"))

    def log_likelihood(draws: xr.DataArray, i: int) -> xr.DataArray:
        values = functions.pointwise(draws.values.reshape(-1, functions.size))[:, places.start + i]
        return xr.DataArray(values.reshape(draws.shape[:2]), dims=("chain", "draw"))

    matched = az.loo_moment_match(
        tree,
        loo,
        log_prob_upars_fn=log_density,
        log_lik_i_upars_fn=log_likelihood,
        upars=z,
        var_name=name,
        k_threshold=loo.good_k,
        pointwise=True,
    )
    left = int(np.sum(~(matched.pareto_k.values <= loo.good_k)))
    if left == bad:
        return None
    values = {"elpd_i": matched.elpd_i.reset_coords(drop=True), "pareto_k": matched.pareto_k.reset_coords(drop=True)}
    return xr.Dataset(values, attrs={"repaired": bad - left})
