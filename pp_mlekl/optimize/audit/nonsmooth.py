"""Whether the maximum is one of a function without a slope: a kink, an end of the support of the data, a step.

Principle: at a kink nothing near by is higher although slopes do not vanish, and they differ by as much however near they are
compared; at an end of the support there is nothing beyond. A search that follows kinks (Lewis and Overton 2013, Mathematical
Programming 141, 135-163) leads there from where a smooth one is stuck. A step function has no slope anywhere along some
coordinate, but other values.

It does not see a kink across which slopes differ by less than 1e-8, steps lower than 1e-6 nats or farther apart than 4 units,
and follows kinks in no more than 30 parameters and ends of the support in no more than 8.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.verdict import Finding
from pp_mlekl.optimize.numerical_noise import crosses_rounding, inexact
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import axes
from pp_mlekl.optimize.solvers.bfgs import climb_kinks
from pp_mlekl.optimize.solvers.newton_krylov import products
from pp_mlekl.optimize.solvers.result import Ends, at_point
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# Distances at which slopes are compared, relative to the size of the point.
_NEAR = np.array([1e-6, 1e-8])
# How far uphill of where a search is stuck others begin, relative to its size.
_ACROSS = np.array([1e-6, 1e-3, 1e-1])
# Steps of a search that begins beyond a jump.
_ITERATIONS = 150
# Simplices that are tried, and after how many without a gain no more are.
_SIMPLICES, _VAIN = 40, 6
# Where steps are looked for, in units of z.
_LOOKED_AT = np.geomspace(1e-3, 4.0, 16)


def nonsmooth(point: Point) -> list[Finding]:
    """``steps``, a ``kink``, an end of the ``support``, or where a search along kinks or across a jump led (``higher``)."""
    if point.stationary:
        return _steps(point)
    if len(point.recession.directions) or point.state not in ("stuck", "running"):
        return []
    objective, beyond = point.objective, point.uphill
    at_end = point.state == "stuck" and not np.isfinite(objective.value(beyond)).any()
    if at_end and objective.support is not None and objective.supported(beyond).any():
        # The data have a density there: it is an inner maximisation that fails.
        return []
    z = point.z if not at_end and _is_kink(objective, point.z, point.value) else _moved(point, at_end)
    value, gradient = (part[0] for part in objective.gradient(z[None]))
    findings = []
    higher = _across_jump(point, z, float(value), gradient)
    if higher is not None:
        gained, least = float(higher.value.max() - value), point.tolerances.equal * max(1.0, abs(value))
        findings.append(_finding("higher", gained, least, "nats", higher))
    if _is_kink(objective, z, float(value), edge=at_end):
        kind = "support" if at_end else "kink"
        jump = _jump(objective, z + _NEAR[1] * point.size * _directions(objective), at_end)
        found = _finding(kind, jump, point.tolerances.kink_jump, "nats per unit of z", at_point(objective, z, "kink"))
        findings.append(replace(found, directions=_held(objective, z, _NEAR[1] * point.size)) if at_end else found)
    elif higher is None and value > point.value and np.any(z != point.z):
        # Slopes may fail a search where a density does not: one that needs little of them may have gone on to infinity.
        findings.append(_finding("higher", float(value - point.value), 0.0, "nats", at_point(objective, z, "running")))
    return findings


def _finding(kind: str, measured: float, threshold: float, unit: str, onward: Ends | None = None) -> Finding:
    none = np.zeros((0, 0)) if onward is None else np.zeros((0, onward.z.shape[1]))
    return Finding(
        test="nonsmooth",
        kind=kind,
        directions=none,
        measured=measured,
        threshold=threshold,
        unit=unit,
        onward=onward,
    )


def _steps(point: Point) -> list[Finding]:
    places = step_coordinates(point.objective, point.z, point.value, point.hessian)
    if not len(places):
        return []
    ways = axes(places, len(point.z))
    around = point.objective.value(point.z + np.concatenate([ways, -ways]) * _LOOKED_AT[-1])
    highest = float(np.abs(around[np.isfinite(around)] - point.value).max(initial=0.0))
    return [replace(_finding("steps", highest, point.tolerances.step_height, "nats"), directions=ways)]


def _held(objective: Objective, z: Array, near: float) -> Array:
    """The unit vectors (k, d) along coordinates that leave the support on one side or the other."""
    ways = near * axes(np.arange(objective.size), objective.size)
    inside = np.isfinite(objective.value(z + np.concatenate([ways, -ways]))).reshape(2, -1)
    return axes(np.flatnonzero(~inside.all(axis=0)), objective.size)


def _moved(point: Point, at_end: bool) -> Array:
    """Where a search leads that follows kinks, or the end of the support to where several observations hold it."""
    objective, z = point.objective, point.z
    if at_end:
        return z if not 1 < objective.size <= point.tolerances.corner_parameters else climb_edges(objective, z)[0]
    return z if objective.size > point.tolerances.kink_parameters else climb_kinks(objective, z[None])[0][0]


def _across_jump(point: Point, z: Array, value: float, gradient: Array) -> Ends | None:
    """Searches that begin uphill of where one was stuck before a jump (from one formula to another), if they come higher."""
    objective, slope = point.objective, float(np.linalg.norm(gradient))
    if not 0 < slope < np.inf:
        return None
    size = max(1.0, float(np.abs(z).max()))
    starts = z + _ACROSS[:, None] * size * gradient / slope
    values = objective.value(starts)
    jump = abs(values[0] - value)
    if (
        not np.isfinite(values).all()
        or jump < point.tolerances.jump_height + point.tolerances.jump_ratio * slope * size * _ACROSS[0]
    ):
        return None
    ends = maximize(objective, starts, reach=point.space.reach, max_iterations=_ITERATIONS, keep_trail=True)
    if crosses_rounding(objective, np.broadcast_to(z, ends.z.shape), ends.z).any():
        # The jump is one of the steps by which a density loses its digits.
        return None
    return ends if ends.value.max() > value + point.tolerances.equal * max(1.0, abs(value)) else None


def _directions(objective: Objective) -> Array:
    directions = np.random.default_rng(0).normal(size=(64, objective.size))
    if not objective.wide:
        along = np.eye(objective.size)
        directions = np.concatenate([along, -along, directions])
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _is_kink(objective: Objective, z: Array, value: float, edge: bool = False) -> bool:
    """Whether the point is a maximum although the gradient does not vanish: nothing near it is higher, but slopes jump.

    At an ``edge`` of the support they do so where there is nothing beyond.
    """
    directions, size = _directions(objective), max(1.0, float(np.abs(z).max()))
    points = z + np.array([1e-6, 1e-4, 1e-2])[:, None, None] * size * directions
    around = objective.value(points.reshape(-1, objective.size))
    if not np.all(around <= value + objective.tolerances.kink_top * max(1.0, abs(value))):
        return False
    scatter = float(inexact(objective, z[None])[0])
    # Where nothing falls by more than rounding does there is no peak to be seen.
    if (
        scatter > objective.tolerances.kink_noise * max(1.0, abs(value))
        or not value - around.min() > objective.tolerances.noise_multiple * scatter
    ):
        return False
    # At a kink slopes differ by as much however near; where the objective is but strongly curved, by less and less.
    near, nearer = (_jump(objective, z + distance * directions, edge) for distance in _NEAR * size)
    return bool(nearer > max(objective.tolerances.kink_ratio * near, objective.tolerances.kink_jump))


def _jump(objective: Objective, points: Array, edge: bool) -> float:
    """By how much the slopes at points (k, d) differ; those where there is none count as 0, at an edge alone."""
    values, slopes = objective.gradient(points)
    seen = slopes if edge else slopes[np.isfinite(values)]
    return float(np.ptp(seen, axis=0).max()) if len(seen) else 0.0


def step_coordinates(objective: Objective, z: Array, value: float, hessian: Array) -> Array:
    """The coordinates along which the objective is a step function: no slope anywhere, but other values; (k,) of int.

    Without a slope a row of the Hessian is 0, and so is its product with any vector.

    Examples
    --------
    >>> def evaluate(order, z, rows):
    ...     return (np.floor(z[:, 0]) - z[:, 1] ** 2, z * [0.0, -2.0])[: order + 1]
    >>> step_coordinates(Objective(size=2, evaluate=evaluate), np.array([0.5, 0.0]), 0.0, np.diag([0.0, -2.0])).tolist()
    [0]
    """
    if objective.large:
        rows = products(objective, z, np.random.default_rng(0).normal(size=(1, len(z))))[0]
    else:
        rows = np.any(np.nan_to_num(hessian), axis=0)
    found = []
    for j in np.flatnonzero(rows == 0):
        points = np.repeat(z[None], 2 * len(_LOOKED_AT), axis=0)
        points[:, j] += np.concatenate([_LOOKED_AT, -_LOOKED_AT])
        values, gradients = objective.gradient(points)
        steps = np.abs(values[np.isfinite(values)] - value) > objective.tolerances.step_height
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
