"""Directions at a maximum that do not fall off as at a regular one."""

import numpy as np
import pytest
from plain_objectives import without_slope

from pp_mlekl.optimize.curvature import suspicious_directions


# A plateau that ends in a cliff has no curvature; what is left of it is rounding, and so is its product with the other parameter.
@pytest.mark.parametrize("curvature", [1e-12, 1e-16, 1e-20])
@pytest.mark.parametrize("correlation", [0.0, 0.3, -0.9])
def test_a_plateau_leaves_the_other_parameter_its_variance(curvature, correlation):
    cliff = without_slope(lambda z: -100.0 * np.maximum(np.abs(z[:, 0]) - 0.5, 0.0) - 2.0 * z[:, 1] ** 2, size=2)
    cross = correlation * np.sqrt(4.0 * curvature)
    hessian = -np.array([[curvature, cross], [cross, 4.0]])
    found, suspicious = suspicious_directions(cliff, np.zeros(2), 0.0, hessian, np.full(2, np.inf))
    np.testing.assert_allclose(found.inverse(~suspicious), [[0.0, 0.0], [0.0, 0.25]], rtol=1e-12)
    assert abs(found.directions[suspicious][0, 1]) < 1e-12 * abs(found.directions[suspicious][0, 0])
