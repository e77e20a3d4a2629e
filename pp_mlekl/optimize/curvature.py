"""How the objective falls off around a point: the directions in which it does not fall as its curvature promises."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.subproblem import ROUNDING

Array = np.ndarray

# A regular maximum falls by 1/2 at one standard error and by 2 at two. Outside these bounds a look is taken.
_LEAST_FALL_AT_TWO = 0.1
_LARGEST_FALL_AT_ONE = 10.0
# A scaled eigenvalue below this is not trusted to be more than rounding, whatever the falls say.
_DOUBTFUL = 1e-11


@dataclass(frozen=True, kw_only=True, eq=False)
class Curvature:
    """Eigendecomposition of the negative Hessian, scaled to unit diagonal.

    Parameters
    ----------
    eigenvalues
        Of the scaled matrix, ascending, (k,); k is d less the number of directions held.
    directions
        (k, d): row i is the direction in z that belongs to eigenvalue i, with length such that the quadratic model
        falls by 1/2 at one unit (one standard error).
    scale
        (k,): the scaled matrix is ``scale[:, None] * A * scale``.
    """

    eigenvalues: Array
    directions: Array
    scale: Array

    @property
    def rank(self) -> int:
        """Number of eigenvalues that are not rounding."""
        return int(np.sum(self.eigenvalues > 10 * ROUNDING * len(self.eigenvalues)))

    def inverse(self, kept: Array | None = None) -> Array:
        """The inverse of the negative Hessian; only the directions ``kept`` (k,) of bool, where given."""
        directions = self.directions if kept is None else self.directions[kept]
        return directions.T @ directions


def curvature(hessian: Array, held: Array | None = None) -> Curvature:
    """The scaled eigendecomposition of one negative Hessian (d, d), at right angles to the directions ``held`` (l, d).

    Examples
    --------
    >>> curvature(np.array([[-4.0, 0.0], [0.0, -1e8]])).inverse().diagonal().tolist()
    [0.25, 1e-08]
    """
    basis = np.eye(len(hessian))
    if held is not None and len(held):
        basis = np.linalg.qr(held.T, mode="complete")[0][:, len(held) :]
        hessian = basis.T @ hessian @ basis
    diagonal = np.abs(np.diagonal(hessian))
    scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    eigenvalues, vectors = np.linalg.eigh(-hessian * scale[:, None] * scale[None, :])
    units = 1.0 / np.sqrt(np.maximum(eigenvalues, ROUNDING))
    return Curvature(eigenvalues=eigenvalues, directions=(vectors * units * scale[:, None]).T @ basis.T, scale=scale)


def suspicious_directions(objective: Objective, z: Array, value: float, found: Curvature, reach: Array) -> Array:
    """Which of the curvature's directions (indices) do not fall off as at a regular maximum.

    Parameters
    ----------
    objective, z, value
        The objective, a stationary point (d,) and the value there.
    found
        The curvature at z.
    reach
        (d,): the largest move of each coordinate that means anything; 40 e-foldings for a logarithm, say.
    """
    if not len(found.eigenvalues):
        return np.zeros(0, dtype=int)
    falls = value - _along(objective, z, _within(found.directions, reach))
    one, two = falls[:2], falls[2:]
    suspicious = (found.eigenvalues < _DOUBTFUL) | (two.min(axis=0) < _LEAST_FALL_AT_TWO)
    suspicious |= one.min(axis=0) > _LARGEST_FALL_AT_ONE
    return np.flatnonzero(suspicious)


def _within(directions: Array, reach: Array) -> Array:
    """Directions shortened so that even twice their length stays within the reach."""
    with np.errstate(divide="ignore"):
        factor = np.min(0.5 * reach / np.maximum(np.abs(directions), 1e-300), axis=1)
    return directions * np.minimum(1.0, factor)[:, None]


def _along(objective: Objective, z: Array, directions: Array) -> Array:
    """Values at z + t u for t = 1, -1, 2, -2 and every direction u: (4, k)."""
    steps = np.array([1.0, -1.0, 2.0, -2.0])
    points = z + steps[:, None, None] * directions
    return objective.value(points.reshape(-1, len(z))).reshape(len(steps), len(directions))


def holds_along(objective: Objective, z: Array, value: float, directions: Array, reach: Array, loss: float) -> Array:
    """Whether the objective does not fall by more than ``loss`` on the ray from z along each direction, (k,) of bool.

    The ray is followed from a thousandth of the reach (or of the point's own size where the reach is infinite)
    to all of it.
    """
    points = rays(z, directions, reach)
    values = objective.value(points.reshape(-1, len(z))).reshape(len(points), len(directions))
    fallen = (value - values > loss) & np.isfinite(values)
    undefined = ~np.isfinite(values)
    # At the far end the density itself may be undefined (a scale that has become 0); half of the way must hold.
    return ~fallen.any(axis=0) & ~undefined[: len(points) // 2].any(axis=0)


def rays(z: Array, directions: Array, reach: Array) -> Array:
    """Points on the rays from z along each direction, at distances that double up to the reach: (11, k, d)."""
    size = np.where(np.isfinite(reach), reach, 1e6 * np.maximum(1.0, np.abs(z)))
    unit = directions / np.abs(directions / size).max(axis=1, keepdims=True)
    return z + (2.0 ** np.arange(-10.0, 1.0))[:, None, None] * unit
