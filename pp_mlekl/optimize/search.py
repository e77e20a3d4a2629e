"""Many searches, one verdict."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit import messages
from pp_mlekl.optimize.audit.boundary import higher_nearby, look_to_the_edges
from pp_mlekl.optimize.audit.identifiability import classify
from pp_mlekl.optimize.audit.limit import at_the_limit
from pp_mlekl.optimize.audit.nonsmooth import step_coordinates
from pp_mlekl.optimize.audit.recession import bends_away, runs_on
from pp_mlekl.optimize.audit.unfinished import bare_verdict, beyond_jump, climb_of_trail, nothing, unfinished
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.by_gradients import search_by_gradients
from pp_mlekl.optimize.curvature import curvature, suspicious_directions
from pp_mlekl.optimize.large import search_large
from pp_mlekl.optimize.modes import VALLEY, Mode, distinct_modes, lowest_between
from pp_mlekl.optimize.multistart import approached, climb_from, continued
from pp_mlekl.optimize.numerical_noise import before_rounding, inexact, meaningful
from pp_mlekl.optimize.objective import Objective, rounding
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.solvers.result import EQUAL, Ends, joined
from pp_mlekl.typing import Array

# Half of the 95 % quantile of chi-squared with one degree of freedom: a second maximum this close is inside the
# likelihood-ratio region, and intervals about the first one alone are wrong.
NEARLY_EQUAL = 1.92
# Variances that differ by more than this share along a flat family are not the parameters' own.
_OTHER_VARIANCE = 1e-2
# From this many parameters on a gradient is so much cheaper than a Hessian that searches begin with gradients alone.
_GRADIENTS_FIRST = 60
_OF_ROUNDING = 3.0
# Iterations after which it is asked whether the searches that still run do so without end.
_PATIENCE = 25
# So many searches that did not come to rest are looked at before it is said that the search failed.
_TRIED = 4
# Points about an end at which the Hessian is looked for; it is contradicted where slopes change by less than the first share of
# what it says, and that is more than the second share of the slope itself.
_PROBES, _CONTRADICTED, _CHANGED = 16, 0.5, 1e-3


def search(objective: Objective, starts: Array, space: Space, *, max_iterations: int = 150) -> Verdict:
    """Climb from every start, merge what was found, and say what it is.

    Parameters
    ----------
    objective
        What to maximise.
    starts
        Shape (b, d).
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
    starts = _finite(objective, starts)
    if not len(starts):
        return nothing(objective.size, space)
    if objective.large or objective.derivatives < 2:
        other = search_large if objective.large else search_by_gradients
        return other(objective, starts, space, max_iterations)
    agreeing = np.ones(len(starts), dtype=int)
    if objective.size >= _GRADIENTS_FIRST:
        starts, agreeing = approached(objective, starts)
    ends = climb_from(objective, starts, space, min(max_iterations, _PATIENCE), agreeing)
    if max_iterations > _PATIENCE and np.any(ends.state == "running"):
        verdict = _running_off(objective, ends, space)
        if verdict is not None:
            return verdict
        ends = continued(objective, ends, space, max_iterations - _PATIENCE)
    return _judged(objective, meaningful(objective, ends), starts, space, max_iterations)


def _judged(
    objective: Objective, ends: Ends, starts: Array, space: Space, max_iterations: int, again: bool = True
) -> Verdict:
    """The verdict on the ends of all searches."""
    modes = _modes(ends, space)
    wild = _wild(objective, ends, modes)
    if not modes and np.isfinite(ends.value).any():
        contradicted = _is_contradicted(objective, ends)
        if contradicted or _has_holes(objective, ends):
            verdict = _running_off(objective, ends, space)
            if verdict is not None:
                return verdict
            found = search_by_gradients(_without_hessian(objective), starts, space, max_iterations)
            if contradicted and found.status == "boundary" and found.singular:
                # What looks like an edge of the support is one of the numbers.
                found = messages.failed(found, space, undefined=True)
            return messages.by_gradients(found, space)
    if len(wild):
        ends = before_rounding(objective, ends, wild)
        wild = _wild(objective, ends, modes)
    verdict = _on_the_way(objective, ends, wild, modes, space)
    if verdict is not None and verdict.status != "failed" and not verdict.singular:
        return verdict
    if verdict is not None:
        beyond = beyond_jump(objective, verdict, space, max_iterations) if again else None
        return (
            verdict
            if beyond is None
            else _judged(objective, joined(ends, beyond), starts, space, max_iterations, False)
        )
    if not modes:
        return nothing(objective.size, space, ends)
    return _examined(objective, ends, modes, space, int(ends.count.sum()))


