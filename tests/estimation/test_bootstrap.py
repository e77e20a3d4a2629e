"""The bootstrap against theory, and that its replicates are what a fit of each would give."""

from functools import cache

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
from scipy import integrate, special, stats

from pp_mlekl.estimation.bootstrap import bootstrap
from pp_mlekl.estimation.bootstrap_replicates import _labelled
from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.regular_maximum import regular_problem
from pp_mlekl.estimation.sandwich import sandwich
from pp_mlekl.pymc_model.interpreter.lazy_function import CompilationCount
from pp_mlekl.pymc_model.model_functions import model_functions

Y = np.random.default_rng(2).normal(1.0, 2.0, 40)


@cache
def normal():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=Y)
    return model


@pytest.mark.parametrize("kind", ["case", "parametric"])
def test_standard_errors_of_a_normal(kind):
    result = bootstrap(normal(), kind=kind, replicates=2000, random_seed=1)
    assert result.failed == 0.0
    assert float(result.standard_error["mu"]) == pytest.approx(Y.std() / np.sqrt(40), rel=0.06)


def test_case_replicates_are_the_estimates_on_resampled_data():
    result = bootstrap(normal(), replicates=50, random_seed=3)
    generator = np.random.default_rng(3)
    model = normal()
    find_mle(model, random_seed=generator)
    weights = generator.multinomial(40, np.full(40, 1 / 40), size=50)
    means = weights @ Y / 40
    np.testing.assert_allclose(result.draws["mu"], means, rtol=1e-7)
    spread = np.sqrt((weights * (Y - means[:, None]) ** 2).sum(axis=1) / 40)
    np.testing.assert_allclose(result.draws["sigma"], spread, rtol=1e-7)


def test_same_seed_same_draws_and_nothing_compiled():
    before = CompilationCount.compiled
    first, second = (bootstrap(normal(), replicates=20, random_seed=5) for _ in range(2))
    assert first.draws.identical(second.draws)
    assert CompilationCount.compiled == before


def test_interval_brackets_the_estimate():
    draws = bootstrap(normal(), replicates=200, random_seed=1)
    result = draws.interval(ci_prob=0.9)
    np.testing.assert_array_equal(draws.summary(ci_prob=0.9).loc["mu", ["5%", "95%"]], result["mu"])
    assert draws.summary().loc["sigma", "se"] == float(draws.standard_error["sigma"])
    assert repr(draws).startswith("Bootstrap, 200 replicates")
    for wrong in (95, 0.0, 1.0, "0.9"):
        with pytest.raises(ValueError, match="ci_prob"):
            draws.summary(ci_prob=wrong)
    assert float(result["mu"].sel(bound="lower")) < Y.mean() < float(result["mu"].sel(bound="upper"))


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="kind"):
        bootstrap(normal(), kind="wild")
    with pytest.raises(ValueError, match="replicates"):
        bootstrap(normal(), replicates=1)
    with pytest.raises(ValueError, match="at_infinity"):
        bootstrap(golden.separated(), random_seed=1)


@pytest.mark.parametrize("summed", [True, False])
def test_a_potential_is_drawn_anew_by_nobody(summed):
    """Its data would stay the same in every replicate; and a sum of terms would be resampled as one case."""
    generator = np.random.default_rng(1)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        pm.Normal("y", mu, 1.0, observed=generator.normal(size=30))
        terms = pm.logp(pm.Normal.dist(mu, 1.0), generator.normal(size=30))
        pm.Potential("rest", terms.sum() if summed else terms)
    given = {"potentials": "likelihood", "random_seed": 1}
    with pytest.raises(ValueError, match="New data cannot be drawn"):
        bootstrap(model, kind="parametric", **given)
    if summed:
        with pytest.raises(ValueError, match="rest is a single number"):
            bootstrap(model, **given)
        with pytest.raises(ValueError, match="rest is a single number"):
            sandwich(model, find_mle(model, **given), potentials="likelihood")
    else:
        error = float(bootstrap(model, replicates=1000, **given).standard_error["mu"])
        robust = float(sandwich(model, find_mle(model, **given), potentials="likelihood")["mu"])
        assert error == pytest.approx(robust, rel=0.1)


def exponential(**given):
    with pm.Model() as model:
        rate = pm.HalfNormal("rate", 3)
        pm.CustomDist("y", rate, logp=lambda v, r: pm.math.log(r) - r * v, observed=np.abs(Y), **given)
    return model


