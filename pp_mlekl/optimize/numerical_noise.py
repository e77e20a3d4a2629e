"""Ends of searches that are but rounding: far out a density is a difference of large terms."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.curvature import DOUBTFUL, curvature
from pp_mlekl.optimize.objective import ONLY_ROUNDING, Objective, rounding
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.typing import Array

# A value is known to within this many times its scatter, which is seen from this share of the value on.
_SCATTERS, _SEEN = 10.0, 1e-8
# Distances, relative to a point's size, at which steps of the value are looked for, in so many directions each; the height
# of a step does not depend on the distance, what a smooth function does between does, by more than this for ten times as
# far; and moves that change the value by more nats tell nothing.
_DISTANCES, _WAYS = 10.0 ** np.arange(-9, 0), 4
_SAME_HEIGHT, _CHANGED = 3.0, 5.0
# The share of a way by which it is gone on with to see whether steps are rounding's.
_FARTHER_ON = 0.1
# A move, relative to a point's size, by which a density that has lost all digits does not change at all.
_ASIDE = 1e-3
# Where on a step it is looked for rounding.
_SHARES = np.linspace(0.125, 1.0, 8)


def meaningful(objective: Objective, ends: Ends) -> Ends:
    """The ends, of which those that came to rest in the rounding of large terms are taken back to before that.

    Where others are at rest elsewhere they are left out, and so are those that are higher than a quieter one by rounding
    alone.
    """
    resting = np.flatnonzero(ends.state == "stationary")
    flat = [row for row in resting.tolist() if curvature(ends.hessian[row]).eigenvalues[0] < DOUBTFUL]
    back = before_rounding(objective, ends, np.array(flat, dtype=int))
    scatter = rounding(objective, ends.z[resting])
    lost = (back.state[resting] != "stationary") | (scatter > ONLY_ROUNDING)
    if not lost.all():
        lost[~lost] = high_by_rounding(ends.value[resting[~lost]], scatter[~lost])
    noisy = resting[lost]
    if not len(noisy):
        return ends
    if len(noisy) == len(resting):
        return before_rounding(objective, ends, noisy)
    kept = np.setdiff1d(np.arange(len(ends.z)), noisy)
    names = ("z", "value", "gradient", "hessian", "decrement", "state", "count")
    trail = [(z[kept], value[kept]) for z, value in ends.trail]
    return replace(ends, **{name: getattr(ends, name)[kept] for name in names}, trail=trail)


def high_by_rounding(value: Array, scatter: Array) -> Array:
    """Which values (k,) are as high as a quieter one to within their own scatter (k,); (k,) of bool.

    Examples
    --------
    >>> high_by_rounding(np.array([-17.3051, -17.3034, -19.2]), np.array([1e-9, 1e-3, 1e-4])).tolist()
    [False, True, False]
    """
    doubt = _SCATTERS * scatter
    best = int(np.argmax(value - doubt))
    seen = doubt > _SEEN * np.maximum(1.0, np.abs(value))
    near = np.abs(value - value[best]) <= doubt + doubt[best]
    return seen & (doubt > doubt[best]) & near


def stairs(objective: Objective, z: Array) -> Array:
    """How high the steps of the value are about each of the points z (b, d), in nats: (b,).

    Where a density has lost its digits (one less a probability of almost one) it may be constant between steps that are far
    wider than the moves by which ``rounding`` sees a scatter: the slopes between two points then do not add up to what the
    value has changed by.

    Examples
    --------
    >>> def evaluate(order, z, rows):
    ...     lost = 1.0 - (1.0 - np.exp(z))
    ...     return (np.log(lost[:, 0]) - z[:, 0], np.exp(z) / lost - 1.0, np.zeros((len(z), 1, 1)))[: order + 1]
    >>> stairs(Objective(size=1, evaluate=evaluate), np.array([[-1.0], [-25.0], [-35.0]])).round(3).tolist()
    [0.0, 0.0, 0.074]
    """
    generator = np.random.default_rng(0)
    size = np.maximum(1.0, np.abs(z))
    moves = _DISTANCES[:, None, None, None] * generator.normal(size=(_WAYS, 1, objective.size)) * size
    value, gradient = objective.gradient(z)
    there, slope = objective.gradient((z + moves).reshape(-1, objective.size))
    there, slope = there.reshape(moves.shape[:-1]), slope.reshape(moves.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        change = there - value
        missed = np.abs(change - np.sum(moves * (slope + gradient), axis=-1) / 2)
        highest = np.where(np.all(np.abs(change) < _CHANGED, axis=1), missed.max(axis=1), np.inf)
        steps = np.where(highest[1:] < _SAME_HEIGHT * highest[:-1], np.minimum(highest[1:], highest[:-1]), 0.0)
    return steps.max(axis=0)


def inexact(objective: Objective, z: Array) -> Array:
    """How far the values at points z (b, d) may be off by rounding, scattered or in steps, in nats: (b,)."""
    return np.maximum(rounding(objective, z), stairs(objective, z))


def before_rounding(objective: Objective, ends: Ends, rows: Array) -> Ends:
    """The ends, of which those among ``rows`` are taken back to before the first step across a region of mere rounding.

    So they are to before the first step whose gain rounding may have made. Beyond such a region all digits may cancel and
    the density be a constant, in which nothing scatters any more.
    """
    for row in rows.tolist():
        points = np.array([z[row] for z, _ in ends.trail])
        gains = np.diff([value[row] for _, value in ends.trail])
        # A single jump is no rounding: farther on along the way there are no steps.
        beyond = points[1:] + _FARTHER_ON * (points[1:] - points[0])
        scatter = np.maximum(
            rounding(objective, points[1:]), np.minimum(stairs(objective, points[1:]), stairs(objective, beyond))
        )
        moved = np.any(points[1:] != points[:-1], axis=1)
        vain = moved & (gains < _SCATTERS * scatter) & (scatter > _SEEN * np.maximum(1.0, np.abs(ends.value[row])))
        crossed = np.flatnonzero(vain | crosses_rounding(objective, points[:-1], points[1:]))
        if len(crossed):
            ends = _taken_back(objective, ends, row, int(crossed[0]))
    return ends


def crosses_rounding(objective: Objective, first: Array, second: Array) -> Array:
    """Whether on each straight line from the first points (k, d) to the second there is but rounding somewhere, (k,)."""
    between = first + _SHARES[:, None, None] * (second - first)
    scatter = rounding(objective, between.reshape(-1, first.shape[1])).reshape(len(_SHARES), len(first))
    crossed = np.any(scatter > ONLY_ROUNDING, axis=0)
    dead = scatter[-1] == 0
    if dead.any():
        # Nothing scatters where all digits have cancelled; what has changed on the way there was perhaps a matter of steps.
        reached, aside = objective.value(second), objective.value(second * (1 + _ASIDE) + _ASIDE)
        with np.errstate(invalid="ignore"):
            changed = np.abs(reached - objective.value(first)) > ONLY_ROUNDING
        doubtful = np.flatnonzero(changed & ~crossed & np.any(dead & changed & (aside == reached)))
        steps = stairs(objective, between[:, doubtful].reshape(-1, first.shape[1])).reshape(len(_SHARES), -1)
        crossed[doubtful] = np.any(steps > ONLY_ROUNDING, axis=0)
    return crossed


def _taken_back(objective: Objective, ends: Ends, row: int, last: int) -> Ends:
    """The ends with one search, as if still running, at a point of its trail."""
    points = np.array([z[row] for z, _ in ends.trail])
    fields = {name: getattr(ends, name).copy() for name in ("z", "value", "gradient", "hessian", "state")}
    if objective.derivatives < 2:
        found = (*objective.gradient(points[[last]]), ends.hessian[[row]])
    else:
        found = objective.hessian(points[[last]])
    for name, (part,) in zip(("value", "gradient", "hessian"), found, strict=True):
        fields[name][row] = part
    fields["z"][row], fields["state"][row] = points[last], "running"
    trail = []
    for k, (z, value) in enumerate(ends.trail):
        z, value = z.copy(), value.copy()
        z[row], value[row] = points[min(k, last)], ends.trail[min(k, last)][1][row]
        trail.append((z, value))
    return replace(ends, **fields, trail=trail)
