"""Maxima of many data sets at once: where they are, which converged, kinks, and gradients alone."""

import numpy as np
import pytest

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import maximize_again, maximize_along_kinks, maximize_replicates

CENTRES = np.array([[1.0, -2.0], [3.0, 0.5], [0.0, 0.0]])
MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]])


def parabolas(derivatives=2, signs=(1.0, 1.0, 1.0)):
    signs = np.array(signs)

    def evaluate(order, z, rows):
        shifted, sign = z - CENTRES[rows], signs[rows]
        value = -sign * np.sum(shifted @ MATRIX * shifted, axis=1) / 2
        return (value, -sign[:, None] * (shifted @ MATRIX), -sign[:, None, None] * MATRIX)[: order + 1]

    return Objective(size=2, evaluate=evaluate, derivatives=derivatives)


@pytest.mark.parametrize("inverse", [None, np.linalg.inv(MATRIX), np.broadcast_to(np.linalg.inv(MATRIX), (3, 2, 2))])
def test_each_replicate_has_its_own_maximum(inverse):
    starts = np.zeros((3, 2))
    found = maximize_replicates(parabolas(), starts, inverse_hessian=inverse)
    np.testing.assert_allclose(found.z, CENTRES, atol=1e-10)
    np.testing.assert_allclose(found.value, 0.0, atol=1e-15)
    np.testing.assert_allclose(found.gradient, 0.0, atol=1e-9)
    np.testing.assert_array_equal(found.hessian, np.broadcast_to(-MATRIX, (3, 2, 2)))
    np.testing.assert_allclose(found.decrement, 0.0, atol=1e-15)
    assert found.converged.tolist() == [True] * 3
    assert not starts.any()


def test_a_minimum_is_no_maximum():
    found = maximize_replicates(parabolas(signs=(1.0, -1.0, 1.0)), CENTRES.copy())
    assert found.converged.tolist() == [True, False, True]


def test_what_is_not_defined_has_not_converged():
    def evaluate(order, z, rows):
        value = np.where(rows == 1, np.nan, -(z[:, 0] ** 2))
        return (value, -2 * z, np.full((len(z), 1, 1), -2.0))[: order + 1]

    found = maximize_replicates(Objective(size=1, evaluate=evaluate), np.ones((2, 1)))
    assert found.converged.tolist() == [True, False]
    assert found.value[1] == -np.inf


@pytest.mark.parametrize(("curvature", "converged"), [(3e-10, True), (3e-11, False)])
def test_hessians_are_negative_definite_by_more_than_rounding(curvature, converged):
    """Scaled to unit diagonal the smallest eigenvalue is the curvature along (1, -1)."""
    matrix = np.array([[1.0, 1.0 - curvature], [1.0 - curvature, 1.0]])

    def evaluate(order, z, rows):
        return (-np.sum(z @ matrix * z, axis=1) / 2, -z @ matrix, np.broadcast_to(-matrix, (len(z), 2, 2)))[: order + 1]

    assert maximize_replicates(Objective(size=2, evaluate=evaluate), np.zeros((1, 2))).converged[0] == converged


def test_few_iterations_are_gone_on_with():
    """A quartic in which BFGS does not come near within two steps."""

    def evaluate(order, z, rows):
        return (-np.sum(z**4 + z**2, axis=1), -4 * z**3 - 2 * z, (-12 * z**2 - 2)[:, :, None])[: order + 1]

    found = maximize_replicates(Objective(size=1, evaluate=evaluate), np.array([[50.0]]), max_iterations=2)
    assert found.converged[0]
    assert abs(found.z[0, 0]) < 1e-6


def test_without_hessians_a_second_search_has_to_agree():
    found = maximize_replicates(parabolas(derivatives=1), np.zeros((3, 2)))
    np.testing.assert_allclose(found.z, CENTRES, atol=3e-4)
    assert found.converged.all()
    assert np.isnan(found.hessian).all()
    assert found.hessian.shape == (3, 2, 2)
    assert np.isnan(found.decrement).all()
    slow = maximize_replicates(parabolas(derivatives=1), np.zeros((3, 2)), max_iterations=1)
    assert slow.converged.tolist() == [False, False, True]


MEDIANS = np.array([[1.0, 2.0, 4.0], [7.0, 3.0, 5.0]])


def kinked(order, z, rows):
    y = MEDIANS[rows]
    return (-np.abs(y - z).sum(axis=1), np.sign(y - z).sum(axis=1, keepdims=True), np.zeros((len(z), 1, 1)))[
        : order + 1
    ]


def test_maxima_on_kinks():
    found = maximize_along_kinks(Objective(size=1, evaluate=kinked), np.zeros((2, 1)))
    np.testing.assert_allclose(found.z, [[2.0], [5.0]], atol=1e-6)
    assert found.converged.all()
    assert np.isnan(found.hessian).all()
    rising = Objective(size=1, evaluate=lambda order, z, rows: (z[:, 0], np.ones_like(z))[: order + 1])
    assert not maximize_along_kinks(rising, np.zeros((1, 1))).converged[0]


def test_maxima_are_looked_for_as_the_estimate_was():
    objective = parabolas()
    exact = maximize_again(objective, np.zeros((3, 2)), np.linalg.inv(MATRIX))
    assert np.isfinite(exact.hessian).all()
    for unknown in (None, np.full((2, 2), np.nan), np.array([[1.0, np.inf], [0.0, 1.0]])):
        found = maximize_again(Objective(size=1, evaluate=kinked), np.zeros((2, 1)), unknown)
        np.testing.assert_allclose(found.z, [[2.0], [5.0]], atol=1e-6)
        assert np.isnan(found.hessian).all()
    gradients = maximize_again(parabolas(derivatives=1), np.zeros((3, 2)), np.linalg.inv(MATRIX))
    assert np.isnan(gradients.hessian).all()
    np.testing.assert_allclose(gradients.z, CENTRES, atol=3e-4)
