"""Maximum likelihood estimates of the gallery against those that are published or that statsmodels finds."""

import numpy as np
import pytest
import statsmodels.api as sm

import pp_mlekl as mk
from pp_mlekl.gallery import (
    alligators,
    bcg,
    clotting,
    dipper,
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


def test_seeds_without_plates_have_the_published_estimates():
    """Breslow and Clayton (1993), table 3: -0.558, 0.146, 1.318 and -0.778 without an effect of the plate."""
    estimate = mk.find_mle(seeds.build_binomial(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], [-0.558, 0.146, 1.318, -0.778], atol=6e-4)


def test_horse_kicks_have_the_mean_that_fisher_gives():
    assert float(mk.find_mle(horse_kicks.build(), random_seed=1).values["rate"]) == pytest.approx(0.61)


@slow
def test_roaches_agree_with_statsmodels():
    data = roaches.load_data()
    x = np.column_stack([np.ones(len(data)), data["before"] / 100, data["treatment"], data["senior"]])
    fit = sm.NegativeBinomial(data["roaches"], x, exposure=data["exposure"]).fit(disp=0, maxiter=500, gtol=1e-8)
    estimate = mk.find_mle(roaches.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], fit.params.iloc[:4], rtol=1e-4)
    np.testing.assert_allclose(1 / estimate.values["alpha"], fit.params.iloc[4], rtol=1e-4)


@slow
def test_wine_has_the_published_estimates():
    """As printed by the R package ordinal: thresholds, temperature, contact; log-likelihood -86.49."""
    estimate = mk.find_mle(wine.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["cutpoint"], [-1.344, 1.251, 3.467, 5.006], atol=6e-4)
    np.testing.assert_allclose(estimate.values["coefficient"], [2.503, 1.528], atol=6e-4)
    assert estimate.log_likelihood == pytest.approx(-86.49, abs=0.006)


@slow
def test_alligators_have_the_published_estimates():
    """Agresti (2002), table 7.2: coefficients of the size and of the lakes, by food."""
    published = [
        [-1.55, -3.31, -2.09, -1.90],
        [-1.66, 1.24, 0.70, 0.83],
        [0.94, 2.46, -0.65, 0.01],
        [1.12, 2.94, 1.09, 1.52],
        [1.46, -0.35, -0.63, 0.33],
    ]
    estimate = mk.find_mle(alligators.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["coefficient"], published, atol=6e-3)


@slow
def test_clotting_has_the_published_estimates():
    """McCullagh and Nelder (1989), section 8.4.2, as printed by R: inverse means -0.01655 + 0.01534 log(u) of lot 1."""
    speed = mk.find_mle(clotting.build(), random_seed=1).values["speed"].values
    slope = (speed[:, 1] - speed[:, 0]) / np.log(20)
    intercept = speed[:, 0] - slope * np.log(5)
    np.testing.assert_allclose(slope, [0.01534, 0.02360], atol=2e-5)
    np.testing.assert_allclose(intercept, [-0.01655, -0.02391], atol=2e-5)


@slow
def test_leukemia_has_the_published_estimates():
    """Venables and Ripley (2002), section 13.2: intercept 3.516 with treatment, effect 1.267, scale 0.732."""
    values = mk.find_mle(leukemia.build(), random_seed=1).values
    assert float(values["log_scale"] + values["effect"]) == pytest.approx(3.516, abs=6e-4)
    assert float(values["effect"]) == pytest.approx(1.267, abs=6e-4)
    assert float(1 / values["shape"]) == pytest.approx(0.732, abs=6e-4)


@slow
def test_lake_huron_agrees_with_statsmodels():
    fit = sm.tsa.ARIMA(lake_huron.load_data()["level"], order=(1, 0, 0), trend="c").fit()
    estimate = mk.find_mle(lake_huron.build(), random_seed=1)
    np.testing.assert_allclose(estimate.log_likelihood, fit.llf, rtol=1e-6)
    np.testing.assert_allclose(estimate.values["rho"], fit.params["ar.L1"], rtol=1e-3)


