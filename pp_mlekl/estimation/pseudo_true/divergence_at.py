"""KL(true||model) at given parameters: by the divergence rules, or from the truth's nodes where a family has no rules."""

from collections.abc import Callable

import numpy as np

from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.estimation.quadrature_data import NodeData
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions, unknown_families
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array


def divergence(functions: ModelFunctions, truth: Truth) -> Callable[[Array], Array]:
    """KL(true||model) at points (b, d), mean over the rows, (b,)."""

    def kl(flat: Array) -> Array:
        fitted = observed_distributions(functions, flat)
        total = np.zeros(len(flat))
        for name, p in truth.distributions.items():
            total += np.asarray(kl_divergence(p, fitted[name]).value).reshape(len(flat), -1).sum(axis=1)
        return total / functions.n_observations

    return kl


def unknown(functions: ModelFunctions, truth: Truth) -> bool:
    """Whether the truth or the model has a family without divergence rules."""
    return truth.kind == "draws" or bool(truth.sampled) or bool(unknown_families(functions))


def minimum(functions: ModelFunctions, truth: Truth, flat: Array, nodes: NodeData) -> tuple[float, float]:
    """The sum over rows of KL(true||model), and its Monte Carlo error."""
    if truth.kind == "draws":
        return np.nan, np.nan
    if unknown(functions, truth):
        return _sampled_minimum(functions, truth, flat, nodes)
    fitted = observed_distributions(functions, flat)
    estimates = [kl_divergence(truth.distributions[v.name], fitted[v.name]) for v in functions.observed]
    error = np.sqrt(sum(np.sum(np.square(np.broadcast_to(e.mcse, np.shape(e.value)))) for e in estimates))
    return float(sum(np.sum(e.value) for e in estimates)), float(error)


def _sampled_minimum(functions: ModelFunctions, truth: Truth, flat: Array, nodes: NodeData) -> tuple[float, float]:
    """The same from the log densities at the nodes."""
    log_q = functions.pointwise(flat, data=nodes.data)
    log_p = np.zeros(log_q.shape)
    for variable in functions.observed:
        values = nodes.data[variable.name]
        sampled = truth.sampled.get(variable.name)
        if sampled is None:
            rows = truth.distributions[variable.name].log_density(values)
        else:
            rows = sampled.density(sampled.taken, values)
        log_p[:, variable.pointwise] = np.reshape(rows, (len(values), -1))
    with np.errstate(invalid="ignore"):
        ratio = np.where(nodes.weights > 0, log_p - log_q, 0.0)
    terms = np.sum(nodes.weights * ratio, axis=1)
    # A data set of nodes of one variable has equal weights; the spread between data sets is the sampling error.
    used = terms[np.any(nodes.weights > 0, axis=1)]
    error = 0.0 if nodes.exact else float(np.std(used, ddof=1) * np.sqrt(len(used)))
    return float(np.sum(terms)), error
