"""Hessians of objectives that have gradients alone, as differences of gradients."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.typing import Array

# Relative steps: the first is exact to 1e-10 or so of a smooth gradient's scale; the second is taken where a gradient is not
# defined within twice the first.
_STEPS = (1e-3, 1e-6)
# Of a product with a vector the relative step is longer than that of an element, whose rounding error is smaller.
_PRODUCT_STEP = 1e-4


def with_difference_hessian(objective: Objective) -> Objective:
    """The objective with a Hessian, (g(z - 2 h) - 8 g(z - h) + 8 g(z + h) - g(z + 2 h)) / 12 h for each coordinate.

    Its error is of fourth order in h; all gradients of a batch are asked for at once. Where there are too many coordinates for
    square matrices, products with a vector are two-point differences.

    Parameters
    ----------
    objective
        With gradients.

    Examples
    --------
    >>> def evaluate(order, z, rows):
    ...     return (-np.sum(np.cosh(z - 1), axis=1), -np.sinh(z - 1))[: order + 1]
    >>> peak = with_difference_hessian(Objective(size=2, evaluate=evaluate, derivatives=1))
    >>> np.abs(peak.hessian(np.array([[1.0, 1.5]]))[2][0] + np.diag([1.0, np.cosh(0.5)])).max() < 1e-10
    np.True_
    """

    def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
        found = objective.evaluate(min(order, 1), z, rows)
        return found if order < 2 else (*found[:2], _hessian(objective, z, rows))

    def product(z: Array, vectors: Array) -> Array:
        step = _PRODUCT_STEP * np.maximum(1.0, np.abs(z).max()) / np.maximum(np.abs(vectors).max(axis=1), 1e-300)
        moves = step[:, None] * vectors
        slopes = objective.gradient(np.concatenate([z + moves, z - moves]))[1].reshape(2, *vectors.shape)
        return (slopes[0] - slopes[1]) / (2 * step[:, None])

    return replace(objective, evaluate=evaluate, product=product if objective.wide else None, derivatives=2)


def _hessian(objective: Objective, z: Array, rows: Array) -> Array:
    """Shape (b, d, d); 0 where the gradient is not defined next to z."""
    result = np.zeros((len(z), z.shape[1], z.shape[1]))
    left = np.arange(len(z))
    for step in _STEPS:
        matrices = _differences(objective, z[left], rows[left], step)
        result[left] = np.nan_to_num(matrices, nan=0.0)
        left = left[np.isnan(matrices).any(axis=(1, 2))]
        if not len(left):
            break
    return (result + result.swapaxes(1, 2)) / 2


def _differences(objective: Objective, z: Array, rows: Array, relative: float) -> Array:
    """The same by one step, NaN where a gradient is not defined."""
    count, size = z.shape
    step = relative * np.maximum(1.0, np.abs(z))
    moves = np.array([-2.0, -1.0, 1.0, 2.0])[:, None, None, None] * step[:, None, :] * np.eye(size)[None]
    points = (z[:, None, :] + moves).reshape(-1, size)
    values, slopes = objective.gradient(points, np.broadcast_to(rows[:, None], (4, count, size)).reshape(-1))
    slopes = np.where(np.isfinite(values)[:, None], slopes, np.nan).reshape(4, count, size, size)
    weights = np.array([1.0, -8.0, 8.0, -1.0])[:, None, None, None] / 12.0
    return np.sum(weights * slopes, axis=0) / step[:, :, None]
