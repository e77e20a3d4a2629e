"""Theory for large n: the weighted chi-squared, the sandwich and the information matrix test."""

import json

import golden_models as golden
import numpy as np
import pytest
from scipy import stats

from pp_mlekl.estimation.asymptotics import ChebyshevBound, Information, WeightedChiSquared, information_matrix_test


@pytest.mark.parametrize("degrees", [1, 2, 3, 7, 20, 100, 400])
def test_equal_weights_are_the_chi_squared(degrees):
    x = stats.chi2.ppf([1e-6, 0.01, 0.3, 0.5, 0.9, 0.9999], degrees)
    cdf = WeightedChiSquared(weights=np.ones(degrees)).cdf(x)
    np.testing.assert_allclose(cdf, stats.chi2.cdf(x, degrees), rtol=0, atol=1e-11)


def test_two_weights_against_their_closed_form():
    # One pair of equal weights is an exponential; the sum of two such is hypoexponential.
    weights = WeightedChiSquared(weights=np.array([1.0, 1.0, 5.0, 5.0]))
    x = np.array([0.1, 1.0, 5.0, 20.0, 60.0])
    exact = 1 - (10 * np.exp(-x / 10) - 2 * np.exp(-x / 2)) / 8
    np.testing.assert_allclose(weights.cdf(x), exact, atol=1e-11)


def test_weights_of_very_different_size():
    x = np.array([1e3, 1e4, 1e5])
    cdf = WeightedChiSquared(weights=np.array([1e-8, 1.0, 1e4])).cdf(x)
    np.testing.assert_allclose(cdf, stats.chi2.cdf((x - 1) / 1e4, 1), atol=1e-6)


def test_weighted_chi_squared_scales_and_ignores_order_and_zeros():
    x = np.array([0.5, 2.0, 9.0])
    reference = WeightedChiSquared(weights=np.array([0.3, 1.0, 2.5])).cdf(x)
    scaled = WeightedChiSquared(weights=np.array([7.5, 0.0, 0.9, 3.0])).cdf(3 * x)
    np.testing.assert_allclose(scaled, reference, atol=1e-12)


def test_quantile_inverts_the_distribution():
    limit = WeightedChiSquared(weights=np.array([0.2, 1.0, 4.0]))
    u = np.array([0.001, 0.5, 0.975])
    np.testing.assert_allclose(limit.cdf(limit.quantile(u)), u, atol=1e-10)


def test_samples_follow_the_distribution():
    limit = WeightedChiSquared(weights=np.array([0.5, 3.0]))
    draws = limit.sample(4000, np.random.default_rng(3))
    assert stats.kstest(draws, limit.cdf).pvalue > 1e-3


def test_nothing_is_exceeded_without_weights():
    assert WeightedChiSquared(weights=np.zeros(2)).cdf(0.0) == 1.0


def test_information_does_not_depend_on_the_parametrisation():
    generator = np.random.default_rng(1)
    root, other = generator.normal(size=(2, 3, 3))
    information = Information(hessian=root @ root.T, score=other @ other.T)
    change = generator.normal(size=(3, 3)) * np.array([1e-4, 1.0, 1e4])
    moved = Information(hessian=change.T @ information.hessian @ change, score=change.T @ information.score @ change)
    assert moved.trace == pytest.approx(information.trace, rel=1e-6)
    np.testing.assert_allclose(moved.eigenvalues, information.eigenvalues, rtol=1e-6)
    back = change @ moved.sandwich(10) @ change.T
    np.testing.assert_allclose(back, information.sandwich(10), rtol=1e-5)


def test_directions_without_information_do_not_count():
    information = Information(hessian=np.diag([2.0, 0.0]), score=np.diag([2.0, 0.0]))
    assert information.rank == 1
    assert information.trace == pytest.approx(1.0)
    assert information.expected_excess(50) == pytest.approx(0.01)
    assert information.naive(4)[0, 0] == pytest.approx(1 / 8)


def _normal_terms(y):
    """Scores and Hessians of a normal density in (mu, log sigma), at the MLE."""
    r = (y - y.mean()) / y.std()
    s = y.std()
    scores = np.stack([r / s, r**2 - 1], axis=-1)
    off = -2 * r / s
    hessians = np.stack([np.full_like(r, -1 / s**2), off, off, -2 * r**2], axis=-1).reshape(-1, 2, 2)
    return scores, hessians


def test_information_matrix_test_finds_heavy_tails_and_counts_weights():
    y = np.random.default_rng(5).standard_t(4, size=2000)
    result = information_matrix_test(*_normal_terms(y))
    assert result.p_value < 1e-6
    scores, hessians = _normal_terms(np.concatenate([y, y]))
    doubled = information_matrix_test(scores, hessians)
    weighted = information_matrix_test(scores[:2000], hessians[:2000], weights=np.full(2000, 2.0))
    assert weighted.statistic == pytest.approx(doubled.statistic, rel=1e-9)


def test_information_matrix_test_of_a_normal_is_skewness_and_kurtosis():
    # White (1982), section 4: for the normal the test is on the third and fourth moments.
    y = np.random.default_rng(6).normal(size=500)
    assert information_matrix_test(*_normal_terms(y)).degrees_of_freedom == 2


@pytest.mark.slow
def test_information_matrix_test_keeps_its_size_in_large_samples():
    generator = np.random.default_rng(7)
    p = [information_matrix_test(*_normal_terms(generator.normal(size=20_000))).p_value for _ in range(400)]
    rejected = np.mean(np.array(p) < 0.05)
    assert abs(rejected - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 400)


def test_information_matrix_test_wants_observations():
    with pytest.raises(ValueError, match="more than two observations"):
        information_matrix_test(np.ones((2, 1)), np.ones((2, 1, 1)))


def test_chebyshev_bounds_of_the_reference():
    for case in json.loads((golden.GOLDEN / "theorem.json").read_text())["chebyshev"]:
        variance = {"Normal": 1.0, "Bernoulli": 0.21, "Exponential": 0.25}[case["dist"]]
        bound = ChebyshevBound(variance=variance, n=case["n"], eps=case["eps"]).value
        assert bound == pytest.approx(case["raw_bound"])
        assert case["exact"] <= bound
