"""Fisher's scoring: steps by a positive definite information where there is no Hessian."""

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.newton_krylov import Climb
from pp_mlekl.typing import Array

# A step promises half its length in standard errors, squared; here it ends at 1e-10 of a standard error.
_FINISHED = 1e-20
# Gains below this share of the value are rounding: steps are then taken for what the gradient says, while they shorten.
_ROUNDING = 1e-12
_LONGEST_STEP, _HALVINGS = 5.0, 40
# Scoring converges linearly: a multiple of the iterations of Newton's method.
_STEPS = 5
# Where a step leaves more than this share of the decrement, the next are half as long: far from the information the curvature
# may be twice as large, and whole steps go to and fro. A search ends after this number of steps without a gain.
_LEFT, _STALLS = 0.5, 8


def score_upwards(
    objective: Objective,
    start: Array,
    *,
    held: Array | None = None,
    reach: Array | None = None,
    max_iterations: int = 150,
) -> Climb:
    """Climb from one start (d,) to a local maximum, with ``objective.information`` in the place of minus the Hessian.

    Parameters
    ----------
    objective
        What to maximise; its value at the start must be finite.
    held
        Unit vector (d,) along which the search must not move.
    reach
        How far from the start each coordinate may go, (d,), before the search is given up.
    max_iterations
        A fifth of the steps at most: what Newton's method would be allowed.

    Examples
    --------
    >>> def evaluate(order, z, rows):
    ...     return (-np.sum(np.cosh(z - 1), axis=1), -np.sinh(z - 1))[: order + 1]
    >>> peak = Objective(size=2, evaluate=evaluate, derivatives=1, information=lambda z: 1.5 * np.eye(2))
    >>> end = score_upwards(peak, np.zeros(2))
    >>> end.state, end.z.round(8).tolist()
    ('stationary', [1.0, 1.0])
    """
    assert objective.information is not None
    value, gradient = (part[0] for part in objective.gradient(start[None]))
    end = Climb(z=start.copy(), value=float(value), gradient=gradient, scale=np.ones(len(start)))
    end.trail.append((end.z, end.value))
    basis = np.eye(len(start)) if held is None else np.linalg.qr(held[:, None], mode="complete")[0][:, 1:]
    last, share, stalls = np.inf, 1.0, 0
    for iteration in range(_STEPS * max_iterations):
        end.iterations = iteration
        information = objective.information(end.z)
        if not np.isfinite(end.value) or not np.all(np.isfinite(information)):
            end.state = "stuck"
            return end
        slope = basis.T @ end.gradient
        step = np.linalg.lstsq(basis.T @ information @ basis, slope, rcond=None)[0]
        end.decrement = 0.5 * float(slope @ step)
        silent = end.decrement < _ROUNDING * max(1.0, abs(end.value))
        stalls = stalls + 1 if silent and end.decrement >= last else 0
        if end.decrement <= _FINISHED or stalls == _STALLS:
            end.state = "stationary"
            return end
        share = 0.5 * share if end.decrement > _LEFT * last and share > 0.1 else min(1.0, 1.5 * share)
        last = end.decrement
        if not _moved(objective, end, basis @ (share * step), silent):
            end.state = "stuck"
            return end
        end.trail.append((end.z, end.value))
        if reach is not None and np.any(np.abs(end.z - start) > reach):
            end.state = "ran"
            return end
    return end


def _moved(objective: Objective, end: Climb, step: Array, silent: bool) -> bool:
    """Go along a step, or the largest of its halves that does not lead downhill; False where none does not."""
    step = step * min(1.0, _LONGEST_STEP / max(np.abs(step).max(), 1e-300))
    least = end.value - (_ROUNDING * max(1.0, abs(end.value)) if silent else 0.0)
    for _ in range(_HALVINGS):
        value, gradient = (part[0] for part in objective.gradient((end.z + step)[None]))
        if value >= least:
            end.z, end.value, end.gradient = end.z + step, float(value), gradient
            return True
        step = step / 2.0
    return False
