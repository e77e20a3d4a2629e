"""Whether there are other maxima of nearly the same height.

Principle: a second maximum within half of the 95 % quantile of chi-squared with one degree of freedom lies in the region of the
likelihood-ratio test, so intervals about the first one alone are wrong. Two points are two maxima where the straight line
between them leads through a valley. Profiles towards bounds may cross a valley to another maximum; these, and lines within two
standard errors, may meet a higher one.

Source: Wilks (1938), Annals of Mathematical Statistics 9, 60-62, for the region.

It does not see a maximum that no search from any start has met, unless it lies on one of these profiles or lines.
"""

from collections.abc import Sequence

import numpy as np

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.verdict import Finding
from pp_mlekl.optimize.curvature import curvature
from pp_mlekl.optimize.meaningful_ends import before_rounding
from pp_mlekl.optimize.modes import Mode, distinct_modes, lowest_between
from pp_mlekl.optimize.numerical_noise import rounding
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.optimize.solvers.trust_region import maximize

# Scaled curvature of the other sign, relative to the largest, that makes a point of a large problem a saddle.
_NEGATIVE = 1e-7
# Standard errors at which a line through a maximum is looked at, in problems of moderate size.
_ON_A_LINE = np.array([-2.0, -1.4, -1.0, -0.7, -0.4, -0.2, -0.1, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0])


def multimodality(point: Point) -> list[Finding]:
    """Other maxima as high (``rivals``), or searches that came to a ``higher`` point."""
    if not point.stationary:
        return []
    higher = _beyond_saddle(point) or _on_profiles(point)
    if higher is None and not point.suspicious.any() and point.large is None:
        higher = _nearby(point)
    if higher is not None:
        gained = float(higher.value.max()) - point.value
        return [_finding(point, "higher", gained, point.tolerances.higher, onward=higher)]
    rivals = _rivals(point)
    gap = max((point.value - mode.value for mode in rivals), default=0.0)
    return [_finding(point, "rivals", gap, point.tolerances.rival_gap, modes=tuple(rivals))] if rivals else []


def _finding(
    point: Point,
    kind: str,
    measured: float,
    threshold: float,
    *,
    modes: tuple[Mode, ...] = (),
    onward: Ends | None = None,
) -> Finding:
    return Finding(
        test="multimodality",
        kind=kind,
        directions=np.zeros((0, len(point.z))),
        measured=measured,
        threshold=threshold,
        unit="nats",
        modes=modes,
        onward=onward,
    )


def _beyond_saddle(point: Point) -> Ends | None:
    """Where a point of a large problem is a saddle, the end of a search that leaves it along its negative curvature."""
    if point.large is None or point.weakest.eigenvalues[0] > -_NEGATIVE * point.weakest.largest:
        return None
    way = point.weakest.vectors[0] * point.large.scale
    around = point.z + np.array([-1.0, -0.1, 0.1, 1.0])[:, None] * way / np.abs(way).max()
    values = point.objective.value(around)
    if values.max() <= point.value:
        return None
    return maximize(point.objective, around[[np.argmax(values)]], reach=point.space.reach, keep_trail=True)


def _on_profiles(point: Point) -> Ends | None:
    """Searches from points of the profiles towards bounds that are higher than the mode, if they lead to a higher one."""
    objective, least = point.objective, point.value + point.tolerances.higher_on_profile
    if not len(point.edges):
        return None
    paths = point.edge_profiles
    better = np.argmax(paths.values, axis=0)
    columns = np.flatnonzero(paths.values.max(axis=0) > least)
    if not len(columns):
        return None
    starts = paths.points[better[columns], columns]
    ends = maximize(objective, starts, reach=point.space.reach, keep_trail=True)
    ends = before_rounding(objective, ends, np.arange(len(ends.z)))
    return ends if np.any(ends.value[ends.state == "stationary"] > least) else None


def _nearby(point: Point) -> Ends | None:
    """Searches from points within two standard errors that are higher than a maximum, if there are any.

    Where slopes jump (a knot that passes from one observation to the next) there may be a maximum between any two of them.
    """
    objective = point.objective
    if objective.size > point.tolerances.line_parameters:
        return None
    covariance = point.curvature.inverse()
    variances = np.diagonal(covariance)
    known = np.flatnonzero(variances > 0)
    lines = covariance[known] / np.sqrt(variances[known])[:, None]
    points = (point.z + _ON_A_LINE[:, None, None] * lines).reshape(-1, objective.size)
    values = objective.value(points)
    best = int(np.argmax(values)) if len(values) else 0
    least = point.value + point.tolerances.higher * max(1.0, abs(point.value))
    if (
        not len(values)
        or not values[best] > least + point.tolerances.noise_multiple * rounding(objective, points[[best]])[0]
    ):
        return None
    ends = maximize(objective, points[[best]], reach=point.space.reach, keep_trail=True)
    return ends if ends.value[0] > least else None


def _rivals(point: Point) -> list[Mode]:
    """Other maxima of equal or nearly equal height, with negative definite Hessian and a valley before them."""
    near = [
        mode
        for mode in _beyond_valleys(point)[1:]
        if point.value - mode.value < point.tolerances.rival_gap
        and (point.large is not None or curvature(mode.hessian).eigenvalues[0] > point.tolerances.rival_curvature)
    ]
    if not near:
        return []
    lowest = lowest_between(point.objective, point.z, np.array([mode.z for mode in near]))
    return [
        mode for mode, valley in zip(near, lowest, strict=True) if mode.value - valley > point.tolerances.rival_valley
    ]


def _beyond_valleys(point: Point) -> Sequence[Mode]:
    """All maxima that are known, the best first, with those that profiles towards bounds come to beyond a valley."""
    if not len(point.modes) or not len(point.edges) or point.large is not None or point.suspicious.any():
        return point.modes
    paths, tolerances = point.edge_profiles, point.tolerances
    with np.errstate(invalid="ignore"):
        beyond = paths.values - np.minimum.accumulate(paths.values) > tolerances.rival_valley
    heights = np.where(beyond, paths.values, -np.inf)
    columns = np.flatnonzero(heights.max(axis=0) > point.value - tolerances.rival_gap)
    if not len(columns):
        return point.modes
    # The first place near the top: farther on all slopes may be numerical noise.
    near_top = heights[:, columns] > heights[:, columns].max(axis=0) - tolerances.rival_valley
    starts = paths.points[np.argmax(near_top, axis=0), columns]
    ends = maximize(point.objective, starts, reach=point.space.reach)
    found = ends.chosen(ends.state == "stationary")
    known = [np.array([getattr(mode, name) for mode in point.modes]) for name in ("z", "value", "hessian", "agree")]
    fields = zip(known, (found.z, found.value, found.hessian, found.count), strict=True)
    parts = [np.concatenate(pair) for pair in fields]
    return distinct_modes(*parts, period=point.space.period, tolerances=tolerances)
