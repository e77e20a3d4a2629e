"""J, K and the minimum of KL for normal models, right and wrong, against closed forms."""

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.divergences.families import family
from pp_mlekl.estimation.pseudo_true.expected_fit import expected_at, expected_fit, information_at
from pp_mlekl.estimation.quadrature_data import node_data
from pp_mlekl.inputs.truth import Truth, as_truth
from pp_mlekl.pymc_model.model_functions import model_functions

X = np.array([0.0, 1.0, 3.0])


@pytest.fixture(scope="module")
def spread():
    """y ~ N(mu, exp(z))."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=np.zeros(4))
    return model_functions(model)


@pytest.fixture(scope="module")
def slope():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("b", 0, 10) * X, 2.0, observed=X)
    return model_functions(model)


def alike(distribution, count=4):
    return Truth(kind="distribution", distributions={"y": distribution.expand((count,))})


def test_a_model_that_is_right(spread):
    """J = K = diag(1 / sigma², 2)."""
    found = expected_fit(spread, as_truth(spread, {"mu": 0.5, "sigma": 2.0}), np.random.default_rng(1))
    np.testing.assert_allclose(found.flat, [0.5, np.log(2.0)])
    np.testing.assert_allclose(found.information.hessian, np.diag([0.25, 2.0]), atol=1e-9)
    np.testing.assert_allclose(found.information.score, np.diag([0.25, 2.0]), atol=1e-9)
    assert (found.kl_min, found.kl_min_mcse) == (pytest.approx(0.0, abs=1e-12), 0.0)
    assert found.expected_log_likelihood == pytest.approx(-4 * (0.5 * np.log(2 * np.pi * np.e) + np.log(2)))
    verdict = found.verdict
    assert (verdict.status, verdict.warnings) == ("converged", ())
    np.testing.assert_allclose(verdict.covariance, np.diag([4.0, 0.5]) / 4, atol=1e-9)
    audit = verdict.audit
    assert (audit.rank, audit.size, audit.starts, audit.agree, audit.iterations) == (2, 2, 1, 1, 0)
    assert (audit.smallest_eigenvalue, audit.largest_eigenvalue) == (pytest.approx(1.0), pytest.approx(8.0))
    assert audit.gradient_norm < 1e-7
    assert audit.decrement < 1e-14
    assert found.kl_at_kinks is None


def test_a_model_that_is_wrong(spread):
    """An exponential of rate 1/2: mean 2, variance 4, fourth central moment 9 times its square, third twice sd³."""
    truth = alike(family("Exponential")(lam=0.5))
    found = expected_fit(spread, truth, np.random.default_rng(1))
    np.testing.assert_allclose(found.flat, [2.0, np.log(2.0)], atol=1e-7)
    np.testing.assert_allclose(found.information.hessian, np.diag([0.25, 2.0]), atol=1e-6)
    # Scores (y - mu) / sigma² and ((y - mu) / sigma)² - 1: variances 1/4 and 8, covariance 2 / 2.
    np.testing.assert_allclose(found.information.score, [[0.25, 1.0], [1.0, 8.0]], rtol=1e-6)
    divergence = 0.5 * np.log(2 * np.pi * np.e) + np.log(2) - (1 + np.log(2))
    assert found.kl_min == pytest.approx(4 * divergence, rel=1e-8)


def test_tails_without_a_variance_of_the_scores(spread):
    heavy = alike(family("StudentT")(nu=3.0, mu=0.0, sigma=1.0))
    found = expected_fit(spread, heavy, np.random.default_rng(1))
    assert found.information is None
    assert found.verdict.status == "converged"
    assert found.verdict.warnings[-1].startswith("The scores have no variance under the truth")
    light = expected_fit(spread, alike(family("StudentT")(nu=9.0, mu=0.0, sigma=1.0)), np.random.default_rng(1))
    np.testing.assert_allclose(light.information.score[1, 1], 3 * (9 - 2) / (9 - 4) - 1, rtol=1e-5)


def test_values_that_the_model_does_not_allow():
    with pm.Model() as model:
        pm.Exponential("y", pm.HalfNormal("rate", 5.0), observed=np.ones(4))
    functions = model_functions(model)
    found = expected_fit(functions, alike(family("Normal")(mu=1.0, sigma=1.0)), np.random.default_rng(1))
    assert found.verdict.status == "failed"
    assert found.verdict.warnings[0].startswith("KL(true||model) is infinite at all points that were tried")
    assert found.information is None
    assert np.isnan(found.kl_min)


def test_rows_that_are_random_add_to_the_variance_of_scores(slope):
    """In a wrong model rows have mean scores of their own, which count only where the rows are drawn as well."""
    rows = family("Normal")(mu=np.array([1.0, 0.0, 4.0]), sigma=2.0)
    truth = Truth(kind="distribution", distributions={"y": rows})
    nodes = node_data(slope, truth, np.random.default_rng(1))
    flat = np.array([1.2])
    mean = X * (np.array([1.0, 0.0, 4.0]) - 1.2 * X) / 4
    fixed = information_at(slope, nodes, flat, np.array([0]))
    drawn = information_at(slope, nodes, flat, np.array([0]), random_rows=True)
    np.testing.assert_allclose(fixed.hessian, [[np.mean(X**2) / 4]])
    np.testing.assert_allclose(drawn.hessian, fixed.hessian)
    np.testing.assert_allclose(fixed.score, [[np.mean(X**2) / 4]], rtol=1e-8)
    np.testing.assert_allclose(drawn.score, [[np.mean(X**2 / 4 + mean**2)]], rtol=1e-8)
    point = expected_at(slope, nodes, flat)
    np.testing.assert_allclose(point.information.score, drawn.score)
    np.testing.assert_allclose(point.expected_log_likelihood, float(nodes.expected_log_likelihood(slope, flat)))
    assert np.isnan(point.kl_min)


def test_of_a_sum_alone_nothing_is_known():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("b", 0, 10) + pm.Normal("c", 0, 10), 2.0, observed=X)
    functions = model_functions(model)
    nodes = node_data(functions, as_truth(functions, {"b": 1.0, "c": 0.5}), np.random.default_rng(1))
    assert expected_at(functions, nodes, np.array([1.0, 0.5])).information is None
