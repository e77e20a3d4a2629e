"""States, merging and limits of searches with and without whole Hessians, on functions made for each."""

import numpy as np
import pytest

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.newton_krylov import climb, curvature_of_coordinates, products
from pp_mlekl.optimize.solvers.trust_region import maximize


def parabola(*curvatures, centre=0.0, evaluated=None, **fields):
    strength = np.array(curvatures, dtype=float)
    size = len(strength)

    def evaluate(order, z, rows):
        if evaluated is not None:
            evaluated.append(order)
        shifted = z - centre
        hessian = np.broadcast_to(-np.diag(strength), (len(z), size, size))
        return (-np.sum(strength * shifted**2, axis=1) / 2, -strength * shifted, hessian)[: order + 1]

    return Objective(size=size, evaluate=evaluate, **fields)


def double_well(width=1.0, coupling=0.0, more=1.0):
    """Maxima of (x, y) at (-1, 0) and (1, 0) times the width, with curvature 8 / width² in x and ``more`` in y."""

    def evaluate(order, z, rows):
        x, y = z[:, 0] / width, z[:, 1]
        value = -((x**2 - 1) ** 2) - more * y**2 / 2
        gradient = np.stack([-4 * x * (x**2 - 1) / width, -more * y], axis=-1)
        zero = np.zeros_like(x)
        hessian = np.stack([(-12 * x**2 + 4) / width**2, zero, zero, zero - more], axis=-1).reshape(-1, 2, 2)
        return (value, gradient, hessian)[: order + 1]

    return Objective(size=2, evaluate=evaluate)


ONES = np.ones(2, dtype=int)


def merged(objective, starts):
    return maximize(objective, np.array(starts, dtype=float), counts=np.ones(len(starts), dtype=int)).count.tolist()


def test_searches_are_merged_where_they_come_to_one_maximum_alone():
    assert merged(double_well(), [[1.2, 0.3], [0.9, -0.3], [-1.1, 0.2]]) in ([2, 1], [1, 2])
    # Only where it is asked for.
    assert len(maximize(double_well(), np.array([[1.2, 0.3], [0.9, -0.3]])).z) == 2


def kinked_ridge(gap):
    """Two maxima ``gap`` standard errors apart in one coordinate: parabolas about 0 and ``gap``, the higher of which counts."""

    def evaluate(order, z, rows):
        near = np.abs(z[:, 0]) < np.abs(z[:, 0] - gap)
        shifted = z.copy()
        shifted[:, 0] -= np.where(near, 0.0, gap)
        value = -np.sum(shifted**2, axis=1) / 2
        return (value, -shifted, np.broadcast_to(-np.eye(2), (len(z), 2, 2)))[: order + 1]

    return Objective(size=2, evaluate=evaluate)


@pytest.mark.parametrize(("gap", "searches"), [(0.19, 1), (0.21, 2)])
def test_maxima_a_fifth_of_a_standard_error_apart_are_one(gap, searches):
    assert len(merged(kinked_ridge(gap), [[-0.01, 0.0], [gap + 0.01, 0.0]])) == searches


def two_peaks(first, second, precision):
    """Parabolas of one precision about two points, the nearer of which counts."""
    precision = np.array(precision)

    def evaluate(order, z, rows):
        shifted = [z - np.array(p) for p in (first, second)]
        near = np.sum(shifted[0] ** 2, axis=1) < np.sum(shifted[1] ** 2, axis=1)
        off = np.where(near[:, None], *shifted)
        value = -np.sum(off @ precision * off, axis=1) / 2
        return (value, -off @ precision, np.broadcast_to(-precision, (len(z), 2, 2)))[: order + 1]

    return Objective(size=2, evaluate=evaluate)


@pytest.mark.parametrize(
    ("second", "precision", "searches"),
    [
        # .15 in both coordinates: each by itself is less than a fifth, together .21 are more.
        ([0.15, 0.15], [[1.0, 0.0], [0.0, 1.0]], 2),
        ([0.13, 0.13], [[1.0, 0.0], [0.0, 1.0]], 1),
        # Along a ridge hardly anything is lost together, but each coordinate is off by more than a fifth of its own unit.
        ([0.25, -0.25], [[1.0, 0.9], [0.9, 1.0]], 2),
        ([0.19, -0.19], [[1.0, 0.9], [0.9, 1.0]], 1),
        # Curvature that is almost none tells nothing.
        ([0.1, -0.1], [[1.0, 1 - 0.9e-5], [1 - 0.9e-5, 1.0]], 2),
        ([0.1, -0.1], [[1.0, 1 - 1.2e-5], [1 - 1.2e-5, 1.0]], 1),
    ],
)
def test_differences_are_small_in_each_coordinate_and_together(second, precision, searches):
    starts = [[-0.001, 0.001], [second[0] + 0.001, second[1] - 0.001]]
    assert len(merged(two_peaks([0.0, 0.0], second, precision), starts)) == searches


def test_a_start_where_nothing_is_defined_is_stuck():
    objective = Objective(
        size=1,
        evaluate=lambda order, z, rows: (np.log(z[:, 0]) - z[:, 0], 1 / z - 1, -1 / z[:, :, None] ** 2)[: order + 1],
    )
    ends = maximize(objective, np.array([[-1.0], [3.0]]))
    assert ends.state.tolist() == ["stuck", "stationary"]
    assert ends.z[:, 0].tolist() == [-1.0, pytest.approx(1.0)]
    assert ends.decrement[0] == np.inf


def test_a_search_out_of_iterations_is_running():
    ends = maximize(double_well(), np.array([[30.0, 5.0]]), max_iterations=2, keep_trail=True)
    assert (ends.state.tolist(), ends.iterations, len(ends.trail)) == (["running"], 2, 3)
    assert maximize(double_well(), np.array([[30.0, 5.0]])).trail == []
    default = maximize(double_well(), np.array([[1e100, 5.0]]))
    assert default.iterations <= 150


