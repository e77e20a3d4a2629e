"""The same verdict in other units, shifted, with rows in another order, and from any start."""

import numpy as np
import pytest
from plain_objectives import analytic, line

from pp_mlekl.optimize.search import search

Y = np.array([4.1, 5.2, 4.7, 5.9, 4.4, 5.0])
X = np.array([-2.0, -1.3, -0.4, 0.3, 1.1, 1.9])


def normal_value(y, mean, log_scale):
    residuals = (y - mean[:, None]) * np.exp(-log_scale)[:, None]
    return -len(y) * log_scale - np.sum(residuals**2, axis=1) / 2


def normal(y):
    """Mean and log standard deviation."""
    return analytic(lambda z: normal_value(y, z[:, 0], z[:, 1]), 2)


def logistic(x, y):
    """Intercept and slope of a logistic regression."""
    design = np.stack([np.ones(len(x)), x], axis=-1)
    # log(1 + exp(eta)), of which the exponential is taken of what is negative.
    return analytic(lambda z: np.sum((z @ design.T) * y - softplus(z @ design.T), axis=1), 2)


def softplus(eta):
    positive = eta.real > 0
    return np.where(positive, eta, 0.0) + np.log1p(np.exp(np.where(positive, -eta, eta)))


def starts(seed, count=5):
    return np.concatenate([np.zeros((1, 2)), np.random.default_rng(seed).normal(size=(count, 2))])


@pytest.mark.parametrize("unit", 10.0 ** np.arange(-12, 13, 3))
@pytest.mark.parametrize("seed", [1, 2])
def test_units_of_a_normal_sample(unit, seed):
    verdict = search(normal(Y * unit), starts(seed), line(2, [1]))
    assert verdict.status == "converged"
    np.testing.assert_allclose(verdict.z, [Y.mean() * unit, np.log(Y.std() * unit)], rtol=1e-7)
    np.testing.assert_allclose(np.sqrt(verdict.covariance[0, 0]), Y.std() / np.sqrt(6) * unit, rtol=1e-5)


@pytest.mark.parametrize("shift", [1e3, 1e6, -1e6])
def test_shifted_data(shift):
    verdict = search(normal(Y + shift), starts(1), line(2, [1]))
    assert verdict.status == "converged"
    assert verdict.z[1] == pytest.approx(np.log(Y.std()), rel=1e-5)


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize(
    ("y", "status"), [(np.array([0, 0, 0, 1, 1, 1]), "at_infinity"), (np.array([0, 1, 0, 1, 0, 1]), "converged")]
)
def test_units_of_a_covariate(unit, y, status):
    verdict = search(logistic(X * unit, y), starts(1), line(2))
    assert verdict.status == status


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e12])
def test_units_of_two_aliased_means(unit):
    objective = analytic(lambda z: -np.sum((Y * unit - z[:, :1] - z[:, 1:]) ** 2, axis=1) / (2 * unit**2), 2)
    verdict = search(objective, starts(1), line(2))
    assert verdict.status == "not_identified"
    assert verdict.z.sum() == pytest.approx(Y.mean() * unit, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("y", "status"), [(np.array([0, 0, 0, 1, 1, 1]), "at_infinity"), (np.array([0, 1, 0, 1, 0, 1]), "converged")]
)
def test_rows_in_another_order_and_other_starts(seed, y, status):
    order = np.random.default_rng(seed).permutation(len(y))
    verdict = search(logistic(X[order], y[order]), starts(seed), line(2))
    assert verdict.status == status


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_without_spread_is_unbounded_from_any_start(seed):
    verdict = search(normal(np.full(6, 4.7)), starts(seed), line(2, [1]))
    assert verdict.status == "unbounded"
    assert verdict.findings[-1].parameters == ("log(x1)",)


@pytest.mark.parametrize("angle", [0.3, 1.1, 2.5])
@pytest.mark.parametrize(
    ("y", "status"), [(np.array([0, 0, 0, 1, 1, 1]), "at_infinity"), (np.array([0, 1, 0, 1, 0, 1]), "converged")]
)
def test_rotated_columns(angle, y, status):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    design = np.stack([np.ones(len(X)), X], axis=-1) @ turn
    objective = analytic(lambda z: np.sum((z @ design.T) * y - softplus(z @ design.T), axis=1), 2)
    verdict = search(objective, starts(1), line(2))
    assert verdict.status == status
    if status == "converged":
        np.testing.assert_allclose(turn @ verdict.z, search(logistic(X, y), starts(1), line(2)).z, rtol=1e-7)


@pytest.mark.parametrize("power", [-2.0, -0.5, 1.0, 3.0])
@pytest.mark.parametrize(("y", "status"), [(Y, "converged"), (np.full(6, 4.7), "unbounded")])
def test_powers_of_a_scale(power, y, status):
    # The same scale by its precision, its variance, ...: the logarithm is another multiple.
    objective = analytic(lambda z: normal_value(y, z[:, 0], z[:, 1] / power), 2)
    verdict = search(objective, starts(1), line(2, [1]))
    assert verdict.status == status
    if status == "converged":
        expected = search(normal(y), starts(1), line(2, [1]))
        np.testing.assert_allclose(verdict.z, expected.z * [1.0, power], rtol=1e-7)
        np.testing.assert_allclose(verdict.covariance[1, 1], expected.covariance[1, 1] * power**2, rtol=1e-5)
