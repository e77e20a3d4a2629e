"""The sinh-arcsinh warp against numerical derivatives, SciPy and the distribution of its own draws."""

import numpy as np
import pytest
from scipy import optimize, stats

from pp_mlekl.posterior.bridge.warp import Warp, fit_warp

WARP = Warp(
    location=np.array([1.0, -2.0]),
    scale=np.array([0.5, 3.0]),
    skewness=np.array([0.6, -0.3]),
    tail=np.array([0.7, 1.4]),
)


def test_inverse_and_jacobian():
    x = np.random.default_rng(1).normal(size=(50, 2)) * 4
    z, log_jacobian = WARP.forward(x)
    back, same = WARP.inverse(z)
    np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(same, log_jacobian, rtol=1e-9)
    slope = (WARP.forward(x + 1e-5)[0] - WARP.forward(x - 1e-5)[0]) / 2e-5
    np.testing.assert_allclose(log_jacobian, np.log(slope).sum(axis=1), rtol=1e-5, atol=1e-7)


def _negative_log_density(parameters, x):
    """Mean over ``x`` (n,), written anew."""
    location, log_scale, skewness, log_tail = parameters
    u = (x - location) / np.exp(log_scale)
    inner = np.exp(log_tail) * np.arcsinh(u) - skewness
    slope = np.exp(log_tail - log_scale) * np.cosh(inner) / np.sqrt(1 + u**2)
    return -np.mean(stats.norm.logpdf(np.sinh(inner)) + np.log(slope))


@pytest.mark.parametrize(
    "law", [stats.norm(3, 2), stats.loggamma(0.7), stats.t(4), stats.uniform(-1, 2), stats.gumbel_r(scale=1e-6)]
)
def test_the_fit_maximises_the_likelihood(law):
    """Within 0.005 nats of SciPy's simplex from several starts; a symmetric start stays symmetric."""
    x = law.ppf((np.arange(100) + 0.5) / 100)
    spread = x.std()
    found = fit_warp(x[:, None])
    ours = _negative_log_density(
        [found.location[0], np.log(found.scale[0]), found.skewness[0], np.log(found.tail[0])], x
    )
    starts = [[x.mean(), np.log(spread), skewness, tail] for skewness in (-0.5, 0.0, 0.5) for tail in (-0.3, 0.3)]
    options = {"maxiter": 4000, "maxfev": 4000, "xatol": 1e-6 * spread, "fatol": 1e-9}
    with np.errstate(all="ignore"):
        best = min(
            optimize.minimize(_negative_log_density, start, (x,), method="Nelder-Mead", options=options).fun
            for start in starts
        )
    assert -1e-9 < ours - best < 5e-3


@pytest.mark.parametrize("n", [60, 4000])
def test_draws_of_the_family_become_normal(n):
    z = np.random.default_rng(2).normal(size=(n, 2))
    warped, _ = fit_warp(WARP.inverse(z)[0]).forward(WARP.inverse(z)[0])
    for column in warped.T:
        assert stats.kstest(column, "norm").pvalue > 0.2
        assert abs(stats.skew(column)) < 3 * np.sqrt(6 / n)
        assert abs(stats.kurtosis(column)) < 3 * np.sqrt(24 / n)


def test_a_change_of_units_does_not_matter():
    draws = np.log(np.random.default_rng(3).gamma(2.0, size=(500, 2)))
    units, shift = np.array([1e-6, 1e6]), np.array([5.0, -7.0])
    z, log_jacobian = fit_warp(draws).forward(draws)
    other, shifted = fit_warp(draws * units + shift * units).forward((draws + shift) * units)
    np.testing.assert_allclose(other, z, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(shifted, log_jacobian - np.log(units).sum(), rtol=1e-6)


def test_a_constant_coordinate_keeps_finite_numbers():
    draws = np.column_stack([np.full(200, 3.0), np.random.default_rng(4).normal(size=200)])
    assert np.all(np.isfinite(fit_warp(draws).forward(draws)[0]))
