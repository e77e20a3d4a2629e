"""Objectives that have gradients alone: Hessians from differences, and the verdicts that follow."""

from dataclasses import replace

import degenerate_models as degenerate
import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess_prod
from tiers import slow_if

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.optimize import objective as sizes
from pp_mlekl.optimize.audit.soft_directions import curved_null
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.profile_paths import profile_paths
from pp_mlekl.optimize.replicates import maximize_replicates
from pp_mlekl.optimize.search import search
from pp_mlekl.optimize.solvers.difference_hessian import with_difference_hessian
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.pymc_model.model_functions import model_functions

SIZE = 40
_FAST = (
    "perfect_separation_by_group",
    "uniform_upper_limit",
    "constant_data",
    "intercept_and_all_dummies",
    "sum_of_means",
    "unordered_mixture",
)


# Where the log-likelihood is flat to rounding, or a step, differences of gradients show another curvature than the exact Hessian.
# On the way from Frank's copula near independence to its overflow, the slopes miss a fifth of each change.
_OTHERWISE = {"clayton_copula_that_overflows", "frank_copula_of_negative_dependence"}


def long_valley(size, product=None):
    def evaluate(order, z, rows):
        return (-np.array([rosen(row) for row in z]), -np.array([rosen_der(row) for row in z]))[: order + 1]

    return Objective(size=size, evaluate=evaluate, product=product, derivatives=2 if product else 1)


def quadratic(peak, curvatures):
    def evaluate(order, z, rows):
        return (-0.5 * np.sum(curvatures * (z - peak) ** 2, axis=1), -curvatures * (z - peak))[: order + 1]

    return Objective(size=len(peak), evaluate=evaluate, derivatives=1)


def test_long_valley_is_followed_to_its_end():
    ends = maximize(long_valley(SIZE), np.random.default_rng(1).normal(size=(2, SIZE)))
    assert ends.state.tolist() == ["stationary", "stationary"]
    assert np.abs(ends.gradient).max() < 1e-3
    high = ends.z[np.argmax(ends.value)]
    np.testing.assert_allclose(high, 1.0, atol=1e-5)


def test_coordinates_of_any_scale():
    peak, curvatures = np.linspace(-2, 2, 12), np.geomspace(1e-4, 1e6, 12)
    verdict = search(quadratic(peak, curvatures), np.zeros((2, 12)), Space.unbounded([f"x{i}" for i in range(12)]))
    assert verdict.status == "converged"
    assert np.all(np.abs(verdict.z - peak) * np.sqrt(curvatures) < 1e-3)
    np.testing.assert_allclose(verdict.covariance, np.diag(1 / curvatures), rtol=1e-6, atol=1e-12)


def test_profiles_by_gradients():
    """Of a quadratic with correlation r the profile falls as slowly as its inverse's diagonal says."""
    precision = np.array([[2.0, -1.2], [-1.2, 1.0]])

    def evaluate(order, z, rows):
        return (-0.5 * np.einsum("bi,ij,bj->b", z, precision, z), -z @ precision)[: order + 1]

    objective = Objective(size=2, evaluate=evaluate, derivatives=1)
    paths = profile_paths(objective, np.zeros((1, 2)), np.array([[1.0, 0.0]]), np.array([0.5, 1.0, 2.0]))
    variance = np.linalg.inv(precision)[0, 0]
    np.testing.assert_allclose(paths.values[:, 0], -0.5 * np.array([0.25, 1.0, 4.0]) / variance, rtol=1e-6)


def test_many_flat_directions_are_told_from_others():
    """Of 40 directions, mixed with none, 30 keep the maximum along a bent way and 10 do not."""
    size = 42

    def evaluate(order, z, rows):
        bent = z[:, 41] + 0.1 * np.sum(z[:, :30] ** 2, axis=1)
        fall = np.sum(np.cosh(z[:, 30:40]), axis=1)
        gradient = np.concatenate(
            [-0.2 * bent[:, None] * z[:, :30], -np.sinh(z[:, 30:40]), -z[:, [40]], -bent[:, None]], axis=1
        )
        hessian = np.zeros((len(z), size, size))
        slope = np.concatenate([0.2 * z[:, :30], np.zeros((len(z), 11)), np.ones((len(z), 1))], axis=1)
        hessian -= slope[:, :, None] * slope[:, None, :]
        curved = np.concatenate([0.2 * bent[:, None] * np.ones(30), np.cosh(z[:, 30:40]), np.ones((len(z), 1))], axis=1)
        hessian[:, np.arange(41), np.arange(41)] -= curved
        return (-fall - 0.5 * z[:, 40] ** 2 - 0.5 * bent**2, gradient, hessian)[: order + 1]

    objective = Objective(size=size, evaluate=evaluate)
    order = np.random.default_rng(3).permutation(40)
    flat = curved_null(objective, np.zeros(size), -10.0, np.eye(size)[order])
    np.testing.assert_array_equal(flat, order < 30)