@slow
def test_garch_has_the_benchmark_estimates():
    """Fiorentini, Calzolari and Panattoni (1996): mu, omega, alpha, beta."""
    values = mk.find_mle(garch.build(), random_seed=1).values
    found = [float(values[name]) for name in ("mu", "omega", "alpha", "beta")]
    np.testing.assert_allclose(found, [-0.006190, 0.010761, 0.153134, 0.805974], atol=2e-6)


@slow
@pytest.mark.parametrize(("build", "published"), [(lsat.build, -2466.938), (lsat.build_2pl, -2466.653)])
def test_lsat_has_the_published_likelihood(build, published):
    """As printed by the R package ltm for one and two parameters an item."""
    assert mk.find_mle(build(), random_seed=1).log_likelihood == pytest.approx(published, abs=2e-3)


@slow
def test_ryegrass_has_the_published_estimates():
    """As printed by the R package drc: slope, asymptotes and the halving dose."""
    values = mk.find_mle(ryegrass.build(), random_seed=1).values
    found = [float(values[name]) for name in ("slope", "lower", "upper", "halving_dose")]
    np.testing.assert_allclose(found, [2.98222, 0.48141, 7.79296, 3.05795], atol=2e-5)


@slow
def test_dippers_have_the_published_estimates():
    """Lebreton et al. (1992): survival 0.5602 with standard error 0.0251, capture 0.9026 with 0.0286."""
    estimate = mk.find_mle(dipper.build(), random_seed=1)
    found = [float(v[name]) for name in ("survival", "capture") for v in (estimate.values, estimate.standard_error)]
    np.testing.assert_allclose(found, [0.5602, 0.0251, 0.9026, 0.0286], atol=6e-5)


@slow
def test_gasoline_has_the_published_estimates():
    """Cribari-Neto and Zeileis (2010): slope 0.0109669 a degree, intercept -6.15957, batch 1 1.72773, precision 440.278."""
    values = mk.find_mle(gasoline.build(), random_seed=1).values
    assert float(values["slope"]) == pytest.approx(1.09669, abs=1e-4)
    level = values["batch_level"].values
    assert level[9] == pytest.approx(-6.15957 + 3.30 * 1.09669, abs=2e-4)
    assert level[0] - level[9] == pytest.approx(1.72773, abs=1e-4)
    assert float(values["precision"]) == pytest.approx(440.278, rel=1e-4)


@slow
def test_sleepstudy_has_the_published_marginal_estimates():
    """Bates et al. (2015), by maximum likelihood: 251.405, 10.467; deviations 23.78, 5.72 and 25.59, correlation 0.08."""
    estimate = mk.find_mle(sleepstudy.build(), marginalize=["effect"], random_seed=1)
    np.testing.assert_allclose(estimate.values["mean"], [251.405, 10.467], atol=6e-4)
    first, below, second = estimate.values["covariance"].values
    deviation = np.hypot(below, second)
    np.testing.assert_allclose([first, deviation], [23.78, 5.72], rtol=1e-3)
    assert below / deviation == pytest.approx(0.08, abs=6e-3)
    assert float(estimate.values["sigma"]) == pytest.approx(25.59, rel=1e-3)


@slow
def test_nile_has_the_estimates_of_the_kalman_filter():
    """Durbin and Koopman (2012): variances 15,099 and 1,469.1 with a diffuse start; here the start has a wide prior."""
    values = mk.find_mle(nile.build(), marginalize=["level"], random_seed=1).values
    assert float(values["sigma"]) ** 2 == pytest.approx(15099, rel=0.01)
    assert float(values["step"]) ** 2 == pytest.approx(1469.1, rel=0.03)


@slow
def test_bcg_has_the_published_marginal_estimates():
    """As printed by the R package metafor, by maximum likelihood: mean -0.7112, variance 0.2800."""
    values = mk.find_mle(bcg.build(), marginalize=["effect"], random_seed=1).values
    assert float(values["mu"]) == pytest.approx(-0.7112, abs=2e-4)
    assert float(values["tau"]) ** 2 == pytest.approx(0.28, abs=1e-3)
