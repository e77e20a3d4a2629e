"""``compare``: fit one model by all methods and compare the fits."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from pp_mlekl.comparison.comparison_result import Comparison
from pp_mlekl.comparison.loo_repair import repaired_loo
from pp_mlekl.comparison.marginal_estimate import find_marginal_estimate
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.estimation.delta_method import delta_method
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.posterior.evidence import log_evidence
from pp_mlekl.posterior.information_gain import information_gain
from pp_mlekl.posterior.laplace import laplace
from pp_mlekl.pymc_model.draws.before_sampling import check_settings, initial_values, with_sample_kwargs
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.draws.sampling import ensure_groups, sample
from pp_mlekl.pymc_model.marginal_prior_density import prior_density_curves
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.model_summary import describe_definitions, describe_variables
from pp_mlekl.typing import Array, Names, NutsSampler, Potentials, RandomSeed, SampleKwargs, TruthLike
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.garbage_collection import collected_rarely
from pp_mlekl.utils.progress import Progress, progress_bar
from pp_mlekl.utils.seeds import integer_of
from pp_mlekl.utils.warning_attributes import read_warnings, warnings_attribute

if TYPE_CHECKING:
    import pymc as pm

_PACKAGES = ("pp_mlekl", "pymc", "pytensor", "arviz", "nutpie", "numpy", "scipy", "xarray")
SKIPPABLE = ("fitted", "evidence", "laplace", "loo", "predictive", "derived", "marginal")
# Deterministics with more elements, such as linear predictors, are not estimated by the delta method.
_MAX_DERIVED = 50
# Draws times observations whose likelihood is evaluated for the evidence and the divergence from the prior.
_MAX_TERMS = 40_000_000
# Prior densities are kept of variables with at most this number of elements: pages plot no more.
_MAX_CURVES = 400


@deprecated_arguments(renamed={"sampler": "nuts_sampler"})
@collected_rarely()
@checked_arguments
def compare(
    model: "pm.Model",
    truth: TruthLike | None = None,
    *,
    idata: xr.DataTree | None = None,
    draws: int = 1000,
    chains: int = 4,
    nuts_sampler: NutsSampler = "nutpie",
    sample_kwargs: SampleKwargs | None = None,
    var_names: Names | None = None,
    ci_prob: float | None = None,
    skip: Names = (),
    name: str | None = None,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
    progress: Progress = True,
) -> Comparison:
    """Fit a model by MLE, MAP and sampling, and compare the fits.

    Parameters
    ----------
    model
        A PyMC model.
    truth
        Parameter values, another model, a distribution or held-out draws. If None, plug-in distributions are compared with
        the posterior predictive.
    idata
        Posterior draws of the model; groups that they lack are computed. If None, the model is sampled.
    draws, chains
        Number of draws per chain, and number of chains.
    nuts_sampler
        ``"nutpie"`` or any other ``nuts_sampler`` of ``pm.sample``.
    sample_kwargs
        Further arguments of ``pm.sample``, such as ``tune`` and ``target_accept``.
    var_names
        The free variables to report; all if None.
    ci_prob
        Probability of credible intervals; ArviZ's ``rcParams["stats.ci_prob"]`` if None.
    skip
        Parts to leave out: ``"fitted"`` (divergences of fitted distributions), ``"evidence"``, ``"laplace"``, ``"loo"``
        (leave-one-out and prior sensitivity), ``"predictive"``, ``"derived"`` (estimates of deterministics),
        ``"marginal"`` (the MLE with latent variables integrated out, which is computed where the joint MLE is not
        regular).
    name
        Name of the model in tables and pages.
    random_seed
        Seed of all random numbers. The result keeps it as an integer (drawn from a Generator or SeedSequence, random if
        None), which reproduces the result.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    progress
        Whether to show a progress bar in terminals and notebooks, or a function that is called with the name of each step.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If the model is not supported, the truth or the draws do not match it, a name is unknown, a number of draws
        is not a positive integer or too large for the memory, or no initial point has a finite density.
    ImportError
        If the sampler is not installed.
    """
    start = time.perf_counter()
    seed = integer_of(random_seed)
    generator = np.random.default_rng(seed)
    functions = model_functions(model, potentials)
    shown, left_out = _checked(functions, var_names, ci_prob, skip)
    settings: dict[str, Any] = {"draws": draws, "chains": chains, "nuts_sampler": nuts_sampler}
    shared: dict[str, Any] = {"random_seed": generator, "potentials": potentials}
    with_sample_kwargs(sample_kwargs, **settings, **shared)
    check_comparison(functions, truth, settings if idata is None else None)
    with progress_bar(name or functions.model.name or "compare", 4, progress) as step:
        step("point estimates")
        estimates = _estimates(model, potentials, generator)
        (of_marginal,) = generator.spawn(1)
        marginal = None
        if "marginal" not in left_out:
            marginal = find_marginal_estimate(model, functions, estimates["mle"], potentials, of_marginal)
        if idata is None:
            step(f"sampling ({counted(chains, 'chain')} of {counted(draws, 'draw')})")
            tree = sample(model, **with_sample_kwargs(sample_kwargs, **settings, **shared))
        else:
            step("groups that the draws lack")
            tree = ensure_groups(model, idata, random_seed=generator, functions=functions)
        step("information gained from the data")
        few = _with_affordable_draws(functions, tree)
        gained = _information(model, few, estimates["map_unconstrained"], potentials, generator, left_out)
        step("divergence from the truth" if truth is not None else "plug-in against posterior predictive")
        tree["fitted"] = xr.DataTree(_fitted(functions, truth, tree, estimates, potentials, generator, left_out))
    tree["information_gain"] = gained
    for observed, pointwise in ({} if "loo" in left_out else repaired_loo(functions, tree)).items():
        tree[f"loo/{observed}"] = xr.DataTree(pointwise)
    _add_estimates(tree, functions, estimates)
    for group, dataset in (marginal.groups() if marginal else {}).items():
        tree[group] = xr.DataTree(dataset)
    _add_prior_densities(tree, functions)
    if "derived" not in left_out:
        _add_derived(tree, functions, estimates["mle"], potentials)
    if isinstance(truth, Mapping):
        tree["truth"] = xr.DataTree(functions.to_dataset(_truth_values(functions, truth)))
    groups = {"loo": ("log_likelihood",), "predictive": ("posterior_predictive", "prior_predictive")}
    for group in (g for part in left_out for g in groups.get(part, ()) if g in tree.children):
        del tree[group]
    tree.attrs |= _attributes(functions, estimates, name or functions.model.name or "model", seed, nuts_sampler, truth)
    tree.attrs |= {"var_names": shown, "skipped": list(left_out)} | ({} if ci_prob is None else {"ci_prob": ci_prob})
    for node in tree.subtree:
        node.attrs = _plain(node.attrs)
    tree.attrs["run_time_seconds"] = round(time.perf_counter() - start, 2)
    return Comparison(tree=tree)


def check_comparison(functions: ModelFunctions, truth: TruthLike | None, settings: Mapping[str, Any] | None) -> None:
    """Raise as ``compare`` does, before anything is computed.

    Parameters
    ----------
    functions
        The model's functions.
    truth
        As in ``compare``.
    settings
        ``draws``, ``chains`` and ``nuts_sampler``; None if the draws exist.
    """
    if settings is not None:
        check_settings(functions, **settings)
        initial_values(functions)
    if truth is not None:
        as_truth(functions, truth)


def _checked(
    functions: ModelFunctions, var_names: Sequence[str] | None, ci_prob: float | None, skip: Sequence[str]
) -> tuple[list[str], tuple[str, ...]]:
    """The free variables to report and the parts to skip, each checked."""
    free = [v.name for v in functions.free]
    shown = free if var_names is None else list(var_names)
    check_names("var_names", shown, free)
    check_names("skip", skip, SKIPPABLE, fewest=0)
    if ci_prob is not None:
        check_ci_prob(ci_prob)
    return shown, tuple(skip)


def _estimates(model: "pm.Model", potentials: Potentials, generator: np.random.Generator) -> dict[str, PointEstimate]:
    return {
        "mle": find_mle(model, random_seed=generator, potentials=potentials),
        "map": find_map(model, space="natural", random_seed=generator, potentials=potentials),
        "map_unconstrained": find_map(model, space="unconstrained", random_seed=generator, potentials=potentials),
    }


def _fitted(
    functions: ModelFunctions,
    truth: Any,
    tree: xr.DataTree,
    estimates: dict[str, PointEstimate],
    potentials: Potentials,
    generator: np.random.Generator,
    left_out: tuple[str, ...],
) -> xr.Dataset:
    """Divergences of the fits; empty if the likelihood consists of potentials only."""
    none = {"estimator": np.array([], dtype=str)}
    if "fitted" in left_out:
        return xr.Dataset(coords=none)
    if not functions.measured:
        note = (
            "The likelihood consists of potentials only, which do not define a distribution of data, so divergences of "
            "fitted distributions are unavailable."
        )
        return xr.Dataset(coords=none, attrs={"warnings": warnings_attribute([note])})
    return fitted_divergence(
        functions.model, truth, idata=tree, estimates=estimates, random_seed=generator, potentials=potentials
    )


def _with_affordable_draws(functions: ModelFunctions, tree: xr.DataTree) -> xr.DataTree:
    """The tree, or every k-th of its draws where the likelihood of all of them would take longer than the sampling.

    Evidence and divergences are then means over fewer draws, with wider error bars.
    """
    sizes = tree["posterior"].sizes
    step = -(-sizes["chain"] * sizes["draw"] * functions.n_observations // _MAX_TERMS)
    if step <= 1:
        return tree
    kept = [name for name in ("posterior", "prior", "log_prior", "sample_stats") if name in tree.children]
    return xr.DataTree.from_dict({n: tree[n].to_dataset().isel(draw=slice(None, None, step)) for n in kept})


def _information(
    model: "pm.Model",
    tree: xr.DataTree,
    mode: PointEstimate,
    potentials: Potentials,
    generator: np.random.Generator,
    left_out: tuple[str, ...],
) -> xr.DataTree:
    evidence = Estimate(value=np.nan, mcse=np.nan, method="none", direction="log Z")
    if "evidence" not in left_out:
        try:
            evidence = log_evidence(model, tree, potentials=potentials, random_seed=generator)
        except ValueError as error:
            # Too few draws: the divergences of single parameters are still available.
            evidence = replace(evidence, warnings=(str(error),))
    try:
        gained = information_gain(model, tree, log_evidence=evidence, potentials=potentials, random_seed=generator)
    except ValueError as error:
        # There is no divergence from an improper prior, or from one that cannot be sampled.
        return xr.DataTree(xr.Dataset(attrs={"units": "nats", "warnings": warnings_attribute([str(error)])}))
    notes = list(read_warnings(gained.attrs))
    approximation = {} if "laplace" in left_out else _laplace(model, tree, mode, evidence, potentials, notes)
    gained["joint"] = xr.DataTree(gained["joint"].to_dataset().assign(approximation))
    gained.attrs |= {"warnings": warnings_attribute(notes), "evidence_method": evidence.method}
    return gained


def _laplace(
    model: "pm.Model",
    tree: xr.DataTree,
    mode: PointEstimate,
    evidence: Estimate,
    potentials: Potentials,
    notes: list[str],
) -> dict[str, float]:
    """Divergences between posterior and Laplace approximation, if there is a mode; warnings are added to ``notes``."""
    if mode.status != "converged":
        return {}
    approximation = laplace(model, mode, space="unconstrained", draws=1, potentials=potentials, random_seed=0)
    result = {"laplace_pareto_k": approximation.pareto_k(random_seed=0)}
    for key, estimate in (
        ("kl_posterior_laplace", approximation.kl_from_posterior(tree, evidence)),
        ("kl_laplace_posterior", approximation.kl_to_posterior(evidence, random_seed=1)),
    ):
        result |= {key: float(estimate), f"{key}_mcse": float(estimate.mcse)}
        notes += [f"{key}: {w}" for w in estimate.warnings if w not in evidence.warnings]
    return result


def _add_estimates(tree: xr.DataTree, functions: ModelFunctions, estimates: dict[str, PointEstimate]) -> None:
    names = xr.DataArray(list(estimates), dims="estimator", name="estimator")
    tree["point_estimate"] = xr.DataTree(xr.concat([e.values for e in estimates.values()], dim=names))
    tree["point_estimate_se"] = xr.DataTree(xr.concat([e.standard_error for e in estimates.values()], dim=names))
    audits = [e.audit for e in estimates.values()]
    columns = {
        "status": [e.status for e in estimates.values()],
        "log_likelihood": [e.log_likelihood for e in estimates.values()],
        "log_prior": [e.log_prior for e in estimates.values()],
        "aic": [e.aic for e in estimates.values()],
        "bic": [e.bic for e in estimates.values()],
    }
    for field in ("gradient_norm", "smallest_eigenvalue", "largest_eigenvalue", "rank", "starts", "agree"):
        columns[field] = [getattr(a, field) for a in audits]
    audit = xr.Dataset({k: ("estimator", np.asarray(v)) for k, v in columns.items()}, coords={"estimator": names})
    audit.attrs["warnings"] = json.dumps({k: list(e.warnings) for k, e in estimates.items()})
    tree["audit"] = xr.DataTree(audit)


def _add_prior_densities(tree: xr.DataTree, functions: ModelFunctions) -> None:
    """Add exact marginal prior densities: of each free variable a Dataset over ``grid`` and its own dims."""
    if "prior" not in tree.children:
        return
    groups = (xr.DataTree.from_dict({"posterior": tree[group].to_dataset()}) for group in ("posterior", "prior"))
    z, prior = (unconstrained_draws(functions, group).reshape(-1, functions.size) for group in groups)
    points: dict[str, xr.DataArray] = {}
    densities: dict[str, xr.DataArray] = {}
    for variable in functions.free:
        small = int(np.prod(variable.shape, dtype=int)) <= _MAX_CURVES
        curves = prior_density_curves(functions, variable, z, prior) if small else None
        if curves is not None:
            like = tree["posterior"][variable.name].isel(chain=0, draw=0, drop=True)
            for found, values in ((points, curves[0]), (densities, curves[1])):
                found[variable.name] = like.expand_dims(grid=len(values)).copy(data=values.reshape(-1, *like.shape))
    tree["prior_density"] = xr.DataTree.from_dict({"x": xr.Dataset(points), "density": xr.Dataset(densities)})


def _add_derived(tree: xr.DataTree, functions: ModelFunctions, mle: PointEstimate, potentials: Potentials) -> None:
    """Add maximum likelihood estimates of the model's deterministics with standard errors by the delta method."""
    posterior = tree["posterior"].to_dataset()
    sizes = {v.name: posterior[v.name][0, 0].size for v in functions.model.deterministics if v.name in posterior}
    names = [n for n, size in sizes.items() if size <= _MAX_DERIVED and posterior[n].dtype.kind == "f"]
    if not names:
        return
    try:
        found = delta_method(functions.model, mle, var_names=names, potentials=potentials)
        values, errors = found.values, found.standard_error
    except ValueError:
        # An operation without a derivative, or an estimate without a covariance: only the posterior is known.
        values = errors = xr.full_like(posterior[names].isel(chain=0, draw=0, drop=True), np.nan)
    tree["derived_estimate"], tree["derived_estimate_se"] = xr.DataTree(values), xr.DataTree(errors)


