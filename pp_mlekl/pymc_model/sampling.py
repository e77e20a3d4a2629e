"""Draws from prior, posterior and their predictive distributions as one ArviZ tree."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from pp_mlekl.pymc_model.distributions import observed_distributions
from pp_mlekl.pymc_model.functions import without_c
from pp_mlekl.pymc_model.layout import dims_of, labelled
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.prior_draws import improper_names
from pp_mlekl.pymc_model.validation import Potentials

GROUPS = ("log_likelihood", "log_prior", "prior", "prior_predictive", "posterior_predictive")


def sample(
    model: pm.Model,
    *,
    draws: int = 1000,
    chains: int = 4,
    random_seed: Any = None,
    sampler: str = "nutpie",
    progressbar: bool = False,
    potentials: Potentials = None,
    **kwargs: Any,
) -> xr.DataTree:
    """Sample a model and add every group that the suite reads.

    Parameters
    ----------
    model
        A PyMC model with continuous free variables.
    draws, chains
        Kept draws of each chain, and the number of chains.
    random_seed
        Anything ``numpy.random.default_rng`` takes; the same seed gives the same numbers.
    sampler
        ``"nutpie"`` or any other ``nuts_sampler`` of ``pm.sample``.
    progressbar
        Whether the sampler shows its progress.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    **kwargs
        Passed on to ``pm.sample``.

    Returns
    -------
    xarray.DataTree
        Groups posterior, sample_stats, observed_data, log_likelihood, log_prior, prior, prior_predictive and
        posterior_predictive (those of the prior only where it is proper).

    Raises
    ------
    ValueError
        Where the model is refused, or ``draws`` or ``chains`` are no positive integers.
    """
    for name, value in (("draws", draws), ("chains", chains)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    functions = model_functions(model, potentials)
    generator = np.random.default_rng(random_seed)
    with model:
        tree = pm.sample(
            draws=draws,
            chains=chains,
            nuts_sampler=sampler,
            random_seed=int(generator.integers(2**31)),
            progressbar=progressbar,
            **kwargs,
        )
    return ensure_groups(model, tree, GROUPS, random_seed=generator, functions=functions)


def ensure_groups(
    model: pm.Model,
    tree: xr.DataTree,
    groups: Sequence[str] = GROUPS,
    random_seed: Any = None,
    functions: ModelFunctions | None = None,
) -> xr.DataTree:
    """The tree with those of ``groups`` that it lacks, computed from the model; what is there is kept.

    Prior groups of a model with an improper prior are left out, because there is nothing to draw.
    """
    functions = model_functions(model) if functions is None else functions
    generator = np.random.default_rng(random_seed)
    result = tree.copy()
    proper = not improper_names(model)
    for group in groups:
        if group in result.children or (group.startswith("prior") and not proper):
            continue
        result[group] = xr.DataTree(_MAKERS[group](functions, result, generator))
    return result


def _draws(functions: ModelFunctions, tree: xr.DataTree) -> np.ndarray:
    return functions.unconstrain_draws(tree["posterior"].to_dataset())


def _log_likelihood(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    z = _draws(functions, tree)
    flat = functions.pointwise(z)
    arrays = {}
    for v in functions.observed:
        values = flat[..., v.pointwise].reshape(*z.shape[:2], *v.shape)
        arrays[v.name] = labelled(functions.model, v.name, values, ("chain", "draw"), v.dims)
    return _with_sample_coords(xr.Dataset(arrays), tree["posterior"])


def _log_prior(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    terms = functions.log_prior_terms(_draws(functions, tree))
    arrays = {}
    for v in functions.free:
        term = terms[v.name]
        arrays[v.name] = labelled(functions.model, v.name, term, ("chain", "draw"), v.dims[: term.ndim - 2])
    return _with_sample_coords(xr.Dataset(arrays), tree["posterior"])


def _prior(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    posterior = tree["posterior"]
    size = int(posterior.sizes["chain"] * posterior.sizes["draw"])
    z = functions.prior_draws(size, generator)[None]
    dataset = functions.dataset(z, ("chain", "draw"))
    deterministics = functions.model.deterministics
    for variable, values in zip(deterministics, functions.evaluate(deterministics, z), strict=True):
        dims = dims_of(functions.model, variable.name, values.ndim - 2)
        dataset[variable.name] = labelled(functions.model, variable.name, values, ("chain", "draw"), dims)
    return dataset.assign_coords(chain=np.arange(1), draw=np.arange(z.shape[1]))


def _prior_predictive(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    # One chain of prior draws, of which a predictive check needs no more than this many.
    prior = tree["prior"].to_dataset().isel(draw=slice(0, 1000))
    return _predictive(functions, prior, generator)


def _posterior_predictive(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    return _predictive(functions, tree["posterior"].to_dataset(), generator)


def _predictive(functions: ModelFunctions, draws: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    try:
        distributions = observed_distributions(functions, functions.unconstrain_draws(draws))
    except ValueError:
        # A family that the divergence engine does not know: PyMC's own way, which compiles.
        return _predictive_by_pymc(functions, draws, generator)
    arrays = {}
    for v in functions.observed:
        if v.name in distributions:
            values = distributions[v.name].sample((), generator).astype(v.value.dtype)
            dims = dims_of(functions.model, v.name, values.ndim - 2)
            arrays[v.name] = labelled(functions.model, v.name, values, ("chain", "draw"), dims)
    return _with_sample_coords(xr.Dataset(arrays), draws)


def _predictive_by_pymc(functions: ModelFunctions, draws: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    names = [rv.name for rv in functions.model.observed_RVs]
    with functions.model, without_c():
        tree = pm.sample_posterior_predictive(
            xr.DataTree.from_dict({"posterior": draws}),
            var_names=names,
            random_seed=int(generator.integers(2**31)),
            progressbar=False,
        )
    return tree["posterior_predictive"].to_dataset()


def _with_sample_coords(dataset: xr.Dataset, like: Any) -> xr.Dataset:
    return dataset.assign_coords(chain=like["chain"].values, draw=like["draw"].values)


_MAKERS = {
    "log_likelihood": _log_likelihood,
    "log_prior": _log_prior,
    "prior": _prior,
    "prior_predictive": _prior_predictive,
    "posterior_predictive": _posterior_predictive,
}
