"""Minima of functions known by their values, and data sets made of nodes."""

import numpy as np
import pytest

from pp_mlekl.estimation.pseudo_true.smooth_minimum import smooth_minimum

MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 3.0]])
CENTRE = np.array([1.0, -2.0, 0.5])


def quadratic(units=1.0, calls=None):
    def kl(x):
        if calls is not None:
            calls.append(len(x))
        shifted = (x - CENTRE * units) / units
        return np.sum(shifted @ MATRIX * shifted, axis=1) / 2

    return kl


@pytest.mark.parametrize("units", [1.0, np.array([1e-3, 1.0, 1e4])])
def test_a_parabola_and_its_hessian_in_any_unit(units):
    scale = np.ones(3) * units
    x, hessian = smooth_minimum(quadratic(units), CENTRE * units + 0.3 * scale, scale)
    np.testing.assert_allclose(x / units, CENTRE, atol=1e-8)
    np.testing.assert_allclose(hessian * np.outer(scale, scale), MATRIX, rtol=1e-6, atol=1e-6)


def test_all_differences_are_taken_in_one_call():
    calls = []
    start = CENTRE + 0.3
    smooth_minimum(quadratic(calls=calls), start, np.ones(3))
    # The point, two on each of three axes, four for each of three pairs; a step, and one that stays.
    assert calls == [19, 19]
    np.testing.assert_array_equal(start, CENTRE + 0.3)


def test_a_step_is_no_longer_than_the_scale():
    calls = []
    x, _ = smooth_minimum(quadratic(calls=calls), CENTRE + np.array([2.5, 0.0, 0.0]), np.ones(3))
    assert len(calls) == 4
    np.testing.assert_allclose(x, CENTRE, atol=1e-8)
    # Twelve steps of length 1 do not lead from 15 to 1.
    far, _ = smooth_minimum(lambda x: np.sum((x - 1) ** 2, axis=1), np.array([15.0]), np.ones(1))
    assert far[0] == pytest.approx(3.0)


def test_a_maximum_or_what_is_not_finite_is_no_minimum():
    assert smooth_minimum(lambda x: -np.sum(x**2, axis=1), np.array([0.1]), np.ones(1)) is None
    assert smooth_minimum(lambda x: x[:, 0] ** 2 - x[:, 1] ** 2, np.array([0.1, 0.1]), np.ones(2)) is None
    assert smooth_minimum(lambda x: np.where(x[:, 0] > 0, np.inf, 0.0), np.array([0.0]), np.ones(1)) is None
    assert smooth_minimum(lambda x: np.zeros(len(x)), np.array([0.0]), np.ones(1)) is None


def test_the_step_of_differences_is_three_thousandths():
    """Of a kink at 0 that is seen from .0029 away, and not from .0031."""

    def kinked(x):
        return np.abs(x[:, 0]) + 1e-9 * x[:, 0] ** 2

    near = smooth_minimum(kinked, np.array([0.0029]), np.ones(1))
    assert near is not None
    far = smooth_minimum(lambda x: np.where(x[:, 0] < 0, np.inf, (x[:, 0] - 1) ** 2), np.array([0.0031]), np.ones(1))
    assert far is not None
    assert (
        smooth_minimum(lambda x: np.where(x[:, 0] < 0, np.inf, (x[:, 0] - 1) ** 2), np.array([0.0029]), np.ones(1))
        is None
    )
