"""One step of a trust-region method, for many problems at a time, by eigendecomposition."""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

# Eigenvalues of the Hessian, scaled to unit diagonal, that rounding alone can make.
ROUNDING = 1e-13
# Below this scaled eigenvalue curvature is negative beyond doubt: a saddle is near.
NEGATIVE = -1e-9
_SECULAR_STEPS = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """Proposed steps: ``step`` (b, d), the ``gain`` (b,) the quadratic model promises, and Newton's decrement.

    ``decrement`` is half of g' A^-1 g with A the negative Hessian: the gain that is left to a whole Newton step. It
    is infinite where A is not positive (semi-)definite. ``newton`` tells where the step is Newton's own.
    """

    step: Array
    gain: Array
    decrement: Array
    newton: Array


def trust_region_step(gradient: Array, hessian: Array, radius: Array) -> Step:
    """The maximiser of the quadratic model within ``radius`` (b,), saddles and the hard case included.

    Parameters
    ----------
    gradient, hessian
        Of the function to be maximised, shapes (b, d) and (b, d, d).
    radius
        Largest length of each step, (b,).

    Notes
    -----
    Moré & Sorensen (1983), with the eigendecomposition in place of their factorisations. Newton's step is computed
    from the Hessian scaled to unit diagonal, so that it does not suffer from parameters on different scales.
    """
    scale = _scale(hessian)
    eigenvalues, vectors = np.linalg.eigh(-hessian * scale[:, :, None] * scale[:, None, :])
    rotated = _times(vectors.swapaxes(1, 2), gradient * scale)
    positive = eigenvalues[:, 0] > NEGATIVE
    clipped = np.maximum(eigenvalues, ROUNDING)
    decrement = np.where(positive, 0.5 * np.sum(rotated**2 / clipped, axis=1), np.inf)
    step = scale * _times(vectors, rotated / clipped)
    newton = positive & (np.linalg.norm(step, axis=1) <= radius)
    gain = decrement.copy()
    rest = np.flatnonzero(~newton)
    if len(rest):
        step[rest] = _bounded_step(gradient[rest], hessian[rest], radius[rest])
        curvature = _times(hessian[rest], step[rest])
        gain[rest] = np.sum(step[rest] * (gradient[rest] + 0.5 * curvature), axis=1)
    return Step(step=step, gain=gain, decrement=decrement, newton=newton)


def _scale(hessian: Array) -> Array:
    diagonal = np.abs(np.diagonal(hessian, axis1=1, axis2=2))
    return 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def _times(matrix: Array, vector: Array) -> Array:
    return np.einsum("bij,bj->bi", matrix, vector)


def _bounded_step(gradient: Array, hessian: Array, radius: Array) -> Array:
    """The maximiser on the sphere of radius ``radius``, or inside it."""
    eigenvalues, vectors = np.linalg.eigh(-hessian)
    rotated = _times(vectors.swapaxes(1, 2), gradient)
    shift = _shift(eigenvalues, rotated, radius)
    denominator = eigenvalues + shift[:, None]
    step = np.divide(rotated, denominator, out=np.zeros_like(rotated), where=denominator > 0)
    length2 = np.sum(step**2, axis=1)
    # The hard case: the gradient has no part along the direction of most negative curvature.
    missing = np.sqrt(np.maximum(radius**2 - length2, 0.0))
    hard = (eigenvalues[:, 0] < 0) & (length2 < (0.99 * radius) ** 2)
    sign = np.where(rotated[:, 0] < 0, -1.0, 1.0)
    step[:, 0] += np.where(hard, sign * missing, 0.0)
    return _times(vectors, step)


def _shift(eigenvalues: Array, rotated: Array, radius: Array) -> Array:
    """The multiplier of the constraint: the root of ||(A + shift)^-1 g|| = radius, 0 where Newton's step is short."""
    norm = np.linalg.norm(rotated, axis=1)
    spread = np.maximum(np.abs(eigenvalues).max(axis=1), norm / radius)
    lowest = np.maximum(0.0, -eigenvalues[:, 0]) + 1e-14 * spread + np.finfo(float).tiny
    low, high = lowest, norm / radius + lowest
    shift = np.sqrt(low * high)
    for _ in range(_SECULAR_STEPS):
        denominator = eigenvalues + shift[:, None]
        length = np.linalg.norm(rotated / denominator, axis=1)
        slope = np.sum(rotated**2 / denominator**3, axis=1)
        high = np.where(length < radius, shift, high)
        low = np.where(length < radius, low, shift)
        if np.all(np.abs(length - radius) <= 0.01 * radius):
            break
        with np.errstate(all="ignore"):
            newton = shift + (length**2 / slope) * (length / radius - 1.0)
        inside = np.isfinite(newton) & (newton > low) & (newton < high)
        shift = np.where(inside, newton, np.sqrt(low * high))
    short = np.linalg.norm(rotated / (eigenvalues + lowest[:, None]), axis=1) <= radius
    return np.where(short, lowest, shift)
