"""Whether the maximum is attained at a bound of the parameter space.

Principle: a bound lies at infinity in z; where the objective does not fall along a direction whose natural parameters all have
finite limits, its maximum is at these. The evidence is shared with the test of recession.

Source: Self and Liang (1987), Journal of the American Statistical Association 82, 605-610.

It does not see a bound that is attained only together with others, in a model where more than 400 parameters have one.
"""

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.verdict import Finding


def boundary(point: Point) -> list[Finding]:
    """Directions along which all natural parameters have finite limits (kind ``limit``)."""
    return point.limits("boundary", "limit", infinite=False)
