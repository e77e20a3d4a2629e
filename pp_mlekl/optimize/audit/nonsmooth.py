"""Maxima at which the objective has no gradient: the median, least absolute deviations, the end of the data's support."""

import numpy as np
from scipy.optimize import minimize

from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# Constants of the weak Wolfe conditions, steps of one line search, and of one climb for each parameter.
_SUFFICIENT, _FLATTER = 1e-4, 0.5
_HALVINGS = 60
_DISTANCES = (1e-1, 1e-3, 1e-5)
# Simplices that are tried, and after how many without a gain no more are.
_SIMPLICES, _VAIN = 40, 6
_ITERATIONS = 60
_SHORTEST = 1e-15
# Where steps are looked for, and the least one, in nats.
_LOOKED_AT = np.geomspace(1e-3, 4.0, 16)
_STEP = 1e-6


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


def step_coordinates(objective: Objective, mode: Mode) -> Array:
    """The coordinates along which the objective is a step function: no slope anywhere, but other values; (k,) of int.

    Of a mode whose Hessian is not known (NaN) all coordinates are looked at.

    Examples
    --------
    >>> def evaluate(order, z, rows):
    ...     return (np.floor(z[:, 0]) - z[:, 1] ** 2, z * [0.0, -2.0])[: order + 1]
    >>> peak = Mode(z=np.array([0.5, 0.0]), value=0.0, hessian=np.diag([0.0, -2.0]), agree=1)
    >>> step_coordinates(Objective(size=2, evaluate=evaluate), peak).tolist()
    [0]
    """
    found = []
    for j in np.flatnonzero(~np.any(np.nan_to_num(mode.hessian), axis=0)):
        points = np.repeat(mode.z[None], 2 * len(_LOOKED_AT), axis=0)
        points[:, j] += np.concatenate([_LOOKED_AT, -_LOOKED_AT])
        values, gradients = objective.gradient(points)
        steps = np.abs(values[np.isfinite(values)] - mode.value) > _STEP
        if np.any(steps) and not np.any(gradients[:, j]):
            found.append(j)
    return np.array(found, dtype=int)


def climb_edges(objective: Objective, z: Array) -> tuple[Array, float]:
    """Climb from z (d,) where beyond an edge the objective is minus infinity; the highest point met, and its value.

    Nelder and Mead's simplex needs no slope, which says nothing of an edge; it may collapse, so others follow, of sizes from
    1 down to 1e-6.

    Examples
    --------
    The highest point of a roof with its ridge at x = 1, beyond which there is nothing.

    >>> def evaluate(order, z, rows):
    ...     inside = (z[:, 1] <= 2 - np.abs(z[:, 0] - 1))
    ...     return (np.where(inside, z[:, 1], -np.inf), np.tile([0.0, 1.0], (len(z), 1)), np.zeros((len(z), 2, 2)))[: order + 1]
    >>> climb_edges(Objective(size=2, evaluate=evaluate), np.array([-3.0, -2.0]))[0].round(6).tolist()
    [1.0, 2.0]
    """
    generator = np.random.default_rng(0)
    best, vain = float(objective.value(z[None])[0]), 0
    for attempt in range(_SIMPLICES):
        corners = z + 10.0 ** -(attempt % 7) * generator.normal(size=(objective.size + 1, objective.size))
        corners[0] = z
        with np.errstate(invalid="ignore"):
            found = minimize(
                lambda q: -objective.value(q[None])[0],
                z,
                method="Nelder-Mead",
                options={"initial_simplex": corners, "xatol": 1e-12, "fatol": 1e-13, "maxfev": 400 * objective.size},
            )
        vain = vain + 1 if -found.fun <= best + 1e-11 * max(1.0, abs(best)) else 0
        if -found.fun > best:
            z, best = found.x, float(-found.fun)
        if vain == _VAIN + 1:
            break
        # What the edge does not hold is smooth: Newton's way, with one coordinate at a time left at its edge.
        ends = maximize(objective, np.repeat(z[None], objective.size, axis=0), held=np.eye(objective.size))
        top = int(np.argmax(ends.value))
        if ends.value[top] > best:
            z, best = ends.z[top], float(ends.value[top])
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
