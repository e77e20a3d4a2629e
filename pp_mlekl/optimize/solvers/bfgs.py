"""BFGS for many searches at a time: towards smooth maxima, and along kinks."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.typing import Array

# A search is within one Newton step of its end where the promised gain, in nats, is below the first number.
_NEAR = 1e-8
_ARMIJO = 1e-4
_LARGEST_STEP = 5.0
# Constants of the weak Wolfe conditions, steps of one line search, and of one climb for each parameter.
_SUFFICIENT, _FLATTER = 1e-4, 0.5
_HALVINGS = 60
_DISTANCES = (1e-1, 1e-3, 1e-5)
_ITERATIONS = 60
_SHORTEST = 1e-15


def approach(
    objective: Objective, starts: Array, rows: Array, inverse_hessian: Array | None = None, max_iterations: int = 60
) -> tuple[Array, Array]:
    """Climb by BFGS, with gradients alone.

    Parameters
    ----------
    objective, starts, inverse_hessian, max_iterations
        As for ``maximize_replicates``.
    rows
        The replicate of each start, (r,).

    Returns
    -------
    tuple of points (r, d), and whether each is within one Newton step of a stationary point, (r,) of bool
    """
    count, size = starts.shape
    value, gradient = objective.gradient(starts, rows)
    if inverse_hessian is None:
        # A first step of length 1; the first change of the gradient then sets the scale.
        inverse = np.eye(size) / np.maximum(1.0, np.linalg.norm(gradient, axis=1))[:, None, None]
    else:
        inverse = np.array(np.broadcast_to(inverse_hessian, (count, size, size)))
    fresh = np.full(count, inverse_hessian is None)
    state = _State(z=starts.copy(), rows=rows, value=value, gradient=gradient, inverse=inverse, fresh=fresh)
    near = np.zeros(count, dtype=bool)
    active = np.flatnonzero(np.isfinite(value))
    for _ in range(max_iterations):
        step = np.einsum("bij,bj->bi", state.inverse[active], state.gradient[active])
        promise = np.sum(step * state.gradient[active], axis=1)
        close = np.abs(0.5 * promise) < _NEAR
        near[active[close]] = True
        active, step, promise = active[~close], step[~close], promise[~close]
        if not len(active):
            break
        active = active[_line_search(objective, state, active, step, promise)]
    return state.z, near


@dataclass(kw_only=True, eq=False)
class _State:
    z: Array
    rows: Array
    value: Array
    gradient: Array
    inverse: Array
    fresh: Array


def _line_search(objective: Objective, state: _State, active: Array, step: Array, promise: Array) -> Array:
    """Move each active row along its step, halved until it gains; returns which rows moved."""
    length = np.linalg.norm(step, axis=1)
    limit = _LARGEST_STEP * np.maximum(1.0, np.linalg.norm(state.z[active], axis=1))
    factor = np.minimum(1.0, limit / np.maximum(length, np.finfo(float).tiny))
    moved = np.zeros(len(active), dtype=bool)
    left = np.arange(len(active))
    for _ in range(12):
        rows = active[left]
        move = factor[left, None] * step[left]
        value, gradient = objective.gradient(state.z[rows] + move, state.rows[rows])
        good = value >= state.value[rows] + _ARMIJO * factor[left] * promise[left]
        _update(state, rows[good], move[good], value[good], gradient[good])
        moved[left[good]] = True
        left = left[~good]
        if not len(left):
            break
        factor[left] *= 0.3
    return moved


def _update(state: _State, rows: Array, move: Array, value: Array, gradient: Array) -> None:
    """Take the step and update the inverse Hessian where the curvature is that of a maximum."""
    change = state.gradient[rows] - gradient
    curvature = np.sum(change * move, axis=1)
    state.z[rows] += move
    state.value[rows] = value
    state.gradient[rows] = gradient
    lengths = np.linalg.norm(change, axis=1) * np.linalg.norm(move, axis=1)
    fine = curvature > 1e-10 * lengths
    r, s, y, rho = rows[fine], move[fine], change[fine], 1.0 / curvature[fine]
    first = state.fresh[r]
    scale = 1.0 / (rho[first] * np.sum(y[first] ** 2, axis=1))
    state.inverse[r[first]] = scale[:, None, None] * np.eye(s.shape[1])
    state.fresh[r] = False
    # (I - rho s y') H (I - rho y s') + rho s s', multiplied out: no product of matrices is left.
    image = np.einsum("bij,bj->bi", state.inverse[r], y)
    own = 0.5 * rho * (1.0 + rho * np.sum(y * image, axis=1))
    half = rho[:, None] * image - own[:, None] * s
    cross = s[:, :, None] * half[:, None, :]
    state.inverse[r] -= cross + cross.swapaxes(1, 2)


def climb_kinks(objective: Objective, z: Array, rows: Array | None = None) -> tuple[Array, Array]:
    """Climb from each of z (b, d) without trust in curvature; the highest points met, and their values (b,).

    BFGS whose line search asks for a change of slope (weak Wolfe conditions): its matrix takes up the kinks, across which
    the slope jumps, as directions of great curvature, and the search goes on along them.

    Parameters
    ----------
    objective
        What to maximise.
    z
        Where to begin, (b, d); the value there must be finite.
    rows
        The replicate each of them belongs to, (b,); 0 if not given.

    Source: A. S. Lewis and M. L. Overton (2013), Nonsmooth optimization via quasi-Newton methods, Mathematical
    Programming 141, 135-163.

    Examples
    --------
    >>> def evaluate(order, z, rows):
    ...     return (-np.abs(z).sum(axis=1) - np.abs(z[:, 0] - z[:, 1]), -np.sign(z) - np.sign(z @ [1, -1])[:, None] * [1, -1])
    >>> objective = Objective(size=2, evaluate=lambda order, z, rows: evaluate(order, z, rows)[: order + 1])
    >>> bool(np.abs(climb_kinks(objective, np.array([[0.7, -2.0]]))[0]).max() < 1e-8)
    True
    """
    rows = np.zeros(len(z), dtype=int) if rows is None else rows
    generator = np.random.default_rng(0)
    best = objective.value(z, rows)
    for distance in _DISTANCES:
        # On the kink itself no slope says which way it runs: the climb begins beside it.
        beside = z + distance * np.maximum(1.0, np.abs(z)) * generator.normal(size=z.shape)
        found, value = _climb(objective, beside, rows)
        better = value > best
        z, best = np.where(better[:, None], found, z), np.where(better, value, best)
    return z, best


def _climb(objective: Objective, z: Array, rows: Array) -> tuple[Array, Array]:
    """One climb from each of z (b, d), from a matrix that knows nothing."""
    z = z.copy()
    value, gradient = objective.gradient(z, rows)
    size = np.maximum(np.linalg.norm(gradient, axis=1), 1e-300)
    inverse = np.eye(objective.size) / size[:, None, None]
    active = np.flatnonzero(np.isfinite(value))
    for _ in range(_ITERATIONS * objective.size):
        direction = np.einsum("bij,bj->bi", inverse[active], gradient[active])
        slope = np.sum(gradient[active] * direction, axis=1)
        going = (slope > 0) & (np.linalg.norm(direction, axis=1) >= _SHORTEST)
        active, direction, slope = active[going], direction[going], slope[going]
        step, reached, new_gradient = _weak_wolfe(objective, z[active], rows[active], value[active], direction, slope)
        risen = reached > value[active]
        active, moved, new_gradient = active[risen], (step[:, None] * direction)[risen], new_gradient[risen]
        if not len(active):
            break
        change = gradient[active] - new_gradient
        z[active] += moved
        value[active], gradient[active] = reached[risen], new_gradient
        curvature = np.sum(moved * change, axis=1)
        curved = curvature > 0
        s, y, rho = moved[curved], change[curved], 1.0 / curvature[curved]
        left = np.eye(objective.size) - rho[:, None, None] * s[:, :, None] * y[:, None, :]
        own = rho[:, None, None] * s[:, :, None] * s[:, None, :]
        inverse[active[curved]] = left @ inverse[active[curved]] @ left.swapaxes(1, 2) + own
    return z, value


def _weak_wolfe(
    objective: Objective, z: Array, rows: Array, value: Array, direction: Array, slope: Array
) -> tuple[Array, Array, Array]:
    """Steps (b,) that gain enough and after which the slope is less, by bisection; with values and gradients there."""
    low, high, step = np.zeros(len(z)), np.full(len(z), np.inf), np.ones(len(z))
    best_step, best_value, best_gradient = np.zeros(len(z)), value.copy(), np.zeros_like(z)
    left = np.arange(len(z))
    for _ in range(_HALVINGS):
        if not len(left):
            break
        reached, gradient = objective.gradient(z[left] + step[left, None] * direction[left], rows[left])
        enough = reached >= value[left] + _SUFFICIENT * step[left] * slope[left]
        high[left[~enough]] = step[left[~enough]]
        gained = left[enough]
        best_step[gained], best_value[gained], best_gradient[gained] = step[gained], reached[enough], gradient[enough]
        low[gained] = step[gained]
        steep = np.sum(gradient * direction[left], axis=1) > _FLATTER * slope[left]
        left = left[~enough | steep]
        step[left] = np.where(np.isfinite(high[left]), (low[left] + high[left]) / 2, 2 * low[left])
    return best_step, best_value, best_gradient
