"""One model, every question: estimates, information gained, distance from the truth."""

import json
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.comparison.comparison_result import Comparison
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.posterior.evidence import log_evidence
from pp_mlekl.posterior.information_gain import information_gain
from pp_mlekl.posterior.laplace import laplace
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.draws.sampling_checks import check_settings, initial_values
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.model_summary import describe_variables
from pp_mlekl.typing import Array, Potentials, RandomSeed
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.garbage_collection import collected_rarely
from pp_mlekl.utils.seeds import integer_of

_PACKAGES = ("pp_mlekl", "pymc", "pytensor", "arviz", "nutpie", "numpy", "scipy", "xarray")
Progress = Callable[[str], None] | None


@deprecated_arguments(renamed={"sampler": "nuts_sampler"})
@collected_rarely()
def compare(
    model: Any,
    truth: Any = None,
    *,
    draws: int = 1000,
    chains: int = 4,
    random_seed: RandomSeed = None,
    nuts_sampler: str = "nutpie",
    sample_kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    potentials: Potentials = None,
    progress: Progress = None,
) -> Comparison:
    """Fit a model in every way and compare the fits.

    Parameters
    ----------
    model
        A PyMC model.
    truth
        Parameter values, another model, a distribution or held-out draws; None where nobody knows it: then the
        posterior predictive is what the plug-in distributions are compared with.
    draws, chains
        Kept draws of each chain, and the number of chains.
    random_seed
        An integer, SeedSequence or Generator. An integer is drawn from the latter two, and a random one where it is
        None; the result keeps it, and it gives the same numbers again.
    nuts_sampler
        ``"nutpie"`` or any other of ``pm.sample``.
    sample_kwargs
        Further arguments of ``pm.sample`` (``tune``, ``target_accept``, ``cores``, ...).
    name
        What to call the model in tables and pages.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    progress
        Called with a line of text before each step.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        Where the model is refused, the truth does not fit it, a number of draws is no positive integer or too large for
        the memory, the sampler is unknown, or the density is finite nowhere.
    ImportError
        Where the sampler is not installed.
    """
    start = time.perf_counter()
    say = progress or (lambda _: None)
    seed = integer_of(random_seed)
    generator = np.random.default_rng(seed)
    functions = model_functions(model, potentials)
    # What cannot be sampled and a truth that does not fit are refused before anything is computed.
    check_settings(functions, draws=draws, chains=chains, nuts_sampler=nuts_sampler)
    initial_values(functions)
    if truth is not None:
        as_truth(functions, truth)
    say("point estimates")
    estimates = _estimates(model, potentials, generator)
    say(f"sampling ({chains} chains of {draws} draws)")
    tree = sample(
        model,
        draws=draws,
        chains=chains,
        random_seed=generator,
        nuts_sampler=nuts_sampler,
        potentials=potentials,
        **(sample_kwargs or {}),
    )
    say("information gained from the data")
    gained = _information(model, tree, estimates["map_unconstrained"], potentials, generator)
    say("distance of the fits from the truth" if truth is not None else "what the point estimates throw away")
    tree["fitted"] = xr.DataTree(_fitted(functions, truth, tree, estimates, potentials, generator))
    tree["information_gain"] = gained
    _add_estimates(tree, functions, estimates)
    if isinstance(truth, Mapping):
        tree["truth"] = xr.DataTree(functions.to_dataset(_truth_values(functions, truth)))
    tree.attrs |= _attributes(functions, estimates, name or functions.model.name or "model", seed, nuts_sampler, truth)
    for node in tree.subtree:
        node.attrs = _plain(node.attrs)
    tree.attrs["run_time_seconds"] = round(time.perf_counter() - start, 2)
    return Comparison(tree=tree)


def _estimates(model: Any, potentials: Any, generator: np.random.Generator) -> dict[str, PointEstimate]:
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
    potentials: Any,
    generator: np.random.Generator,
) -> xr.Dataset:
    """How far the fits are from the truth; of no fit where the likelihood is no distribution of data."""
    if not functions.measured:
        note = (
            "The likelihood consists of potentials alone, which say nothing of how data arise: how far the fitted "
            "distributions are apart cannot be said."
        )
        return xr.Dataset(coords={"estimator": np.array([], dtype=str)}, attrs={"warnings": note})
    return fitted_divergence(
        functions.model, truth, idata=tree, estimates=estimates, random_seed=generator, potentials=potentials
    )


def _information(
    model: Any, tree: xr.DataTree, mode: PointEstimate, potentials: Any, generator: np.random.Generator
) -> xr.DataTree:
    try:
        evidence = log_evidence(model, tree, potentials=potentials, random_seed=generator)
    except ValueError as error:
        # Too few draws: the divergences of single parameters remain.
        evidence = Estimate(value=np.nan, mcse=np.nan, method="none", direction="log Z", warnings=(str(error),))
    try:
        gained = information_gain(model, tree, log_evidence=evidence, potentials=potentials, random_seed=generator)
    except ValueError as error:
        # An improper prior, or one that cannot be drawn from: there is no divergence from it.
        return xr.DataTree(xr.Dataset(attrs={"units": "nats", "warnings": json.dumps([str(error)])}))
    notes = list(gained.attrs["warnings"])
    gained["joint"] = xr.DataTree(
        gained["joint"].to_dataset().assign(_laplace(model, tree, mode, evidence, potentials, notes))
    )
    gained.attrs |= {"warnings": json.dumps(notes), "evidence_method": evidence.method}
    return gained


def _laplace(
    model: Any, tree: xr.DataTree, mode: PointEstimate, evidence: Estimate, potentials: Any, notes: list[str]
) -> dict[str, float]:
    """How far the posterior is from the normal at its mode, where there is a mode; what to know of it goes to ``notes``."""
    if mode.status != "converged":
        return {}
    if mode.settled.without_hessian:
        notes.append(f"There is no Laplace approximation. {mode.settled.without_hessian}")
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


def _truth_values(functions: ModelFunctions, truth: Mapping[str, Any]) -> dict[str, Array]:
    return {v.name: np.asarray(truth[v.name], dtype=np.float64).reshape(v.shape) for v in functions.free}


def _attributes(
    functions: ModelFunctions, estimates: Any, name: str, seed: int, sampler: str, truth: Any
) -> dict[str, Any]:
    versions = {f"{package}_version": version(package) for package in _PACKAGES}
    return {
        **versions,
        "model_name": name,
        "variables": json.dumps(describe_variables(functions)),
        "n_observations": functions.n_observations,
        "n_parameters": functions.natural_size,
        "random_seed": seed,
        "sampler": sampler,
        "truth": "unknown" if truth is None else type(truth).__name__,
        "units": "nats",
    }


def _plain(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes that every file format gives back as they were: text, numbers and lists that are not empty."""
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
