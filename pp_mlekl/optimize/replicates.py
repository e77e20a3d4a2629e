"""The same maximisation for many data sets or weights at once: replicates of a study or of a bootstrap."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.bfgs import approach, climb_kinks
from pp_mlekl.optimize.solvers.quadratic_model import quadratic_model
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# The last Newton step brings quadratic accuracy: from a decrement of 1e-8 it leaves one of about 1e-16.
_NEAR = 1e-8
# Without Hessians, ends of two searches that are this near in value, in nats, are one.
_SAME_VALUE = 1e-6
# Moves about the end of a climb along kinks, and their sizes.
_PROBES, _NEAR_BY = 16, (1e-6, 1e-3)


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicates:
    """The maximum of each replicate.

    Parameters
    ----------
    z, value, gradient, hessian
        The point, (r, d), and the objective there.
    decrement
        What a whole Newton step would still gain, in nats, (r,); it and ``hessian`` are NaN where there are gradients alone.
    converged
        Whether each came to rest at a maximum with negative definite Hessian (or on a kink), (r,) of bool. Where the maximum lies at
        an edge, at infinity or in a flat family this is false.
    """

    z: Array
    value: Array
    gradient: Array
    hessian: Array
    decrement: Array
    converged: Array


def maximize_replicates(
    objective: Objective, starts: Array, *, inverse_hessian: Array | None = None, max_iterations: int = 60
) -> Replicates:
    """Maximise every replicate by BFGS in one batch, then take one Newton step with the exact Hessian.

    Parameters
    ----------
    objective
        ``rows`` is the replicate that each vector belongs to in ``evaluate``.
    starts
        Shape (r, d): the estimate on the original data, say.
    inverse_hessian
        Inverses of the negative Hessian (d, d) or (r, d, d) near the maxima; the identity if not given. With that of the
        original estimate a replicate takes about five steps.
    max_iterations
        Maximum number of BFGS iterations; replicates that need more are left to the trust-region method.

    Examples
    --------
    >>> means = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 0.5]])
    >>> def evaluate(order, z, rows):
    ...     r = z - means[rows]
    ...     return (-np.sum(r**2, 1) / 2, -r, np.broadcast_to(-np.eye(2), (len(z), 2, 2)))[: order + 1]
    >>> maximize_replicates(Objective(size=2, evaluate=evaluate), np.zeros((3, 2))).z.round(6).tolist()
    [[1.0, 2.0], [3.0, -1.0], [0.0, 0.5]]
    """
    rows = np.arange(len(starts))
    z, near = approach(objective, np.array(starts, dtype=float), rows, inverse_hessian, max_iterations)
    if objective.derivatives < 2:
        return _without_hessians(objective, z, near, max_iterations)
    value, gradient, hessian = objective.hessian(z, rows)
    model = quadratic_model(gradient, hessian)
    take = near & (model.decrement < np.sqrt(_NEAR))
    moved = np.where(take[:, None], z + model.newton, z)
    new_value, new_gradient, new_hessian = objective.hessian(moved, rows)
    better = take & (new_value >= value - 1e-9 * np.maximum(1.0, np.abs(value)))
    z, value = np.where(better[:, None], moved, z), np.where(better, new_value, value)
    gradient = np.where(better[:, None], new_gradient, gradient)
    hessian = np.where(better[:, None, None], new_hessian, hessian)
    far = np.flatnonzero(~better)
    if len(far):
        ends = maximize(objective, z[far], rows=far, max_iterations=100)
        z[far], value[far], gradient[far], hessian[far] = ends.z, ends.value, ends.gradient, ends.hessian
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        last = quadratic_model(gradient, hessian)
    small = np.linalg.norm(last.newton, axis=1) < 1e-4 * np.maximum(1.0, np.linalg.norm(z, axis=1))
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian, axis1=1, axis2=2)), np.finfo(float).tiny))
    lowest = np.linalg.eigvalsh(-hessian * scale[:, :, None] * scale[:, None, :])[:, 0]
    converged = np.isfinite(value) & (last.decrement < 1e-7) & small & (lowest > 1e-10)
    return Replicates(
        z=z, value=value, gradient=gradient, hessian=hessian, decrement=last.decrement, converged=converged
    )


def maximize_again(objective: Objective, starts: Array, inverse_hessian: Array | None) -> Replicates:
    """The maxima of replicates that begin at or near one estimate (r, d).

    With the inverse (d, d) or (r, d, d) of the negative Hessian there it is ``maximize_replicates``. Where there is none (None, or not
    finite) the searches follow the kink that the estimate lies on, or go by gradients alone.
    """
    if objective.derivatives < 2:
        return maximize_replicates(objective, starts)
    if inverse_hessian is None or not np.isfinite(inverse_hessian).all():
        return maximize_along_kinks(objective, starts)
    return maximize_replicates(objective, starts, inverse_hessian=inverse_hessian)


def maximize_along_kinks(objective: Objective, starts: Array) -> Replicates:
    """The same where the maximum lies on kinks (a median): there is no curvature, and none is looked for.

    ``converged`` is where nothing near by is higher.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0, 4.0], [7.0, 3.0, 5.0]])
    >>> def evaluate(order, z, rows):
    ...     return (-np.abs(y[rows] - z).sum(axis=1), np.sign(y[rows] - z).sum(axis=1, keepdims=True))[: order + 1]
    >>> maximize_along_kinks(Objective(size=1, evaluate=evaluate), np.zeros((2, 1))).z.round(6).tolist()
    [[2.0], [5.0]]
    """
    rows = np.arange(len(starts))
    z, value = climb_kinks(objective, np.array(starts, dtype=float), rows)
    _, gradient = objective.gradient(z, rows)
    around = np.random.default_rng(0).normal(size=(_PROBES, *z.shape)) * np.maximum(1.0, np.abs(z))
    highest = np.max([objective.value(z + size * move, rows) for size in _NEAR_BY for move in around], axis=0)
    converged = np.isfinite(value) & (highest <= value + _SAME_VALUE * np.maximum(1.0, np.abs(value)))
    return _uncurved(z, value, gradient, converged)


def _uncurved(z: Array, value: Array, gradient: Array, converged: Array) -> Replicates:
    return Replicates(
        z=z,
        value=value,
        gradient=gradient,
        hessian=np.broadcast_to(np.nan, (*z.shape, z.shape[1])),
        decrement=np.full(len(z), np.nan),
        converged=converged,
    )


def _without_hessians(objective: Objective, z: Array, near: Array, max_iterations: int) -> Replicates:
    """The maxima by gradients alone: a second search, which begins near the first one's end, has to end there too."""
    rows = np.arange(len(z))
    again, still = approach(objective, z, rows, max_iterations=max_iterations)
    value, gradient = objective.gradient(again, rows)
    before = objective.value(z, rows)
    converged = near & still & np.isfinite(value) & (np.abs(value - before) < _SAME_VALUE)
    return _uncurved(again, value, gradient, converged)
