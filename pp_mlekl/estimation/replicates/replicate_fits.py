"""The fits of many data sets at once, by one batched Newton search."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedPoint
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import maximize_along_kinks, maximize_replicates
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# A fit whose curvature in some direction is below this fraction of the expected information lies on a plateau: its
# estimate diverges or tends to the boundary.
_FLAT = 1e-7

STATUSES = ("converged", "plateau", "unconverged", "not_finite", "failed")
"""Verdicts on the fit of one data set: a regular maximum; a likelihood that flattens towards infinity or the boundary; a search
that did not end; a likelihood that is not finite where it ended; an error of linear algebra."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplicateFits:
    """The estimates from many data sets.

    Parameters
    ----------
    flat
        z of each fit, (count, d).
    exists
        Whether each data set has a regular maximum; where it has none, the fitted distribution is on the boundary
        of the model and ``excess`` is infinite.
    status
        Which of ``STATUSES`` each fit has, (count,); those that exist are ``"converged"``.
    excess
        KL(true||fit) - KL(true||pseudo-true), mean over the model's rows, (count,), in nats; NaN where it was not wanted.
    hessian
        Hessian of the log-likelihood at each fit, over the kept coordinates, (count, k, k); NaN at kinks.
    """

    COEFFICIENTS: ClassVar[dict[str, tuple[float, float]]] = {
        "mle": (0.0, 0.0),
        "map": (1.0, 0.0),
        "map_unconstrained": (1.0, 1.0),
    }

    flat: Array
    exists: Array
    status: Array
    excess: Array
    hessian: Array


def fit_replicates(
    functions: ModelFunctions,
    replicates: Replicates,
    pseudo_true: ExpectedPoint,
    estimator: str = "mle",
    *,
    excess: bool = True,
) -> ReplicateFits:
    """Fit every data set, starting from the pseudo-true parameter.

    Parameters
    ----------
    functions
        The model's functions.
    replicates
        The data sets.
    pseudo_true
        The pseudo-true parameter, with its information matrices.
    estimator
        ``"mle"``, ``"map"`` or ``"map_unconstrained"``.
    excess
        Whether the divergence from the truth is computed, which may cost more than the fits.
    """
    a, b = ReplicateFits.COEFFICIENTS[estimator]
    kept = pseudo_true.problem.kept if estimator == "mle" else np.arange(functions.size)
    objective = Objective(size=functions.size, evaluate=replicates.evaluator(functions, a=a, b=b)).restricted(
        kept, pseudo_true.problem.base
    )
    starts = np.repeat(pseudo_true.flat[None, kept], replicates.count, axis=0)
    if pseudo_true.kl_at_kinks is None:
        inverse = _inverse_information(pseudo_true, len(kept), replicates.size)
        ends = maximize_replicates(objective, starts, inverse_hessian=inverse)
    else:
        ends = maximize_along_kinks(objective, starts)
    flat = np.repeat(pseudo_true.problem.base[None], replicates.count, axis=0)
    flat[:, kept] = ends.z
    exists = ends.converged & negative_definite(pseudo_true, ends.hessian, replicates.size)
    return ReplicateFits(
        flat=flat,
        exists=exists,
        status=_statuses(exists, ends.converged, ends.value),
        excess=excess_divergence(functions, pseudo_true, flat, exists) if excess else np.full(replicates.count, np.nan),
        hessian=ends.hessian,
    )


def _statuses(exists: Array, converged: Array, value: Array) -> Array:
    unfinished = np.where(np.isfinite(value), STATUSES.index("unconverged"), STATUSES.index("not_finite"))
    codes = np.where(converged, STATUSES.index("plateau"), unfinished)
    return np.where(exists, STATUSES.index("converged"), codes).astype(np.int8)


def excess_divergence(functions: ModelFunctions, pseudo_true: ExpectedPoint, flat: Array, exists: Array) -> Array:
    """KL(true||fit) - KL(true||pseudo-true) at fits (count, d), mean over the rows; infinite where there is no fit, (count,)."""
    excess = np.full(len(flat), np.inf)
    if pseudo_true.kl_at_kinks is None:
        expected = pseudo_true.problem.nodes.expected_log_likelihood(functions, flat[exists])
        excess[exists] = (pseudo_true.expected_log_likelihood - expected) / functions.n_observations
    elif exists.any():
        excess[exists] = pseudo_true.kl_at_kinks(flat[exists]) - pseudo_true.kl_min / functions.n_observations
    return excess


def _inverse_information(pseudo_true: ExpectedPoint, parameters: int, size: int) -> Array | None:
    """The inverse Hessian to start from, where the information is about the same parameters and regular."""
    information = pseudo_true.information
    if information is None or len(information.hessian) != parameters or information.rank < parameters:
        return None
    return information.naive(size)


def negative_definite(pseudo_true: ExpectedPoint, hessians: Array, size: int) -> Array:
    """Whether each Hessian is negative definite, relative to the expected information.

    True at kinks, where there is no Hessian to test.
    """
    if pseudo_true.kl_at_kinks is not None:
        return np.ones(len(hessians), dtype=bool)
    information = pseudo_true.information
    if information is None or len(information.hessian) != hessians.shape[1]:
        return np.linalg.eigvalsh(hessians)[:, -1] < 0
    root = np.linalg.cholesky(information.hessian * size)
    inverse = np.linalg.inv(root)
    return np.linalg.eigvalsh(-inverse @ hessians @ inverse.T)[:, 0] > _FLAT
