"""Many searches, one verdict, where whole Hessians would not fit: products, Lanczos and conjugate gradients."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit import messages
from pp_mlekl.optimize.audit.identifiability import classify
from pp_mlekl.optimize.audit.unfinished import bare_verdict, unfinished
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.curvature import Curvature, falls_off
from pp_mlekl.optimize.large_curvature import LargeCurvature, Weakest
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import climbs, profile_paths
from pp_mlekl.optimize.solvers.result import EQUAL, Ends
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# Each search is dear, so a few that agree have to do.
_SEARCHES = 4
_SADDLES = 5
_NO_SLOPE = 1e-9
_NUDGE = 0.1
# Of bounded coordinates, those with the weakest curvature are looked at by themselves.
_ALONE = 50
_INCOMPLETE = (
    "Not all of the weakest directions of the Hessian could be computed (Lanczos' iteration did not converge): "
    "flat directions may have been missed."
)


def search_large(objective: Objective, starts: Array, space: Space, max_iterations: int) -> Verdict:
    """Climb from a few starts and examine the best end; arguments as for ``search.search``."""
    starts = _moving(objective, starts[:_SEARCHES])
    ends = maximize(objective, starts, reach=space.reach, max_iterations=max_iterations, keep_trail=True)
    for _ in range(_SADDLES):
        row = int(np.argmax(ends.value))
        if ends.state[row] != "stationary":
            verdict = unfinished(objective, ends, row, [], space, len(ends.z))
            if verdict is not None and verdict.status != "failed":
                return verdict
            beyond = _by_gradients(objective, ends, row, space, max_iterations)
            if beyond is None:
                break
            ends = beyond
            continue
        curvature = LargeCurvature(objective=objective, z=ends.z[row])
        weakest = curvature.weakest()
        beyond = _downhill_from_saddle(objective, ends, row, curvature, weakest, space)
        if beyond is None:
            return _examined(objective, ends, row, curvature, weakest, space)
        ends = beyond
    return messages.failed(bare_verdict(objective, ends, int(np.argmax(ends.value)), [], len(ends.z)), space)


def _moving(objective: Objective, starts: Array) -> Array:
    """The starts, but those where the gradient vanishes (a saddle, often) left to both sides."""
    value, gradient = objective.gradient(starts)
    still = np.abs(gradient).max(axis=1) < _NO_SLOPE * np.maximum(1.0, np.abs(value))
    nudge = _NUDGE * np.random.default_rng(0).normal(size=(int(still.sum()), starts.shape[1]))
    return np.concatenate([starts[still] + nudge, starts[still] - nudge, starts[~still]])


def _by_gradients(objective: Objective, ends: Ends, row: int, space: Space, max_iterations: int) -> Ends | None:
    """Where L-BFGS comes to rest that goes on from a search by products that did not, if it does."""
    alone = replace(objective, derivatives=1)
    found = maximize(alone, ends.z[[row]], reach=space.reach, max_iterations=max_iterations, keep_trail=True)
    return found if found.state[0] == "stationary" else None


def _downhill_from_saddle(
    objective: Objective, ends: Ends, row: int, curvature: LargeCurvature, weakest: Weakest, space: Space
) -> Ends | None:
    """Where a point is a saddle, the end of a search that leaves it along the curvature that is not a maximum's."""
    if weakest.eigenvalues[0] > -1e-7 * weakest.largest:
        return None
    way = weakest.vectors[0] * curvature.scale
    around = ends.z[row] + np.array([-1.0, -0.1, 0.1, 1.0])[:, None] * way / np.abs(way).max()
    values = objective.value(around)
    if values.max() <= ends.value[row]:
        return None
    return maximize(objective, around[[np.argmax(values)]], reach=space.reach, keep_trail=True)


