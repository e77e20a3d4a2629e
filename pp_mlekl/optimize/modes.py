"""The distinct maxima among the ends of several searches."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

# Share of a point's size within which two ends are one maximum where the curvature is not known.
_SAME_WITHOUT_CURVATURE = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class Mode:
    """A local maximum: its point (d,), value, Hessian (d, d), and how many searches ended there."""

    z: Array
    value: float
    hessian: Array
    agree: int


def distinct_modes(
    z: Array,
    value: Array,
    hessian: Array,
    count: Array | None = None,
    *,
    period: Array | float = np.inf,
    tolerances: Tolerances | None = None,
) -> list[Mode]:
    """Merge the ends (b, d) that are the same maximum, each of which stands for ``count`` searches; the best first.

    Two ends are one where they lie within a thousandth of a standard error of each other, going round by whole periods
    (d,) of the coordinates that are angles.

    Examples
    --------
    >>> z, value = np.array([[1.0], [-1.0], [1.0 + 1e-9]]), np.array([0.0, -3.0, 0.0])
    >>> [(m.z.round(3).tolist(), m.agree) for m in distinct_modes(z, value, np.full((3, 1, 1), -1.0))]
    [([1.0], 2), ([-1.0], 1)]
    """
    count = np.ones(len(z), dtype=int) if count is None else count
    tolerances = tolerances or Tolerances()
    modes: list[Mode] = []
    for i in _best_first(z, value, tolerances):
        for k, mode in enumerate(modes):
            if _same(mode, z[i], period, tolerances):
                modes[k] = Mode(z=mode.z, value=mode.value, hessian=mode.hessian, agree=mode.agree + int(count[i]))
                break
        else:
            modes.append(Mode(z=z[i], value=float(value[i]), hessian=hessian[i], agree=int(count[i])))
    return modes


def _best_first(z: Array, value: Array, tolerances: Tolerances) -> Array:
    """By value, but of the highest that only rounding tells apart (the members of a flat family) the central one first."""
    if not len(value):
        return np.zeros(0, dtype=int)
    best = value.max()
    tied = value >= best - tolerances.mode_tie * max(1.0, abs(best))
    return np.lexsort((np.where(tied, np.linalg.norm(z, axis=1), 0.0), -np.where(tied, best, value)))


def _same(mode: Mode, z: Array, period: Array | float, tolerances: Tolerances) -> bool:
    difference = z - mode.z
    whole = np.where(np.isfinite(period), period, 1.0)
    difference = difference - np.where(np.isfinite(period), whole * np.round(difference / whole), 0.0)
    if np.abs(difference).max() <= 1e-7 * max(1.0, np.abs(mode.z).max()):
        return True
    if np.isnan(mode.hessian[0, 0]):
        return bool(np.abs(difference).max() <= _SAME_WITHOUT_CURVATURE * max(1.0, np.abs(mode.z).max()))
    # Distance in standard errors; a direction without curvature counts by its plain length.
    squared = float(-difference @ mode.hessian @ difference)
    plain = float(difference @ difference)
    return 0 <= squared < tolerances.mode_distance**2 and plain < 1e-4 * max(1.0, float(mode.z @ mode.z))


def lowest_between(objective: Objective, z: Array, others: Array) -> Array:
    """The lowest value on the straight line from a point (d,) to each of others (k, d), (k,)."""
    shares = np.linspace(0.1, 0.9, 9)[:, None, None]
    points = z + shares * (others - z)
    return objective.value(points.reshape(-1, len(z))).reshape(len(shares), len(others)).min(axis=0)


def is_label_switch(first: Array, second: Array) -> bool:
    """Whether two natural vectors hold the same numbers in another order: a switch of labels.

    Examples
    --------
    >>> is_label_switch(np.array([-1.9, 2.1, 0.3]), np.array([2.1, -1.9, 0.3]))
    True
    """
    a, b = np.sort(first), np.sort(second)
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-6) and not np.allclose(first, second, rtol=1e-5, atol=1e-6))
