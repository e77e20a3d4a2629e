"""The steps of a trust-region method, for many problems at a time, by eigendecomposition."""

from dataclasses import dataclass, field

import numpy as np

from pp_mlekl.typing import Array

# Eigenvalues of the Hessian, scaled to unit diagonal, that rounding alone can make.
ROUNDING = 1e-13
# Below this scaled eigenvalue curvature is negative beyond doubt: a saddle is near.
NEGATIVE = -1e-9
# Matrices of this size on are first tried by Cholesky's factor, and believed where its smallest pivot is no less than this.
_WORTH_CHOLESKY, _PIVOT = 6, 1e-3
# Where not all have a factor, matrices of this size on are tried one by one.
_WORTH_ONE_BY_ONE = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class QuadraticModel:
    """The quadratic model of a function to be maximised, at each of b points, ready to be solved for any radius.

    Parameters
    ----------
    newton
        Newton's step (b, d); it counts only where ``decrement`` is finite.
    decrement
        Half of g' A^-1 g with A the negative Hessian, (b,): the gain that is left to a whole Newton step; infinite
        where A is not positive (semi-)definite.
    gradient, hessian
        At the points, (b, d) and (b, d, d).
    """

    newton: Array
    decrement: Array
    gradient: Array
    hessian: Array
    _spectra: dict[int, tuple[Array, Array]] = field(default_factory=dict)

    def steps(self, radius: Array) -> Array:
        """The maximiser of each model within ``radius`` (..., b), for any number of radii: shape (..., b, d).

        Newton's step where there is one and it is short enough. Otherwise the maximiser in the box of half-width
        ``radius`` along the Hessian's eigenvectors: in a box the directions do not compete for length, as they do
        in a ball, so that a model made of many nearly independent parts takes no more steps than its slowest part;
        and the maximiser is a closed form. Along negative curvature it lies on the side of the box, also where the
        gradient vanishes (a saddle).
        """
        steps = np.broadcast_to(self.newton, (*radius.shape, self.newton.shape[1])).copy()
        long = ~self.short(radius)
        rows = np.flatnonzero(long.reshape(-1, len(self.newton)).any(axis=0))
        if not len(rows):
            return steps
        eigenvalues, vectors = self._decomposed(rows)
        rotated = np.einsum("bji,bj->bi", vectors, self.gradient[rows])
        bound = radius[..., rows, None]
        floor = 1e-14 * np.abs(eigenvalues).max(axis=1, keepdims=True) + np.finfo(float).tiny
        curved = eigenvalues > floor
        inner = np.divide(rotated, eigenvalues, out=np.zeros_like(rotated), where=curved)
        outer = np.where(rotated < 0, -1.0, 1.0) * ((eigenvalues < -floor) | (rotated != 0))
        boxed = np.where(curved, np.clip(inner, -bound, bound), bound * outer)
        turned = np.einsum("bij,...bj->...bi", vectors, boxed)
        steps[..., rows, :] = np.where(long[..., rows, None], turned, steps[..., rows, :])
        return steps

    def _decomposed(self, rows: Array) -> tuple[Array, Array]:
        """Eigenvalues (k, d) and eigenvectors (k, d, d) of the negative Hessians of some points, each computed once."""
        new = [i for i in rows.tolist() if i not in self._spectra]
        if new:
            self._spectra.update(zip(new, zip(*np.linalg.eigh(-self.hessian[new]), strict=True), strict=True))
        eigenvalues, vectors = zip(*(self._spectra[i] for i in rows.tolist()), strict=True)
        return np.array(eigenvalues), np.array(vectors)

    def short(self, radius: Array) -> Array:
        """Where Newton's step exists and lies within the radius (..., b), of that shape and bool."""
        return np.isfinite(self.decrement) & (np.abs(self.newton).max(axis=1) <= radius)

    def gains(self, steps: Array) -> Array:
        """What the model promises for steps (b, d), shape (b,)."""
        curvature = np.einsum("bij,bj->bi", self.hessian, steps)
        return np.sum(steps * (self.gradient + 0.5 * curvature), axis=1)


def quadratic_model(gradient: Array, hessian: Array) -> QuadraticModel:
    """The model of functions to be maximised from their gradients (b, d) and Hessians (b, d, d).

    Newton's step is computed from the Hessian scaled to unit diagonal, so that it does not suffer from parameters on
    different scales.

    Examples
    --------
    At a saddle with vanishing gradient the step leaves along the direction of negative curvature.

    >>> model = quadratic_model(np.zeros((1, 2)), np.array([[[-1.0, 0.0], [0.0, 2.0]]]))
    >>> model.steps(np.array([0.5])).round(6).tolist()
    [[0.0, 0.5]]
    """
    diagonal = np.abs(np.diagonal(hessian, axis1=1, axis2=2))
    scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = -hessian * scale[:, :, None] * scale[:, None, :]
    right = gradient * scale
    newton, decrement = _by_cholesky(scaled, right)
    left = np.flatnonzero(np.isnan(decrement))
    if len(left):
        eigenvalues, vectors = np.linalg.eigh(scaled[left])
        rotated = np.einsum("bji,bj->bi", vectors, right[left])
        clipped = np.maximum(eigenvalues, ROUNDING)
        gain = 0.5 * np.sum(rotated**2 / clipped, axis=1)
        decrement[left] = np.where(eigenvalues[:, 0] > NEGATIVE, gain, np.inf)
        newton[left] = np.einsum("bij,bj->bi", vectors, rotated / clipped)
    return QuadraticModel(newton=scale * newton, decrement=decrement, gradient=gradient, hessian=hessian)


def _by_cholesky(scaled: Array, right: Array) -> tuple[Array, Array]:
    """Solutions (b, d) of scaled matrices (b, d, d) that are well above singular, and half their products with ``right``.

    NaN where an eigendecomposition, which costs twenty times as much, has to say more.
    """
    solution, half = np.full(right.shape, np.nan), np.full(len(right), np.nan)
    if right.shape[1] < _WORTH_CHOLESKY or not len(right):
        return solution, half
    try:
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        if right.shape[1] >= _WORTH_ONE_BY_ONE and len(right) > 1:
            for k in range(len(right)):
                (solution[k],), (half[k],) = _by_cholesky(scaled[[k]], right[[k]])
        return solution, half
    good = np.flatnonzero(np.diagonal(factor, axis1=1, axis2=2).min(axis=1) > _PIVOT)
    solution[good] = np.linalg.solve(scaled[good], right[good, :, None])[..., 0]
    half[good] = 0.5 * np.sum(solution[good] * right[good], axis=1)
    return solution, half


def project(gradient: Array, hessian: Array, held: Array) -> tuple[Array, Array]:
    """Gradient and Hessian without their part along ``held``, where curvature is made so strong that no step goes."""
    image = np.einsum("bij,bj->bi", hessian, held)
    twice = np.sum(image * held, axis=1)
    outer = held[:, :, None] * held[:, None, :]
    cross = image[:, :, None] * held[:, None, :]
    stiffness = np.maximum(1.0, np.abs(np.diagonal(hessian, axis1=1, axis2=2)).max(axis=1))
    projected = hessian - cross - cross.swapaxes(1, 2) + (twice - stiffness)[:, None, None] * outer
    return gradient - along(gradient, held), projected


def along(gradient: Array, held: Array) -> Array:
    """The part of gradients (b, d) along unit vectors ``held`` (b, d)."""
    return np.sum(gradient * held, axis=1, keepdims=True) * held