def package_versions() -> dict[str, str]:
    """The versions of the packages on which a comparison depends, as attributes of its tree."""
    return {f"{package}_version": version(package) for package in _PACKAGES}


def _truth_values(functions: ModelFunctions, truth: Mapping[Any, Any]) -> dict[str, Array]:
    return {v.name: np.asarray(truth[v.name], dtype=np.float64).reshape(v.shape) for v in functions.free}


def _attributes(
    functions: ModelFunctions, estimates: dict[str, PointEstimate], name: str, seed: int, sampler: str, truth: Any
) -> dict[str, Any]:
    return {
        **package_versions(),
        "model_name": name,
        "variables": json.dumps(describe_variables(functions)),
        "definitions": json.dumps(describe_definitions(functions.model)),
        "n_observations": functions.n_observations,
        "n_parameters": functions.natural_size,
        "random_seed": seed,
        "sampler": sampler,
        "truth": "unknown" if truth is None else type(truth).__name__,
        "units": "nats",
    }


def _plain(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes that survive every file format: text, numbers and non-empty lists."""
    simple: dict[Any, Any] = {}
    for key, value in attributes.items():
        if isinstance(value, list | tuple):
            if value:
                simple[key] = list(value)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            simple[key] = value
        else:
            simple[key] = json.dumps(value)
    return simple