def test_new_data_of_a_custom_distribution():
    with pytest.raises(ValueError, match=r"cannot draw 'y'.*random= function"):
        bootstrap(exponential(), kind="parametric", replicates=10, random_seed=1)

    def random(rate, rng=None, size=None):
        return rng.exponential(1 / rate, size=size)

    result = bootstrap(exponential(random=random), kind="parametric", replicates=1000, random_seed=1)
    # The reciprocal mean of n exponentials has the standard deviation rate n / ((n - 1) sqrt(n - 2)).
    expected = 40 / np.sum(np.abs(Y)) * 40 / (39 * np.sqrt(38))
    assert float(result.standard_error["rate"]) == pytest.approx(expected, rel=0.1)


def test_parameters_that_no_resample_moves_are_named():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1.0, observed=Y)
        pm.Normal("x", pm.Normal("nu", 0, 10), 1.0, observed=3.0)
    result = bootstrap(model, replicates=20, random_seed=1)
    assert "do not vary in nu:" in result.warnings[0]


@pytest.fixture(scope="module")
def median():
    y = np.random.default_rng(6).standard_t(3, size=25)
    with pm.Model() as model:
        pm.Laplace("y", pm.Normal("mu", 0, 5), pm.HalfNormal("b", 3), observed=y)
    return model, y, find_mle(model, random_seed=1)


@pytest.mark.slow
def test_case_replicates_of_a_median_are_medians(median):
    """No more than half of the resampled cases lie to either side of the location, and the scale is their mean deviation."""
    model, y, estimate = median
    result = bootstrap(model, replicates=200, estimate=estimate, random_seed=1)
    counts = np.random.default_rng(1).multinomial(25, np.full(25, 1 / 25), size=200)
    mu = result.draws["mu"].values[:, None]
    assert result.failed == 0.0
    assert np.all(np.sum(counts * (y < mu - 1e-6), axis=1) <= 12)
    assert np.all(np.sum(counts * (y > mu + 1e-6), axis=1) <= 12)
    np.testing.assert_allclose(result.draws["b"], np.sum(counts * np.abs(y - mu), axis=1) / 25, rtol=1e-6)


def test_parametric_replicates_of_a_median_have_its_law(median):
    """That of the 13th of 25 order statistics of a Laplace distribution."""
    model, _, estimate = median
    result = bootstrap(model, kind="parametric", replicates=400, estimate=estimate, random_seed=1)
    constant = np.exp(special.gammaln(26) - 2 * special.gammaln(13))
    law = stats.laplace
    variance, _ = integrate.quad(
        lambda x: 2 * x**2 * constant * (law.cdf(x) * law.sf(x)) ** 12 * law.pdf(x), 0, 30, epsabs=1e-12
    )
    ratio = np.mean((result.draws["mu"].values - float(estimate.values["mu"])) ** 2) / (
        variance * float(estimate.values["b"]) ** 2
    )
    # 400 squares of nearly normal deviations: four standard errors.
    assert abs(ratio - 1) < 4 * np.sqrt(2 / 400)


@pytest.mark.parametrize("ci_prob", [0.5, 0.95])
def test_intervals_are_quantiles_of_the_replicates(ci_prob):
    result = bootstrap(normal(), replicates=100, random_seed=1)
    tails = [(1 - ci_prob) / 2, (1 + ci_prob) / 2]
    np.testing.assert_allclose(result.interval(ci_prob=ci_prob)["sigma"], np.quantile(result.draws["sigma"], tails))
    assert float(result.standard_error["sigma"]) == pytest.approx(np.std(result.draws["sigma"], ddof=1))


def test_replicates_without_a_regular_maximum_are_counted():
    # The rate of two events in ten has no regular maximum where no event is resampled: probability 0.8^10.
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Uniform("p", 0, 1), observed=[1, 1, *[0] * 8])
    result = bootstrap(model, replicates=2000, random_seed=1)
    expected = 0.8**10
    assert abs(result.failed - expected) < 4 * np.sqrt(expected * (1 - expected) / 2000)
    assert result.draws.sizes["replicate"] == round(2000 * (1 - result.failed))


@pytest.mark.parametrize(("spread", "named"), [(1e-8, True), (1e-4, False)])
def test_spreads_far_below_the_standard_error_are_rounding(spread, named):
    """Replicates made by hand, which vary in the mean by a share of its standard error."""
    functions, best = model_functions(normal()), find_mle(normal(), random_seed=1)
    z = best.flat + np.random.default_rng(1).normal(size=(30, 2)) * [spread * float(best.standard_error["mu"]), 0.1]
    problem = regular_problem(functions, best, "The bootstrap", needs_covariance=False)
    result = _labelled(problem, best, z, np.arange(30) > 2)
    words = {word.strip(":,.") for warning in result.warnings for word in warning.split()}
    assert ("mu" in words) == named
    assert "sigma" not in words
    assert result.failed == pytest.approx(0.1)
    assert result.draws.sizes["replicate"] == 27