def _on_the_way(objective: Objective, ends: Ends, wild: Array, modes: list[Mode], space: Space) -> Verdict | None:
    """The verdict on the highest of the searches that did not come to rest, or on the next where nothing can be said of it."""
    first = None
    for row in wild[np.argsort(-ends.value[wild], kind="stable")][:_TRIED].tolist():
        verdict = unfinished(objective, ends, row, modes, space, int(ends.count.sum()))
        if verdict is None or verdict.status != "failed":
            return verdict
        first = first or verdict
    return first


def _running_off(objective: Objective, ends: Ends, space: Space) -> Verdict | None:
    """That all searches run down a funnel is seen long before the first of them reaches the end of the numbers."""
    if np.any(ends.state == "stationary"):
        return None
    row = int(np.argmax(ends.value))
    climb = climb_of_trail(objective, ends, row, space)
    if climb is None:
        return None
    verdict = bare_verdict(objective, ends, row, [], int(ends.count.sum()))
    return messages.unbounded(replace(verdict, climb=climb), space)


def _finite(objective: Objective, starts: Array) -> Array:
    values = objective.value(starts)
    return starts[np.isfinite(values)]


def _wild(objective: Objective, ends: Ends, modes: list[Mode]) -> Array:
    """The searches that did not come to rest and are higher than all that did."""
    running = ends.state != "stationary"
    if not modes:
        return np.flatnonzero(running & np.isfinite(ends.value))
    best = modes[0].value
    wild = np.flatnonzero(running & (ends.value > best + EQUAL * max(1.0, abs(best))))
    # Far out, where a density is a difference of large terms, a search may be stuck on what is but rounding.
    return wild[ends.value[wild] > best + _OF_ROUNDING * inexact(objective, ends.z[wild])]


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
    sure = rounding(objective, top[None])[0] < _CHANGED * _CHANGED * max(1.0, abs(float(ends.value[row])))
    return bool(sure and np.all((found < _CONTRADICTED * expected) & (expected > _CHANGED * slope)))


def _about(ends: Ends) -> tuple[Array, Array]:
    """The highest end (d,), and moves of its size in random directions (k, d)."""
    top = ends.z[int(np.argmax(ends.value))]
    moves = np.random.default_rng(0).normal(size=(_PROBES, len(top)))
    return top, max(1.0, float(np.abs(top).max())) * moves


def _without_hessian(objective: Objective) -> Objective:
    return replace(objective, derivatives=1, product=None)


def _modes(ends: Ends, space: Space) -> list[Mode]:
    stationary = ends.state == "stationary"
    found = (getattr(ends, name)[stationary] for name in ("z", "value", "hessian", "count"))
    return distinct_modes(*found, period=space.period)


