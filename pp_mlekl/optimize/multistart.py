"""Many searches begun and gone on with: where Hessians are dear, no more of them than are needed."""

from dataclasses import replace
from typing import Any

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.solvers.bfgs import approach
from pp_mlekl.optimize.solvers.result import Ends, joined
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# From this many parameters on a few searches that agree are enough.
_DEAR = 12
_FEW = 4
# From this many parameters on a gradient is so much cheaper than a Hessian that searches begin with gradients alone.
_GRADIENTS_FIRST = 60
# How a start on a saddle of a large problem is left.
_NO_SLOPE, _NUDGE = 1e-9, 0.1
# How many times as long a few searches may take before others are begun.
_LONGER = 4


def solved(objective: Objective, starts: Array, space: Space, max_iterations: int) -> Ends:
    """Climb from all starts (b, d), of a large problem from a few; where the searches are dear, gradients lead the way.

    Parameters
    ----------
    objective, space
        What to maximise, and the parameters.
    starts
        The value there must be finite.
    max_iterations
        For each search.
    """
    if objective.large:
        return _solved_large(objective, starts[:_FEW], space, max_iterations)
    agreeing = np.ones(len(starts), dtype=int)
    if objective.size >= _GRADIENTS_FIRST:
        starts, agreeing = approached(objective, starts)
    return climb_from(objective, starts, space, max_iterations, agreeing)


def _solved_large(objective: Objective, starts: Array, space: Space, max_iterations: int) -> Ends:
    """The same by products: starts on saddles are left to both sides."""
    value, gradient = objective.gradient(starts)
    still = np.abs(gradient).max(axis=1) < _NO_SLOPE * np.maximum(1.0, np.abs(value))
    nudge = _NUDGE * np.random.default_rng(0).normal(size=(int(still.sum()), starts.shape[1]))
    starts = np.concatenate([starts[still] + nudge, starts[still] - nudge, starts[~still]])
    ends = maximize(objective, starts, reach=space.reach, max_iterations=max_iterations, keep_trail=True)
    if ends.state[int(np.argmax(ends.value))] == "running":
        return continued(objective, ends, space, _LONGER * max_iterations)
    return ends


def climb_from(objective: Objective, starts: Array, space: Space, max_iterations: int, counts: Array) -> Ends:
    """Climb from all starts; where Hessians are dear, from a few first, and from the rest only if these disagree."""
    few = len(starts) if objective.size < _DEAR else _FEW
    options: dict[str, Any] = {"reach": space.reach, "max_iterations": max_iterations, "keep_trail": True}
    ends = maximize(objective, starts[:few], counts=counts[:few], **options)
    if few < len(starts) and np.any(ends.state == "stationary") and np.any(ends.state == "running"):
        # One that has arrived says that the others may: they are nearer than any that has not begun.
        ends = continued(objective, ends, space, _LONGER * max_iterations)
    agreed = np.all(ends.state == "stationary") and np.ptp(ends.value) <= objective.tolerances.equal * max(
        1.0, abs(ends.value[0])
    )
    if few >= len(starts) or agreed:
        return ends
    return joined(ends, maximize(objective, starts[few:], counts=counts[few:], **options))


def continued(objective: Objective, ends: Ends, space: Space, max_iterations: int) -> Ends:
    """Go on with the searches that were still running."""
    rows = np.flatnonzero(ends.state == "running")
    more = maximize(objective, ends.z[rows], reach=space.reach, max_iterations=max_iterations, keep_trail=True)
    merged = {}
    for name in ("z", "value", "gradient", "decrement", "state", *(() if ends.unknown else ("hessian",))):
        merged[name] = getattr(ends, name).copy()
        merged[name][rows] = getattr(more, name)
    trail = list(ends.trail)
    for points, values in more.trail[1:]:
        z, value = ends.z.copy(), ends.value.copy()
        z[rows], value[rows] = points, values
        trail.append((z, value))
    return replace(ends, **merged, iterations=ends.iterations + more.iterations, trail=trail)


def approached(objective: Objective, starts: Array) -> tuple[Array, Array]:
    """The starts moved uphill by gradients alone, merged where they arrive together, and how many each stands for."""
    z, near = approach(objective, starts, np.zeros(len(starts), dtype=int))
    kept: list[int] = []
    count = np.ones(len(z), dtype=int)
    for i in range(len(z)):
        twin = next((k for k in kept if near[i] and near[k] and np.allclose(z[i], z[k], rtol=1e-3, atol=1e-3)), None)
        if twin is None:
            kept.append(i)
        else:
            count[twin] += 1
    return z[kept], count[kept]
