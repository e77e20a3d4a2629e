"""The information about the parameters at a point: expected where it is a closed sum or quadrature, else observed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.quadrature_data import NodeData, node_data
from pp_mlekl.inputs.truth import truth_at
from pp_mlekl.pymc_model.distributions.from_pymc import unknown_families
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.validation import check_independence
from pp_mlekl.typing import Array

# The square of the score's expectation, relative to the information of one observation and the number of observations.
_SCORE = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class NullInformation:
    """Information of all data about the coordinates that are estimated.

    Parameters
    ----------
    matrix
        By the kept coordinates of z, (k, k).
    kind
        ``"expected"`` or ``"observed"``.
    """

    matrix: Array
    kind: Literal["expected", "observed"]


def null_information(problem: Problem, z: Array, generator: np.random.Generator) -> NullInformation:
    """Fisher's information at a null hypothesis, or the observed one where the expectation is no sum or quadrature.

    Parameters
    ----------
    problem
        The likelihood, with its data and weights.
    z
        The whole point (d,), where the gradient need not vanish.
    generator
        For the test whether rows are alike.
    """
    cut = np.ix_(problem.kept, problem.kept)
    nodes = information_nodes(problem, z, generator)
    if nodes is not None:
        _, score, hessian = nodes.hessian(problem.functions, z)
        expected = -hessian[cut]
        # By Bartlett's first identity the score has expectation 0; where it has not, the nodes are not good enough.
        most = _SCORE * nodes.weights.sum() * np.abs(np.diagonal(expected))
        if np.all(np.isfinite(expected)) and np.all(score[problem.kept] ** 2 <= most):
            return NullInformation(matrix=expected, kind="expected")
    return NullInformation(matrix=observed_information(problem, z)[cut], kind="observed")


def information_nodes(problem: Problem, z: Array, generator: np.random.Generator) -> NodeData | None:
    """Nodes of the model's own distributions at z, weighted as the data are; None where there are none but draws."""
    functions = problem.functions
    if len(functions.measured) < len(functions.observed) or unknown_families(functions) or not _independent(functions):
        return None
    nodes = node_data(functions, truth_at(functions, z), generator)
    if not nodes.exact:
        return None
    weights = np.ones(functions.n_observations) if problem.weights is None else np.asarray(problem.weights, dtype=float)
    shares = weights if nodes.row_of.max() else weights.mean(keepdims=True)
    return NodeData(
        data=nodes.data, weights=nodes.weights * shares[nodes.row_of], row_of=nodes.row_of, exact=nodes.exact
    )


def _independent(functions: ModelFunctions) -> bool:
    try:
        check_independence(functions.model)
    except ValueError:
        return False
    return True


def observed_information(problem: Problem, z: Array) -> Array:
    """Minus the Hessian by the natural parameters, brought to the coordinates of z, (d, d).

    The Hessian by z holds besides it the transforms' own curvature, times a gradient that at a null is not zero. Of
    parameters that are tied to each other (probabilities that sum to 1) the gradient is the one along their surface.
    """
    functions = problem.functions
    _, gradient, hessian = functions.value_gradient_hessian(z, weights=problem.weights, data=problem.data)
    natural = np.linalg.pinv(functions.natural_jacobian(z)).T @ gradient
    return functions.natural_bend(z, natural) - hessian
