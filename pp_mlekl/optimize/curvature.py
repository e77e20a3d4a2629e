"""How the objective falls off around a point: the directions in which it does not fall as its curvature promises."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.optimize.numerical_noise import inexact
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.quadratic_model import ROUNDING
from pp_mlekl.typing import Array

# Points of a ray that are near by.
_NEAR_POINTS = 8
# How often the place up to which a ray is defined is sought halfway.
_HALVINGS = 10
# Number of points of a ray that count whatever their noise.
_KNOWN_POINTS = 4
# Maximum number of points whose losses are corrected for noise.
_MOST_DOUBTFUL = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class Curvature:
    """Eigendecomposition of the negative Hessian, scaled to unit diagonal.

    Parameters
    ----------
    eigenvalues
        Eigenvalues of the scaled matrix, ascending, (k,); k is d less the number of directions held.
    directions
        (k, d): row i is the direction in z that belongs to eigenvalue i, with length such that the quadratic model
        falls by 1/2 at one unit (one standard error).
    scale
        (d,): a length for each coordinate, one over the root of its own curvature.
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
    scale = _units(hessian)
    eigenvalues, vectors = np.linalg.eigh(-hessian * scale[:, None] * scale[None, :])
    units = 1.0 / np.sqrt(np.maximum(eigenvalues, ROUNDING))
    return Curvature(
        eigenvalues=eigenvalues, directions=(vectors * units * scale[:, None]).T @ basis.T, scale=np.abs(basis) @ scale
    )


def _units(hessian: Array) -> Array:
    """The scale of each coordinate: one over the root of its own curvature."""
    diagonal = np.abs(np.diagonal(hessian))
    return 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def suspicious_directions(
    objective: Objective, z: Array, value: float, hessian: Array, reach: Array, held: Array | None = None
) -> tuple[Curvature, Array]:
    """The curvature at a stationary point, and which of its directions do not fall off as at a regular maximum.

    Parameters
    ----------
    objective, z, value, hessian
        The objective, the point (d,), and the value and Hessian there.
    reach
        (d,): the largest move of each coordinate that means anything; 40 e-foldings for a logarithm, say.
    held
        Directions (l, d) that are left out.

    Returns
    -------
    tuple of the curvature and the (k,) of bool
        Where a coordinate by itself is suspicious, it is made a direction of its own: eigenvectors mix parameters
        whose scaled eigenvalues are equal.
    """
    held = np.zeros((0, len(z))) if held is None else held
    units = _units(hessian)
    alone = np.array([j for j in range(len(z)) if not np.any(np.abs(held[:, j]) > 1e-8)], dtype=int)
    axes = (np.eye(len(z)) * units)[alone]
    soft = ~falls_off(objective, z, value, axes, reach)
    single = axes[soft] if len(held) + len(alone) == len(z) else axes[:0]
    found = curvature(hessian, held=np.concatenate([held, single]))
    suspicious = (found.eigenvalues < objective.tolerances.rank_eigenvalue) | _soft(
        objective, z, value, found.directions, reach, skewed=True
    )
    if len(single):
        scaled = np.einsum("ki,ij,kj->k", single, -hessian, single)
        found = Curvature(
            eigenvalues=np.concatenate([scaled, found.eigenvalues]),
            directions=np.concatenate([single, found.directions]),
            scale=units,
        )
        suspicious = np.concatenate([np.ones(len(single), dtype=bool), suspicious])
    return found, suspicious


def _soft(objective: Objective, z: Array, value: float, directions: Array, reach: Array, skewed: bool = False) -> Array:
    """Which directions, of one standard error each, fall off too little (or, if ``skewed``, far too fast)."""
    if not len(directions):
        return np.zeros(0, dtype=bool)
    shortened = _within(directions, reach)
    falls = value - _along(objective, z, shortened)
    soft = falls[2:].min(axis=0) < objective.tolerances.least_fall
    if not skewed:
        return soft
    # Less than a standard error off less may be lost; one of hundreds of e-foldings is none.
    share = _share_within(directions, reach)
    return (
        soft
        | (falls[:2].min(axis=0) > objective.tolerances.largest_fall * share**2)
        | (share < objective.tolerances.least_share)
    )


def falls_off(objective: Objective, z: Array, value: float, directions: Array, reach: Array) -> Array:
    """Which directions (k, d), of one standard error each, fall off as at a regular maximum."""
    return ~_soft(objective, z, value, directions, reach, skewed=True)


