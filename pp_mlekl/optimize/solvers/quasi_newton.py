"""L-BFGS (Liu & Nocedal 1989), for objectives that have gradients but no Hessian."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from pp_mlekl.optimize.objective import Objective, rounding
from pp_mlekl.optimize.solvers.newton_krylov import Climb
from pp_mlekl.typing import Array

# Steps of L-BFGS for one of Newton's, pairs of steps that it remembers, and gradients it may try on one line and on average.
_STEPS, _MEMORY, _LINE, _TRIALS = 10, 30, 20, 3
# A search is over where its next step would bring this many nats at most, or what rounding hides if that is more.
_AIM, _CLOSE = 1e-13, 1e-7
# Or where this many steps have brought, relative to the value, no more than this.
_LULL, _NOTHING = 15, 1e-14
# Coordinates up to which the diagonal of the inverse Hessian is taken exactly, random signs otherwise, and the least share
# of its largest entry that counts.
_EXACTLY, _SIGNS, _LEAST = 400, 16, 1e-16
# Points of a trail are this share of its extent apart.
_APART = 0.02
# A search that is stuck where there is no more slope than this has come to rest.
_NO_SLOPE = 1e-6
# Steps up the slope at most.
_MARCH = 150
# How often it may begin anew, without what it has learnt of the curvature.
_ROUNDS = 6


@dataclass(kw_only=True, eq=False)
class _Descent:
    """Minus the objective of x, where z = origin + scale x, along the free directions, as SciPy wants it: never infinite."""

    objective: Objective
    held: Array | None
    worst: float
    reach: Array
    start: Array
    origin: Array
    scale: Array
    trail: list[tuple[Array, float]] = field(default_factory=list)
    ran: bool = False

    def __call__(self, x: Array) -> tuple[float, Array]:
        value, gradient = self.objective.gradient(self.place(x)[None])
        if not np.isfinite(value[0]):
            # A moderate loss without slope halves the step and leaves the search where it was.
            return self.worst + 1.0 + 0.1 * abs(self.worst), np.zeros_like(x)
        self.worst = max(self.worst, -float(value[0]))
        return -float(value[0]), -self.slope(gradient[0])

    def place(self, x: Array) -> Array:
        return self.origin + self.scale * x

    def slope(self, gradient: Array) -> Array:
        """The gradient by x, without its part along the direction that is held."""
        if self.held is None:
            return self.scale * gradient
        held = self.scale * self.held
        return off(self.scale * gradient, held / np.linalg.norm(held))

    def note(self, intermediate_result: OptimizeResult) -> None:
        z, value = self.place(np.array(intermediate_result.x)), -float(intermediate_result.fun)
        self.trail.append((z, value))
        if np.any(np.abs(z - self.start) > self.reach):
            self.ran = True
            raise StopIteration
        if len(self.trail) > _LULL and value - self.trail[-_LULL][1] < _NOTHING * max(1.0, abs(value)):
            raise StopIteration


def ascend(
    objective: Objective,
    start: Array,
    *,
    held: Array | None = None,
    reach: Array | None = None,
    max_iterations: int = 150,
) -> Climb:
    """Climb from one start (d,) to a local maximum by gradients alone.

    Parameters
    ----------
    objective
        What to maximise; its value at the start must be finite.
    held
        Unit vector (d,) along which the search must not move.
    reach
        How far from the start each coordinate may go, (d,), before the search is given up as running off.
    max_iterations
        A tenth of the steps at most: what Newton's method would be allowed.

    Returns
    -------
    Climb
        Its ``decrement`` is the gain, in nats, that a step with L-BFGS' own estimate of the curvature promises.

    Examples
    --------
    >>> curvatures = np.geomspace(1, 1e4, 20)
    >>> def evaluate(order, z, rows):
    ...     return (-0.5 * np.sum(curvatures * (z - 1) ** 2, axis=1), -curvatures * (z - 1))[: order + 1]
    >>> end = ascend(Objective(size=20, evaluate=evaluate, derivatives=1), np.zeros(20))
    >>> end.state, float(np.abs(end.z - 1).max()) < 1e-6
    ('stationary', True)
    """
    value, gradient = objective.gradient(start[None])
    end = Climb(z=start.copy(), value=float(value[0]), gradient=gradient[0], scale=np.ones(len(start)))
    end.trail.append((end.z, end.value))
    if not np.isfinite(end.value):
        end.state = "stuck"
        return end
    far = np.full(len(start), np.inf) if reach is None else reach
    scale = np.ones(len(start))
    for _ in range(_ROUNDS):
        before = end.value
        descent = _Descent(
            objective=objective,
            held=held,
            worst=-end.value,
            reach=far,
            start=start,
            origin=end.z,
            scale=scale,
        )
        found = _run(descent, _STEPS * max_iterations // _ROUNDS)
        _settle(objective, end, descent, found)
        if found.nit:
            scale = scale * _units(found.hess_inv)
        if descent.ran:
            end.state = "ran"
        spent = end.iterations >= _STEPS * max_iterations
        # A run that was cut short is gone on with, in units of its own curvature.
        if descent.ran or spent or end.decrement < _AIM or not end.value > before:
            break
    end.trail = _thinned(end.trail)
    if end.state == "running" and end.decrement < max(_CLOSE, float(rounding(objective, end.z[None])[0])):
        end.state = "stationary"
    elif end.state == "running" and end.iterations < _STEPS * max_iterations:
        _to_the_edge(objective, end, held)
        flat = np.abs(off(end.gradient, held)).max() < _NO_SLOPE * max(1.0, abs(end.value))
        end.state = "stationary" if flat else "stuck"
    return end


def _thinned(trail: list[tuple[Array, float]]) -> list[tuple[Array, float]]:
    """The points of a trail that are some way apart: most of L-BFGS' steps are short ones near the end."""
    far = max(float(np.abs(z - trail[0][0]).max()) for z, _ in trail)
    kept = trail[:1]
    for point in trail[1:-1]:
        if np.abs(point[0] - kept[-1][0]).max() > _APART * far:
            kept.append(point)
    return [*kept, trail[-1]]


