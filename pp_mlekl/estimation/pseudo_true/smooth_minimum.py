"""Densities with a kink, such as Laplace's: the expected log density is smooth although no sample's is.

On nodes the expectation is a sum of kinked terms, whose maximum sits on a node and whose Hessian misses what the
kink contributes. The divergence engine integrates across the kink, so its KL is smooth in the parameter: a Newton
iteration on difference quotients of it finds the minimum and J = the second derivative of KL.
"""

from collections.abc import Callable

import numpy as np

from pp_mlekl.typing import Array

# In standard deviations of one observation: the engine's 1e-10 costs 1e-5 of a second derivative, the step as much.
_STEP = 3e-3
_ITERATIONS = 12


def smooth_minimum(kl: Callable[[Array], Array], start: Array, scale: Array) -> tuple[Array, Array] | None:
    """Minimise a smooth function known only by its values, from nearby.

    Parameters
    ----------
    kl
        From points (b, k) to values (b,).
    start
        Shape (k,).
    scale
        The length over which the function changes, (k,).

    Returns
    -------
    The minimiser (k,) and the Hessian there (k, k), or None where the iteration does not settle at a minimum.

    Examples
    --------
    >>> x, hessian = smooth_minimum(lambda x: np.cosh(x[:, 0] - 1), np.array([0.5]), np.ones(1))
    >>> bool(abs(x[0] - 1) < 1e-6), float(hessian[0, 0].round(4))
    (True, 1.0)
    """
    x = start.copy()
    hessian = np.eye(len(x))
    for _ in range(_ITERATIONS):
        gradient, hessian = _differences(kl, x, _STEP * scale)
        if not np.all(np.isfinite(hessian)) or np.linalg.eigvalsh(hessian)[0] <= 0:
            return None
        step = np.linalg.solve(hessian, -gradient)
        x = x + np.clip(step, -scale, scale)
        if np.all(np.abs(step) < 1e-8 * scale):
            break
    return x, hessian


def _differences(kl: Callable[[Array], Array], x: Array, h: Array) -> tuple[Array, Array]:
    """Gradient and Hessian by central differences, all points in one call."""
    k = len(x)
    axes = np.diag(h)
    pairs = [(i, j) for i in range(k) for j in range(i)]
    moves = [np.zeros(k), *axes, *-axes]
    moves += [s * axes[i] + t * axes[j] for i, j in pairs for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    values = kl(x + np.array(moves))
    middle, up, down, crossed = values[0], values[1 : k + 1], values[k + 1 : 2 * k + 1], values[2 * k + 1 :]
    hessian = np.diag((up - 2 * middle + down) / h**2)
    for (i, j), (a, b, c, d) in zip(pairs, crossed.reshape(-1, 4), strict=True):
        hessian[i, j] = hessian[j, i] = (a - b - c + d) / (4 * h[i] * h[j])
    return (up - down) / (2 * h), hessian
