"""Draws from prior, posterior and their predictive distributions as one ArviZ tree."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.pymc_model.draws.before_sampling import check_settings, initial_values
from pp_mlekl.pymc_model.draws.match_posterior import matched_posterior, unconstrained_draws
from pp_mlekl.pymc_model.draws.normalized_prior import prior_potentials
from pp_mlekl.pymc_model.draws.nutpie_callbacks import light_callbacks
from pp_mlekl.pymc_model.interpreter.lazy_function import without_c
from pp_mlekl.pymc_model.interpreter.pytensor_settings import settings
from pp_mlekl.pymc_model.layout import dims_of, labelled
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.prior_sampler import improper_names
from pp_mlekl.typing import Array, NutsSampler, Potentials, RandomSeed
from pp_mlekl.utils.seeds import generator_of
from pp_mlekl.utils.shared_state import alone
from pp_mlekl.utils.shown import shown

GROUPS = ("observed_data", "log_likelihood", "log_prior", "prior", "prior_predictive", "posterior_predictive")
# Enough draws for a predictive check of the prior.
PRIOR_PREDICTIVE_DRAWS = 1000
# Largest number of elements of a group over draws and observations; larger groups hold every k-th draw of each chain.
_MAX_NUMBERS = 40_000_000


def sample(
    model: pm.Model,
    *,
    draws: int = 1000,
    chains: int = 4,
    random_seed: RandomSeed = None,
    nuts_sampler: NutsSampler = "nutpie",
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
        Anything ``numpy.random.default_rng`` takes; the same seed gives the same numbers. None draws a seed and keeps
        it in the tree's attributes.
    nuts_sampler
        ``"nutpie"`` or any other ``nuts_sampler`` of ``pm.sample``: ``"pymc"``, and ``"numpyro"`` or ``"blackjax"``
        where they are installed.
    progressbar
        Whether the sampler shows its progress; without it PyMC's log messages are silenced too.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    **kwargs
        Passed on to ``pm.sample``.

    Returns
    -------
    xarray.DataTree
        Groups posterior, sample_stats, observed_data, log_likelihood, log_prior, prior, prior_predictive and
        posterior_predictive (those of the prior only where there is a prior to draw from). Log densities are in nats. With
        very many observations log_likelihood and posterior_predictive hold every k-th draw only, under its label.

    Raises
    ------
    ValueError
        Where the model is refused, ``draws`` or ``chains`` are no positive integers or too large for the memory, the
        sampler is unknown, or the density is finite nowhere.
    ImportError
        Where the sampler is not installed.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    >>> tree = sample(model, draws=200, chains=2, random_seed=1)
    >>> tree["log_likelihood"]["y"].dims
    ('chain', 'draw', 'y_dim_0')
    """
    functions = model_functions(model, potentials)
    check_settings(functions, draws=draws, chains=chains, nuts_sampler=nuts_sampler)
    start = initial_values(functions)
    seed = np.random.SeedSequence().entropy if random_seed is None else random_seed
    generator = generator_of(seed)
    keywords = {"quiet": not progressbar, **({} if start is None else {"initvals": start}), **kwargs}
    # With fast arithmetic, Numba's order of summation depends on its disk cache, so that one seed could give different draws.
    # Chains use all cores already; threads that sample at the same time lose little by waiting for each other.
    # PyMC compiles the initial point in C even for samplers that have their own compiler; Python evaluates it as well.
    flags: dict[str, Any] = {"numba__fastmath": False} | ({} if nuts_sampler == "pymc" else {"cxx": ""})
    with alone(), functions.model, settings(**flags), light_callbacks() if nuts_sampler == "nutpie" else nullcontext():
        try:
            tree = pm.sample(
                draws=draws,
                chains=chains,
                nuts_sampler=nuts_sampler,
                random_seed=int(generator.integers(2**31)),
                progressbar=progressbar,
                **keywords,
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            if not kwargs:
                raise
            raise ValueError(
                f"pm.sample refuses {', '.join(f'{name}={shown(value)}' for name, value in kwargs.items())} "
                f"({type(error).__name__}: {_first_line(error)}); pass arguments that it takes as sample_kwargs."
            ) from error
        except RuntimeError as error:
            # Samplers in other languages raise this error with long tracebacks.
            other = "pymc" if nuts_sampler != "pymc" else "nutpie"
            raise ValueError(
                f"{nuts_sampler} cannot sample this model ({_first_line(error)}); pass nuts_sampler={other!r}."
            ) from error
    if _was_interrupted(tree["posterior"].to_dataset()[[v.name for v in functions.free]], draws):
        raise KeyboardInterrupt
    tree["sample_stats"] = xr.DataTree(_plain_text(tree["sample_stats"].to_dataset()))
    tree = ensure_groups(model, tree, GROUPS, random_seed=generator, functions=functions)
    tree.attrs |= {f"{package}_version": version(package) for package in ("pp_mlekl", "pymc", "pytensor")}
    # Stored as text, since an entropy has more digits than the integers of file formats; the seed of a generator is unknown.
    kept = "of a Generator" if isinstance(seed, np.random.Generator) else str(seed)
    tree.attrs |= {"sampler": nuts_sampler, "random_seed": kept}
    return tree


def ensure_groups(
    model: pm.Model,
    tree: xr.DataTree,
    groups: Sequence[str] = GROUPS,
    random_seed: RandomSeed = None,
    functions: ModelFunctions | None = None,
) -> xr.DataTree:
    """Add missing groups to a tree, and free variables that Bambi leaves out of its posterior; groups that exist are kept.

    Parameters
    ----------
    model
        The model that the draws are from.
    tree
        A tree with a ``posterior`` group (dims ``chain`` and ``draw``); it is not changed.
    groups
        Any of ``GROUPS``. Groups of the prior are left out where it cannot be drawn from: an improper prior, or one with a
        ``pm.Potential``. The prior predictive is also left out where data overflow; the reason is then in
        ``attrs["prior_predictive_left_out"]``.
    random_seed
        Anything ``numpy.random.default_rng`` takes.
    functions
        The model's functions, where the caller has them.

    Raises
    ------
    ValueError
        Where the model is refused, a group is unknown or the tree has no posterior.
    """
    unknown = [group for group in groups if group not in _MAKERS]
    if unknown:
        raise ValueError(f"Unknown groups {', '.join(unknown)}; choose among {', '.join(GROUPS)}.")
    functions = model_functions(model) if functions is None else functions
    free = matched_posterior(functions, tree)
    generator = generator_of(random_seed)
    result = tree.copy()
    posterior = tree["posterior"].to_dataset()
    # Bambi leaves some free variables out of its draws.
    result["posterior"] = xr.DataTree(posterior.assign(free.drop_vars([n for n in free if n in posterior])))
    drawable = _has_prior_draws(functions)
    for group in sorted(set(groups), key=GROUPS.index):
        if group in result.children or (group.startswith("prior") and not drawable):
            continue
        try:
            result[group] = xr.DataTree(_MAKERS[group](functions, result, generator))
        except ValueError as error:
            if group != "prior_predictive":
                raise
            # A wide prior allows data that overflow, such as counts at a rate of exp(50).
            result.attrs["prior_predictive_left_out"] = f"The prior allows data that cannot be drawn ({error})."
    return result


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _was_interrupted(posterior: xr.Dataset, draws: int) -> bool:
    """Whether draws of free variables are missing: samplers catch an interrupt and return those made so far.

    Chains that were interrupted are shorter, or filled up with NaN where another chain is longer.
    """
    if posterior.sizes["draw"] < draws:
        return True
    return any(bool(v.isnull().any()) for v in posterior.isel(draw=-1).data_vars.values())


def _plain_text(stats: xr.Dataset) -> xr.Dataset:
    """Messages of the sampler as text, empty where there is none; files do not store mixed objects."""
    messages = {k: v for k, v in stats.data_vars.items() if v.dtype == object}
    texts = {
        k: v.copy(data=np.array([m if isinstance(m, str) else "" for m in v.values.flat]).reshape(v.shape))
        for k, v in messages.items()
    }
    return stats.assign(texts)


def _has_prior_draws(functions: ModelFunctions) -> bool:
    """Whether drawing the free variables one after the other gives draws from the prior."""
    return not (prior_potentials(functions) or improper_names(functions.model))


def _dims(functions: ModelFunctions, name: str, values: Array) -> tuple[str, ...]:
    """The dims of a variable behind chain and draw."""
    return dims_of(functions.model, name, values.ndim - 2)


def _observed_data(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    arrays = functions.observed_data()
    dims = {name: dims_of(functions.model, name, values.ndim) for name, values in arrays.items()}
    return xr.Dataset({name: labelled(functions.model, name, v, (), dims[name]) for name, v in arrays.items()})


def _log_likelihood(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    tree = _with_few_draws(functions, tree)
    z = unconstrained_draws(functions, tree)
    flat = functions.pointwise(z)
    arrays = {}
    for v in functions.observed:
        values = flat[..., v.pointwise].reshape(*z.shape[:2], *v.shape)
        arrays[v.name] = labelled(functions.model, v.name, values, ("chain", "draw"), v.dims)
    return _with_sample_coords(xr.Dataset(arrays), tree["posterior"])


def _log_prior(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    z = unconstrained_draws(functions, tree)
    terms = functions.log_prior_terms(z)
    potentials = prior_potentials(functions)
    terms |= {p.name: values for p, values in zip(potentials, functions.evaluate(potentials, z), strict=True)}
    arrays = {}
    for name, term in terms.items():
        arrays[name] = labelled(functions.model, name, term, ("chain", "draw"), _dims(functions, name, term))
    return _with_sample_coords(xr.Dataset(arrays), tree["posterior"])


def _prior(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    posterior = tree["posterior"]
    size = int(posterior.sizes["chain"] * posterior.sizes["draw"])
    z = functions.prior_draws(size, generator)[None]
    dataset = functions.dataset(z, ("chain", "draw"))
    deterministics = functions.model.deterministics
    for variable, values in zip(deterministics, functions.evaluate(deterministics, z), strict=True):
        dims = _dims(functions, variable.name, values)
        dataset[variable.name] = labelled(functions.model, variable.name, values, ("chain", "draw"), dims)
    return dataset.assign_coords(chain=np.arange(1), draw=np.arange(z.shape[1]))


def _prior_predictive(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    prior = tree["prior"].to_dataset() if "prior" in tree.children else _prior(functions, tree, generator)
    most = min(PRIOR_PREDICTIVE_DRAWS, max(1, _MAX_NUMBERS // max(functions.n_observations, 1)))
    prior = prior.isel(draw=slice(0, most))
    return _predictive(functions, xr.DataTree.from_dict({"posterior": prior}), generator)


def _posterior_predictive(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    return _predictive(functions, _with_few_draws(functions, tree), generator)


def _with_few_draws(functions: ModelFunctions, tree: xr.DataTree) -> xr.DataTree:
    """A tree whose posterior has every k-th draw of each chain, so that one number per draw and observation fits into memory."""
    posterior = matched_posterior(functions, tree)
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    step = -(-chains * draws * functions.n_observations // _MAX_NUMBERS)
    if step <= 1:
        return tree
    labels = posterior.coords["draw"].values if "draw" in posterior.coords else np.arange(draws)
    few = posterior.assign_coords(draw=labels).isel(draw=slice(None, None, step))
    return xr.DataTree.from_dict({"posterior": few})


def _predictive(functions: ModelFunctions, tree: xr.DataTree, generator: np.random.Generator) -> xr.Dataset:
    try:
        distributions = observed_distributions(functions, unconstrained_draws(functions, tree))
    except TypeError:
        # For a family without a rule here, PyMC draws the data, which takes a compilation.
        return _predictive_by_pymc(functions, matched_posterior(functions, tree), generator)
    arrays = {}
    for v in functions.observed:
        if v.name in distributions:
            values = distributions[v.name].sample((), generator).astype(v.value.dtype)
            dims = _dims(functions, v.name, values)
            arrays[v.name] = labelled(functions.model, v.name, values, ("chain", "draw"), dims)
    return _with_sample_coords(xr.Dataset(arrays), tree["posterior"])


def _predictive_by_pymc(functions: ModelFunctions, draws: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    names = [rv.name for rv in functions.model.observed_RVs]
    with functions.model, without_c(), quiet():
        tree = pm.sample_posterior_predictive(
            xr.DataTree.from_dict({"posterior": draws}),
            var_names=names,
            random_seed=int(generator.integers(2**31)),
            progressbar=False,
        )
    return tree["posterior_predictive"].to_dataset()


def _with_sample_coords(dataset: xr.Dataset, like: Any) -> xr.Dataset:
    # Draws made by hand may come without labels.
    labels = {d: like.coords[d].values if d in like.coords else np.arange(like.sizes[d]) for d in ("chain", "draw")}
    return dataset.assign_coords(labels)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence PyMC's log messages below the level of warnings.

    Examples
    --------
    >>> logger = logging.getLogger("pymc")
    >>> with quiet():
    ...     logger.isEnabledFor(logging.INFO), logger.isEnabledFor(logging.WARNING)
    (False, True)
    """
    logger = logging.getLogger("pymc")
    before = logger.level
    logger.setLevel(max(logging.WARNING, before))
    try:
        yield
    finally:
        logger.setLevel(before)


_MAKERS = {
    "observed_data": _observed_data,
    "log_likelihood": _log_likelihood,
    "log_prior": _log_prior,
    "prior": _prior,
    "prior_predictive": _prior_predictive,
    "posterior_predictive": _posterior_predictive,
}
