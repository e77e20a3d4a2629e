"""Whether the maximum is attained at a bound of the parameter space.

Principle: a bound lies at infinity in z; where the objective does not fall along a direction whose natural parameters all have
finite limits, its maximum is at these. The evidence is shared with the test of recession.

Source: Self and Liang (1987), Journal of the American Statistical Association 82, 605-610.

It does not see a bound that is attained only together with others, in a model where more than 400 parameters have one.
"""

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.verdict import Finding
from pp_mlekl.optimize.curvature import losses_along
from pp_mlekl.typing import Array


def boundary(point: Point) -> list[Finding]:
    """Directions along which all natural parameters have finite limits (kind ``limit``)."""
    found = point.recession
    finite = [way for way in found.directions if not point.space.limit(found.z, way).runs_off.any()]
    return [_finding(point, way) for way in finite]


def _finding(point: Point, way: Array) -> Finding:
    lost, _ = losses_along(point.objective, point.recession.z, point.recession.value, way[None], point.space.reach)
    return Finding(
        test="boundary",
        kind="limit",
        directions=way[None],
        measured=float(lost[0]),
        threshold=point.tolerances.ray_loss,
        unit="nats lost along the direction",
    )