def test_replicates_by_gradients():
    means = np.random.default_rng(2).normal(size=(50, 3))

    def evaluate(order, z, rows):
        return (-np.sum(np.cosh(z - means[rows]), axis=1), -np.sinh(z - means[rows]))[: order + 1]

    found = maximize_replicates(Objective(size=3, evaluate=evaluate, derivatives=1), np.zeros((50, 3)))
    assert found.converged.all()
    np.testing.assert_allclose(found.z, means, atol=1e-3)
    assert np.isnan(found.hessian).all()


def test_where_products_come_to_no_end_gradients_go_on(monkeypatch):
    monkeypatch.setattr(sizes, "LARGE", SIZE - 1)

    def product(z, vectors):
        return -np.array([rosen_hess_prod(z, v) for v in vectors])

    objective, space = long_valley(SIZE, product), Space.unbounded([f"x{i}" for i in range(SIZE)])
    starts = np.random.default_rng(1).normal(size=(2, SIZE))
    assert set(maximize(objective, starts).state) == {"running"}
    verdict = search(objective, starts, space)
    assert verdict.status == "converged"
    np.testing.assert_allclose(verdict.z, 1.0, atol=1e-6)


@pytest.mark.parametrize("name", slow_if(list(degenerate.CASES), set(degenerate.CASES) - set(_FAST)))
def test_verdicts_by_gradients(name, request):
    if name in _OTHERWISE:
        reason = "Differences of gradients do not show what the exact Hessian does."
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    asked, status, _, _ = degenerate.CASES[name]
    problem = Problem(functions=model_functions(degenerate.build(name)), kind=asked)
    starts = problem.starts(10, np.random.default_rng(1), None, [])
    objective = replace(problem.objective, derivatives=1, product=None)
    found = search(objective, starts, problem.space)
    assert found.status == status


@pytest.mark.parametrize("unit", 10.0 ** np.arange(-12, 13, 4))
def test_differences_in_any_unit(unit):
    def evaluate(order, z, rows):
        x = z / unit - 1
        return (-np.sum(np.cosh(x), axis=1), -np.sinh(x) / unit)[: order + 1]

    objective = with_difference_hessian(Objective(size=2, evaluate=evaluate, derivatives=1))
    z = unit * np.array([[1.0, 1.5]])
    exact = -np.diag([1.0, np.cosh(0.5)]) / unit**2
    np.testing.assert_allclose(objective.hessian(z)[2][0], exact, rtol=1e-7, atol=1e-7 / unit**2)


def test_differences_beside_an_end_of_the_support():
    def evaluate(order, z, rows):
        with np.errstate(all="ignore"):
            return (np.where(z[:, 0] > 0, np.log(z[:, 0]), -np.inf), 1 / z)[: order + 1]

    objective = with_difference_hessian(Objective(size=1, evaluate=evaluate, derivatives=1))
    for z in (1e-2, 1e-5, 1e-8):
        assert objective.hessian(np.array([[z]]))[2][0, 0, 0] == pytest.approx(-1 / z**2, rel=1e-6)


def test_points_of_a_batch_have_their_own_steps():
    """A short wave needs steps far shorter than a parabola of a curvature that is a billion times as large."""

    def evaluate(order, z, rows):
        wave = z < 10
        value = np.where(wave, -np.cos(1e4 * z) / 1e8, -5e8 * (z - 20) ** 2)
        return (value[:, 0], np.where(wave, np.sin(1e4 * z) / 1e4, -1e9 * (z - 20)))[: order + 1]

    objective = with_difference_hessian(Objective(size=1, evaluate=evaluate, derivatives=1))
    z = np.array([[0.3], [20.5], [0.4]])
    together = objective.hessian(z)[2]
    np.testing.assert_allclose(together[:, 0, 0], [np.cos(3e3), -1e9, np.cos(4e3)], rtol=1e-6)
    np.testing.assert_array_equal(together, np.concatenate([objective.hessian(one[None])[2] for one in z]))
