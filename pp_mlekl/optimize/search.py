"""Many searches, one verdict: a solver, then an audit of where it ended."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit.messages import messages
from pp_mlekl.optimize.audit.pipeline import judge, nothing
from pp_mlekl.optimize.audit.verdict import Finding, Verdict, decide
from pp_mlekl.optimize.meaningful_ends import meaningful
from pp_mlekl.optimize.multistart import solved
from pp_mlekl.optimize.numerical_noise import rounding
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.solvers.difference_hessian import with_difference_hessian
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.optimize.units import objective_in, space_in, units_of, verdict_out_of
from pp_mlekl.typing import Array

# Points about an end at which the Hessian is looked for.
_PROBES = 16


def search(objective: Objective, starts: Array, space: Space, *, max_iterations: int = 150) -> Verdict:
    """Climb from every start, merge what was found, and say what it is.

    Parameters
    ----------
    objective
        What to maximise. Where it has gradients alone, its Hessian is taken from differences of these.
    starts
        Shape (b, d); the first is where parameters are of moderate size.
    space
        The parameters.
    max_iterations
        For each search.

    Examples
    --------
    The likelihood of one observation from a normal distribution is unbounded as its scale tends to 0.

    >>> def evaluate(order, z, rows):
    ...     m, s = z.T
    ...     q, r = np.exp(-2 * s), 1.5 - m
    ...     hessian = np.stack([-q, -2 * q * r, -2 * q * r, -2 * q * r**2], axis=-1).reshape(-1, 2, 2)
    ...     return (-s - q * r**2 / 2, np.stack([q * r, -1 + q * r**2], axis=-1), hessian)[: order + 1]
    >>> natural = lambda z: np.stack([z[:, 0], np.exp(z[:, 1])], axis=-1)
    >>> space = Space(natural=natural, names=["mu", "sigma"], coordinates=["mu", "log(sigma)"],
    ...               transformed=np.array([False, True]))
    >>> search(Objective(size=2, evaluate=evaluate), np.zeros((1, 2)), space).status
    'unbounded'
    """
    units = units_of(starts, space)
    if np.any(units != 1.0) and not objective.large:
        inside = search(
            objective_in(objective, units), starts / units, space_in(space, units), max_iterations=max_iterations
        )
        return verdict_out_of(inside, units, space)
    if objective.derivatives < 2:
        objective = with_difference_hessian(objective)
    origin = starts[0] if len(starts) else np.zeros(objective.size)
    starts = starts[np.isfinite(objective.value(starts))]
    if not len(starts):
        return nothing(objective.size, space)
    ends = solved(objective, starts, space, max_iterations)
    verdict = judge(objective, meaningful(objective, ends), space, origin)
    unsettled = not np.any(ends.state == "stationary") and (verdict.status == "failed" or verdict.singular)
    if unsettled and not objective.large and np.isfinite(ends.value).any():
        contradicted = _is_contradicted(objective, ends)
        if contradicted or _has_holes(objective, ends):
            return _by_differences(objective, starts, space, origin, max_iterations, contradicted)
    return verdict


def _by_differences(
    objective: Objective, starts: Array, space: Space, origin: Array, max_iterations: int, contradicted: bool
) -> Verdict:
    """The verdict where the objective's own Hessian is not a number, or not its Hessian."""
    objective = with_difference_hessian(replace(objective, derivatives=1))
    ends = solved(objective, starts, space, max_iterations)
    verdict = judge(objective, meaningful(objective, ends), space, origin)
    none = np.zeros((0, objective.size))
    note = Finding(test="noise", kind="hessian", directions=none, measured=0.0, threshold=1.0, unit="defined Hessians")
    findings = (*verdict.findings, note)
    if contradicted and ("nonsmooth", "support") in {(f.test, f.kind) for f in findings}:
        # What looks like an end of the support is one of the numbers.
        undefined = replace(note, kind="undefined")
        findings = (*(f for f in findings if (f.test, f.kind) != ("nonsmooth", "support")), undefined)
    verdict = replace(verdict, status=decide(findings), findings=findings)
    return replace(verdict, warnings=messages(verdict, space))


def _has_holes(objective: Objective, ends: Ends) -> bool:
    """Whether about the highest end there are points with a gradient but without a Hessian (0 times infinity, say)."""
    top, moves = _about(ends)
    around = top + 1e-3 * moves
    return bool(np.any(np.isfinite(objective.gradient(around)[0]) & ~np.isfinite(objective.hessian(around)[0])))


def _is_contradicted(objective: Objective, ends: Ends) -> bool:
    """Whether by the Hessian at the highest end slopes should change that do not.

    Where the square of an intermediate result overflows, one of two terms that cancel is lost.
    """
    row = int(np.argmax(ends.value))
    top, moves = _about(ends)
    change = 1e-6 * moves @ ends.hessian[row]
    seen = (objective.gradient(top + 1e-6 * moves)[1] - objective.gradient(top - 1e-6 * moves)[1]) / 2
    expected, found = (np.linalg.norm(slopes, axis=1) for slopes in (change, seen))
    slope = max(1.0, float(np.linalg.norm(ends.gradient[row])))
    sure = rounding(objective, top[None])[
        0
    ] < objective.tolerances.hessian_seen * objective.tolerances.hessian_seen * max(1.0, abs(float(ends.value[row])))
    return bool(
        sure
        and np.all(
            (found < objective.tolerances.hessian_change * expected)
            & (expected > objective.tolerances.hessian_seen * slope)
        )
    )


def _about(ends: Ends) -> tuple[Array, Array]:
    """The highest end (d,), and moves of its size in random directions (k, d)."""
    top = ends.z[int(np.argmax(ends.value))]
    moves = np.random.default_rng(0).normal(size=(_PROBES, len(top)))
    return top, max(1.0, float(np.abs(top).max())) * moves
