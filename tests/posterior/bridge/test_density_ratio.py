"""Divergences from the density ratio, on a normal prior and posterior: values, errors over seeds, and what has no value."""

import re

import numpy as np
import pytest
from scipy import integrate, stats

from pp_mlekl.posterior.bridge.density_ratio import density_ratio_divergences
from pp_mlekl.posterior.bridge.number_with_error import WithError

MEAN, SD, LOG_Z = 0.8, 0.6, -3.7
PRIOR, POSTERIOR = stats.norm(0, 1), stats.norm(MEAN, SD)


def log_likelihood(x):
    return POSTERIOR.logpdf(x) - PRIOR.logpdf(x) + LOG_Z


def found(generator, z=None, draws=500, prior_draws=1000):
    posterior = log_likelihood(generator.normal(MEAN, SD, size=(4, draws)))
    prior = log_likelihood(generator.normal(size=prior_draws))
    return density_ratio_divergences(posterior, prior, z or WithError(value=LOG_Z))


def integral(f):
    return integrate.quad(lambda x: f(PRIOR.pdf(x), POSTERIOR.pdf(x)), -9, 9, limit=200)[0]


def half(p, q):
    return p * np.log(2 * p / (p + q)) / 2


EXACT = {
    "kl_posterior_prior": integral(lambda p, q: q * np.log(q / p)),
    "kl_prior_posterior": integral(lambda p, q: p * np.log(p / q)),
    "jsd": integral(lambda p, q: half(p, q) + half(q, p)),
    "total_variation": integral(lambda p, q: abs(p - q) / 2),
    "hellinger_squared": integral(lambda p, q: (np.sqrt(p) - np.sqrt(q)) ** 2 / 2),
    "model_dimensionality": 2
    * (integral(lambda p, q: q * np.log(q / p) ** 2) - integral(lambda p, q: q * np.log(q / p)) ** 2),
}


@pytest.fixture(scope="module")
def over_seeds():
    runs = [found(np.random.default_rng(seed)) for seed in range(150)]
    return {name: np.array([(r[name].value, r[name].standard_error) for r in runs]) for name in EXACT}


@pytest.mark.parametrize("name", EXACT)
def test_values_and_errors_over_seeds(over_seeds, name):
    values, errors = over_seeds[name].T
    spread = np.std(values, ddof=1)
    assert abs(np.mean(values) - EXACT[name]) < 4 * spread / np.sqrt(len(values))
    # The spread of 150 values is known to 6%.
    assert np.sqrt(np.mean(errors**2)) / spread == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("name", EXACT)
def test_an_independent_error_of_log_z_comes_in_by_the_slope(name):
    """The number as a function of log Z; a difference gives its derivative."""
    rest, step = 1e-4, 0.01
    plain, uncertain = (found(np.random.default_rng(1), WithError(value=LOG_Z, rest=r))[name] for r in (0.0, rest))
    low, high = (found(np.random.default_rng(1), WithError(value=LOG_Z + s))[name].value for s in (-step, step))
    slope = (high - low) / (2 * step)
    added = uncertain.standard_error**2 - plain.standard_error**2
    assert added == pytest.approx(slope**2 * rest, rel=0.02, abs=1e-12)
    assert uncertain.value == plain.value


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_units_of_the_likelihood_change_nothing(scale):
    shifted, plain = (
        density_ratio_divergences(
            log_likelihood(np.random.default_rng(2).normal(MEAN, SD, size=(2, 200))) + shift,
            log_likelihood(np.random.default_rng(3).normal(size=300)) + shift,
            WithError(value=LOG_Z + shift),
        )
        for shift in (np.log(scale) + 50.0, 0.0)
    )
    for name in EXACT:
        assert shifted[name].value == pytest.approx(plain[name].value, rel=1e-9)
        assert shifted[name].standard_error == pytest.approx(plain[name].standard_error, rel=1e-9)


def test_equal_densities_are_at_distance_zero():
    zero = density_ratio_divergences(np.zeros((2, 100)), np.zeros(100), WithError(value=0.0))
    for name, number in zero.items():
        assert number.value == pytest.approx(0.0, abs=1e-12), name


def test_distances_are_largest_where_nothing_is_shared():
    """Draws of the posterior where log r = 800, and of the prior where it is -800."""
    apart = density_ratio_divergences(np.full((2, 100), 800.0), np.full(100, -800.0), WithError(value=0.0))
    assert apart["jsd"].value == pytest.approx(np.log(2))
    assert apart["total_variation"].value == apart["hellinger_squared"].value == 1.0
    assert apart["kl_posterior_prior"].value == apart["kl_prior_posterior"].value == 800.0


def test_an_impossible_prior_draw_makes_the_reverse_infinite():
    prior = log_likelihood(np.random.default_rng(4).normal(size=400))
    prior[:2] = -np.inf
    result = density_ratio_divergences(np.zeros((2, 100)), prior, WithError(value=0.0))
    assert result["kl_prior_posterior"].value == np.inf
    assert "0.5%" in result["kl_prior_posterior"].warnings[0]
    assert np.isfinite(result["jsd"].value)


@pytest.mark.parametrize(
    ("shape", "value", "warned"), [(0.5, "finite", False), (0.8, "finite", True), (1.3, "infinite", True)]
)
def test_heavy_tails_under_the_prior(shape, value, warned):
    """-log L has a generalised Pareto distribution, which has no mean if the shape is at least 1."""
    minus = stats.genpareto(shape).ppf((np.arange(20_000) + 0.5) / 20_000)
    number = density_ratio_divergences(np.zeros((2, 100)), -minus, WithError(value=0.0))["kl_prior_posterior"]
    assert np.isfinite(number.value) == (value == "finite")
    assert bool(number.warnings) == warned
    if warned:
        assert float(re.search(r"k = ([\d.]+)", number.warnings[0])[1]) == pytest.approx(shape, abs=0.05)


def test_without_a_log_z_there_is_no_ratio():
    result = density_ratio_divergences(np.zeros((2, 100)), np.zeros(100), WithError(value=np.nan, rest=np.nan))
    for name in ("kl_posterior_prior", "kl_prior_posterior", "jsd", "total_variation", "hellinger_squared"):
        assert np.isnan(result[name].value)
    assert result["model_dimensionality"].value == 0.0
