"""The test that decides whether a normal will do for a group of parameters."""

import numpy as np
import pytest
from scipy import stats

from pp_mlekl.posterior.bridge.normality import check_normality


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 4, 20])
def test_normals_are_rejected_as_seldom_as_the_level_says(d):
    rejected = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        draws = generator.normal(size=(1000, d)) @ np.triu(generator.normal(size=(d, d)) + 2 * np.eye(d))
        rejected += not check_normality(draws).accepted
    assert rejected <= 5


def test_one_skewed_margin_among_many_is_detected():
    generator = np.random.default_rng(1)
    draws = generator.normal(size=(4000, 30))
    draws[:, 7] = np.log(generator.gamma(6, size=4000))
    assert not check_normality(draws).accepted


def test_heavy_tails_are_detected():
    assert not check_normality(np.random.default_rng(2).standard_t(8, size=(4000, 3))).accepted


def test_density_and_units():
    generator = np.random.default_rng(3)
    draws = generator.normal(size=(2000, 3))
    found = check_normality(draws)
    fitted = stats.multivariate_normal(draws.mean(axis=0), np.cov(draws, rowvar=False))
    np.testing.assert_allclose(found.log_density, fitted.logpdf(draws), rtol=1e-6)
    scaled = check_normality(draws * [1.0, 1e3, 1e-3] + 5.0)
    assert scaled.p_value == pytest.approx(found.p_value, rel=1e-6)


@pytest.mark.parametrize(
    "draws", [np.random.default_rng(4).normal(size=(300, 3)), np.random.default_rng(5).gamma(9.0, size=(300, 2))]
)
def test_p_value_and_missed_entropy_are_mardias(draws):
    n, d = draws.shape
    covariance = np.cov(draws, rowvar=False)
    white = (draws - draws.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    skewness = np.sum(np.einsum("ni,nj,nk->ijk", white, white, white) ** 2) / n**2
    kurtosis = np.mean(np.sum(white**2, axis=1) ** 2)
    freedom = d * (d + 1) * (d + 2) / 6
    p_values = [
        stats.chi2(freedom).sf(n * skewness / 6),
        2 * stats.norm.sf(abs(kurtosis - d * (d + 2)) / np.sqrt(8 * d * (d + 2) / n)),
        *(2 * d * stats.norm.sf(np.abs(stats.skew(draws)) * np.sqrt(n / 6))),
    ]
    found = check_normality(draws)
    assert found.p_value == pytest.approx(min(1.0, 3 * min(p_values)), rel=1e-8)
    assert found.missed == pytest.approx(max(0.0, skewness - 6 * freedom / n) / 12, rel=1e-8)
