"""The supremum that is approached at an edge or at infinity: moved on to until it is reached to rounding."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit.identifiability import curved_nearby, curved_null, idle_coordinates, independent
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.curvature import DOUBTFUL, curvature, rays, suspicious_directions
from pp_mlekl.optimize.numerical_noise import crosses_rounding, inexact
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# A value is known to within so many times its scatter.
_SCATTERS = 3.0
# A way back on which so many nats were lost led to no supremum if there, at the end of other ways, less than this is lost.
_FALLEN, _NOT_SEEN = 0.1, 1e-3


def at_the_limit(objective: Objective, verdict: Verdict, space: Space) -> Verdict:
    """The verdict with its point moved on until the supremum is reached to rounding, and the rest adapted to that."""
    verdict = without_idle(objective, replace(verdict, run_off=space.distinct(verdict.z, verdict.run_off)), space)
    directions = verdict.run_off
    onward = directions.sum(axis=0)[None] / np.linalg.norm(directions.sum(axis=0))
    trial = np.concatenate([verdict.z[None], rays(verdict.z, onward, space.reach)[:, 0]])
    trial = trial[np.isfinite(objective.value(trial))]
    lost = np.logical_or.accumulate(crosses_rounding(objective, trial[:-1], trial[1:]))
    trial = trial[np.append(True, ~lost)]
    ends = maximize(objective, trial, held=np.repeat(onward, len(trial), axis=0), max_iterations=20)
    # The nearest point will do: the farther, the less is left of the other parameters' precision.
    arrived = np.isfinite(ends.value)
    ends = replace(ends, z=ends.z[arrived], value=ends.value[arrived])
    if not len(ends.z):
        # Even here the density's own numbers give out as soon as a coordinate is moved.
        return replace(verdict, run_off=directions)
    # What rounding may have made is no gain.
    doubt = _SCATTERS * inexact(objective, ends.z) + objective.precision * max(1.0, abs(verdict.value))
    gains = np.append(np.diff(ends.value) - doubt[1:], -np.inf)
    first = int(np.argmax(gains <= 0.0))
    z, value = ends.z[first], float(ends.value[first])
    _, gradient, hessian = objective.hessian(z[None])
    found, suspicious = suspicious_directions(objective, z, value, hessian[0], space.reach, held=directions)
    # What is curved at the maximum, though it hardly falls farther off, has an estimate all the same.
    suspicious[suspicious] = ~curved_nearby(objective, z, value, found.directions[suspicious])
    idle = idle_coordinates(objective, z, value, [*verdict.null, *directions])
    null = np.concatenate([verdict.null, idle])
    return replace(
        verdict,
        null=np.concatenate(
            [null, _bent_families(objective, z, value, hessian[0], np.concatenate([null, directions]))]
        ),
        z=z,
        value=value,
        gradient=gradient[0],
        hessian=hessian[0],
        run_off=directions,
        covariance=found.inverse(~suspicious),
        irregular=found.directions[suspicious],
    )


def _bent_families(objective: Objective, z: Array, value: float, hessian: Array, known: Array) -> Array:
    """Unit directions (k, d), beside those known, in which a surface of equal value through z bends away.

    A scale that no longer matters may leave but the sum of two variances to be known.
    """
    whole = curvature(hessian, held=independent(known))
    flat = whole.directions[whole.eigenvalues < DOUBTFUL]
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return flat[curved_null(objective, z, value, flat)]


def without_idle(objective: Objective, verdict: Verdict, space: Space) -> Verdict:
    """The verdict with those of its directions to infinity that the others take the say from among the flat ones."""
    needed = _needed(objective, verdict.z, verdict.run_off, space)
    return replace(
        verdict, run_off=verdict.run_off[needed], null=np.concatenate([verdict.null, verdict.run_off[~needed]])
    )


def _needed(objective: Objective, z: Array, directions: Array, space: Space) -> Array:
    """Which of directions (k, d) that run off from z the others need to reach the supremum, (k,) of bool.

    Where one parameter at its edge takes another's say with it, that one only seemed to run off before. What leads to
    infinity is done without first.
    """
    needed = np.ones(len(directions), dtype=bool)
    finite = np.array([not space.limit(z, way).runs_off.any() for way in directions])
    value = float(objective.value(z[None])[0])
    for k in np.argsort(finite, kind="stable").tolist():
        others = needed & (np.arange(len(directions)) != k)
        if not others.any():
            break
        onward = directions[others].sum(axis=0)
        points = rays(z, onward[None] / np.linalg.norm(onward), space.reach)[:, 0]
        back = rays(z, -directions[[k]], space.reach)[:, 0] - z
        fallen = np.flatnonzero(value - objective.value(z + back) > _FALLEN)
        if not len(fallen):
            continue
        before = points + back[fallen[0]]
        values = objective.value(np.array([points, before]).reshape(-1, len(z))).reshape(2, -1)
        known = np.flatnonzero(np.isfinite(values).all(axis=0) & ~crosses_rounding(objective, points, before))
        needed[k] = not len(known) or np.ptp(values[:, known[-1]]) > _NOT_SEEN
    return needed