def _to_the_edge(objective: Objective, end: Climb, held: Array | None) -> None:
    """Go up the slope as long as that helps: where a density ends, or has a kink, L-BFGS stops before it is there."""
    size = max(1.0, float(np.abs(end.z).max()))
    step = 0.1 * size
    for _ in range(_MARCH):
        slope = off(end.gradient, held)
        length = float(np.linalg.norm(slope))
        if length == 0.0 or step < 1e-14 * size:
            return
        trial = end.z + step * slope / length
        value, gradient = objective.gradient(trial[None])
        if value[0] > end.value:
            end.z, end.value, end.gradient = trial, float(value[0]), gradient[0]
        else:
            step *= 0.5


def off(vector: Array, held: Array | None) -> Array:
    """The part of a vector at right angles to the unit vector that is held, if any is."""
    return vector if held is None else vector - (vector @ held) * held


def _run(descent: _Descent, iterations: int) -> Any:
    size = len(descent.origin)
    options = {"maxcor": min(_MEMORY, max(10, size)), "maxls": _LINE, "ftol": 0.0, "gtol": 0.0}
    options |= {"maxiter": max(1, iterations), "maxfun": _TRIALS * max(1, iterations)}
    with np.errstate(all="ignore"):
        return minimize(descent, np.zeros(size), jac=True, method="L-BFGS-B", callback=descent.note, options=options)


def _settle(objective: Objective, end: Climb, descent: _Descent, found: Any) -> None:
    """Take over where a run ended, if it has climbed, and what its own curvature says is still to be gained."""
    z = descent.place(np.asarray(found.x))
    value, gradient = objective.gradient(z[None])
    end.iterations += max(1, int(found.nit))
    end.trail += descent.trail
    if not float(value[0]) >= end.value:
        return
    end.z, end.value, end.gradient = z, float(value[0]), gradient[0]
    slope = descent.slope(gradient[0])
    if found.nit or not np.any(slope):
        end.decrement = 0.5 * float(slope @ found.hess_inv.matvec(slope))


def _units(inverse: Any) -> Array:
    """A length for each coordinate (d,), from the estimate of the inverse Hessian: a search in them begins nearly round.

    Its diagonal is that of a positive definite matrix; of many coordinates it is estimated by products with random signs.
    """
    size = inverse.shape[0]
    if size <= _EXACTLY:
        diagonal = np.diagonal(inverse.todense())
    else:
        signs = np.where(np.random.default_rng(0).random((_SIGNS, size)) < 0.5, -1.0, 1.0)
        diagonal = np.abs(np.mean([sign * inverse.matvec(sign) for sign in signs], axis=0))
    largest = float(np.max(diagonal))
    usable = np.isfinite(largest) and largest > 0
    return np.sqrt(np.maximum(diagonal, _LEAST * largest) / largest) if usable else np.ones(size)
