"""Whether the parameters at a maximum are identified, and regularly so.

Principle: a direction is flat where the objective, all else following, does not change along it on either side (a null
direction of the information, or the tangent of a surface of equal value); it is singular where it falls off in another way than
its curvature says, and weak where it is curved at the maximum but hardly falls farther off.

Source: Rothenberg (1971), Econometrica 39, 577-591; Rotnitzky et al. (2000), Bernoulli 6, 243-284, for singular information.

It does not see a family whose members lie apart (label switching is the test of multimodality's), and takes a ridge that falls
by less than 1e-4 nats for a flat one.
"""

import numpy as np

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.audit.soft_directions import family_loss, profile_falls
from pp_mlekl.optimize.audit.verdict import Finding
from pp_mlekl.typing import Array


def identifiability(point: Point) -> list[Finding]:
    """Directions along which nothing changes (``flat``), or not as the curvature says (``singular``, ``weak``), if known."""
    if not point.stationary:
        return []
    return _incomplete(point) + (_irregular(point) if point.suspicious.any() else [])


def _irregular(point: Point) -> list[Finding]:
    limit = point.recession
    if len(limit.directions):
        return _flat(point, limit.z, limit.value, limit.null)
    return _flat(point, point.z, point.value, point.soft.null) + _singular(point) + _weak(point)


def _incomplete(point: Point) -> list[Finding]:
    """That not all of the weakest directions of a large problem could be computed (``incomplete``)."""
    if point.large is None or point.weakest.complete:
        return []
    known = len(point.weakest.eigenvalues)
    return [_finding("incomplete", np.zeros((0, len(point.z))), known, known + 1, "weakest directions that converged")]


def _flat(point: Point, z: Array, value: float, directions: Array) -> list[Finding]:
    if not len(directions):
        return []
    lost = family_loss(point.objective, z, value, directions, point.space.reach)
    return [_finding("flat", directions, lost, point.tolerances.flat_loss, "nats lost along the direction")]


def _singular(point: Point) -> list[Finding]:
    if not point.soft.singular:
        return []
    ways, tolerances = point.curvature.directions[~point.soft.regular], point.tolerances
    near, far = profile_falls(point.objective, point.z, point.value, ways)
    if near.max() >= tolerances.singular_fall:
        unit = "nats lost at a quarter of a standard error"
        return [_finding("singular", ways, float(near.max()), tolerances.singular_fall, unit)]
    weak = bool(far.min() <= tolerances.singular_least)
    measured = float(far.min() if weak else far.max())
    threshold = tolerances.singular_least if weak else tolerances.singular_most
    return [_finding("singular", ways, measured, threshold, "nats lost at two standard errors")]


def _weak(point: Point) -> list[Finding]:
    ways = point.soft.shallow
    if not len(ways):
        return []
    falls = point.value - point.objective.value(np.concatenate([point.z + 2 * ways, point.z - 2 * ways]))
    return [_finding("weak", ways, float(falls.min()), point.tolerances.least_fall, "nats lost at two standard errors")]


def _finding(kind: str, directions: Array, measured: float, threshold: float, unit: str) -> Finding:
    return Finding(
        test="identifiability",
        kind=kind,
        directions=directions / np.linalg.norm(directions, axis=1, keepdims=True),
        measured=measured,
        threshold=threshold,
        unit=unit,
    )
