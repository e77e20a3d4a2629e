"""Densities and draws of the proposals against SciPy."""

import numpy as np
import pytest
from scipy import stats

from pp_mlekl.posterior.bridge.proposals import NormalProposal, StudentProposal, fit_normal, fit_warped

MEAN, COVARIANCE = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.6, 0.1], [0.6, 1.0, -0.2], [0.1, -0.2, 0.5]])
NORMAL = NormalProposal(mean=MEAN, chol=np.linalg.cholesky(COVARIANCE))


@pytest.mark.parametrize("nu", [3.0, 5.0, 40.0])
def test_log_densities(nu):
    z = np.random.default_rng(1).normal(size=(20, 3)) * 5
    np.testing.assert_allclose(NORMAL.log_density(z), stats.multivariate_normal(MEAN, COVARIANCE).logpdf(z), rtol=1e-12)
    student = stats.multivariate_t(MEAN, COVARIANCE * (1 - 2 / nu), df=nu)
    np.testing.assert_allclose(StudentProposal(normal=NORMAL, nu=nu).log_density(z), student.logpdf(z), rtol=1e-12)


@pytest.mark.parametrize("proposal", [NORMAL, StudentProposal(normal=NORMAL, nu=8.0)])
def test_points_have_the_moments_and_the_density(proposal):
    n = 40_000
    points, log_density = proposal.points(np.random.default_rng(2).random((n, 4)))
    np.testing.assert_allclose(points.mean(axis=0), MEAN, atol=4 * np.sqrt(2 / n))
    # The variance of a product of two coordinates is at most (kappa + 2) / n of both variances; here kappa is 1.5.
    np.testing.assert_allclose(np.cov(points, rowvar=False), COVARIANCE, atol=4 * 2 * np.sqrt(3.5 / n))
    np.testing.assert_allclose(log_density, proposal.log_density(points), rtol=1e-10)
    # E[exp(log q - log p)] under p is 1 for any other density q.
    other = stats.multivariate_normal(MEAN, COVARIANCE * 0.5)
    ratio = np.exp(other.logpdf(points) - log_density)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(n)


@pytest.mark.parametrize("kind", ["normal", "Student t"])
def test_points_of_a_warped_proposal_have_its_density(kind):
    generator, n = np.random.default_rng(5), 40_000
    draws = np.log(generator.gamma([1.0, 3.0, 0.5], size=(2000, 3)))
    proposal = fit_warped(draws)[kind]
    points, log_density = proposal.points(generator.random((n, 4)))
    np.testing.assert_allclose(log_density, proposal.log_density(points), rtol=1e-8)
    # E[exp(log q - log p)] under p is 1 for any density q that is 0 wherever p is.
    ratio = np.exp(stats.multivariate_normal(draws.mean(axis=0), 0.2 * np.eye(3)).logpdf(points) - log_density)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(n)


def test_draws_in_a_subspace_are_refused():
    flat = np.random.default_rng(3).normal(size=(100, 1))
    with pytest.raises(ValueError, match="subspace"):
        fit_normal(np.hstack([flat, 2 * flat, flat - 1]) * [1.0, 1.0, 0.0])


def test_scales_may_be_far_apart():
    draws = np.random.default_rng(4).normal(size=(500, 2)) * [1e-9, 1e9]
    np.testing.assert_allclose(np.square(fit_normal(draws).chol).sum(axis=1), draws.var(axis=0, ddof=1), rtol=1e-9)