def _within(directions: Array, reach: Array) -> Array:
    """Directions shortened so that even twice their length stays within the reach."""
    with np.errstate(divide="ignore"):
        factor = np.min(0.5 * reach / np.maximum(np.abs(directions), 1e-300), axis=1)
    return directions * np.minimum(1.0, factor)[:, None]


def _share_within(directions: Array, reach: Array) -> Array:
    """The share of each direction that stays within the reach."""
    return np.linalg.norm(_within(directions, reach), axis=1) / np.linalg.norm(directions, axis=1)


def _along(objective: Objective, z: Array, directions: Array) -> Array:
    """Values at z + t u for t = 1, -1, 2, -2 and every direction u: (4, k)."""
    steps = np.array([1.0, -1.0, 2.0, -2.0])
    points = z + steps[:, None, None] * directions
    return objective.value(points.reshape(-1, len(z))).reshape(len(steps), len(directions))


def losses_along(objective: Objective, z: Array, value: float, directions: Array, reach: Array) -> tuple[Array, Array]:
    """What is lost at most on the ray from z along each direction: near by, and on all of it; two arrays (k,).

    The ray is followed from a thousandth of the reach (or of the point's own size where the reach is infinite)
    to all of it; near by is an eighth of it, 5 e-foldings of a scale. Farther out rounding may take over (a shape
    of 1e17), or the density be undefined (a scale that has become 0), which is no loss; nor is what rounding scatters, or
    anything beyond a region of mere noise. What is lost up to where the density is undefined counts.
    """
    points = rays(z, directions, reach)
    values = objective.value(points.reshape(-1, len(z))).reshape(points.shape[:2])
    if not np.isfinite(values).all():
        last = _last_defined(objective, points, np.isfinite(values))
        points, values = np.concatenate([points, last[None]]), np.concatenate([values, objective.value(last)[None]])
    lost = value - values
    doubtful = np.flatnonzero(np.any(np.isfinite(lost) & (lost > objective.tolerances.doubtful_loss), axis=0))
    if 0 < len(doubtful) * len(points) <= _MOST_DOUBTFUL:
        scatter = inexact(objective, points[:, doubtful].reshape(-1, len(z))).reshape(len(points), -1)
        # Where all digits cancel nothing scatters any more: a loss that is seen has a scatter, though a small one.
        seen = (lost[:, doubtful] > objective.tolerances.noise_loss_multiple * scatter) & (scatter > 0)
        noisy = np.logical_or.accumulate((scatter > objective.tolerances.noise_meaningless) & ~seen, axis=0) & ~seen
        noisy[:_KNOWN_POINTS] = False
        lost[:, doubtful] = np.where(noisy, -np.inf, lost[:, doubtful] - objective.tolerances.noise_multiple * scatter)
        values[:, doubtful] = np.where(noisy, value, values[:, doubtful])
    near = lost[:_NEAR_POINTS].max(axis=0)
    everywhere = np.where(np.isfinite(values), lost, -np.inf).max(axis=0)
    return near, np.where(np.isfinite(near), everywhere, np.inf)


def _last_defined(objective: Objective, points: Array, defined: Array) -> Array:
    """The last places (k, d) where values are defined on rays through points (l, k, d) of which some (l, k) are."""
    until = np.where(defined.all(axis=0), len(points), np.argmin(defined, axis=0))
    columns = np.arange(points.shape[1])
    last: Array = points[np.maximum(until, 1) - 1, columns].copy()
    gap = points[np.minimum(until, len(points) - 1), columns] - last
    ending = np.flatnonzero((until > 0) & (until < len(points)))
    for _ in range(_HALVINGS if len(ending) else 0):
        gap[ending] /= 2
        further = np.isfinite(objective.value(last[ending] + gap[ending]))
        last[ending[further]] += gap[ending[further]]
    return last


def rays(z: Array, directions: Array, reach: Array) -> Array:
    """Points on the rays from z along each direction, at distances that double up to the reach: (11, k, d)."""
    size = np.where(np.isfinite(reach), reach, 1e6 * np.maximum(1.0, np.abs(z)))
    unit = directions / np.abs(directions / size).max(axis=1, keepdims=True)
    return z + (2.0 ** np.arange(-10.0, 1.0))[:, None, None] * unit
