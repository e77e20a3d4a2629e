"""Maximum likelihood estimates of the gallery against those that are published or that statsmodels finds."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize
from statsmodels.tools.sm_exceptions import DomainWarning

import pp_mlekl as mk
from pp_mlekl.gallery import (
    alligators,
    bcg,
    clotting,
    dipper,
    endometrial,
    garch,
    gasoline,
    horse_kicks,
    kid_scores,
    lake_huron,
    leukemia,
    lsat,
    nile,
    roaches,
    ryegrass,
    seeds,
    sleepstudy,
    wells,
    wine,
)

slow = pytest.mark.slow


def test_kid_scores_are_least_squares():
    data = kid_scores.load_data()
    school, iq = data["mother_high_school"], (data["mother_iq"] - 100) / 15
    fit = sm.OLS(data["kid_score"], np.column_stack([np.ones(len(data)), school, iq, school * iq])).fit()
    estimate = mk.find_mle(kid_scores.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], fit.params, rtol=1e-6)
    np.testing.assert_allclose(estimate.log_likelihood, fit.llf, rtol=1e-10)


def test_wells_agree_with_statsmodels():
    data = wells.load_data()
    columns = [np.ones(len(data)), data["distance"] / 100 - 0.5, data["arsenic"] - 1.66, (data["education"] - 5) / 4]
    fit = sm.Logit(data["switched"], np.column_stack(columns)).fit(disp=0)
    estimate = mk.find_mle(wells.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], fit.params, rtol=1e-6)
    np.testing.assert_allclose(estimate.standard_error["coefficient"], fit.bse, rtol=1e-5)


def test_seeds_without_plates_agree_with_statsmodels():
    data = seeds.load_data()
    counts = np.column_stack([data["germinated"], data["seeds"] - data["germinated"]])
    fit = sm.GLM(counts, seeds.design(data), family=sm.families.Binomial()).fit()
    estimate = mk.find_mle(seeds.build_binomial(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], fit.params, rtol=1e-6)
    np.testing.assert_allclose(estimate.standard_error["coefficient"], fit.bse, rtol=1e-5)


def test_horse_kicks_have_the_mean_that_fisher_gives():
    assert float(mk.find_mle(horse_kicks.build(), random_seed=1).values["rate"]) == pytest.approx(0.61)


@slow
def test_roaches_agree_with_statsmodels():
    data = roaches.load_data()
    x = np.column_stack([np.ones(len(data)), np.log1p(data["before"]), data["treatment"], data["senior"]])
    fit = sm.NegativeBinomial(data["roaches"], x, exposure=data["exposure"]).fit(disp=0, maxiter=500, gtol=1e-8)
    estimate = mk.find_mle(roaches.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], fit.params.iloc[:4], rtol=1e-4)
    np.testing.assert_allclose(1 / estimate.values["alpha"], fit.params.iloc[4], rtol=1e-4)


@slow
def test_wine_has_the_published_estimates():
    """As ``clm`` of the R package ordinal prints them: thresholds, temperature, contact; log-likelihood -86.49192."""
    estimate = mk.find_mle(wine.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["cutpoint"], [-1.3444, 1.2508, 3.4669, 5.0064], atol=6e-5)
    np.testing.assert_allclose(estimate.values["coefficient"], [2.5031, 1.5278], atol=6e-5)
    assert estimate.log_likelihood == pytest.approx(-86.49192, abs=6e-6)


@slow
def test_alligators_agree_with_statsmodels():
    data = alligators.load_data()
    lakes = [data["lake"].values == lake for lake in alligators.TERMS[1:4]]
    x = np.column_stack([np.ones(data.sizes["group"]), *lakes, data["size"].values == "small"])
    groups, foods = np.indices(data["count"].shape)
    times = data["count"].values.ravel()
    fit = sm.MNLogit(np.repeat(foods.ravel(), times), np.repeat(x[groups.ravel()], times, axis=0)).fit(disp=0)
    estimate = mk.find_mle(alligators.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], fit.params, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(estimate.standard_error["coefficient"], fit.bse, rtol=1e-4)


@slow
def test_clotting_agrees_with_r_and_statsmodels():
    """R's ``glm`` prints inverse means of -0.01655438 + 0.01534311 log(u) for lot 1, as the tests of Julia's GLM.jl hold."""
    data = clotting.load_data()
    speed = mk.find_mle(clotting.build(), random_seed=1).values["speed"].values
    slope = (speed[:, 1] - speed[:, 0]) / np.log(20)
    intercept = speed[:, 0] - slope * np.log(5)
    np.testing.assert_allclose([intercept[0], slope[0]], [-0.01655438, 0.01534311], atol=1e-7)
    second = data[data["lot"] == 1]
    family = sm.families.Gamma(sm.families.links.InversePower())
    with pytest.warns(DomainWarning):
        fit = sm.GLM(second["seconds"], sm.add_constant(np.log(second["concentration"])), family=family).fit()
    np.testing.assert_allclose([intercept[1], slope[1]], fit.params, rtol=1e-5)


@slow
def test_leukemia_solves_the_likelihood_equations():
    """Given the shape k, a group's scale is (sum t^k / relapses)^(1/k); the shape is then the root of one equation."""
    data = leukemia.load_data()
    t, treated, relapse = data["weeks"].to_numpy(), data["treated"].to_numpy(), np.isinf(data["limit"].to_numpy())

    def equation(k):
        groups = [(t[treated == g], relapse[treated == g].sum()) for g in (0, 1)]
        pull = sum(d * np.sum(u**k * np.log(u)) / np.sum(u**k) for u, d in groups)
        return np.log(t[relapse]).sum() + relapse.sum() / k - pull

    k = optimize.brentq(equation, 0.1, 10)
    log_scale = [np.log(np.sum(t[treated == g] ** k) / relapse[treated == g].sum()) / k for g in (0, 1)]
    values = mk.find_mle(leukemia.build(), random_seed=1).values
    found = [float(values[name]) for name in ("shape", "log_scale", "effect")]
    np.testing.assert_allclose(found, [k, log_scale[0], log_scale[1] - log_scale[0]], rtol=1e-6)


