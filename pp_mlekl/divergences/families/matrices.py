"""Helpers of families with covariance or scale matrices."""

from collections.abc import Callable

import numpy as np

from pp_mlekl.typing import Array

# Largest asymmetry that rounding in a model's graph may cause, relative to the scales of the two coordinates.
_ASYMMETRY = 1e-6


def check_positive_definite(name: str, parameter: str, matrix: Array) -> Array:
    """Cholesky factor of a parameter; ValueError, naming it, where it is not symmetric and positive definite."""
    reason = f"{name}: {parameter} must be symmetric and positive definite."
    try:
        chol = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError as error:
        raise ValueError(reason) from error
    # NumPy reads the lower half alone.
    if not np.all(_is_symmetric(matrix)):
        raise ValueError(reason)
    return chol


def is_positive_definite(x: Array) -> Array:
    """Which matrices (..., k, k) are finite, symmetric and positive definite, shape (...)."""
    x = np.asarray(x, dtype=np.float64)
    diagonal = np.diagonal(x, axis1=-2, axis2=-1)
    possible = np.all(np.isfinite(x), axis=(-2, -1)) & np.all(diagonal > 0, axis=-1)
    x = np.where(possible[..., None, None], x, np.eye(x.shape[-1]))
    # With a diagonal of 1, coordinates of very different scales do not disturb the eigenvalues.
    scale = np.sqrt(np.diagonal(x, axis1=-2, axis2=-1))
    eigenvalues = np.linalg.eigvalsh(x / scale[..., :, None] / scale[..., None, :])
    return possible & _is_symmetric(x) & (eigenvalues[..., 0] > 0)


def _is_symmetric(matrix: Array) -> Array:
    """Which matrices are symmetric up to rounding, given a positive diagonal."""
    scale = np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
    asymmetry = np.abs(matrix - np.swapaxes(matrix, -1, -2))
    return np.all(asymmetry <= _ASYMMETRY * scale[..., :, None] * scale[..., None, :], axis=(-2, -1))


def over_matrices(log_density: Callable[[Array], Array], x: Array, inside: Array) -> Array:
    """A log density at matrices ``x`` (..., k, k) that are ``inside`` (...) its support; ``-inf`` elsewhere."""
    # Whatever is put in place of the others is not used.
    return np.where(inside, log_density(np.where(inside[..., None, None], x, np.eye(x.shape[-1]))), -np.inf)


def over_reals(log_density: Callable[[Array], Array], x: Array, axes: tuple[int, ...]) -> Array:
    """A log density at ``x`` whose event ``axes`` hold finite numbers; ``-inf`` elsewhere."""
    finite = np.all(np.isfinite(x), axis=axes, keepdims=True)
    return np.where(finite.squeeze(axes), log_density(np.where(finite, x, 0.0)), -np.inf)


def log_determinant(chol: Array) -> Array:
    """Log determinant of the matrix with Cholesky factor ``chol``."""
    return 2 * np.sum(np.log(np.diagonal(chol, axis1=-2, axis2=-1)), axis=-1)


def eigenvalue_changes(inner: Array, outer: Array) -> Array:
    """Eigenvalues of outer^-1 inner minus 1, from the difference of the matrices, which is exact where they are close."""
    chol = np.linalg.cholesky(outer)
    half = np.linalg.solve(chol, inner - outer)
    whole = np.linalg.solve(chol, np.swapaxes(half, -1, -2))
    return np.linalg.eigvalsh((whole + np.swapaxes(whole, -1, -2)) / 2)