@pytest.mark.parametrize(("close", "same"), [(0.0, False), (1.0, True)])
def test_a_search_may_end_where_little_is_left(close, same):
    """A whole Newton step from 1 promises half a nat."""
    ends = maximize(parabola(1.0), np.ones((1, 1)), close=close)
    assert (ends.z[0, 0] == 1.0) == same
    assert ends.state[0] == "stationary"


def test_the_given_starts_are_not_changed():
    starts = np.ones((1, 1))
    maximize(parabola(1.0), starts)
    assert starts[0, 0] == 1.0


def test_gradients_alone_are_differenced_or_scored():
    plain = parabola(1.0, 4.0, centre=2.0, derivatives=1)
    ends = maximize(plain, np.zeros((2, 2)))
    np.testing.assert_allclose(ends.z, 2.0, atol=1e-6)
    np.testing.assert_allclose(ends.hessian[0], np.diag([-1.0, -4.0]), atol=1e-4)
    scored = parabola(1.0, 4.0, centre=2.0, derivatives=1, information=lambda z: np.diag([1.0, 4.0]))
    ends = maximize(scored, np.zeros((2, 2)), held=np.array([[1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(ends.z, [[0.0, 2.0], [2.0, 0.0]], atol=1e-6)
    assert ends.unknown
    assert ends.count.tolist() == [1, 1]
    assert ends.state.tolist() == ["stationary"] * 2
    assert [z.shape for z, _ in ends.trail] == [(2, 2)] * len(ends.trail)
    assert ends.iterations == len(ends.trail) - 1
    np.testing.assert_array_equal(ends.trail[-1][0], ends.z)


# By Hessian-vector products.


def by_products(*curvatures, centre=0.0, asked=None):
    strength = np.array(curvatures, dtype=float)

    def product(z, vectors):
        if asked is not None:
            asked.append(len(vectors))
        return -strength * vectors

    return parabola(*curvatures, centre=centre, product=product)


def test_the_maximum_of_a_parabola_by_products():
    end = climb(by_products(1.0, 3.0, 50.0, centre=2.0), np.zeros(3))
    assert end.state == "stationary"
    np.testing.assert_allclose(end.z, 2.0, rtol=1e-10)
    assert end.value == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(end.gradient, 0.0, atol=1e-9)
    assert end.decrement < 1e-20
    assert len(end.trail) == end.iterations + 1
    assert end.trail[0][0].tolist() == [0.0] * 3
    assert end.trail[-1][1] == end.value


def test_a_held_direction_and_the_reach_of_products():
    held = np.array([0.6, 0.8])
    end = climb(by_products(1.0, 3.0, centre=2.0), np.zeros(2), held=held)
    assert held @ end.z == pytest.approx(0.0, abs=1e-12)
    slope = -np.array([1.0, 3.0]) * (end.z - 2.0)
    assert slope @ [-0.8, 0.6] == pytest.approx(0.0, abs=1e-6)
    assert climb(by_products(1.0, 1.0, centre=100.0), np.zeros(2), reach=np.array([5.0, np.inf])).state == "ran"
    assert climb(by_products(1.0, 1.0, centre=3.0), np.zeros(2), reach=np.array([5.0, 5.0])).state == "stationary"
    assert climb(by_products(1.0, 1.0, centre=1e9), np.zeros(2), max_iterations=3).state == "running"


def test_negative_curvature_is_left_by_products():
    def evaluate(order, z, rows):
        x, y = z.T
        return (2 * x**2 - x**4 - y**2 / 2, np.stack([4 * x - 4 * x**3, -y], axis=-1))[: order + 1]

    objective = Objective(size=2, evaluate=evaluate, product=lambda z, v: v * np.array([4 - 12 * z[0] ** 2, -1.0]))
    end = climb(objective, np.array([0.1, 2.0]))
    assert end.state == "stationary"
    np.testing.assert_allclose(end.z, [1.0, 0.0], atol=1e-7)


def test_curvatures_of_coordinates_are_estimated_by_signs():
    asked = []
    np.testing.assert_allclose(
        curvature_of_coordinates(by_products(2.0, 5.0, 1e-12, asked=asked), np.zeros(3)), [2.0, 5.0, 5e-8]
    )
    assert asked == [16]
    np.testing.assert_array_equal(curvature_of_coordinates(by_products(0.0, 0.0), np.zeros(2)), [1.0, 1.0])
    # A coordinate without curvature is its own unit at the most.
    np.testing.assert_allclose(curvature_of_coordinates(by_products(0.0, 1e12), np.zeros(2)), [1.0, 1e12])


def test_products_that_are_not_defined_are_zero():
    objective = parabola(1.0, 1.0, product=lambda z, v: np.array([[np.nan, np.inf], [-np.inf, 2.0]]))
    assert products(objective, np.zeros(2), np.eye(2)).tolist() == [[0.0, 0.0], [0.0, 2.0]]


def test_where_no_step_helps_a_slope_decides():
    """A kink that products do not see: no step gains, and the slope is 1."""

    def evaluate(order, z, rows):
        return (-np.abs(z[:, 0]), np.where(z > 0, -1.0, 1.0))[: order + 1]

    kink = Objective(size=1, evaluate=evaluate, product=lambda z, v: -1e-3 * v)
    assert climb(kink, np.array([0.0]), max_iterations=200).state == "stuck"
    level = Objective(
        size=1, evaluate=lambda order, z, rows: (0 * z[:, 0], 0 * z)[: order + 1], product=lambda z, v: -v
    )
    assert climb(level, np.array([0.0])).state == "stationary"