def _examined(
    objective: Objective, ends: Ends, modes: list[Mode], space: Space, starts: int, again: bool = True
) -> Verdict:
    """The verdict on the best stationary point."""
    mode = modes[0]
    found, suspicious = suspicious_directions(objective, mode.z, mode.value, mode.hessian, space.reach)
    row = int(np.argmin(np.abs(ends.z - mode.z).max(axis=1)))
    verdict = bare_verdict(objective, ends, row, modes, starts)
    if len(stepped := step_coordinates(objective, mode)):
        return messages.steps(verdict, stepped, space)
    if suspicious.any():
        # Far down a funnel the rounding of doubles can make a search look as if it had come to rest.
        climb = climb_of_trail(objective, ends, row, space)
        if climb is not None:
            return messages.unbounded(replace(verdict, climb=climb), space)
    soft = classify(objective, mode.z, mode.value, found, suspicious, space, _approach(ends, row))
    if suspicious.any():
        limit = runs_on(objective, verdict, np.array([z[row] for z, _ in ends.trail]), soft.run_off, space)
        if limit is not None:
            return limit
    irregular = found.directions[~soft.regular]
    # What was made a direction of its own has its covariance with the others all the same.
    whole = curvature(mode.hessian, held=irregular).inverse() if len(soft.shallow) else found.inverse(soft.regular)
    verdict = replace(
        verdict,
        null=soft.null,
        run_off=soft.run_off,
        shallow=soft.shallow,
        singular=soft.singular,
        covariance=whole,
        irregular=irregular,
    )
    if soft.singular:
        limit = bends_away(objective, verdict, np.array([z[row] for z, _ in ends.trail]), space)
        if limit is not None:
            return limit
    verdict, higher = look_to_the_edges(objective, verdict, space, suspicious)
    if verdict.climb is not None and verdict.climb.within_reach:
        return messages.unbounded(verdict, space)
    if higher is None and not suspicious.any():
        higher = higher_nearby(objective, verdict, space)
    better = _from_there(objective, higher, space, starts) if again and higher is not None else None
    return better or _named(objective, verdict, modes, space)


def _named(objective: Objective, verdict: Verdict, modes: list[Mode], space: Space) -> Verdict:
    """The verdict on a stationary point from which nothing higher was found."""
    if len(verdict.run_off):
        return messages.at_the_edge(at_the_limit(objective, verdict, space), space)
    if len(verdict.null):
        return messages.not_identified(_central(objective, verdict), space)
    rivals = _rivals(objective, modes)
    if rivals:
        return messages.multimodal(verdict, rivals, space)
    return messages.converged(verdict, space)


def _from_there(objective: Objective, ends: Ends, space: Space, starts: int) -> Verdict | None:
    """The verdict on searches that began near a maximum and came higher, be they at rest or not."""
    modes = _modes(ends, space)
    if modes:
        return _examined(objective, ends, modes, space, starts, again=False)
    return unfinished(objective, ends, int(np.argmax(ends.value)), modes, space, starts)


def _approach(ends: Ends, row: int) -> Array:
    """The ways in which a search came to its end: displacements from earlier points of its trail."""
    points = np.array([z[row] for z, _ in ends.trail])
    directions = ends.z[row] - points[[0, len(points) // 2, 3 * len(points) // 4]]
    return directions[np.linalg.norm(directions, axis=1) > 1e-3]


def _rivals(objective: Objective, modes: list[Mode]) -> list[Mode]:
    """Other maxima of equal or nearly equal height, with negative definite Hessian and a valley before them."""
    best = modes[0]
    near = [m for m in modes[1:] if best.value - m.value < NEARLY_EQUAL and curvature(m.hessian).eigenvalues[0] > 1e-9]
    if not near:
        return []
    lowest = lowest_between(objective, best.z, np.array([m.z for m in near]))
    return [m for m, valley in zip(near, lowest, strict=True) if m.value - valley > VALLEY]


def _central(objective: Objective, verdict: Verdict) -> Verdict:
    """The member of a flat family that lies nearest to the origin of z, where the family is a straight one.

    What has another variance there, because the family bends the rest of the objective, has none of its own.
    """
    basis = np.linalg.qr(verdict.null.T)[0]
    z = verdict.z - basis @ (basis.T @ verdict.z)
    values, _, hessians = objective.hessian(z[None])
    if verdict.value - values[0] > 1e-9 * max(1.0, abs(verdict.value)):
        return verdict
    variances = (np.diagonal(curvature(h, held=verdict.null).inverse()) for h in (verdict.hessian, hessians[0]))
    there, here = variances
    changed = np.flatnonzero(np.abs(there - here) > _OTHER_VARIANCE * np.maximum(there, here))
    irregular = np.concatenate([verdict.irregular, axes(changed, len(z))])
    return replace(verdict, z=z, value=float(values[0]), irregular=irregular)
