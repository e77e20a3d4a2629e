"""The audit of what searches found: the tests, the points that they look at, and the verdict."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit.boundary import boundary
from pp_mlekl.optimize.audit.identifiability import identifiability
from pp_mlekl.optimize.audit.messages import messages, moved_names
from pp_mlekl.optimize.audit.multimodality import multimodality
from pp_mlekl.optimize.audit.noise import noise
from pp_mlekl.optimize.audit.nonsmooth import nonsmooth
from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.recession import recession
from pp_mlekl.optimize.audit.unbounded import elsewhere, unbounded
from pp_mlekl.optimize.audit.verdict import Audit, Finding, Verdict, decide
from pp_mlekl.optimize.curvature import curvature
from pp_mlekl.optimize.large_curvature import LargeCurvature
from pp_mlekl.optimize.meaningful_ends import before_rounding
from pp_mlekl.optimize.modes import Mode, distinct_modes
from pp_mlekl.optimize.numerical_noise import inexact
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import Climb, seen_from
from pp_mlekl.optimize.solvers.result import Ends, at_point, joined
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

TESTS: Sequence[Callable[[Point], list[Finding]]] = (
    noise,
    unbounded,
    boundary,
    recession,
    identifiability,
    nonsmooth,
    multimodality,
)
# How often the audit begins again from a higher point that a test came to.
_ROUNDS = 3
# Scaled eigenvalues of a large problem below this share of the largest do not count for its rank.
_FLAT = 1e-9
# Maximum number of searches that did not converge and are audited before the search is reported to have failed.
_TRIED = 4
# Maxima of functions that are not smooth there: nothing has a standard error.
_NOT_SMOOTH = (("identifiability", "singular"), ("nonsmooth", "kink"), ("nonsmooth", "support"))


def judge(objective: Objective, ends: Ends, space: Space, origin: Array) -> Verdict:
    """The verdict on the ends of all searches.

    Parameters
    ----------
    objective, space
        What was maximised, and the parameters.
    ends
        Where the searches ended.
    origin
        A point (d,) where parameters are of moderate size.
    """
    for turn in range(_ROUNDS):
        ends, modes, rows = _highest(objective, ends, space)
        if not len(rows):
            return nothing(objective.size, space, ends)
        first = None
        for row in rows.tolist():
            point = _point(objective, ends, row, modes, space, origin)
            findings = audited(point)
            first = first or (row, point, findings)
            if decide(findings) != "failed":
                break
        else:
            row, point, findings = first  # type: ignore[misc]
        onward = next((f.onward for f in findings if f.kind == "higher"), None)
        if onward is None or turn == _ROUNDS - 1:
            break
        ends = joined(ends, onward)
    verdict = _verdict(point, findings, account(ends, row, modes, objective.tolerances))
    if verdict.status == "unbounded":
        climb = next(f.climb for f in findings if f.climb is not None)
        verdict = replace(verdict, local=_local(point, ends, climb))
    return replace(verdict, warnings=messages(verdict, space))


def _local(point: Point, ends: Ends, climb: Climb) -> Verdict | None:
    """The highest regular maximum among the ends, where the objective is unbounded elsewhere; None where there is none."""
    objective, space = point.objective, point.space
    for mode in point.modes:
        row = int(np.argmin(np.abs(ends.z - mode.z).max(axis=1)))
        there = _point(objective, ends, row, list(point.modes), space, point.origin)
        # Far along a divergence a search may stop where no digits are left.
        if not (there.suspicious.any() or objective.tolerances.noise_meaningless < there.noise):
            found = [elsewhere(seen_from(climb, there.z, there.value), there.tolerances)]
            local = _verdict(there, found, account(ends, row, point.modes, objective.tolerances))
            return replace(local, warnings=messages(local, space))
    return None


def audited(point: Point) -> list[Finding]:
    """What all tests find at a point, up to one that makes the others needless."""
    findings: list[Finding] = []
    for test in TESTS:
        findings += [replace(f, parameters=moved_names(f.directions, point.space)) for f in test(point)]
        if decide(findings) == "unbounded":
            break
    return findings


def _highest(objective: Objective, ends: Ends, space: Space) -> tuple[Ends, list[Mode], Array]:
    """The ends without numerical noise, their maxima, and the rows (k,) to audit, up to the first with a verdict."""
    modes = _modes(ends, space, objective.tolerances)
    # A search that ended where rounding destroys all digits may have been above all maxima before that.
    higher = _higher(objective, ends, modes)
    if len(higher):
        ends = before_rounding(objective, ends, higher)
    running = _above(objective, ends, modes)
    if len(running):
        return ends, modes, running[np.argsort(-ends.value[running], kind="stable")][:_TRIED]
    if not modes:
        return ends, modes, np.zeros(0, dtype=int)
    return ends, modes, np.array([int(np.argmin(np.abs(ends.z - modes[0].z).max(axis=1)))])


def _modes(ends: Ends, space: Space, tolerances: Tolerances) -> list[Mode]:
    found = ends.chosen(ends.state == "stationary")
    return distinct_modes(found.z, found.value, found.hessian, found.count, period=space.period, tolerances=tolerances)


def _higher(objective: Objective, ends: Ends, modes: list[Mode]) -> Array:
    """The searches that did not converge and are higher than all that did."""
    running = ends.state != "stationary"
    if not modes:
        return np.flatnonzero(running & np.isfinite(ends.value))
    best = modes[0].value
    return np.flatnonzero(running & (ends.value > best + objective.tolerances.equal * max(1.0, abs(best))))


def _above(objective: Objective, ends: Ends, modes: list[Mode]) -> Array:
    """The searches that did not converge and are higher than all that did by more than numerical noise."""
    above = _higher(objective, ends, modes)
    if not modes:
        return above
    best = modes[0].value
    # Where a density is a difference of large terms, a search may be stuck on numerical noise.
    return above[ends.value[above] > best + objective.tolerances.noise_multiple * inexact(objective, ends.z[above])]


def _point(objective: Objective, ends: Ends, row: int, modes: list[Mode], space: Space, origin: Array) -> Point:
    stationary = ends.state[row] == "stationary"
    return Point(
        objective=objective,
        space=space,
        z=ends.z[row],
        value=float(ends.value[row]),
        gradient=ends.gradient[row],
        hessian=ends.hessian[row],
        origin=origin,
        state=str(ends.state[row]),
        modes=modes,
        large=LargeCurvature(objective=objective, z=ends.z[row]) if objective.large and stationary else None,
    )


def _verdict(point: Point, findings: list[Finding], audit: Audit) -> Verdict:
    """The verdict that follows from the findings at a point."""
    status, size = decide(findings), len(point.z)
    kinds = {(f.test, f.kind) for f in findings}
    unknown, none = np.broadcast_to(np.nan, (size, size)), np.zeros((0, size))
    verdict = Verdict(
        status=status,
        z=point.z,
        value=point.value,
        gradient=point.gradient,
        hessian=point.hessian,
        warnings=(),
        null=_directions(findings, (("identifiability", "flat"),), none),
        run_off=none,
        covariance=unknown,
        irregular=none,
        singular=bool(kinds & set(_NOT_SMOOTH)),
        # Searches that were begun again are over.
        findings=tuple(replace(f, onward=None) for f in findings if f.kind != "higher"),
        large=point.large,
        audit=audit,
    )
    if status == "unbounded":
        climb = next(f.climb for f in findings if f.climb is not None)
        verdict = replace(verdict, z=climb.points[-1], value=float(np.inf))
    elif status in ("at_infinity", "boundary") and len(point.recession.directions):
        verdict = _at_the_limit(verdict, point)
    elif kinds & {("nonsmooth", "kink"), ("nonsmooth", "support")}:
        ends = next(f.onward for f in findings if f.kind in ("kink", "support") and f.onward is not None)
        verdict = replace(verdict, z=ends.z[0], value=float(ends.value[0]), gradient=ends.gradient[0])
    elif point.stationary and point.large is None:
        verdict = replace(verdict, covariance=_covariance(point), irregular=point.curvature.directions[~point.regular])
    elif point.large is not None:
        verdict = replace(verdict, irregular=point.curvature.directions[~point.regular])
    if point.large is not None:
        weakest = point.weakest
        flat = int(np.sum(weakest.eigenvalues < _FLAT * weakest.largest))
        audit = replace(
            audit,
            rank=size - flat,
            smallest_eigenvalue=float(weakest.eigenvalues[0]),
            largest_eigenvalue=weakest.largest,
        )
        verdict = replace(verdict, audit=audit)
    if status == "not_identified" and point.large is None:
        verdict = _central(point.objective, verdict)
    return verdict


def _directions(findings: list[Finding], kinds: Sequence[tuple[str, str]], none: Array) -> Array:
    return np.concatenate([none, *(f.directions for f in findings if (f.test, f.kind) in kinds)])


def _at_the_limit(verdict: Verdict, point: Point) -> Verdict:
    """The verdict at the point where the supremum is nearly reached."""
    limit = point.recession
    there = at_point(point.objective, limit.z, "limit")
    return replace(
        verdict,
        z=limit.z,
        value=limit.value,
        gradient=there.gradient[0],
        hessian=there.hessian[0],
        null=limit.null,
        run_off=limit.directions,
        covariance=verdict.covariance if limit.covariance is None else limit.covariance,
        irregular=verdict.irregular if limit.irregular is None else limit.irregular,
        singular=False,
    )


def _covariance(point: Point) -> Array:
    if not point.suspicious.any():
        return point.curvature.inverse()
    if len(point.soft.shallow):
        # What was made a direction of its own has its covariance with the others all the same.
        return curvature(point.hessian, held=point.curvature.directions[~point.regular]).inverse()
    return point.curvature.inverse(point.regular)


def _central(objective: Objective, verdict: Verdict) -> Verdict:
    """The member of a flat family that lies nearest to the origin of z, where the family is a straight one.

    What has another variance there, because the family bends the rest of the objective, has none of its own.
    """
    basis = np.linalg.qr(verdict.null.T)[0]
    z = verdict.z - basis @ (basis.T @ verdict.z)
    values, _, hessians = objective.hessian(z[None])
    if verdict.value - values[0] > 1e-9 * max(1.0, abs(verdict.value)):
        return verdict
    there, here = (np.diagonal(curvature(h, held=verdict.null).inverse()) for h in (verdict.hessian, hessians[0]))
    changed = np.flatnonzero(np.abs(there - here) > objective.tolerances.family_variance * np.maximum(there, here))
    irregular = np.concatenate([verdict.irregular, axes(changed, len(z))])
    return replace(verdict, z=z, value=float(values[0]), irregular=irregular)


def account(ends: Ends, row: int, modes: Sequence[Mode], tolerances: Tolerances) -> Audit:
    """The search's own account of the end in a row."""
    hessian, size = ends.hessian[row], ends.z.shape[1]
    # The Hessian of a large problem is not there: what is known of its eigenvalues comes from elsewhere.
    known = bool(size) and not np.isnan(hessian[0, 0])
    eigenvalues = np.linalg.eigvalsh(-hessian) if known else np.array([np.nan])
    near = np.abs(ends.value - ends.value[row]) <= tolerances.equal * max(1.0, abs(ends.value[row]))
    return Audit(
        gradient_norm=float(np.linalg.norm(ends.gradient[row])),
        decrement=float(ends.decrement[row]),
        smallest_eigenvalue=float(eigenvalues[0]),
        largest_eigenvalue=float(eigenvalues[-1]),
        rank=curvature(hessian).rank if known else 0,
        size=size,
        starts=int(ends.count.sum()),
        agree=int(np.sum(ends.count[near & ((ends.state == "stationary") | (np.arange(len(near)) == row))])),
        iterations=ends.iterations,
        modes=tuple(modes),
    )


def nothing(size: int, space: Space, ends: Ends | None = None) -> Verdict:
    """The verdict where no search led anywhere."""
    why = f"the {space.what} is not finite at any start" if ends is None else "no search converged"
    none, unknown = np.zeros((0, size)), np.full(size, np.nan)
    return Verdict(
        status="failed",
        z=unknown,
        value=np.nan,
        gradient=unknown,
        hessian=np.broadcast_to(np.nan, (size, size)),
        warnings=(f"The search failed: {why}; give a start of your own.",),
        null=none,
        run_off=none,
        covariance=np.broadcast_to(np.nan, (size, size)),
        irregular=none,
    )
