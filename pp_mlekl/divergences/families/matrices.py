"""Helpers of families with covariance or scale matrices."""

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
    scale = np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
    # NumPy reads the lower half alone.
    if np.any(np.abs(matrix - np.swapaxes(matrix, -1, -2)) > _ASYMMETRY * scale[..., :, None] * scale[..., None, :]):
        raise ValueError(reason)
    return chol


def log_determinant(chol: Array) -> Array:
    """Log determinant of the matrix with Cholesky factor ``chol``."""
    return 2 * np.sum(np.log(np.diagonal(chol, axis1=-2, axis2=-1)), axis=-1)


def eigenvalue_changes(inner: Array, outer: Array) -> Array:
    """Eigenvalues of outer^-1 inner minus 1, from the difference of the matrices, which is exact where they are close."""
    chol = np.linalg.cholesky(outer)
    half = np.linalg.solve(chol, inner - outer)
    whole = np.linalg.solve(chol, np.swapaxes(half, -1, -2))
    return np.linalg.eigvalsh((whole + np.swapaxes(whole, -1, -2)) / 2)