def _examined(
    objective: Objective, ends: Ends, row: int, curvature: LargeCurvature, weakest: Weakest, space: Space
) -> Verdict:
    modes = _modes(ends, row, curvature)
    verdict = bare_verdict(objective, ends, row, modes, len(ends.z))
    found, suspicious = _suspicious(objective, verdict, curvature, weakest, space)
    approach = verdict.z - np.array([ends.trail[len(ends.trail) // 2][0][row]])
    soft = classify(
        objective, verdict.z, verdict.value, found, suspicious, space, approach[np.abs(approach).max(1) > 1e-3]
    )
    verdict = replace(
        verdict,
        large=curvature,
        null=soft.null,
        run_off=soft.run_off,
        shallow=soft.shallow,
        singular=soft.singular,
        irregular=found.directions[~soft.regular],
        audit=replace(
            verdict.audit,
            smallest_eigenvalue=float(weakest.eigenvalues[0]),
            largest_eigenvalue=weakest.largest,
            rank=len(verdict.z) - int(np.sum(weakest.eigenvalues < 1e-9 * weakest.largest)),
        ),
    )
    edges = space.edges(verdict.z)[:1]
    if len(edges):
        paths = profile_paths(objective, verdict.z[None], edges)
        verdict = replace(verdict, climb=next(iter(climbs(paths, edges, verdict.value)), None))
        if verdict.climb is not None and verdict.climb.within_reach:
            return messages.unbounded(verdict, space)
    if len(soft.run_off):
        return messages.at_the_edge(verdict, space)
    if len(soft.null):
        return messages.not_identified(verdict, space)
    verdict = messages.multimodal(verdict, modes[1:], space) if modes[1:] else messages.converged(verdict, space)
    return verdict if weakest.complete else replace(verdict, warnings=(*verdict.warnings, _INCOMPLETE))


def _suspicious(
    objective: Objective, verdict: Verdict, curvature: LargeCurvature, weakest: Weakest, space: Space
) -> tuple[Curvature, Array]:
    """The weakest directions, and bounded coordinates by themselves, that do not fall off as at a regular maximum."""
    bounded = np.flatnonzero(space.transformed)
    bounded = bounded[np.argsort(-curvature.scale[bounded], kind="stable")[:_ALONE]]
    alone = axes(bounded, len(verdict.z)) * curvature.scale
    soft = ~falls_off(objective, verdict.z, verdict.value, alone, space.reach)
    if soft.any():
        # Eigenvectors mix coordinates of equal curvature: one that is suspicious by itself is kept apart.
        weakest = curvature.weakest(bounded[soft])
    eigenvalues = weakest.eigenvalues / weakest.largest
    long = np.sqrt(np.maximum(weakest.eigenvalues, 1e-13 * weakest.largest))[:, None]
    directions = weakest.vectors * curvature.scale / long
    suspicious = ~falls_off(objective, verdict.z, verdict.value, directions, space.reach) | (eigenvalues < 1e-11)
    found = Curvature(
        eigenvalues=np.concatenate([np.ones(int(soft.sum())), eigenvalues]),
        directions=np.concatenate([alone[soft], directions]),
        scale=curvature.scale,
    )
    return found, np.concatenate([np.ones(int(soft.sum()), dtype=bool), suspicious])


def _modes(ends: Ends, row: int, curvature: LargeCurvature) -> list[Mode]:
    """The best end, and others as high that are farther off than a thousandth of a standard error."""
    nothing = np.broadcast_to(np.nan, (ends.z.shape[1],) * 2)
    value = float(ends.value[row])
    modes = [Mode(z=ends.z[row], value=value, hessian=nothing, agree=1)]
    high = (ends.state == "stationary") & (value - ends.value < EQUAL * max(1.0, abs(value)))
    for k in np.flatnonzero(high & (np.arange(len(ends.z)) != row)).tolist():
        near = [i for i, m in enumerate(modes) if np.abs((ends.z[k] - m.z) / curvature.scale).max() < 1e-3]
        if near:
            modes[near[0]] = replace(modes[near[0]], agree=modes[near[0]].agree + 1)
        else:
            modes.append(Mode(z=ends.z[k], value=float(ends.value[k]), hessian=nothing, agree=1))
    return modes
