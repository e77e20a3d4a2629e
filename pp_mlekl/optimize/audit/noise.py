"""Whether a search stopped where double precision fails.

Principle: rounding scatters the values about a point, by as much as third differences over tiny moves show (Moré and Wild 2011,
SIAM Journal on Scientific Computing 33, 1292-1314); a gain is one only beyond a multiple of that. A search that did not
converge, and uphill of whose end nothing is a number, stopped where double precision fails.

It does not see an error that is the same at all points near by, such as a density that has lost all its digits and is constant.
"""

import numpy as np

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.verdict import Finding

# How far uphill it is looked, relative to the size of the point.
_AHEAD = np.array([1e-4, 1e-3, 1e-2])


def noise(point: Point) -> list[Finding]:
    """That a search did not converge (``unfinished``), or stopped where values are not defined (``undefined``)."""
    if point.stationary:
        return []
    objective = point.objective
    defined = np.isfinite(objective.value(point.uphill))
    way = point.gradient / max(float(np.linalg.norm(point.gradient)), 1e-300)
    points = point.z + _AHEAD[:, None] * way * point.size
    slopes = np.isfinite((objective.gradient(points) if objective.large else objective.hessian(points))[0])
    if defined.any() and slopes.any():
        return [_finding(point, "unfinished", float(np.linalg.norm(point.gradient)), 0.0, "nats per unit of z")]
    return [
        _finding(point, "undefined", float((defined & slopes).mean()), 0.0, "share of points uphill that are defined")
    ]


def _finding(point: Point, kind: str, measured: float, threshold: float, unit: str) -> Finding:
    none = np.zeros((0, len(point.z)))
    return Finding(test="noise", kind=kind, directions=none, measured=measured, threshold=threshold, unit=unit)
