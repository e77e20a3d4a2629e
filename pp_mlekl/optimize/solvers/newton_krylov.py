"""Newton's method in a trust region by conjugate gradients (Steihaug 1983): Hessian-vector products alone are needed."""

from dataclasses import dataclass, field

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.typing import Array

# As for the method with whole Hessians: below this share of the value a promised gain drowns in rounding, and the
# gradient alone is trusted.
_NOISE = 1e-9
_FINISHED = 1e-26
_NO_SLOPE = 1e-6
_SMALLEST_RADIUS = 1e-12
# Products with random signs from which the curvature of each coordinate is estimated (Bekas, Kokiopoulou & Saad 2007),
# and the iterations after which they are taken anew.
_SIGNS = 16
_REFRESH = 5
# A system is solved to this share of its right side: at first roughly, where the decrement is noise as well as can be.
_ROUGH, _FINE = 0.1, 1e-10


@dataclass(kw_only=True, eq=False)
class Climb:
    """One search: where it is, and how it ended.

    Parameters
    ----------
    z, value, gradient
        The last point (d,), and the objective there.
    decrement
        The gain a Newton step would still bring, in nats; infinite where the curvature is not that of a maximum.
    state
        As in ``trust_region.Ends``.
    iterations
        How many were used.
    scale
        Estimated curvature of each coordinate, (d,), positive.
    trail
        The points gone through: pairs of z (d,) and value.
    """

    z: Array
    value: float
    gradient: Array
    scale: Array
    decrement: float = np.inf
    state: str = "running"
    iterations: int = 0
    trail: list[tuple[Array, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Step:
    step: Array
    promise: float
    inside: bool


def climb(
    objective: Objective,
    start: Array,
    *,
    held: Array | None = None,
    reach: Array | None = None,
    max_iterations: int = 200,
) -> Climb:
    """Climb from one start (d,) to a local maximum.

    Parameters
    ----------
    objective
        With ``product``.
    start
        The value there must be finite.
    held
        Unit vector (d,) along which the search must not move.
    reach
        How far from the start each coordinate may go, (d,), before the search is given up as diverging.
    max_iterations
        Steps at most.

    Examples
    --------
    >>> curvatures = np.geomspace(1, 1e4, 50)
    >>> def evaluate(order, z, rows):
    ...     return (-0.5 * np.sum(curvatures * (z - 1) ** 2, axis=1), -curvatures * (z - 1))[: order + 1]
    >>> peak = Objective(size=50, evaluate=evaluate, product=lambda z, vectors: -curvatures * vectors)
    >>> end = climb(peak, np.zeros(50))
    >>> end.state, float(np.abs(end.z - 1).max()) < 1e-12
    ('stationary', True)
    """
    value, gradient = objective.gradient(start[None])
    search = Climb(z=start.copy(), value=float(value[0]), gradient=gradient[0], scale=np.ones(len(start)))
    radius: float | None = None
    search.trail.append((search.z, search.value))
    while search.state == "running" and search.iterations < max_iterations:
        if search.iterations % _REFRESH == 0:
            search.scale = curvature_of_coordinates(objective, search.z)
        if radius is None:
            radius = float(np.sqrt(search.scale.max()) * max(1.0, 0.5 * np.abs(start).max()))
        radius = _advance(objective, search, radius, held)
        search.iterations += 1
        search.trail.append((search.z, search.value))
        if reach is not None and np.any(np.abs(search.z - start) > reach):
            search.state = "ran"
    return search


def curvature_of_coordinates(objective: Objective, z: Array) -> Array:
    """The size of each coordinate's own curvature (d,), never 0, from products with random signs."""
    signs = np.where(np.random.default_rng(0).random((_SIGNS, len(z))) < 0.5, -1.0, 1.0)
    estimates = np.abs(np.mean(signs * products(objective, z, signs), axis=0))
    largest = float(estimates.max())
    # Without any curvature a coordinate is its own unit, however strong the others'.
    return np.maximum(estimates, min(1.0, 1e-8 * largest)) if largest > 0 else np.ones(len(z))


def products(objective: Objective, z: Array, vectors: Array) -> Array:
    """The Hessian times vectors (k, d); 0 where it is not defined."""
    assert objective.product is not None
    with np.errstate(all="ignore"):
        return np.nan_to_num(objective.product(z, vectors), nan=0.0, posinf=0.0, neginf=0.0)


def _advance(objective: Objective, search: Climb, radius: float, held: Array | None) -> float:
    """One step; returns the new radius."""
    gradient = _off(search.gradient, held)
    noise = _NOISE * max(1.0, abs(search.value))
    found = _steihaug(objective, search, gradient, radius, held, _ROUGH)
    silent = found.inside and found.promise < noise
    if found.inside and found.promise < 1e-2:
        # Near the end: a system solved well makes the convergence quadratic.
        found = _steihaug(objective, search, gradient, radius, held, _FINE)
        silent = found.inside and found.promise < noise
    decrement = found.promise if found.inside else np.inf
    over = silent and (decrement < _FINISHED or decrement > 0.25 * search.decrement)
    search.decrement = min(decrement, search.decrement) if over else decrement
    if over:
        search.state = "stationary"
        return radius
    if found.promise <= 1e-30:
        # Beside curvatures larger by many orders of magnitude a step may be too short to promise anything.
        search.state = _where_no_step_helps(search, gradient)
        return radius
    value, slope = objective.gradient((search.z + found.step)[None])
    gain = float(value[0]) - search.value
    length = float(np.sqrt(np.sum(search.scale * found.step**2)))
    if (gain > -noise) if silent else (gain > 1e-4 * found.promise):
        search.z, search.value, search.gradient = search.z + found.step, float(value[0]), slope[0]
        grown = gain > 0.75 * found.promise and length > 0.5 * radius
        return radius * 4 if grown else radius if gain > 0.25 * found.promise else max(length / 2, radius / 8)
    if silent:
        search.decrement = 0.0
        search.state = "stationary"
    radius = 0.25 * length
    if radius < _SMALLEST_RADIUS * np.sqrt(search.scale.max()) * max(1.0, float(np.abs(search.z).max())):
        search.state = _where_no_step_helps(search, gradient)
    return radius


def _where_no_step_helps(search: Climb, gradient: Array) -> str:
    """How a search ended that no step takes higher: it has converged where there is no slope."""
    return "stationary" if np.abs(gradient).max() < _NO_SLOPE * max(1.0, abs(search.value)) else "stuck"


def _off(vector: Array, held: Array | None) -> Array:
    return vector if held is None else vector - (vector @ held) * held


def _steihaug(
    objective: Objective, search: Climb, gradient: Array, radius: float, held: Array | None, tolerance: float
) -> _Step:
    """The step that maximises the quadratic model within the radius, in the norm of the scale, nearly."""
    scale = search.scale
    step, image = np.zeros_like(gradient), np.zeros_like(gradient)
    residual = gradient.copy()
    ahead = _off(residual / scale, held)
    direction, strength = ahead, float(residual @ ahead)
    first = strength
    for _ in range(2 * len(gradient)):
        if strength <= tolerance**2 * first or strength <= 0:
            break
        product = -_off(products(objective, search.z, direction[None])[0], held)
        curved = float(direction @ product)
        length = strength / curved if curved > 0 else np.inf
        if curved <= 0 or _norm(step + length * direction, scale) >= radius:
            length = _to_the_edge(step, direction, scale, radius)
            step, image = step + length * direction, image + length * product
            return _Step(step=step, promise=float(gradient @ step - 0.5 * step @ image), inside=False)
        step, image = step + length * direction, image + length * product
        residual = residual - length * product
        ahead = _off(residual / scale, held)
        strength, last = float(residual @ ahead), strength
        direction = ahead + (strength / last) * direction
    return _Step(step=step, promise=float(gradient @ step - 0.5 * step @ image), inside=True)


def _norm(vector: Array, scale: Array) -> float:
    return float(np.sqrt(np.sum(scale * vector**2)))


def _to_the_edge(step: Array, direction: Array, scale: Array, radius: float) -> float:
    a, b = float(np.sum(scale * direction**2)), float(np.sum(scale * step * direction))
    c = float(np.sum(scale * step**2)) - radius**2
    return (-b + np.sqrt(max(b * b - a * c, 0.0))) / a
