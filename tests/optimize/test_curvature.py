"""Directions at a maximum that do not fall off as at a regular one."""

import numpy as np
import pytest
from plain_objectives import without_slope

from pp_mlekl.optimize.curvature import Curvature, curvature, falls_off, losses_along, rays, suspicious_directions
from pp_mlekl.optimize.objective import Objective


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


MATRIX = np.array([[4.0, 1.0, 0.5], [1.0, 9.0, 2.0], [0.5, 2.0, 1.0]])


def test_directions_are_standard_errors_long_and_span_the_inverse():
    found = curvature(-MATRIX)
    np.testing.assert_allclose(found.directions @ MATRIX @ found.directions.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.inverse(), np.linalg.inv(MATRIX), atol=1e-12)
    np.testing.assert_allclose(found.scale, [0.5, 1 / 3, 1.0], rtol=1e-15)
    correlation = MATRIX * found.scale * found.scale[:, None]
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(correlation), rtol=1e-12)
    assert found.rank == 3
    first = found.directions[:1]
    np.testing.assert_allclose(found.inverse(np.array([True, False, False])), first.T @ first, rtol=1e-15)


def test_held_directions_are_left_out():
    held = np.array([[1.0, 1.0, 0.0]])
    basis = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]).T / [np.sqrt(2), 1.0]
    found = curvature(-MATRIX, held=held)
    np.testing.assert_allclose(found.inverse(), basis @ np.linalg.inv(basis.T @ MATRIX @ basis) @ basis.T, atol=1e-12)
    assert found.directions.shape == (2, 3)
    np.testing.assert_allclose(found.directions @ held[0], 0.0, atol=1e-14)
    np.testing.assert_array_equal(curvature(-MATRIX, held=held[:0]).directions, curvature(-MATRIX).directions)
    one = curvature(-np.diag([4.0, 9.0]), held=np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(one.scale, [0.5, 0.0], atol=1e-15)


def test_what_has_no_curvature_has_unit_scale():
    assert curvature(-np.diag([4.0, 0.0, -16.0])).scale.tolist() == [0.5, 1.0, 0.25]


@pytest.mark.parametrize(("smallest", "rank"), [(1.1e-12, 2), (0.9e-12, 1)])
def test_eigenvalues_that_are_not_rounding(smallest, rank):
    assert Curvature(eigenvalues=np.array([smallest * 2, 1.0]), directions=np.eye(2), scale=np.ones(2)).rank == rank


def test_rays_double_up_to_the_reach():
    z, reach = np.array([1.0, -3.0, 2.0]), np.array([4.0, 2.0, np.inf])
    points = rays(z, np.array([[1.0, -2.0, 0.0], [0.0, 0.0, 1.0], [8.0, 0.0, 0.0]]), reach)
    assert points.shape == (11, 3, 3)
    lengths = 2.0 ** np.arange(-10, 1)
    np.testing.assert_allclose(points[:, 0], z + lengths[:, None] * [1.0, -2.0, 0.0], rtol=1e-15)
    np.testing.assert_allclose(points[:, 1, 2], 2.0 + lengths * 2e6, rtol=1e-15)
    np.testing.assert_allclose(points[:, 2, 0], 1.0 + lengths * 4.0, rtol=1e-15)
    np.testing.assert_allclose(rays(np.zeros(1), np.ones((1, 1)), np.array([np.inf]))[-1], 1e6)


def falling(end=np.inf):
    """-z^2, undefined from a place on."""

    def evaluate(order, z, rows):
        value = np.where(z[:, 0] < end, -(z[:, 0] ** 2), -np.inf)
        return (value, -2 * z, np.full((len(z), 1, 1), -2.0))[: order + 1]

    return Objective(size=1, evaluate=evaluate)


@pytest.mark.parametrize(
    ("end", "near", "everywhere"),
    [(np.inf, 1 / 64, 1.0), (0.3, 1 / 64, 0.09), (0.1, np.inf, np.inf), (0.126, 1 / 64, 0.126**2)],
)
def test_what_is_lost_near_by_and_on_all_of_a_ray(end, near, everywhere):
    found = losses_along(falling(end), np.zeros(1), 0.0, np.array([[1.0]]), np.ones(1))
    np.testing.assert_allclose(np.concatenate(found), [near, everywhere], rtol=0.01)


def test_losses_are_below_the_value_of_the_point():
    found = losses_along(falling(), np.array([2.0]), -4.0, np.array([[1.0], [-1.0]]), np.ones(1))
    np.testing.assert_allclose(found[1], [5.0, (2 - 2.0**-10) ** 2 - 4], rtol=1e-6)


def table(falls):
    """Falls at given places."""
    places, values = np.array(sorted(falls)), np.array([falls[k] for k in sorted(falls)])
    return without_slope(lambda z: -np.interp(z[:, 0], places, values))


@pytest.mark.parametrize(
    ("falls", "reach", "regular"),
    [
        ({-2: 2, -1: 0.5, 0: 0, 1: 0.5, 2: 2}, np.inf, True),
        ({-2: 2, -1: 0.5, 0: 0, 1: 0.5, 2: 0.101}, np.inf, True),
        ({-2: 2, -1: 0.5, 0: 0, 1: 0.5, 2: 0.099}, np.inf, False),
        ({-2: 0.099, -1: 0.5, 0: 0, 1: 0.5, 2: 2}, np.inf, False),
        # Both sides fall too fast, or one of them does not.
        ({-2: 20, -1: 10.1, 0: 0, 1: 10.1, 2: 20}, np.inf, False),
        ({-2: 20, -1: 9.9, 0: 0, 1: 10.1, 2: 20}, np.inf, True),
        ({-2: 20, -1: 10.1, 0: 0, 1: 9.9, 2: 20}, np.inf, True),
        # Within a reach of 1 half a standard error is what is looked at: a quarter of 10 nats.
        ({-2: 20, -0.5: 2.6, 0: 0, 0.5: 2.6, 2: 20}, 1.0, False),
        ({-2: 20, -0.5: 2.4, 0: 0, 0.5: 2.4, 2: 20}, 1.0, True),
        # A tenth of a standard error has to lie within the reach.
        ({-1: 0.1005, -0.05: 0.1005, 0: 0, 0.05: 0.1005, 1: 0.1005}, 0.21, True),
        ({-1: 0.1005, -0.05: 0.1005, 0: 0, 0.05: 0.1005, 1: 0.1005}, 0.19, False),
        ({-2: 2, -1: 0.5, 0: 0, 1: 0.5, 2: 2}, 2.0, True),
    ],
)
def test_how_a_regular_maximum_falls_off(falls, reach, regular):
    objective = table(falls)
    assert falls_off(objective, np.zeros(1), 0.0, np.ones((1, 1)), np.array([reach])).tolist() == [regular]
    found, suspicious = suspicious_directions(objective, np.zeros(1), 0.0, -np.eye(1), np.array([reach]))
    assert suspicious.tolist() == [not regular]
    assert found.eigenvalues.tolist() == [1.0]
    assert falls_off(objective, np.zeros(1), 0.0, np.ones((0, 1)), np.array([reach])).shape == (0,)


def test_a_suspicious_coordinate_comes_first_and_by_itself():
    """A quadratic in two correlated coordinates with a third of equal curvature that does not fall."""
    objective = without_slope(lambda z: -(z[:, 0] ** 2 + z[:, 0] * z[:, 1] + z[:, 1] ** 2), size=3)
    hessian = -np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 4.0]])
    found, suspicious = suspicious_directions(objective, np.zeros(3), 0.0, hessian, np.full(3, np.inf))
    assert suspicious.tolist() == [True, False, False]
    assert found.directions[0].tolist() == [0.0, 0.0, 0.5]
    np.testing.assert_allclose(found.eigenvalues, [1.0, 0.5, 1.5], rtol=1e-12)
    np.testing.assert_allclose(found.scale, [1 / np.sqrt(2), 1 / np.sqrt(2), 0.5])
    np.testing.assert_allclose(found.inverse(~suspicious)[:2, :2], np.array([[2, -1], [-1, 2]]) / 3, rtol=1e-12)
    # A direction that is held takes its coordinates with it.
    held = np.array([[0.0, 0.0, 1.0]])
    rest, regular = suspicious_directions(objective, np.zeros(3), 0.0, hessian, np.full(3, np.inf), held=held)
    assert regular.tolist() == [False, False]
    assert rest.directions.shape == (2, 3)


def test_a_mixture_that_falls_too_fast_is_suspicious_though_its_coordinates_are_not():
    hessian = -np.array([[2.0, 1.0], [1.0, 2.0]])

    def value(z):
        return -(z[:, 0] ** 2 + z[:, 0] * z[:, 1] + z[:, 1] ** 2) - 400 * np.maximum(z[:, 0] * z[:, 1], 0.0)

    found, suspicious = suspicious_directions(without_slope(value, 2), np.zeros(2), 0.0, hessian, np.full(2, np.inf))
    np.testing.assert_allclose(found.eigenvalues, [0.5, 1.5], rtol=1e-12)
    assert suspicious.tolist() == [False, True]
