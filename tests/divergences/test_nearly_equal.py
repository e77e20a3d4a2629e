"""Divergences of distributions that agree to many digits, against 60 digits; a warning where digits are lost."""

import mpmath as mp
import numpy as np
import pytest

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.divergences.log_ratios import log_ratio_rule


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(60):
        yield


def negative_binomial(x, mu, alpha):
    mu, alpha = mp.mpf(mu), mp.mpf(alpha)
    coefficient = mp.fsum(mp.log(alpha + j) for j in range(x)) - mp.loggamma(x + 1)
    return coefficient + x * mp.log(mu / (mu + alpha)) + alpha * mp.log(alpha / (mu + alpha))


def poisson(x, mu):
    mu = mp.mpf(mu)
    return x * mp.log(mu) - mu - mp.loggamma(x + 1)


def summed(log_p, log_q):
    return mp.fsum(mp.exp(log_p(x)) * (log_p(x) - log_q(x)) for x in range(60))


@pytest.mark.parametrize("alpha", [1e4, 1e6, 1e12, 1e16])
@pytest.mark.parametrize("mu", [0.3, 3.0])
def test_negative_binomial_and_poisson(mu, alpha):
    p, q = family("NegativeBinomial")(mu=mu, alpha=alpha), family("Poisson")(mu=mu)
    laws = (lambda x: negative_binomial(x, mu, alpha)), (lambda x: poisson(x, mu))
    np.testing.assert_allclose(kl_divergence(p, q).value, float(summed(*laws)), rtol=1e-8)
    np.testing.assert_allclose(kl_divergence(q, p).value, float(summed(*laws[::-1])), rtol=1e-8)
    np.testing.assert_allclose(js_divergence(p, q).value / kl_divergence(p, q).value, 0.25, rtol=1e-3)
    assert kl_divergence(p, q).warnings == ()


def test_negative_binomials_of_two_dispersions():
    p, q = (family("NegativeBinomial")(mu=3.0, alpha=a) for a in (1e12, 2e12))
    exact = summed(lambda x: negative_binomial(x, 3.0, 1e12), lambda x: negative_binomial(x, 3.0, 2e12))
    np.testing.assert_allclose(kl_divergence(p, q).value, float(exact), rtol=1e-8)


def test_negative_binomials_of_one_dispersion():
    p, q = (family("NegativeBinomial")(mu=m, alpha=2e6) for m in (0.5, 0.5 + 1e-12))
    a, b, alpha = mp.mpf(float(p.mu)), mp.mpf(float(q.mu)), mp.mpf(2e6)
    exact = a * mp.log(a / b) - (a + alpha) * mp.log((a + alpha) / (b + alpha))
    np.testing.assert_allclose(kl_divergence(p, q).value, float(exact), rtol=1e-11)


def excess(a, b):
    return mp.loggamma(b) - mp.loggamma(a) - (b - a) * mp.digamma(a)


@pytest.mark.parametrize("step", [1e-12, 1e-9, 1e-4])
@pytest.mark.parametrize("a", [[0.5, 2.0, 7.0], [1e3, 0.2, 40.0]])
def test_dirichlets(a, step):
    p = family("Dirichlet")(a=a)
    q = family("Dirichlet")(a=np.array(a) + step * np.array([1.0, -2.0, 0.5]))
    left, right = ([mp.mpf(float(v)) for v in d.a] for d in (p, q))
    exact = mp.fsum(excess(v, w) for v, w in zip(left, right, strict=True)) - excess(mp.fsum(left), mp.fsum(right))
    np.testing.assert_allclose(kl_divergence(p, q).value, float(exact), rtol=1e-10)


@pytest.mark.parametrize("step", [1e-12, 1e-9])
def test_betas(step):
    p, q = family("Beta")(alpha=0.7, beta=40.0), family("Beta")(alpha=0.7 + step, beta=40.0 - step)
    a, b, c, d = (mp.mpf(float(v)) for v in (p.alpha, p.beta, q.alpha, q.beta))
    exact = excess(a, c) + excess(b, d) - excess(a + b, c + d)
    np.testing.assert_allclose(kl_divergence(p, q).value, float(exact), rtol=1e-10)


