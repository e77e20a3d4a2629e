"""Control variates: what variance they take, that their error is honest, and where the plain mean is kept."""

import numpy as np
import pytest

from pp_mlekl.posterior.bridge.control_variates import controlled_mean
from pp_mlekl.posterior.bridge.number_with_error import plain_mean


def test_control_variates_take_all_variance_from_a_quadratic():
    generator = np.random.default_rng(8)
    z = generator.normal(1.0, 2.0, size=(4, 500, 2))
    gradients = -(z - 1.0) / 4.0
    mean = controlled_mean(np.sum(z**2, axis=-1), z, gradients)
    assert mean.value == pytest.approx(10.0, abs=1e-8)
    assert mean.standard_error < 1e-8


@pytest.mark.parametrize(("d", "draws"), [(50, 1000), (200, 250)])
def test_curvature_takes_the_variance_where_pairs_are_too_many(d, draws):
    """A normal posterior of 50 and of 200 parameters: 1,325 and 20,300 moments, one of which is wanted."""
    generator = np.random.default_rng(9)
    chol = np.tril(generator.normal(size=(d, d))) / np.sqrt(d) + np.eye(d)
    precision = np.linalg.inv(chol @ chol.T)
    mean = generator.normal(size=d)
    z = mean + generator.normal(size=(4, draws, d)) @ chol.T
    half = np.diag(generator.uniform(0.5, 2.0, size=d))
    values = -0.5 * np.einsum("cni,ij,cnj->cn", z, half, z)
    result = controlled_mean(values, z, -(z - mean) @ precision, lambda point: (-half @ point, -half, -precision))
    exact = -0.5 * (np.trace(half @ chol @ chol.T) + mean @ half @ mean)
    plain = plain_mean(values).standard_error
    assert abs(result.value - exact) < 4 * result.standard_error + 1e-9
    assert result.standard_error < plain / 20


def test_draws_far_from_zero_keep_their_digits():
    generator = np.random.default_rng(3)
    z = 1e9 + generator.normal(size=(4, 500, 2))
    mean = controlled_mean(np.sum((z - 1e9) ** 2, axis=-1), z, 1e9 - z)
    assert mean.value == pytest.approx(2.0, abs=1e-5)
    assert mean.standard_error < 1e-5


def test_the_error_is_the_spread_over_seeds():
    """The mean of a third power, whose variance linear control variates reduce only partly, from independent draws."""
    means, errors, plain = [], [], []
    for seed in range(200):
        z = np.random.default_rng(seed).normal(size=(2, 100, 1))
        values = z[..., 0] ** 3
        found = controlled_mean(values, z, -z)
        means.append(found.value)
        errors.append(found.standard_error)
        plain.append(plain_mean(values).standard_error)
    spread = np.std(means, ddof=1)
    # The spread of 200 values is known to 5%; the best control variate, 3 z, leaves 6 of the variance of 15.
    assert 0.85 < np.sqrt(np.mean(np.square(errors))) / spread < 1.25
    assert spread == pytest.approx(np.sqrt(6 / 200), rel=0.2)
    assert np.mean(plain) > 1.3 * np.mean(errors)
    assert abs(np.mean(means)) < 4 * spread / np.sqrt(200)


def test_autocorrelated_draws_have_a_larger_error():
    """An autoregression with coefficient 0.9, and a value that no control variate explains."""
    generator = np.random.default_rng(4)
    z = generator.normal(size=(4, 1000, 1)) * np.sqrt(1 - 0.9**2)
    for t in range(1, 1000):
        z[:, t] += 0.9 * z[:, t - 1]
    values = np.cos(3 * z[..., 0])
    found, independent = controlled_mean(values, z, -z), values.std() / np.sqrt(values.size)
    assert 1.1 * independent < found.standard_error <= plain_mean(values).standard_error


@pytest.mark.parametrize("where", ["one gradient", "all gradients"])
def test_infinite_gradients_leave_the_plain_mean(where):
    generator = np.random.default_rng(5)
    z = generator.normal(size=(2, 60, 30))
    gradients = -z
    gradients[..., 0] = np.where(where == "all gradients", np.inf, gradients[..., 0])
    gradients[0, 3, 1] = -np.inf

    def derivatives(point):
        raise AssertionError("no curvature is needed")

    found = controlled_mean(z[..., 0] ** 2, z, gradients, derivatives)
    assert found.value == plain_mean(z[..., 0] ** 2).value


@pytest.mark.parametrize(("d", "draws", "helped"), [(2, 60, True), (2, 25, False), (12, 60, False)])
def test_no_more_coefficients_than_a_tenth_of_the_draws(d, draws, helped):
    """Two parameters have five products and gradients, twelve have ninety; one alone has its gradient."""
    z = np.random.default_rng(6).normal(size=(1, draws, d))
    values = z[..., 0] ** 2
    found = controlled_mean(values, z, -z)
    assert (found.value == pytest.approx(1.0, abs=1e-8)) == helped


def test_a_curvature_that_cannot_be_inverted_is_left_out():
    z = np.random.default_rng(7).normal(size=(2, 100, 40))
    flat = np.zeros((40, 40))
    found = controlled_mean(z[..., 0] ** 2, z, -z, lambda point: (2 * point, 2 * np.eye(40), flat))
    assert found.value == plain_mean(z[..., 0] ** 2).value


def test_quadratics_in_a_direction_are_exact_by_the_curvature_alone():
    """Forty parameters on few draws: neither products nor gradients can be fitted, but their sum by the curvature can."""
    generator = np.random.default_rng(8)
    z = generator.normal(size=(2, 200, 60))
    shape = np.diag(np.linspace(0.5, 2.0, 60))
    values = np.einsum("cni,ij,cnj->cn", z, shape, z)
    found = controlled_mean(values, z, -z, lambda point: (2 * shape @ point, 2 * shape, -np.eye(60)))
    assert abs(found.value - np.trace(shape)) < 4 * found.standard_error + 1e-9
    assert found.standard_error < 0.1 * plain_mean(values).standard_error
