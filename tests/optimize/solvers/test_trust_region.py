"""The arrays layer on plain functions: maxima, saddles, edges, flat directions, replicates."""

import numpy as np
import pytest

from pp_mlekl.optimize.audit.directions import identified_combinations
from pp_mlekl.optimize.modes import distinct_modes
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.profile_paths import divergence
from pp_mlekl.optimize.replicates import maximize_replicates
from pp_mlekl.optimize.search import search
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.optimize.tolerances import Tolerances

GENERATOR = np.random.default_rng(0)


def logistic(x, y):
    products = (x[:, :, None] * x[:, None]).reshape(len(x), -1)

    def evaluate(order, z, rows):
        eta = z @ x.T
        p = 1 / (1 + np.exp(-eta))
        data = np.atleast_2d(y)[rows]
        value = (data * eta - np.logaddexp(0, eta)).sum(axis=1)
        hessian = -((p * (1 - p)) @ products).reshape(-1, x.shape[1], x.shape[1])
        return (value, (data - p) @ x, hessian)[: order + 1]

    return Objective(size=x.shape[1], evaluate=evaluate)


def rosenbrock():
    def evaluate(order, z, rows):
        x, y = z.T
        value = -((1 - x) ** 2 + 100 * (y - x * x) ** 2)
        gradient = np.stack([2 * (1 - x) + 400 * x * (y - x * x), -200 * (y - x * x)], axis=-1)
        hessian = np.empty((len(z), 2, 2))
        hessian[:, 0, 0] = -2 + 400 * (y - 3 * x * x)
        hessian[:, 0, 1] = hessian[:, 1, 0] = 400 * x
        hessian[:, 1, 1] = -200
        return (value, gradient, hessian)[: order + 1]

    return Objective(size=2, evaluate=evaluate)


def quadratic(matrix, peak):
    def evaluate(order, z, rows):
        r = z - peak
        value = -0.5 * np.einsum("bi,ij,bj->b", r, matrix, r)
        return (value, -r @ matrix, np.broadcast_to(-matrix, (len(z), *matrix.shape)))[: order + 1]

    return Objective(size=len(peak), evaluate=evaluate)


def test_curved_valley():
    ends = maximize(rosenbrock(), GENERATOR.normal(size=(8, 2)) * 3)
    assert np.all(ends.state == "stationary")
    np.testing.assert_allclose(ends.z, 1.0, rtol=1e-9)


def test_logistic_regression_from_far_starts():
    x = GENERATOR.normal(size=(200, 4))
    y = (GENERATOR.random(200) < 0.4).astype(float)
    ends = maximize(logistic(x, y), GENERATOR.normal(size=(10, 4)) * 5)
    np.testing.assert_allclose(ends.z, np.broadcast_to(ends.z[0], ends.z.shape), atol=1e-12)
    np.testing.assert_allclose(ends.gradient, 0.0, atol=1e-10)


def test_newton_does_not_depend_on_units():
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    units = np.diag([1e6, 1e-6])
    ends = maximize(quadratic(units @ matrix @ units, np.array([1e-6, 2e6])), np.zeros((1, 2)))
    np.testing.assert_allclose(ends.z[0], [1e-6, 2e6], rtol=1e-9)


def test_a_held_direction_is_not_moved_along():
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    ends = maximize(quadratic(matrix, np.zeros(2)), np.array([[1.0, 3.0]]), held=np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(ends.z[0], [1.0, -0.5], rtol=1e-9)


def test_verdicts_on_plain_functions():
    space = Space.unbounded(["a", "b"])
    x = np.c_[np.ones(8), [-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2]]
    starts = GENERATOR.normal(size=(5, 2))
    assert search(logistic(x, (x[:, 1] > 0).astype(float)), starts, space).status == "at_infinity"
    flat = quadratic(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.5, 0.5]))
    verdict = search(flat, starts, space)
    assert verdict.status == "not_identified"
    assert "a + b is identified" in verdict.warnings[0]
    regular = search(rosenbrock(), starts, space)
    assert regular.status == "converged"
    assert regular.audit.agree == 5


