"""How far rounding may have moved a value: scatter about a point, and steps by which digits are lost."""

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

# Values from which noise is estimated.
_PROBES = 8
# From a third difference to what the range of a few values is.
_OF_THIRD = 0.5
# Distances, relative to a point's size, at which steps of the value are sought, and the number of directions for each.
_DISTANCES, _WAYS = 10.0 ** np.arange(-9, 0), 3
# From one distance to the next, and over how many of them a slope has to be wrong in the same way.
_TENFOLD, _DECADES = 10.0, 3
# A move, relative to a point's size, by which a density that has lost all digits does not change at all.
_ASIDE = 1e-3
# How often the place where digits cancel is sought halfway.
_HALVINGS = 10
# Where on a step it is looked for rounding.
_SHARES = np.linspace(0.125, 1.0, 8)


def rounding(objective: Objective, z: Array) -> Array:
    """How far rounding scatters the values about each of the points z (b, d), in nats: (b,).

    By third differences over tiny moves, which neither a slope nor a curvature, however large, takes from zero.

    Examples
    --------
    >>> steep = Objective(size=1, evaluate=lambda order, z, rows: (1e9 * z[:, 0],))
    >>> coarse = Objective(size=1, evaluate=lambda order, z, rows: (1e6 * ((z[:, 0] + 1e6) - 1e6),))
    >>> bool(rounding(steep, np.ones((1, 1)))[0] < 1e-6), bool(rounding(coarse, np.ones((1, 1)))[0] > 1e-5)
    (True, True)
    """
    if not len(z):
        return np.zeros(0)
    generator = np.random.default_rng(0)
    moves = (
        generator.normal(size=(_PROBES // 2, 1, objective.size))
        * objective.tolerances.noise_move
        * np.maximum(1.0, np.abs(z))
    )
    points = np.concatenate([z[None], *(z + k / 3 * moves for k in (1, 2, 3))])
    values = objective.value(points.reshape(-1, objective.size)).reshape(len(points), len(z))
    with np.errstate(invalid="ignore"):
        first, second, third = values[1:].reshape(3, -1, len(z))
        # A third difference of independent errors has 20 times their variance, and the range of eight is three standard deviations.
        scatter = np.abs(third - 3 * second + 3 * first - values[0]).max(axis=0) * _OF_THIRD
    return np.where(np.isfinite(scatter), scatter, 0.0)


def high_by_rounding(value: Array, scatter: Array, tolerances: Tolerances) -> Array:
    """Which values (k,) are as high as a quieter one to within their own scatter (k,); (k,) of bool.

    Examples
    --------
    >>> high_by_rounding(np.array([-17.3051, -17.3034, -19.2]), np.array([1e-9, 1e-3, 1e-4]), Tolerances()).tolist()
    [False, True, False]
    """
    doubt = tolerances.noise_gain_multiple * scatter
    best = int(np.argmax(value - doubt))
    seen = doubt > tolerances.noise_visible * np.maximum(1.0, np.abs(value))
    near = np.abs(value - value[best]) <= doubt + doubt[best]
    return seen & (doubt > doubt[best]) & near


def stairs(objective: Objective, z: Array) -> Array:
    """How high the steps of the value are about each of the points z (b, d), in nats: (b,).

    Where a density has lost its digits (one less a probability of almost one) it may be constant between steps that are far
    wider than the moves by which ``rounding`` sees a scatter: the slopes between two points then do not add up to what the
    value has changed by. Where they still do not before the value has changed by more than is looked at (what is missed grows
    with the distance itself; with its square, where a slope is right), nothing is known of the value: infinity.

    Examples
    --------
    >>> def evaluate(order, z, rows):
    ...     lost = 1.0 - (1.0 - np.exp(z))
    ...     return (np.log(lost[:, 0]) - z[:, 0], np.exp(z) / lost - 1.0, np.zeros((len(z), 1, 1)))[: order + 1]
    >>> stairs(Objective(size=1, evaluate=evaluate), np.array([[-1.0], [-25.0], [-35.0]])).round(3).tolist()
    [0.0, 0.0, 0.021]
    """
    generator = np.random.default_rng(0)
    size = np.maximum(1.0, np.abs(z))
    ways = generator.normal(size=(_WAYS, 1, objective.size))
    # Each way to both sides: at a kink the slope is right on one of them.
    moves = _DISTANCES[:, None, None, None] * np.concatenate([ways, -ways]) * size
    value, gradient = objective.gradient(z)
    there, slope = objective.gradient((z + moves).reshape(-1, objective.size))
    there, slope = there.reshape(moves.shape[:-1]), slope.reshape(moves.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        change = there - value
        within = np.all(np.abs(change) < objective.tolerances.noise_step_range, axis=1)
        highest = np.where(within, _on_both_sides(change - np.sum(moves * (slope + gradient), axis=-1) / 2), np.inf)
        limit = objective.tolerances.noise_step_growth
        steps = np.where(highest[1:] < limit * highest[:-1], np.minimum(highest[1:], highest[:-1]), 0.0)
        # The slope at a kink is any between those on its sides, which are right.
        missed = _on_both_sides(change - np.sum(moves * slope, axis=-1))
        growth = missed[1:] / missed[:-1]
        wrong = (growth >= limit) & (growth < _TENFOLD * limit)
        wrong &= missed[1:] > objective.tolerances.noise_slope_share * np.abs(change[1:]).max(axis=1)
    near = np.logical_and.accumulate(within, axis=0)
    unknown = ~within.all(axis=0) & (near.sum(axis=0) > _DECADES) & np.all(wrong | ~near[1:], axis=0)
    return np.where(unknown, np.inf, steps.max(axis=0))


def _on_both_sides(missed: Array) -> Array:
    """The largest amount by which changes (k, 2 ways, b) are missed on both sides of a way, (k, b)."""
    size = np.abs(missed)
    return np.minimum(size[:, :_WAYS], size[:, _WAYS:]).max(axis=1)


def inexact(objective: Objective, z: Array) -> Array:
    """How far the values at points z (b, d) may be off by rounding, scattered or in steps, in nats: (b,)."""
    return np.maximum(rounding(objective, z), stairs(objective, z))


def crosses_rounding(objective: Objective, first: Array, second: Array) -> Array:
    """Whether each straight line from the first points (k, d) to the second crosses mere noise, (k,)."""
    between = first + _SHARES[:, None, None] * (second - first)
    scatter = rounding(objective, between.reshape(-1, first.shape[1])).reshape(len(_SHARES), len(first))
    # Where the last digit of a large value is more than that, noise is no sign of lost digits.
    begun = objective.value(first)
    most = objective.tolerances.noise_meaningless + objective.precision * np.where(np.isfinite(begun), np.abs(begun), 0)
    # Nor where the value falls far below the first point by more than it scatters: a straight line leaves a bent ridge.
    between_values = objective.value(between.reshape(-1, first.shape[1])).reshape(scatter.shape)
    lost = begun - objective.tolerances.noise_loss_multiple * scatter > between_values
    crossed = np.any((scatter > most) & ~lost, axis=0)
    dead = scatter[-1] == 0
    if dead.any():
        # Nothing scatters where all digits have cancelled; the value may have changed in steps before.
        reached, aside = objective.value(second), objective.value(second * (1 + _ASIDE) + _ASIDE)
        with np.errstate(invalid="ignore"):
            changed = np.abs(reached - begun) > most
        doubtful = np.flatnonzero(changed & ~crossed & np.any(dead & changed & (aside == reached)))
        steps = stairs(objective, between[:, doubtful].reshape(-1, first.shape[1])).reshape(len(_SHARES), -1)
        crossed[doubtful] = np.any(steps > most[doubtful], axis=0)
        # The region of noise before the digits have cancelled may lie between the places looked at.
        doubtful = np.flatnonzero(dead & ~crossed & (aside == reached))
        last = _last_scattered(objective, first[doubtful], second[doubtful])
        crossed[doubtful] = rounding(objective, last) > most[doubtful]
    return crossed


def _last_scattered(objective: Objective, first: Array, second: Array) -> Array:
    """The last places (k, d) on straight lines from the first points to the second where rounding scatters values at all."""
    last, gap = first.copy(), second - first
    for _ in range(_HALVINGS if len(last) else 0):
        gap = gap / 2
        scattered = rounding(objective, last + gap) > 0
        last[scattered] += gap[scattered]
    return last
