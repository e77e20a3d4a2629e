"""Jensen-Shannon divergence."""

import golden_pairs
import numpy as np
import pytest
from accuracy import assert_within
from univariate_cases import make

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import kl_divergence

normal, poisson, uniform = (family(n) for n in ("Normal", "Poisson", "Uniform"))


@pytest.mark.parametrize("case", [name for name, case in golden_pairs.CASES.items() if case["jsd"] is not None])
def test_agrees_with_golden_values(case):
    p, q = golden_pairs.pair(case)
    golden_pairs.check(case, "jsd", js_divergence(p, q).value)


def test_is_symmetric_and_at_most_log_two():
    p, q = make("SkewNormal"), make("Gamma")
    np.testing.assert_allclose(js_divergence(p, q).value, js_divergence(q, p).value, rtol=1e-12)
    assert js_divergence(normal(mu=0, sigma=1), normal(mu=1e6, sigma=1)).value <= np.log(2)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (uniform(lower=0, upper=1), uniform(lower=5, upper=6)),
        (normal(mu=0, sigma=1e-3), normal(mu=1e5, sigma=1e-3)),
        (poisson(mu=1e6), family("DiscreteUniform")(lower=0, upper=9)),
        (family("Pareto")(alpha=0.01, m=1.0), uniform(lower=0, upper=1)),
        # Narrower than the distance of doubles where they are, at both sides or at one.
        (normal(mu=[1e6, 1e6, 1e6], sigma=[1e-11, 1e-12, 1e-20]), normal(mu=-1e6, sigma=1e-12)),
        (normal(mu=0, sigma=1), normal(mu=[1e16, 1e17, 1e18, 1e200], sigma=1)),
        (family("Laplace")(mu=0, b=1), family("Laplace")(mu=1e200, b=1)),
        (normal(mu=0, sigma=1e-300), normal(mu=0, sigma=1e300)),
        (normal(mu=1e6, sigma=1e-12), normal(mu=1e6, sigma=1e3)),
    ],
)
def test_is_log_two_where_no_mass_is_shared(p, q):
    np.testing.assert_allclose(js_divergence(p, q).value, np.log(2), rtol=1e-11)


def test_distributions_equal_in_doubles_have_no_divergence():
    found = js_divergence(normal(mu=1e20, sigma=1), normal(mu=1e20, sigma=2))
    assert np.isnan(found.value)
    assert found.warnings


@pytest.mark.parametrize("step", [1e-2, 1e-4, 1e-6, 1e-8])
def test_is_a_quarter_of_the_divergence_between_near_distributions(step):
    for p, q in (
        (normal(mu=0, sigma=1), normal(mu=step, sigma=1)),
        (poisson(mu=20.0), poisson(mu=20.0 + step)),
        (family("Gamma")(alpha=2.0, beta=1.0), family("Gamma")(alpha=2.0, beta=1.0 + step)),
    ):
        ratio = js_divergence(p, q).value / kl_divergence(p, q).value
        np.testing.assert_allclose(ratio, 0.25, rtol=max(2 * step, 1e-6))


def test_thousands_of_pairs_agree_with_the_mixture_definition():
    rng = np.random.default_rng(2)
    a, b = rng.uniform(1, 40, size=(2, 2000))
    x = np.arange(200.0).reshape(-1, 1)
    log_p, log_q = poisson(mu=a).log_density(x), poisson(mu=b).log_density(x)
    log_m = np.logaddexp(log_p, log_q) - np.log(2)
    expected = np.sum(np.exp(log_p) * (log_p - log_m) + np.exp(log_q) * (log_q - log_m), axis=0) / 2
    np.testing.assert_allclose(js_divergence(poisson(mu=a), poisson(mu=b)).value, expected, atol=1e-13)


def test_a_narrow_distribution_inside_a_wide_one_is_not_missed():
    # With q far narrower than p: JSD = log 2 - (mass of p under q's width) / 2 log ..., here by independent quadrature.
    x = np.linspace(-40, 40, 2_000_001) * 0.01
    p, q = normal(mu=3.0, sigma=1e3), normal(mu=0.0, sigma=0.01)
    log_p, log_q = p.log_density(x), q.log_density(x)
    log_m = np.logaddexp(log_p, log_q) - np.log(2)
    h = x[1] - x[0]
    near = h * np.sum(np.exp(log_p) * (log_p - log_m) + np.exp(log_q) * (log_q - log_m)) / 2
    outside = (1 - h * np.sum(np.exp(log_p))) * np.log(2) / 2
    np.testing.assert_allclose(js_divergence(p, q).value, near + outside, rtol=1e-9)


def test_several_dimensions_are_sampled_with_an_error():
    p = family("MvNormal")(mu=np.zeros(2), cov=np.eye(2))
    q = family("MvNormal")(mu=np.array([1.0, 0.0]), cov=np.eye(2))
    estimate = js_divergence(p, q, generator=np.random.default_rng(0))
    line = js_divergence(normal(mu=0, sigma=1), normal(mu=1, sigma=1)).value
    assert_within(estimate, line, mcse_below=0.0006)
    assert 0 < estimate.mcse < 1e-3


def test_a_precision_that_is_not_reached_is_reported():
    p, q = (family("MvNormal")(mu=np.full(2, mu), cov=np.eye(2)) for mu in (0.0, 1.0))
    estimate = js_divergence(p, q, rtol=1e-6, budget=1000, generator=np.random.default_rng(0))
    assert any("rtol" in w for w in estimate.warnings)


def test_sampled_values_are_the_generators_and_the_same_without_one():
    p, q = (family("MvNormal")(mu=np.full(2, mu), cov=np.eye(2)) for mu in (0.0, 1.0))
    first, again, zero, one = (
        js_divergence(p, q, budget=1000, generator=g).value
        for g in (None, None, np.random.default_rng(0), np.random.default_rng(1))
    )
    assert first == again == zero != one
