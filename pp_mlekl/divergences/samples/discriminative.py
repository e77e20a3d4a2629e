"""A lower bound on KL(P||Q) by classification of the draws: logistic regression on quadratic features."""

from collections.abc import Callable

import numpy as np
from scipy import special

from pp_mlekl.divergences.samples.size_bias import halves
from pp_mlekl.typing import Array

# Maximum number of draws of each side, and maximum dimension.
_MOST_DRAWS = 1000
_MOST_DIMENSIONS = 15
_STEPS = 15
_RIDGE = 1e-2


def lower_bound(
    x: Array, y: Array, maps: Callable[[Array], tuple[Array, Array]], generator: np.random.Generator
) -> tuple[float, float] | None:
    """E_P[t] - log E_Q[exp t] on one half of the draws, with t fitted on the other: a bound and its standard error.

    The features are those of the draws' images under ``maps``.

    The bound holds for any t (Donsker and Varadhan 1975), so a poor fit makes it low, never wrong. None where there
    are too many dimensions for the number of draws.
    """
    d = x.shape[1]
    count = 1 + d + d * (d + 1) // 2
    if d > _MOST_DIMENSIONS or min(len(x), len(y)) < 10 * count:
        return None
    x, y = (v[np.sort(generator.permutation(len(v))[:_MOST_DRAWS])] for v in (x, y))
    a, b = _features(maps(x)[0]), _features(maps(y)[0])
    bounds, variances = [], []
    for side in (0, 1):
        i, j = halves(len(x), generator), halves(len(y), generator)
        weights = _fit(a[i[side]], b[j[side]])
        bound, variance = _bound(a[i[1 - side]] @ weights, b[j[1 - side]] @ weights)
        bounds.append(bound)
        variances.append(variance)
    return float(np.mean(bounds)), float(np.sqrt(np.mean(variances)))


def _features(z: Array) -> Array:
    upper = np.triu_indices(z.shape[1])
    return np.column_stack([np.ones(len(z)), z, z[:, upper[0]] * z[:, upper[1]]])


def _fit(a: Array, b: Array) -> Array:
    """Coefficients of log p/q by Newton's method, with a ridge that keeps them finite for separated draws."""
    features = np.concatenate([a, b])
    label = np.concatenate([np.ones(len(a)), np.zeros(len(b))])
    balance = np.concatenate([np.full(len(a), 0.5 / len(a)), np.full(len(b), 0.5 / len(b))])
    scale = np.maximum(features.std(axis=0), 1e-12)
    scale[0] = 1.0
    features = features / scale
    weights = np.zeros(features.shape[1])
    ridge = _RIDGE / len(features)
    for _ in range(_STEPS):
        probability = special.expit(features @ weights)
        gradient = features.T @ (balance * (probability - label)) + ridge * weights
        curvature = (features * (balance * probability * (1 - probability))[:, None]).T @ features
        weights = weights - np.linalg.solve(curvature + ridge * np.eye(len(weights)), gradient)
    return weights / scale


def _bound(at_p: Array, at_q: Array) -> tuple[float, float]:
    level = special.logsumexp(at_q) - np.log(len(at_q))
    relative = np.exp(at_q - level)
    variance = at_p.var(ddof=1) / len(at_p) + relative.var(ddof=1) / len(at_q)
    return float(at_p.mean() - level), float(variance)
