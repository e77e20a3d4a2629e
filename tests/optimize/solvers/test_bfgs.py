"""BFGS on functions whose maximum is known: how far a step goes, when a search is near, kinks, replicates."""

import numpy as np
import pytest

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.bfgs import approach, climb_kinks

CENTRES = np.array([[1.0, -2.0], [30.0, 0.0], [0.0, 0.0]])
MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]])


def quadratic(points=None, matrix=MATRIX):
    """A parabola about the centre of each replicate."""

    def evaluate(order, z, rows):
        if points is not None:
            points.append((order, z.copy(), rows.copy()))
        shifted = z - CENTRES[rows]
        return (-np.sum(shifted @ matrix * shifted, axis=1) / 2, -shifted @ matrix)[: order + 1]

    return Objective(size=2, evaluate=evaluate, derivatives=1)


ROWS = np.arange(3)


def test_each_replicate_comes_to_its_own_maximum():
    z, near = approach(quadratic(), np.zeros((3, 2)), ROWS)
    assert near.all()
    # Half a promised gain of 1e-8 nats is a distance of 1e-4 standard errors.
    np.testing.assert_allclose(z, CENTRES, atol=2e-4)


def test_with_the_inverse_hessian_one_step_suffices():
    points = []
    z, near = approach(quadratic(points), np.zeros((3, 2)), ROWS, np.linalg.inv(MATRIX), 2)
    np.testing.assert_allclose(z[[0, 2]], CENTRES[[0, 2]], atol=1e-12)
    assert near.tolist() == [True, False, True]
    # Steps go five times the size of the point at the most, or 5.
    np.testing.assert_allclose(points[1][1], [CENTRES[0], [5.0, 0.0]], atol=1e-12)
    each = np.broadcast_to(np.linalg.inv(MATRIX), (3, 2, 2))
    np.testing.assert_array_equal(approach(quadratic(), np.zeros((3, 2)), ROWS, each, 2)[0], z)


def test_far_out_steps_are_longer():
    points = []
    approach(quadratic(points), np.array([[3.0, 4.0]]) * 1000, np.array([1]), 100 * np.linalg.inv(MATRIX), 1)
    assert np.linalg.norm(points[1][1] - points[0][1]) == pytest.approx(5 * 5000)


def test_the_first_step_is_of_length_one_at_the_most():
    points = []
    approach(quadratic(points), np.zeros((2, 2)), np.array([0, 1]), max_iterations=1)
    for start, slope in zip(points[1][1], -(np.zeros(2) - CENTRES[:2]) @ MATRIX, strict=True):
        np.testing.assert_allclose(start, slope / np.linalg.norm(slope))
    points.clear()
    approach(quadratic(points, 0.1 * MATRIX), np.zeros((1, 2)), np.array([0]), max_iterations=1)
    np.testing.assert_allclose(points[1][1][0], 0.1 * CENTRES[0] @ MATRIX)


@pytest.mark.parametrize(("distance", "near"), [(1.3e-4, True), (1.5e-4, False)])
def test_near_is_half_a_gain_of_a_hundred_millionth(distance, near):
    """With curvature 1 a distance of sqrt 2 e-4 promises 1e-8 nats."""
    flat = Objective(size=1, evaluate=lambda order, z, rows: (-(z[:, 0] ** 2) / 2, -z)[: order + 1], derivatives=1)
    found, close = approach(flat, np.array([[distance]]), np.zeros(1, dtype=int), np.eye(1), 1)
    assert close[0] == near
    assert (found[0, 0] == distance) == near


def test_starts_where_nothing_is_defined_stay():
    objective = Objective(size=1, evaluate=lambda order, z, rows: (np.log(z[:, 0]), 1 / z)[: order + 1], derivatives=1)
    z, near = approach(objective, np.array([[-1.0]]), np.zeros(1, dtype=int))
    assert (z[0, 0], near[0]) == (-1.0, False)


def test_the_given_starts_are_not_changed_and_sixty_iterations_are_the_default():
    starts = np.zeros((3, 2))
    approach(quadratic(), starts, ROWS)
    assert not starts.any()
    ever = Objective(size=1, evaluate=lambda order, z, rows: (z[:, 0], np.ones_like(z))[: order + 1], derivatives=1)
    default, _ = approach(ever, np.zeros((1, 1)), np.zeros(1, dtype=int), np.eye(1))
    sixty, _ = approach(ever, np.zeros((1, 1)), np.zeros(1, dtype=int), np.eye(1), 60)
    assert default[0, 0] == sixty[0, 0] == pytest.approx(60.0)


def test_a_step_that_gains_nothing_is_shortened():
    """From 1 across the maximum at 0 to -1; three tenths of the way gain enough."""
    flat = Objective(size=1, evaluate=lambda order, z, rows: (-(z[:, 0] ** 2) / 2, -z)[: order + 1], derivatives=1)
    found, near = approach(flat, np.ones((1, 1)), np.zeros(1, dtype=int), 2 * np.eye(1), 1)
    assert found[0, 0] == pytest.approx(1 - 0.3 * 2)
    assert near.dtype == bool


MEDIANS = np.array([[1.0, 2.0, 4.0], [7.0, 3.0, 5.0]])


def absolute(order, z, rows):
    return (-np.abs(MEDIANS[rows] - z).sum(axis=1), np.sign(MEDIANS[rows] - z).sum(axis=1, keepdims=True))[: order + 1]


@pytest.mark.parametrize("start", [0.0, 2.0, 1000.0])
def test_medians(start):
    objective = Objective(size=1, evaluate=absolute, derivatives=1)
    z, value = climb_kinks(objective, np.full((2, 1), start), np.array([0, 1]))
    np.testing.assert_allclose(z, [[2.0], [5.0]], atol=1e-6)
    np.testing.assert_allclose(value, [-3.0, -4.0], atol=1e-6)
    alone, _ = climb_kinks(objective, np.full((2, 1), start))
    np.testing.assert_allclose(alone, 2.0, atol=1e-6)


def test_a_climb_never_ends_below_its_start():
    objective = Objective(size=1, evaluate=absolute, derivatives=1)
    z, value = climb_kinks(objective, np.array([[2.0]]))
    assert (z[0, 0], value[0]) == (2.0, -3.0)


def test_a_bent_kink_is_followed_to_its_end():
    """|x - y²| grows across the parabola, and along it the value falls off from y = 1."""

    def evaluate(order, z, rows):
        x, y = z.T
        side = np.sign(x - y**2)
        value = -10 * np.abs(x - y**2) - (y - 1) ** 2
        return (value, np.stack([-10 * side, 20 * side * y - 2 * (y - 1)], axis=1))[: order + 1]

    z, value = climb_kinks(Objective(size=2, evaluate=evaluate, derivatives=1), np.array([[3.0, -1.0], [0.5, 2.0]]))
    np.testing.assert_allclose(z, 1.0, atol=1e-3)
    np.testing.assert_allclose(value, 0.0, atol=1e-6)
