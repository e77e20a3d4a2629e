"""Densities whose digits PyMC's formulas lose, each against SciPy's own function or a limit."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from tiers import slow_if

from pp_mlekl.pymc_model.model_functions import model_functions


def log_likelihood(model, z):
    """Of one model at points z (b, d): value, gradient and Hessian."""
    return model_functions(model).value_gradient_hessian(np.array(z))


@pytest.mark.slow
@pytest.mark.parametrize("distance", [5.0, 9.0, 30.0, 200.0])
def test_a_censored_normal_has_a_hessian_however_far_off(distance):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Censored("y", pm.Normal.dist(mu, 1.0), lower=0.0, upper=None, observed=[0.0])
    value, gradient, hessian = log_likelihood(model, [[distance]])
    hazard = np.exp(stats.norm.logpdf(distance) - stats.norm.logcdf(-distance))
    assert value[0] == pytest.approx(stats.norm.logcdf(-distance), rel=1e-13)
    assert gradient[0, 0] == pytest.approx(-hazard, rel=1e-12)
    assert hessian[0, 0, 0] == pytest.approx(-hazard * (hazard - distance), rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("x", [-40.0, -3.0, 0.5, 12.0])
def test_a_skew_normal_has_a_density_in_its_thin_tail(x):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.SkewNormal("y", mu=mu, sigma=1.0, alpha=2.0, observed=[x])
    value, gradient, hessian = log_likelihood(model, [[0.0]])
    hazard = np.exp(stats.norm.logpdf(2 * x) - stats.norm.logcdf(2 * x))
    assert value[0] == pytest.approx(np.log(2) + stats.norm.logpdf(x) + stats.norm.logcdf(2 * x), rel=1e-13)
    assert gradient[0, 0] == pytest.approx(x - 2 * hazard, rel=1e-10, abs=1e-12)
    assert np.isfinite(hessian).all()


@pytest.mark.parametrize("log_mu", [-36.0, -20.0, 0.0])
def test_one_minus_the_probability_of_zero_keeps_its_digits(log_mu):
    with pm.Model() as model:
        mu = pm.HalfNormal("mu", 1)
        pm.HurdlePoisson("y", psi=0.5, mu=mu, observed=[1])
    value, gradient, _ = log_likelihood(model, [[log_mu]])
    rate = np.exp(log_mu)
    assert value[0] == pytest.approx(np.log(0.5) + log_mu - rate - np.log(-np.expm1(-rate)), abs=1e-14)
    assert gradient[0, 0] == pytest.approx(1 - rate - rate * np.exp(-rate) / -np.expm1(-rate), abs=1e-14)


@pytest.mark.parametrize("log_mu", slow_if([-36.0, -20.0, 0.0], [-20.0]))
def test_one_minus_the_probability_of_zero_of_a_negative_binomial_keeps_its_digits(log_mu):
    with pm.Model() as model:
        mu, alpha = pm.HalfNormal("mu", 1), pm.HalfNormal("alpha", 1)
        pm.HurdleNegativeBinomial("y", psi=0.5, mu=mu, alpha=alpha, observed=[1])
    value, gradient, _ = log_likelihood(model, [[log_mu, np.log(2.0)]])
    mean = np.exp(log_mu)
    log_zero = -2.0 * np.log1p(mean / 2.0)
    # P(1) = alpha / (alpha + mu) mu P(0) for alpha = 2.
    log_one = log_mu - np.log1p(mean / 2.0) + log_zero
    assert value[0] == pytest.approx(np.log(0.5) + log_one - np.log(-np.expm1(log_zero)), abs=1e-13)
    # Of log P(0) by alpha: -log(1 + mu / alpha) + mu / (alpha + mu), which cancels for small means.
    by_alpha = -np.log1p(mean / 2.0) + mean / (2.0 + mean)
    odds = np.exp(log_zero) / -np.expm1(log_zero)
    expected = 2.0 * (by_alpha * (1.0 + odds) + mean / (2.0 * (2.0 + mean)))
    assert gradient[0, 1] == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("log_mu", [-36.0, 0.0])
def test_a_negative_binomial_keeps_the_digits_of_a_small_mean(log_mu):
    with pm.Model() as model:
        mu = pm.HalfNormal("mu", 1)
        pm.NegativeBinomial("y", mu=mu, alpha=2.0, observed=[1, 0])
    value, *_ = log_likelihood(model, [[log_mu]])
    mu = np.exp(log_mu)
    exact = np.log(2.0) + 4 * np.log(2 / (2 + mu)) + log_mu - np.log(2 + mu)
    assert value[0] == pytest.approx(exact, rel=1e-14)
