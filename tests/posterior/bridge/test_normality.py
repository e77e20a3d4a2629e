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


def test_one_skewed_margin_among_many_is_seen():
    generator = np.random.default_rng(1)
    draws = generator.normal(size=(4000, 30))
    draws[:, 7] = np.log(generator.gamma(6, size=4000))
    assert not check_normality(draws).accepted


def test_heavy_tails_are_seen():
    assert not check_normality(np.random.default_rng(2).standard_t(8, size=(4000, 3))).accepted


def test_density_and_units():
    generator = np.random.default_rng(3)
    draws = generator.normal(size=(2000, 3))
    found = check_normality(draws)
    fitted = stats.multivariate_normal(draws.mean(axis=0), np.cov(draws, rowvar=False))
    np.testing.assert_allclose(found.log_density, fitted.logpdf(draws), rtol=1e-6)
    scaled = check_normality(draws * [1.0, 1e3, 1e-3] + 5.0)
    assert scaled.p_value == pytest.approx(found.p_value, rel=1e-6)