def test_replicates_are_single_fits():
    x = GENERATOR.normal(size=(150, 3))
    data = (GENERATOR.random((40, 150)) < 1 / (1 + np.exp(-x @ [0.5, -1.0, 0.2]))).astype(float)
    objective = logistic(x, data)
    together = maximize_replicates(objective, np.zeros((40, 3)))
    assert together.converged.all()
    alone = np.array([maximize(logistic(x, y), np.zeros((1, 3))).z[0] for y in data])
    np.testing.assert_allclose(together.z, alone, rtol=1e-8, atol=1e-10)


def test_replicates_without_maximum_are_marked():
    x = np.c_[np.ones(6), [-3, -2, -1, 1, 2, 3]]
    data = np.array([[0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]], dtype=float)
    result = maximize_replicates(logistic(x, data), np.zeros((2, 2)))
    assert result.converged.tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "diverges"),
    [(lambda d: 3 * d, True), (lambda d: -np.exp(-d), False), (lambda d: -d, False), (lambda d: 0.5 * d - 40, True)],
)
def test_divergence_and_convergence_are_told_apart(values, diverges):
    distances = np.array([0.5, 1.0, 2.0, 3.5, 5.0, 7.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0])
    rate, _ = divergence(distances, values(distances), Tolerances())
    assert (rate > 0) == diverges


def test_modes_are_merged_by_standard_errors():
    z = np.array([[1.0], [1.0 + 1e-9], [-2.0]])
    modes = distinct_modes(z, np.array([0.0, 0.0, -1.0]), np.full((3, 1, 1), -4.0))
    assert [m.agree for m in modes] == [2, 1]


def test_identified_combination_of_a_constant_column():
    null = np.array([[-0.9486832980505139, 0.31622776601683783, 0.0]])
    assert identified_combinations(null, ["one", "c", "x"]) == ["one + 3 c"]


def test_searches_for_the_same_maximum_are_merged():
    """Two basins of a double well, (x^2 - 1)^2 + y^2 / 2 upside down: each keeps one search and counts the others."""

    def evaluate(order, z, rows):
        x, y = z.T
        value = -((x**2 - 1) ** 2) - y**2 / 2
        gradient = np.stack([-4 * x * (x**2 - 1), -y], axis=-1)
        zero = np.zeros_like(x)
        hessian = np.stack([-12 * x**2 + 4, zero, zero, zero - 1], axis=-1).reshape(-1, 2, 2)
        return (value, gradient, hessian)[: order + 1]

    starts = np.array([[2.0, 1.0], [-2.0, 0.5], [1.5, -3.0], [0.7, 0.1], [-0.6, 2.0]])
    objective = Objective(size=2, evaluate=evaluate)
    ends = maximize(objective, starts, counts=np.array([1, 2, 1, 1, 1]), keep_trail=True)
    assert sorted(zip(ends.z.round(9)[:, 0], ends.count, strict=True)) == [(-1.0, 3), (1.0, 3)]
    assert all(z.shape == (2, 2) and value.shape == (2,) for z, value in ends.trail)
    whole = maximize(objective, starts)
    assert len(whole.z) == len(starts)
    np.testing.assert_allclose(np.abs(whole.z[:, 0]), 1.0, atol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_search_is_given_up_beyond_its_reach_on_either_side(sign):
    """A line that rises without end, and a parabola whose maximum is within reach."""

    def evaluate(order, z, rows):
        value = sign * z[:, 0] - (z[:, 1] - sign) ** 2
        slope = np.stack([np.full(len(z), sign), -2 * (z[:, 1] - sign)], axis=-1)
        return (value, slope, np.tile(np.diag([0.0, -2.0]), (len(z), 1, 1)))[: order + 1]

    objective = Objective(size=2, evaluate=evaluate)
    ends = maximize(objective, np.zeros((1, 2)), reach=np.array([50.0, 50.0]))
    assert list(ends.state) == ["ran"]
    assert 50.0 < sign * ends.z[0, 0] < 1e4