@slow
def test_lake_huron_agrees_with_statsmodels():
    fit = sm.tsa.ARIMA(lake_huron.load_data()["level"], order=(1, 0, 0), trend="c").fit()
    estimate = mk.find_mle(lake_huron.build(), random_seed=1)
    np.testing.assert_allclose(estimate.log_likelihood, fit.llf, rtol=1e-6)
    np.testing.assert_allclose(estimate.values["rho"], fit.params["ar.L1"], rtol=1e-3)


@slow
def test_garch_has_the_benchmark_estimates():
    """Fiorentini, Calzolari and Panattoni (1996), also printed by the R package fGarch: mu, omega, alpha, beta."""
    values = mk.find_mle(garch.build(), random_seed=1).values
    found = [float(values[name]) for name in ("mu", "omega", "alpha", "beta")]
    np.testing.assert_allclose(found, [-0.006190, 0.010761, 0.153134, 0.805974], atol=2e-6)


@slow
@pytest.mark.parametrize(("build", "published"), [(lsat.build, -2466.938), (lsat.build_2pl, -2466.653)])
def test_lsat_has_the_published_likelihood(build, published):
    """As ``rasch`` and ``ltm`` of the R package ltm print it for one and two parameters an item."""
    assert mk.find_mle(build(), random_seed=1).log_likelihood == pytest.approx(published, abs=2e-3)


@slow
def test_ryegrass_has_the_published_estimates():
    """As ``drm`` of the R package drc prints them for ``LL.4``: slope, asymptotes and the halving dose."""
    values = mk.find_mle(ryegrass.build(), random_seed=1).values
    found = [float(values[name]) for name in ("slope", "lower", "upper", "halving_dose")]
    np.testing.assert_allclose(found, [2.98222, 0.48141, 7.79296, 3.05795], atol=2e-5)


@slow
def test_dippers_have_the_published_estimates():
    """As MARK prints them by way of the R package RMark: survival and capture, each with its standard error."""
    estimate = mk.find_mle(dipper.build(), random_seed=1)
    found = [float(v[name]) for name in ("survival", "capture") for v in (estimate.values, estimate.standard_error)]
    np.testing.assert_allclose(found, [0.5602430, 0.0251330, 0.9025835, 0.0285857], atol=2e-6)


@slow
def test_gasoline_has_the_published_estimates():
    """Cribari-Neto and Zeileis (2010), as ``betareg`` prints: 0.0109669 a degree, intercept -6.15957, batch 1, precision."""
    values = mk.find_mle(gasoline.build(), random_seed=1).values
    assert float(values["slope"]) == pytest.approx(1.09669, abs=1e-4)
    level = values["batch_level"].values
    assert level[9] == pytest.approx(-6.15957 + 3.30 * 1.09669, abs=2e-4)
    assert level[0] - level[9] == pytest.approx(1.72773, abs=1e-4)
    assert float(values["precision"]) == pytest.approx(440.278, rel=1e-4)


@slow
def test_sleepstudy_has_the_published_marginal_estimates():
    """As Julia's MixedModels.jl prints them (maximum likelihood): fixed effects, standard deviations, correlation 0.08."""
    estimate = mk.find_mle(sleepstudy.build(), marginalize=["effect"], random_seed=1)
    np.testing.assert_allclose(estimate.values["mean"], [251.405, 10.467], atol=6e-4)
    first, below, second = estimate.values["covariance"].values
    deviation = np.hypot(below, second)
    np.testing.assert_allclose([first, deviation], [23.780, 5.7168], rtol=1e-3)
    assert below / deviation == pytest.approx(0.08, abs=6e-3)
    assert float(estimate.values["sigma"]) == pytest.approx(25.592, rel=1e-3)


@slow
def test_nile_has_the_estimates_of_the_kalman_filter():
    """Durbin and Koopman (2012): variances 15,099 and 1,469.1 with a diffuse start; here the start has a wide prior."""
    values = mk.find_mle(nile.build(), marginalize=["level"], random_seed=1).values
    assert float(values["sigma"]) ** 2 == pytest.approx(15099, rel=0.01)
    assert float(values["step"]) ** 2 == pytest.approx(1469.1, rel=0.03)


@slow
def test_bcg_has_the_published_marginal_estimates():
    """As ``rma(method="ML")`` of the R package metafor prints them: mean -0.7112, variance 0.2800."""
    values = mk.find_mle(bcg.build(), marginalize=["effect"], random_seed=1).values
    assert float(values["mu"]) == pytest.approx(-0.7112, abs=2e-4)
    assert float(values["tau"]) ** 2 == pytest.approx(0.28, abs=1e-3)


def test_endometrial_has_the_limiting_fit_that_is_printed():
    """The vignette of the R package detectseparation: finite estimates and errors, and an infinite one of NV."""
    estimate = mk.find_mle(endometrial.build(), random_seed=1)
    assert estimate.status == "at_infinity"
    assert float(estimate.values["coefficient"].sel(term="NV")) == np.inf
    assert float(estimate.values["coefficient"].sel(term="intercept")) == pytest.approx(4.30452, abs=6e-6)
    assert float(estimate.standard_error["coefficient"].sel(term="intercept")) == pytest.approx(1.63730, abs=6e-6)
