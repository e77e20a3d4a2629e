"""Posterior means with control variates made of the gradient of the log density."""

import numpy as np

from pp_mlekl.bridge.chains import mean_and_error

# Polynomials of the second order in more dimensions have more coefficients than the draws can fit.
_LARGEST_SHARE = 0.1


def controlled_mean(values: np.ndarray, draws: np.ndarray, gradients: np.ndarray) -> tuple[float, float]:
    """Mean of ``values`` over a posterior, and its standard error, by zero-variance control variates.

    For a density that vanishes at infinity E[grad log p] = 0 and E[z_i g_j + delta_ij] = 0, so these have known means
    (Mira, Solgi and Imparato 2013); ``values`` that are quadratic under a normal posterior lose all their variance.

    Parameters
    ----------
    values
        Shape (chain, draw).
    draws, gradients
        Unconstrained draws and the gradients of their log density, shape (chain, draw, d).
    """
    plain = mean_and_error(values)
    n, d = values.size, draws.shape[-1]
    z = draws.reshape(n, d)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    g = gradients.reshape(n, d) * draws.reshape(n, d).std(axis=0)
    if not np.all(np.isfinite(g)) or d > _LARGEST_SHARE * n:
        return plain
    features = [g]
    if d * (d + 3) / 2 <= _LARGEST_SHARE * n:
        i, j = np.triu_indices(d)
        features.append(z[:, i] * g[:, j] + z[:, j] * g[:, i] + 2.0 * (i == j))
    design = np.column_stack([np.ones(n), *features])
    coefficients, *_ = np.linalg.lstsq(design, values.ravel(), rcond=None)
    controlled = values - (design[:, 1:] @ coefficients[1:]).reshape(values.shape)
    mean, error = mean_and_error(controlled)
    error *= np.sqrt(n / (n - design.shape[1]))
    return (mean, error) if error < plain[1] else plain
