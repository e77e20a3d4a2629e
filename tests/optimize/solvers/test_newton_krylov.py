"""Searches by Hessian-vector products."""

import numpy as np
import pytest

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.newton_krylov import climb


def valley(strength):
    """A parabola in x0 beside one that is ``strength`` times as strong in x1."""
    curvatures = np.array([1.0, strength])

    def evaluate(order, z, rows):
        return (-0.5 * np.sum(curvatures * (z - 5) ** 2, axis=1), -curvatures * (z - 5))[: order + 1]

    return Objective(size=2, evaluate=evaluate, product=lambda z, vectors: -curvatures * vectors)


@pytest.mark.parametrize("strength", [1.0, 1e30, 1e54])
def test_curvatures_of_other_orders_of_magnitude_do_not_end_a_search(strength):
    end = climb(valley(strength), np.array([0.0, 5.0]), max_iterations=30)
    assert end.state == "stationary"
    np.testing.assert_allclose(end.z, 5.0, rtol=1e-9)


@pytest.mark.parametrize("strength", [1e20, 1e54])
def test_a_slope_beside_a_strong_curvature_is_followed(strength):
    # A slope of 1 without end in x0, beside a ridge x1 = x2.
    hessian = np.array([[0.0, 0.0, 0.0], [0.0, -strength, strength], [0.0, strength, -strength - 1]])

    def evaluate(order, z, rows):
        off = z[:, 1] - z[:, 2]
        gradient = np.stack([np.ones(len(z)), -strength * off, strength * off - z[:, 2]], axis=-1)
        return (z[:, 0] - strength / 2 * off**2 - z[:, 2] ** 2 / 2, gradient)[: order + 1]

    objective = Objective(size=3, evaluate=evaluate, product=lambda z, vectors: vectors @ hessian)
    assert climb(objective, np.array([0.0, 1.0, 1.0 + 1e-9]), reach=np.full(3, 40.0)).state == "ran"
