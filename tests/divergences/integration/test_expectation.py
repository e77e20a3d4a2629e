"""Quadrature over P's support: against closed forms, against an independent integration, and at the edges."""

import numpy as np
import pytest
from univariate_cases import continuous, dense_mean, make

from pp_mlekl.divergences.closed_form import closed_form_kl
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.integration.expectation import expectation
from pp_mlekl.divergences.integration.gauss_kronrod import integrate
from pp_mlekl.divergences.integration.log_ratio_mean import itself
from pp_mlekl.divergences.kullback_leibler import kl_divergence

PAIRS = [(p, q) for p in continuous() for q in continuous() if p != q]


def quadrature(name, p, q):
    """Quadrature and closed form of a pair in one family; parameters are lists."""
    p, q = (family(name)(**{k: np.asarray(v, dtype=float) for k, v in d.items()}) for d in (p, q))
    return expectation(p, q, itself), closed_form_kl(p, q)


def assert_covers(p, q, value):
    """Compare one pair with the independent integration."""
    independent = dense_mean(make(p), make(q), lambda ratio: ratio)
    np.testing.assert_allclose(value, independent, rtol=1e-8, atol=1e-12, err_msg=f"{p}||{q}")


@pytest.mark.parametrize(
    ("name", "p", "q"),
    [
        ("Normal", {"mu": [0, 1e6, -1e-9], "sigma": [1, 1, 1e-12]}, {"mu": [1, 1e6, 0], "sigma": [2, 2, 3e-12]}),
        ("Gamma", {"alpha": [0.001, 0.3, 5, 1e6], "beta": [1] * 4}, {"alpha": [1, 0.01, 7, 1.001e6], "beta": [2] * 4}),
        ("Beta", {"alpha": [0.01, 2, 0.5], "beta": [0.01, 0.01, 300]}, {"alpha": [1, 1, 2], "beta": [1, 2, 200]}),
        ("Laplace", {"mu": [0, 5], "b": [1, 1e-4]}, {"mu": [1, 5.0001], "b": [2, 1e-3]}),
        ("Cauchy", {"alpha": [0, 3], "beta": [1, 1e-3]}, {"alpha": [2, 0], "beta": [0.5, 10]}),
        ("Pareto", {"alpha": [3, 0.1, 0.001], "m": [1] * 3}, {"alpha": [2, 0.2, 0.002], "m": [0.5] * 3}),
        ("Weibull", {"alpha": [0.2, 30], "beta": [1, 2]}, {"alpha": [0.3, 20], "beta": [2, 2.1]}),
        ("Wald", {"mu": [1, 50], "lam": [2, 0.1]}, {"mu": [2, 40], "lam": [1, 0.2]}),
        ("VonMises", {"mu": [0, 3.1], "kappa": [2, 500]}, {"mu": [1, -3.1], "kappa": [0.5, 300]}),
    ],
)
def test_agrees_with_the_closed_form(name, p, q):
    numerical, exact = quadrature(name, p, q)
    np.testing.assert_allclose(numerical.value, exact, rtol=1e-10)
    # The error it claims is no less than the error it makes, up to the last digits.
    assert np.all(np.abs(numerical.value - exact) <= 30 * numerical.error + 1e-11 * np.abs(exact))


@pytest.mark.parametrize("nu", [5.0, 2.1, 2.01, 2.001])
def test_a_tail_that_hardly_has_a_variance_is_followed_to_its_end(nu):
    p = family("StudentT")(nu=np.array([nu]), mu=np.array([0.0]), sigma=np.array([1.0]))
    q = family("Normal")(mu=np.array([0.3]), sigma=np.array([1.2]))
    np.testing.assert_allclose(expectation(p, q, itself).value, closed_form_kl(p, q), rtol=1e-10)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.01, 2.0), (2.0, 0.01), (300.0, 0.02)])
def test_mass_at_the_very_ends_of_an_interval(alpha, beta):
    # Against the logit-normal the divergence is elementary: logit of a beta variable has known moments.
    from scipy.special import digamma, polygamma

    p, q = family("Beta")(alpha=alpha, beta=beta), family("LogitNormal")(mu=0.3, sigma=0.9)
    mean, variance = digamma(alpha) - digamma(beta), polygamma(1, alpha) + polygamma(1, beta)
    log_jacobian = digamma(alpha) + digamma(beta) - 2 * digamma(alpha + beta)
    cross = np.log(0.9 * np.sqrt(2 * np.pi)) + (variance + (mean - 0.3) ** 2) / (2 * 0.81) + log_jacobian
    np.testing.assert_allclose(kl_divergence(p, q).value, cross - p.entropy(), rtol=1e-11)


def test_a_narrow_component_of_a_mixture_is_not_missed():
    # The spike holds 1% of the mass, 1e-9 of the width; far from it the broad component is alone.
    p = family("NormalMixture")(w=[0.99, 0.01], mu=[0.0, 500.0], sigma=[1e3, 1e-6])
    q = family("Normal")(mu=0.0, sigma=1e3)
    spike = 0.01 * (np.log(0.01) - np.log(1e-6) - 0.5 + np.log(1e3) + 500.0**2 / 2e6)
    np.testing.assert_allclose(kl_divergence(p, q).value, 0.99 * np.log(0.99) + spike, rtol=1e-6)


@pytest.mark.parametrize(("p", "q"), PAIRS[::53])
def test_sample_of_all_pairs(p, q):
    value = kl_divergence(make(p), make(q)).value
    if np.isfinite(value):
        assert_covers(p, q, value)


@pytest.mark.slow
@pytest.mark.parametrize("p", continuous())
def test_all_pairs(p):
    for q in continuous():
        value = kl_divergence(make(p), make(q)).value
        assert value >= 0, (p, q)
        if np.isfinite(value) and p != q:
            assert_covers(p, q, value)


def test_kinks_and_jumps_are_halved_until_they_fit():
    def bent(x, which):
        return np.where(x < 1 / 3, x, 3 * x - 2 / 3) * np.array([1.0, 2.0])[which], 0 * x

    exact = 0.5 / 9 + 1.5 * (1 - 1 / 9) - 2 / 3 * (1 - 1 / 3)
    result = integrate(bent, np.array([[0.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(result.value, [exact, 2 * exact], rtol=1e-11)
