"""Whether the supremum is approached at infinity.

Principle: along a direction of recession the objective does not fall on one side, without end, and does on the other
(Rockafellar 1970, section 8). Straight rays are looked at by values alone; a bent way is a profile of one coordinate whose
gains shrink like a geometric series as that is doubled, so that their sum is finite. The evidence is shared with the test of
bounds: a direction whose natural parameters all have finite limits is that test's.

Source: Geyer (2009), Electronic Journal of Statistics 3, 259-289; where the likelihood depends on its parameters through linear
predictors alone, ``linear_existence`` decides exactly, by linear programmes.

It does not see a way on which gains shrink more slowly than by a fifth with each doubling, and, in models of more than 40
parameters, any that bends.
"""

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.verdict import Finding


def recession(point: Point) -> list[Finding]:
    """Directions along which some natural parameter has no finite limit (kind ``direction``)."""
    return point.limits("recession", "direction", infinite=True)
