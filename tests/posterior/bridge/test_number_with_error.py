"""Errors of numbers that share their draws."""

import numpy as np
import pytest

from pp_mlekl.posterior.bridge.density_ratio import density_ratio_divergences
from pp_mlekl.posterior.bridge.number_with_error import WithError, independent_mean, plain_mean


def test_shared_errors_of_two_means_cancel():
    x = np.random.default_rng(0).normal(size=(4, 500))
    mean = plain_mean(x)
    nothing = mean.plus(plain_mean(x + 3.0), -1.0)
    assert nothing.value == pytest.approx(-3.0)
    assert nothing.standard_error == pytest.approx(0.0, abs=1e-12)
    twice = mean.plus(plain_mean(x))
    assert twice.standard_error == pytest.approx(2 * mean.standard_error)


def test_independent_parts_add_their_variances():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(4, 500)), generator.normal(size=300)
    total = plain_mean(first).plus(independent_mean(second), -2.0)
    expected = plain_mean(first).standard_error ** 2 + 4 * np.var(second, ddof=1) / 300
    assert total.standard_error == pytest.approx(np.sqrt(expected))


def test_number_that_does_not_exist_has_no_error():
    nothing = WithError(value=np.nan, rest=np.nan)
    total = plain_mean(np.random.default_rng(2).normal(size=(4, 100))).plus(nothing)
    assert np.isnan(total.value)
    assert np.isnan(total.standard_error)


def test_the_error_of_kl_includes_the_covariance_of_log_z_and_the_log_likelihood():
    """A log Z that moves with the draws exactly as E[log L] does leaves a KL without an error."""
    generator = np.random.default_rng(3)
    log_l = generator.normal(size=(4, 500))
    prior = generator.normal(-5, 1, size=1000)
    shared = WithError(value=-1.0, influence=log_l - log_l.mean())
    alone = WithError(value=-1.0, rest=shared.standard_error**2)
    first, second = (density_ratio_divergences(log_l, prior, z)["kl_posterior_prior"] for z in (shared, alone))
    assert first.value == pytest.approx(second.value)
    assert first.standard_error == pytest.approx(0.0, abs=1e-12)
    assert second.standard_error == pytest.approx(np.sqrt(2) * shared.standard_error)
