"""Functions in place of those that are slow: the same numbers."""

import mpmath
import numpy as np
import pytest
from scipy import special

from pp_mlekl.pymc_model.interpreter.ufuncs import trigamma


def test_trigamma_has_all_digits():
    x = np.concatenate([np.geomspace(1e-150, 1e150, 301), np.linspace(0.01, 30, 300)])
    exact = np.array([float(mpmath.zeta(2, mpmath.mpf(v))) for v in x])
    np.testing.assert_allclose(trigamma(x), exact, rtol=2e-15)


@pytest.mark.parametrize(
    "x",
    [np.inf, 2.0, np.array([-0.5, 3.0]), np.array([0.0, np.nan]), np.ones((2, 0)), np.array([2**40, 3]), np.float32(2)],
)
def test_trigamma_takes_what_zeta_takes(x):
    found, expected = trigamma(x), special.zeta(2.0, x)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(found.dtype).eps)
