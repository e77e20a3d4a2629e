"""Hessians of objectives that have gradients alone, as differences of gradients."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.typing import Array

# Relative steps, from the longest: for a smooth gradient of moderate scale the first is exact to about 1e-10.
_STEPS = 10.0 ** np.arange(-3.0, -16.0, -2.0)
# Share of a difference quotient by which that of twice the step may differ: the error of the fourth order is its square, about.
_CHANGED = 1e-4
# Share of the slopes that is their rounding.
_ROUNDING = 1e-14
# The relative step for a product with a vector is longer than that for an element, which has a smaller rounding error.
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
    """Shape (b, d, d); 0 where the gradient is not defined next to z.

    A coordinate's step is the longest at which the quotient no longer depends on it, so that units do not matter; where it
    does at all of them (a kink, a gradient with noise) the one at which it does least.
    """
    count, size = z.shape
    result, change = np.zeros((count, size, size)), np.full((count, size), np.inf)
    # Points and their coordinates whose quotients still depend on the step.
    points, places = (part.ravel() for part in np.indices((count, size)))
    for relative in _STEPS:
        quotients, changed = _differences(objective, z[points], places, rows[points], relative)
        better = changed < change[points, places]
        result[points[better], places[better]] = quotients[better]
        change[points[better], places[better]] = changed[better]
        left = ~(changed < _CHANGED)
        points, places = points[left], places[left]
        if not len(points):
            break
    return (result + result.swapaxes(1, 2)) / 2


def _differences(objective: Objective, z: Array, places: Array, rows: Array, relative: float) -> tuple[Array, Array]:
    """Differences of gradients (k, d) along one coordinate of each point, and how far they depend on the step, (k,).

    The dependence is infinite where a gradient is not defined.
    """
    columns = np.arange(len(z))
    step = relative * np.maximum(1.0, np.abs(z[columns, places]))
    moved = np.repeat(z[None], 4, axis=0)
    moved[:, columns, places] += np.array([-2.0, -1.0, 1.0, 2.0])[:, None] * step
    # What a step is after it has been added to a number.
    step = (moved[3, columns, places] - moved[0, columns, places]) / 4
    values, slopes = objective.gradient(moved.reshape(-1, z.shape[1]), np.tile(rows, 4))
    defined = np.isfinite(values).reshape(4, -1).all(axis=0)
    slopes = slopes.reshape(4, *z.shape)
    far, near = (slopes[3] - slopes[0]) / (4 * step[:, None]), (slopes[2] - slopes[1]) / (2 * step[:, None])
    rounding = _ROUNDING * np.abs(slopes).max(axis=(0, 2)) / step
    changed = np.maximum(np.abs(far - near).max(axis=1) - rounding, 0.0) / (
        np.abs(near).max(axis=1) + rounding + 1e-300
    )
    return (4 * near - far) / 3, np.where(defined, changed, np.inf)
