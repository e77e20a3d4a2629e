"""The fits of many data sets at once, by one batched Newton search."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedFit
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.optimize.batched import maximize_along_kinks, maximize_replicates
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# A fit whose curvature, in some direction, is this small beside what the data should carry sits on a plateau: its
# estimate runs off to an edge.
_FLAT = 1e-7


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplicateFits:
    """The estimates from many data sets.

    Parameters
    ----------
    flat
        z of each fit, (count, d).
    exists
        Whether each data set has a regular maximum; where it has none, the fitted distribution is at the edge of
        the model and ``excess`` is infinite.
    excess
        KL(true||fit) - KL(true||pseudo-true), mean over the model's rows, (count,), in nats.
    hessian
        Of the log-likelihood at each fit, over the kept coordinates, (count, k, k); NaN at kinks.
    """

    COEFFICIENTS: ClassVar[dict[str, tuple[float, float]]] = {
        "mle": (0.0, 0.0),
        "map": (1.0, 0.0),
        "map_unconstrained": (1.0, 1.0),
    }

    flat: Array
    exists: Array
    excess: Array
    hessian: Array


def fit_replicates(
    functions: ModelFunctions, replicates: Replicates, star: ExpectedFit, estimator: str = "mle"
) -> ReplicateFits:
    """Fit every data set, starting from the pseudo-true parameter.

    Parameters
    ----------
    functions
        The model's functions.
    replicates
        The data sets.
    star
        The pseudo-true parameter, with its information matrices.
    estimator
        ``"mle"``, ``"map"`` or ``"map_unconstrained"``.
    """
    a, b = ReplicateFits.COEFFICIENTS[estimator]
    kept = star.problem.kept if estimator == "mle" else np.arange(functions.size)
    objective = Objective(size=functions.size, evaluate=replicates.evaluator(functions, a=a, b=b)).restricted(
        kept, star.problem.base
    )
    starts = np.repeat(star.flat[None, kept], replicates.count, axis=0)
    if star.kinked is None:
        inverse = _inverse_information(star, len(kept), replicates.size)
        ends = maximize_replicates(objective, starts, inverse_hessian=inverse)
    else:
        ends = maximize_along_kinks(objective, starts)
    flat = np.repeat(star.problem.base[None], replicates.count, axis=0)
    flat[:, kept] = ends.z
    exists = ends.converged & curved(star, ends.hessian, replicates.size)
    excess = np.full(replicates.count, np.inf)
    if star.kinked is None:
        expected = star.problem.nodes.expected_log_likelihood(functions, flat[exists])
        excess[exists] = (star.expected_log_likelihood - expected) / functions.n_observations
    elif exists.any():
        excess[exists] = star.kinked(flat[exists]) - star.kl_min / functions.n_observations
    return ReplicateFits(flat=flat, exists=exists, excess=excess, hessian=ends.hessian)


def _inverse_information(star: ExpectedFit, parameters: int, size: int) -> Array | None:
    """The inverse Hessian to start from, where the information is about the same parameters and regular."""
    information = star.information
    if information is None or len(information.hessian) != parameters or information.rank < parameters:
        return None
    return information.naive(size)


def curved(star: ExpectedFit, hessians: Array, size: int) -> Array:
    """Whether each Hessian is negative definite, measured by the information that the data should carry.

    At a kink there is no Hessian, and no more to ask.
    """
    if star.kinked is not None:
        return np.ones(len(hessians), dtype=bool)
    information = star.information
    if information is None or len(information.hessian) != hessians.shape[1]:
        return np.linalg.eigvalsh(hessians)[:, -1] < 0
    root = np.linalg.cholesky(information.hessian * size)
    inverse = np.linalg.inv(root)
    return np.linalg.eigvalsh(-inverse @ hessians @ inverse.T)[:, 0] > _FLAT
