"""Sums over counts: all pairs of families, long ranges, large counts, and mixed measures."""

import numpy as np
import pytest
from scipy import integrate, stats
from univariate_cases import DISCRETE, make

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.families.point_mass import PointMass
from pp_mlekl.divergences.integration.log_ratio_mean import itself
from pp_mlekl.divergences.integration.long_sums import long_sum
from pp_mlekl.divergences.integration.summation import summed_expectation
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import kl_divergence

poisson, negative_binomial, normal = (family(n) for n in ("Poisson", "NegativeBinomial", "Normal"))


@pytest.mark.parametrize("p", DISCRETE)
def test_all_pairs_agree_with_the_plain_sum(p):
    x = np.arange(2000.0)
    p = make(p)
    log_p = p.log_density(x)
    for name in DISCRETE:
        q = make(name)
        with np.errstate(all="ignore"):
            ratio = log_p - q.log_density(x)
            terms = np.where(np.exp(log_p) > 0, np.exp(log_p) * ratio, 0.0)
        np.testing.assert_allclose(kl_divergence(p, q).value, terms.sum(), rtol=1e-11, atol=1e-13, err_msg=name)


def test_a_long_range_is_summed_in_blocks():
    p, q = negative_binomial(mu=[2e3], alpha=[0.2]), negative_binomial(mu=[1e3], alpha=[0.5])
    x = np.arange(800_000.0)
    log_p = p.log_density(x)
    total = np.sum(np.exp(log_p) * (log_p - q.log_density(x)))
    np.testing.assert_allclose(summed_expectation(p, q, itself).value, total, rtol=1e-10)


def test_blocks_sum_a_power_of_the_index():
    terms = lambda x, which: (1 / x**2, 0 * x)  # noqa: E731
    total = long_sum(terms, np.array([0]), np.array([1.0]), np.array([1e7]), np.array([3.0])).value
    # Euler-Maclaurin for the tail of zeta(2).
    tail = 1 / 1e7 - 1 / (2 * 1e14)
    np.testing.assert_allclose(total, np.pi**2 / 6 - tail, rtol=1e-14)


@pytest.mark.parametrize("mean", [1e4, 1e6, 1e8])
def test_large_counts_keep_their_digits(mean):
    p, q = poisson(mu=np.array([mean])), poisson(mu=np.array([mean + np.sqrt(mean)]))
    exact = mean * np.log(mean / (mean + np.sqrt(mean))) + np.sqrt(mean)
    np.testing.assert_allclose(summed_expectation(p, q, itself).value, exact, rtol=1e-8)
    np.testing.assert_allclose(kl_divergence(p, q).value, exact, rtol=1e-8)


def censored(mu, sigma):
    return family("Censored")(dist=normal(mu=mu, sigma=sigma), lower=-1.0, upper=1.5)


def test_a_censored_normal_has_two_atoms_and_a_density():
    a, b = stats.norm(0.0, 1.0), stats.norm(0.3, 1.2)
    inside = integrate.quad(lambda x: a.pdf(x) * (a.logpdf(x) - b.logpdf(x)), -1.0, 1.5, epsabs=1e-13)[0]
    expected = a.cdf(-1) * (a.logcdf(-1) - b.logcdf(-1)) + a.sf(1.5) * (a.logsf(1.5) - b.logsf(1.5)) + inside
    np.testing.assert_allclose(kl_divergence(censored(0.0, 1.0), censored(0.3, 1.2)).value, expected, rtol=1e-10)


def test_an_atom_against_a_density_is_infinite_either_way_but_not_for_jensen_shannon():
    whole, cut = normal(mu=0.0, sigma=1.0), censored(0.0, 1.0)
    assert kl_divergence(cut, whole).value == np.inf
    assert kl_divergence(whole, cut).value == np.inf
    # They agree inside the bounds; outside and at the bounds no mass is shared.
    apart = stats.norm.cdf(-1) + stats.norm.sf(1.5)
    np.testing.assert_allclose(js_divergence(whole, cut).value, apart * np.log(2), rtol=1e-10)


def test_zero_inflation_is_a_mixture_with_a_point_mass():
    parts = (PointMass(at=np.zeros(())), poisson(mu=3.0))
    by_parts = family("Mixture")(w=[0.3, 0.7], parts=parts)
    whole, other = family("ZeroInflatedPoisson")(psi=0.7, mu=3.0), family("ZeroInflatedPoisson")(psi=0.5, mu=2.0)
    np.testing.assert_allclose(kl_divergence(by_parts, other).value, kl_divergence(whole, other).value, rtol=1e-12)
    hurdle = family("HurdleGamma")(psi=0.7, alpha=2.0, beta=1.0)
    by_parts = family("Mixture")(w=[0.3, 0.7], parts=(parts[0], family("Gamma")(alpha=2.0, beta=1.0)))
    other = family("HurdleGamma")(psi=0.6, alpha=2.5, beta=1.2)
    np.testing.assert_allclose(kl_divergence(by_parts, other).value, kl_divergence(hurdle, other).value, rtol=1e-11)
