"""Posterior means with control variates from the gradient of the log density."""

from collections.abc import Callable

import numpy as np

from pp_mlekl.posterior.bridge.number_with_error import WithError, plain_mean
from pp_mlekl.typing import Array
from pp_mlekl.utils.effective_size import effective_size

# Maximum number of coefficients as a fraction of the effective sample size.
_LARGEST_SHARE = 0.1
# Maximum number of parameters for which Hessians are formed.
_LARGEST_CURVATURE = 500
Derivatives = Callable[[Array], tuple[Array, Array, Array]]


def controlled_mean(values: Array, draws: Array, gradients: Array, derivatives: Derivatives | None = None) -> WithError:
    """Mean of ``values`` over a posterior, and its error, by zero-variance control variates.

    For a density that vanishes at infinity, with gradient g of its logarithm, E[g_j] = 0 and E[z_i g_j + delta_ij] = 0. These
    serve as control variates (Mira, Solgi and Imparato 2013). Under a normal posterior, quadratic ``values`` lose all their
    variance. With too many pairs of parameters to fit a coefficient to each, the pairs are combined by the Hessians of
    ``values`` and of the log density at the posterior mean, as in a Laplace approximation.

    Parameters
    ----------
    values
        Shape (chain, draw).
    draws, gradients
        Unconstrained draws and the gradients of their log density, shape (chain, draw, d).
    derivatives
        Maps a point (d,) to gradient (d,) and Hessian (d, d) of ``values`` and the Hessian of the log density, if available.
    """
    plain = plain_mean(values)
    worth = min(float(values.size), effective_size(values))
    features = _features(draws, gradients, _LARGEST_SHARE * worth, derivatives)
    if features.shape[-1] == 0 or not np.all(np.isfinite(features)):
        return plain
    n, count = values.size, features.shape[-1] + 1
    design = np.column_stack([np.ones(n), features.reshape(n, -1)])
    design /= np.maximum(np.linalg.norm(design, axis=0), np.finfo(float).tiny)
    u, singular, vt = np.linalg.svd(design, full_matrices=False)
    inverse = np.where(singular > 1e-10 * singular[0], 1 / np.maximum(singular, np.finfo(float).tiny), 0.0)
    projected = u.T @ values.ravel()
    # The first column is constant; its coefficient is the mean when all control variates have their known means.
    share = u @ (inverse * vt[:, 0]) * design[0, 0]
    mean = float(share @ values.ravel())
    residual = values.ravel() - u[:, inverse > 0] @ projected[inverse > 0]
    # The change of the mean when one draw is left out. The leverage accounts for outlying draws that determine the fit.
    leverage = np.sum(u[:, inverse > 0] ** 2, axis=1)
    influence = n * share * residual / np.maximum(1 - leverage, 1 / n)
    lost = np.sqrt((1 - count / n) / (1 - count / worth))
    centred = (influence - influence.mean()).reshape(values.shape)
    result = WithError(value=mean, influence=lost * centred)
    return result if result.standard_error < plain.standard_error else plain


def _features(z: Array, g: Array, most: float, derivatives: Derivatives | None) -> Array:
    """At most ``most`` functions of draws and gradients (chain, draw, d) that have mean 0: (chain, draw, functions)."""
    d = z.shape[-1]
    if d * (d + 3) / 2 <= most:
        x = z - z.mean(axis=(0, 1))
        i, j = np.triu_indices(d)
        pairs = x[..., i] * g[..., j] + x[..., j] * g[..., i] + 2.0 * (i == j)
        return np.concatenate([g, pairs], axis=-1)
    straight = g if d + 1 <= most else g[..., :0]
    if derivatives is None or d > _LARGEST_CURVATURE or not np.all(np.isfinite(g)):
        return straight
    # With thirds, each pair of parts is used once. With halves it is used twice, and the product of their noises counts double.
    thirds = np.array_split(np.arange(z.shape[1]), 3)
    try:
        bent = [
            _bent(z[:, own], g[:, own], z[:, other].mean(axis=(0, 1)), derivatives)
            for own, other in zip(thirds, [*thirds[1:], thirds[0]], strict=True)
        ]
    except np.linalg.LinAlgError:
        return straight
    return np.concatenate([straight, np.concatenate(bent, axis=1)], axis=-1)


def _bent(z: Array, g: Array, centre: Array, derivatives: Derivatives) -> Array:
    """Two functions of draws, linear and quadratic, about a centre from other draws.

    The centre and the Hessians must not depend on the draws of the means, which would then not be 0.
    """
    slope, curvature, of_density = derivatives(centre)
    direction = np.linalg.solve(-of_density, slope)
    shape = np.linalg.solve(-of_density, curvature).T
    quadratic = np.einsum("...i,...i->...", (z - centre) @ shape, g) + np.trace(shape)
    return np.stack([g @ direction, quadratic], axis=-1)