def test_lost_digits_are_a_warning():
    # A Student t of 1e12 degrees of freedom differs from a normal by less than the rounding of its density.
    found = kl_divergence(family("StudentT")(nu=1e13, mu=0.0, sigma=1.0), family("Normal")(mu=0.0, sigma=1.0))
    assert found.warnings


@pytest.mark.parametrize("step", [1e-5, -1e-6])
@pytest.mark.parametrize("nu", [2.0, 4.0])
def test_quadrature_keeps_the_digits_of_small_divergences(nu, step):
    """Half the Fisher information of a t distribution's scale, 2 nu / (nu + 3), times the square of the step, and a share of it more."""
    t = family("StudentT")
    found = kl_divergence(t(nu=nu, mu=0.0, sigma=1.0), t(nu=nu, mu=0.0, sigma=1.0 + step))
    assert found.method == "quadrature"
    assert found.value == pytest.approx(nu / (nu + 3) * step**2, rel=5 * abs(step))
    assert not found.warnings


def test_a_second_log_ratio_for_a_pair_is_an_error():
    with pytest.raises(ValueError, match="has a log ratio already"):
        log_ratio_rule(family("NegativeBinomial"), family("Poisson"))(lambda p, q, x: x)


def positive_counts(log_mass):
    masses = [mp.exp(log_mass(x)) for x in range(1, 60)]
    return [mass / mp.fsum(masses) for mass in masses]


@pytest.mark.parametrize(("first", "second"), [(1e-9, 3e-9), (1e-9, 1e-100), (1e-100, 1e-9), (1e-5, 0.3), (0.5, 0.1)])
def test_hurdles_of_counts_that_are_nearly_always_one(first, second):
    """Given that it is not 0, a count of tiny mean is 1: what is left of the divergence is of the size of the mean."""
    with mp.workdps(250):
        for name, shape, log_mass in (
            ("HurdlePoisson", {}, poisson),
            ("HurdleNegativeBinomial", {"alpha": 0.7}, lambda x, mu: negative_binomial(x, mu, 0.7)),
        ):
            p, q = (positive_counts(lambda x, mu=mu, f=log_mass: f(x, mu)) for mu in (first, second))
            exact = float(mp.fsum(a * mp.log(a / b) for a, b in zip(p, q, strict=True)) / 2)
            found = kl_divergence(*(family(name)(psi=0.5, mu=mu, **shape) for mu in (first, second)))
            assert float(found.value) == pytest.approx(exact, rel=1e-10)


def dirichlet(a, b):
    a, b = ([mp.mpf(v) for v in side] for side in (a, b))
    terms = [
        mp.loggamma(y) - mp.loggamma(x) + (x - y) * (mp.digamma(x) - mp.digamma(mp.fsum(a)))
        for x, y in zip(a, b, strict=True)
    ]
    return mp.fsum(terms) + mp.loggamma(mp.fsum(a)) - mp.loggamma(mp.fsum(b))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1e12, 1.0], [1e12 + 1000, 1.0]),
        ([1e15, 3.0], [2e15, 3.0]),
        ([1e8, 0.5], [1e8 + 1000, 0.500001]),
        ([1e12, 1e12], [1.0001e12, 1.0001e12]),
        ([200.0, 1e-5], [3.0, 150.0]),
        ([1e8, 1.0], [1.0, 1e8]),
        ([1e-300, 1e3], [1e-3, 1e3]),
        ([1.0, 1e3], [1e-300, 1e3]),
        ([1e3, 2.0], [1e-7, 200.0]),
        ([99.0, 101.0], [101.0, 99.0]),
        ([1e10, 2e10, 3.0], [1.1e10, 2.2e10, 3.5]),
    ],
)
def test_large_concentrations_keep_their_digits(first, second):
    p, q = (family("Dirichlet")(a=a) for a in (first, second))
    exact = float(dirichlet(first, second))
    assert float(kl_divergence(p, q).value) == pytest.approx(exact, rel=1e-12)
    if len(first) == 2:
        p, q = (family("Beta")(alpha=a[0], beta=a[1]) for a in (first, second))
        assert float(kl_divergence(p, q).value) == pytest.approx(exact, rel=1e-12)


