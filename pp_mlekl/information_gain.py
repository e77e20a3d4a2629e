"""How far the data moved us: divergences between prior and posterior, joint and per parameter."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.bridge.chains import mean_and_error
from pp_mlekl.bridge.control import controlled_mean
from pp_mlekl.bridge.density_ratio import WithError, density_ratio_divergences
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.spacing import spacing_entropy
from pp_mlekl.evidence import log_evidence as estimate_log_evidence
from pp_mlekl.pymc_model.layout import labelled
from pp_mlekl.pymc_model.marginal_prior import marginal_log_prior
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.prior_draws import improper_names
from pp_mlekl.pymc_model.sampling import sample

_PRIOR_DRAWS = 4000


def information_gain(
    model: Any,
    tree: xr.DataTree | None = None,
    *,
    log_evidence: Estimate | None = None,
    var_names: Sequence[str] | None = None,
    potentials: Literal["prior", "likelihood"] | None = None,
    random_seed: Any = None,
) -> xr.DataTree:
    """Divergences between prior and posterior, in nats, each with its standard error.

    Parameters
    ----------
    model
        A PyMC model with a proper prior.
    tree
        Posterior draws (``chain``, ``draw``); sampled where None.
    log_evidence
        log Z, estimated by bridge sampling where None.
    var_names
        The free variables whose marginal divergence is wanted; all where None.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        Anything ``numpy.random.default_rng`` takes.

    Returns
    -------
    xarray.DataTree
        ``joint``: scalars ``kl_posterior_prior``, ``kl_prior_posterior``, ``jsd``, ``total_variation``,
        ``hellinger_squared``, ``log_evidence``, ``model_dimensionality``, ``dependence_gap`` (joint KL less the sum of the
        marginal ones), each with ``..._mcse``; ``marginal`` and ``marginal_mcse``: KL(post||prior) of each element of each
        free variable. What cannot be had is NaN, and the tree's ``warnings`` attribute says why.

    Raises
    ------
    ValueError
        Where a prior is improper, or ``var_names`` names no free variable.
    """
    functions = model_functions(model, potentials)
    improper = improper_names(model)
    if improper:
        raise ValueError(
            f"The prior of {', '.join(improper)} is improper: there is no divergence from it. Give it a proper prior."
        )
    names = [v.name for v in functions.free]
    unknown = set(var_names or ()) - set(names)
    if unknown:
        raise ValueError(
            f"var_names names no free variable: {', '.join(sorted(unknown))}; there are {', '.join(names)}."
        )
    generator = np.random.default_rng(random_seed)
    tree = sample(model, random_seed=generator, potentials=potentials) if tree is None else tree
    if log_evidence is None:
        log_evidence = estimate_log_evidence(model, tree, potentials=potentials, random_seed=generator)
    z = functions.unconstrain_draws(tree["posterior"].to_dataset())
    prior = functions.prior_draws(_PRIOR_DRAWS, generator)
    joint, warnings = _joint(functions, z, prior, log_evidence)
    marginal, errors, more = _marginal(functions, z, prior, list(var_names or names))
    if var_names is None:
        joint |= _dependence_gap(joint["kl_posterior_prior"], marginal, errors)
    return _as_tree(functions, joint, marginal, errors, [*log_evidence.warnings, *warnings, *more])


def _joint(
    functions: ModelFunctions, z: np.ndarray, prior: np.ndarray, evidence: Estimate
) -> tuple[dict[str, WithError], list[str]]:
    log_likelihood = functions.log_likelihood(z)
    _, gradients = functions.value_gradient(z, a=1.0, b=1.0)
    value, error = controlled_mean(log_likelihood, z, gradients)
    log_z = WithError(value=float(evidence), standard_error=float(evidence.mcse))
    at_prior = functions.log_likelihood(prior)
    at_prior = np.where(np.isnan(at_prior), -np.inf, at_prior)
    joint = density_ratio_divergences(log_likelihood, at_prior, log_z, WithError(value=value, standard_error=error))
    joint["log_evidence"] = log_z
    return joint, [f"{name}: {w}" for name, number in joint.items() for w in number.warnings]


def _marginal(
    functions: ModelFunctions, z: np.ndarray, prior: np.ndarray, names: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[str]]:
    values, errors, warnings = {}, {}, []
    for v in functions.free:
        if v.name not in names:
            continue
        density = marginal_log_prior(functions, v, z, prior)
        if density is None:
            values[v.name] = errors[v.name] = np.full(v.shape, np.nan)
            warnings.append(f"{v.name}: the marginal prior density of its elements is not known in closed form.")
            continue
        draws, log_prior = density
        try:
            pairs = [_element(draws[..., i], log_prior[..., i]) for i in range(draws.shape[-1])]
        except ValueError as error:
            values[v.name] = errors[v.name] = np.full(v.shape, np.nan)
            warnings.append(f"{v.name}: {error}")
            continue
        values[v.name] = np.array([p[0] for p in pairs]).reshape(v.shape)
        errors[v.name] = np.array([p[1] for p in pairs]).reshape(v.shape)
    return values, errors, warnings


def _element(draws: np.ndarray, log_prior: np.ndarray) -> tuple[float, float]:
    """KL(post||prior) of one element from its draws (chain, draw) and its log prior density there."""
    entropy, log_density = spacing_entropy(draws.ravel())
    # The estimate's influence function is the log ratio itself: its chain error is that of their mean.
    _, error = mean_and_error(log_density.reshape(draws.shape) - log_prior)
    return -entropy - float(log_prior.mean()), error


def _dependence_gap(
    joint: WithError, marginal: dict[str, np.ndarray], errors: dict[str, np.ndarray]
) -> dict[str, WithError]:
    total = sum(float(np.sum(v)) for v in marginal.values())
    error = float(np.sqrt(joint.standard_error**2 + sum(float(np.sum(e**2)) for e in errors.values())))
    return {"dependence_gap": WithError(value=joint.value - total, standard_error=error)}


def _as_tree(
    functions: ModelFunctions,
    joint: dict[str, WithError],
    marginal: dict[str, np.ndarray],
    errors: dict[str, np.ndarray],
    warnings: list[str],
) -> xr.DataTree:
    scalars = {name: number.value for name, number in joint.items()}
    scalars |= {f"{name}_mcse": number.standard_error for name, number in joint.items()}
    free = {v.name: v for v in functions.free}

    def dataset(arrays: dict[str, np.ndarray]) -> xr.Dataset:
        return xr.Dataset({name: labelled(functions.model, name, a, (), free[name].dims) for name, a in arrays.items()})

    tree = xr.DataTree.from_dict(
        {"joint": xr.Dataset(scalars), "marginal": dataset(marginal), "marginal_mcse": dataset(errors)}
    )
    tree.attrs |= {"units": "nats", "direction": "marginal: KL(posterior||prior)", "warnings": warnings}
    return tree
