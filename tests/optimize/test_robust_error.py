"""The sandwich from influences: weights, degrees of freedom, and that its intervals cover."""

import numpy as np
from scipy import stats

from pp_mlekl.optimize.sandwich import robust_error


def test_robust_error_of_a_mean_and_its_weights():
    y = np.random.default_rng(8).exponential(size=(3, 50))
    influence = (y - y.mean(axis=1, keepdims=True))[..., None] / 50
    error = robust_error(influence, np.ones((3, 50)))
    np.testing.assert_allclose(error.standard_error[:, 0], y.std(axis=1) / np.sqrt(50))
    kurtosis = stats.kurtosis(y, axis=1, fisher=False)
    np.testing.assert_allclose(error.degrees_of_freedom[:, 0], 2 * 50 / (kurtosis - 1))
    doubled = robust_error(np.concatenate([influence[0], influence[0]]), np.ones(100))
    weighted = robust_error(influence[0], np.full(50, 2.0))
    np.testing.assert_allclose(weighted.half_width(0.9), doubled.half_width(0.9))


def test_robust_intervals_cover_where_tails_are_heavy():
    """The standard deviation of Student t(5) data: the sandwich is known badly, and the quantile has to know it."""
    y = np.random.default_rng(9).standard_t(5, size=(8000, 200))
    s = y.std(axis=1, keepdims=True)
    influence = ((y - y.mean(axis=1, keepdims=True)) ** 2 / s - s)[..., None] / 400
    error = robust_error(influence, np.ones(y.shape))
    missed = np.abs(s - np.sqrt(5 / 3))
    by_t = np.mean(missed <= error.half_width(0.95))
    by_normal = np.mean(missed <= 1.959964 * error.standard_error)
    assert by_normal + 0.01 < by_t < 0.95
    assert by_t > 0.91