def test_correlations_of_large_concentrations_keep_their_digits():
    """One correlation: (1 + r) / 2 is Beta(eta, eta)."""
    p, q = (family("LKJCorr")(n=2, eta=eta) for eta in (1e12, 1.0001e12))
    exact = float(dirichlet([1e12, 1e12], [1.0001e12, 1.0001e12]))
    assert float(kl_divergence(p, q).value) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("concentration", [50.0, 1e4, 1e8, 1e12])
def test_compound_counts_with_large_concentrations(concentration):
    n, a, b = 20, (0.25 * concentration, 0.75 * concentration), (0.5 * concentration, 1.5 * concentration)

    def log_mass(k, shapes):
        s, f = (mp.mpf(v) for v in shapes)
        return mp.log(mp.binomial(n, k)) + mp.log(mp.beta(k + s, n - k + f)) - mp.log(mp.beta(s, f))

    def to(log_q):
        return float(mp.fsum(mp.exp(log_mass(k, a)) * (log_mass(k, a) - log_q(k)) for k in range(n + 1)))

    exact = to(lambda k: log_mass(k, b))
    p, q = (family("BetaBinomial")(n=n, alpha=s, beta=f) for s, f in (a, b))
    assert float(kl_divergence(p, q).value) == pytest.approx(exact, rel=1e-2 if concentration > 1e8 else 1e-6)
    p, q = (family("DirichletMultinomial")(n=n, a=list(shapes)) for shapes in (a, b))
    assert float(kl_divergence(p, q).value) == pytest.approx(exact, rel=1e-2 if concentration > 1e8 else 1e-6)
    exact = to(lambda k: mp.log(mp.binomial(n, k)) + k * mp.log(mp.mpf(1) / 4) + (n - k) * mp.log(mp.mpf(3) / 4))
    p = family("BetaBinomial")(n=n, alpha=a[0], beta=a[1])
    found = float(kl_divergence(p, family("Binomial")(n=n, p=0.25)).value)
    assert found == pytest.approx(exact, rel=1e-2 if concentration > 1e8 else 1e-6)


@pytest.mark.parametrize("size", [1e3, 1e8, 1e12])
def test_log_densities_at_large_parameters(size):
    a, x, small = mp.mpf(size), 1.25, 0.5 / size**0.5
    exact = {
        "InverseGamma": a * mp.log(a) - mp.loggamma(a) - (a + 1) * mp.log(x) - a / mp.mpf(x),
        "Kumaraswamy": mp.log(2 * a * small) + (a - 1) * mp.log1p(-(mp.mpf(small) ** 2)),
        "MvStudentT": mp.loggamma(a / 2 + 1) - mp.loggamma(a / 2) - mp.log(mp.pi * a) - (a / 2 + 1) * mp.log1p(2 / a),
        "Dirichlet": mp.loggamma(4 * a)
        - mp.loggamma(a)
        - mp.loggamma(3 * a)
        + (a - 1) * mp.log(0.25)
        + (3 * a - 1) * mp.log(0.75),
    }
    found = {
        "InverseGamma": family("InverseGamma")(alpha=size, beta=size).log_density(np.array(x)),
        "Kumaraswamy": family("Kumaraswamy")(a=2.0, b=size).log_density(np.array(small)),
        "MvStudentT": family("MvStudentT")(nu=size, mu=[0.0, 0.0], scale=np.eye(2)).log_density(np.ones(2)),
        "Dirichlet": family("Dirichlet")(a=[size, 3 * size]).log_density(np.array([0.25, 0.75])),
    }
    for name, value in found.items():
        assert float(value) == pytest.approx(float(exact[name]), rel=1e-10), name
