"""Penalised likelihoods against firthmodels, closed forms and a study of their bias."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats
from scipy.special import expit

import pp_mlekl as mk

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "jeffreys" / "firthmodels.json").read_text())["cases"]


@cache
def logistic(name):
    case = REFERENCE[name]
    rows, columns = np.array(case["rows"], dtype=float), case["columns"]
    covariates = [k for k, column in enumerate(columns) if column not in (case["response"], "count")]
    weights = rows[:, columns.index("count")] if "count" in columns else None
    with pm.Model() as model:
        b, a = pm.Normal("b", 0, 10, shape=len(covariates)), pm.Normal("a", 0, 10)
        eta = pm.math.dot(rows[:, covariates], b) + a
        pm.Bernoulli("y", logit_p=eta, observed=rows[:, columns.index(case["response"])].astype(int))
    return model, weights, case


def values(dataset):
    return np.concatenate([np.ravel(v) for v in dataset.data_vars.values()])


@pytest.mark.parametrize("information", ["expected", "observed"])
@pytest.mark.parametrize("name", REFERENCE)
def test_logistic_models_as_in_firthmodels(name, information):
    model, weights, case = logistic(name)
    estimate = mk.find_map(model, penalty="jeffreys", information=information, weights=weights)
    assert estimate.status == "converged"
    # Their own stopping rule leaves 1e-7.
    np.testing.assert_allclose(values(estimate.values), case["coefficients"], atol=1e-6)
    assert estimate.log_likelihood + estimate.log_prior == pytest.approx(case["log_likelihood"], abs=1e-10)


def test_published_log_likelihood_and_standard_errors():
    model, weights, _ = logistic("sex2")
    estimate = mk.find_map(model, penalty="jeffreys", weights=weights)
    assert estimate.log_likelihood + estimate.log_prior == pytest.approx(-132.5394, abs=5e-5)
    # Kosmidis' brglm2, documentation of its data set `endometrial`: NV, PI, EH, intercept.
    estimate = mk.find_map(logistic("endometrial")[0], penalty="jeffreys")
    np.testing.assert_allclose(values(estimate.values), [2.92927, -0.03475, -2.60416, 3.77456], atol=6e-6)
    np.testing.assert_allclose(values(estimate.standard_error), [1.55076, 0.03958, 0.77602, 1.48869], atol=6e-6)


@pytest.mark.slow
def test_profile_limits_as_in_firthmodels():
    model, _, case = logistic("endometrial")
    estimate = mk.find_map(model, penalty="jeffreys")
    found = mk.profile(model, estimate, points=3).interval.values
    np.testing.assert_allclose(found, case["limits"], rtol=2e-4)


def test_likelihood_ratio_as_in_firthmodels():
    model, _, case = logistic("endometrial")
    estimate = mk.find_map(model, penalty="jeffreys")
    for k in (0, 2):
        null = np.full(3, np.nan)
        null[k] = 0.0
        ratio, wald, _ = mk.nested_tests(model, estimate, null={"b": null})
        assert ratio.p_value == pytest.approx(case["p_values"][k], rel=1e-4)
        expected = (values(estimate.values)[k] / values(estimate.standard_error)[k]) ** 2
        assert wald.statistic == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 10), (3, 10), pytest.param(10, 10, marks=pytest.mark.slow), (1, 1)]
)
def test_a_binomial_logit_gains_half_a_success_and_half_a_failure(successes, trials):
    with pm.Model() as model:
        pm.Binomial("y", trials, logit_p=pm.Normal("a", 0, 10), observed=successes)
    estimate = mk.find_map(model, penalty="jeffreys")
    expected = np.log((successes + 0.5) / (trials - successes + 0.5))
    assert float(estimate.values["a"]) == pytest.approx(expected, abs=1e-9)


def test_the_scale_of_the_parameter_is_that_of_the_penalty():
    with pm.Model() as model:
        pm.Binomial("y", 10, p=pm.Beta("p", 3, 9), observed=3)
    # Jeffreys' prior of p is Beta(1/2, 1/2), with mode (3 - 1/2) / (10 - 1); that of the logit gains half of each.
    natural, logit = (mk.find_map(model, penalty="jeffreys", space=space) for space in ("natural", "unconstrained"))
    assert float(natural.values["p"]) == pytest.approx(2.5 / 9, abs=1e-9)
    assert float(logit.values["p"]) == pytest.approx(3.5 / 11, abs=1e-9)


def test_counts_and_exposures():
    y, exposure = np.array([0, 0, 0, 2, 1]), np.array([1.0, 2.0, 0.5, 3.0, 1.0])
    x = np.stack([np.ones(5), [0.0, 0, 0, 1, 1]], axis=1)
    with pm.Model() as model:
        pm.Poisson("y", exposure * pt.exp(pm.math.dot(x, pm.Normal("b", 0, 10, shape=2))), observed=y)
    assert mk.find_mle(model).status == "at_infinity"
    estimate = mk.find_map(model, penalty="jeffreys")
    # Two groups: each rate is (count + 1/2) / exposure.
    rates = np.array([0.5 / 3.5, 3.5 / 4.0])
    np.testing.assert_allclose(values(estimate.values), [np.log(rates[0]), np.log(rates[1] / rates[0])], atol=1e-8)


def test_normal_errors_divide_by_the_degrees_of_freedom_and_one_more():
    y = np.array([4.1, 5.2, 4.7, 5.9, 4.4, 5.0])
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("m", 0, 10), pm.HalfNormal("s", 10), observed=y)
    estimate = mk.find_map(model, penalty="jeffreys")
    # The information about (m, s) has a determinant proportional to s^-4.
    expected = np.sqrt(np.sum((y - y.mean()) ** 2) / (len(y) + 2))
    np.testing.assert_allclose(values(estimate.values), [y.mean(), expected], rtol=1e-9)
    assert values(estimate.standard_error)[1] == pytest.approx(expected / np.sqrt(2 * len(y)), rel=1e-9)


def test_a_probit_model_against_scipy():
    x = np.stack([np.ones(9), np.arange(9.0) - 4], axis=1)
    y = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    with pm.Model() as model:
        pm.Bernoulli("y", p=pm.math.invprobit(pm.math.dot(x, pm.Normal("b", 0, 10, shape=2))), observed=y)

    def penalized(b):
        eta = x @ b
        weights = stats.norm.pdf(eta) ** 2 / (stats.norm.cdf(eta) * stats.norm.sf(eta))
        terms = np.where(y == 1, stats.norm.logcdf(eta), stats.norm.logsf(eta))
        return -terms.sum() - 0.5 * np.linalg.slogdet(x.T * weights @ x)[1]

    expected = optimize.minimize(penalized, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
    estimate = mk.find_map(model, penalty="jeffreys")
    np.testing.assert_allclose(values(estimate.values), expected.x, rtol=1e-6)
    assert estimate.log_likelihood + estimate.log_prior == pytest.approx(-expected.fun, abs=1e-10)


def test_separated_ordinal_responses_have_a_finite_estimate():
    with pm.Model() as model:
        ordered = pm.distributions.transforms.ordered
        cut = pm.Normal("cut", 0, 3, shape=2, transform=ordered, initval=[-1.0, 1.0])
        eta = pm.Normal("b", 0, 3) * np.array([0.0, 0, 1, 1])
        pm.OrderedLogistic("y", eta=eta, cutpoints=cut, observed=[0, 1, 1, 2])
    estimate = mk.find_map(model, penalty="jeffreys")
    assert estimate.status == "converged"
    assert np.isfinite(values(estimate.values)).all()
    # Reversing the categories of these data turns the sign of what is not centred: b = cut[0] + cut[1].
    cut, b = values(estimate.values)[:2], values(estimate.values)[2]
    assert b == pytest.approx(cut.sum(), abs=1e-7)


def test_what_is_refused():
    model, _, _ = logistic("endometrial")
    with pytest.raises(ValueError, match="penalty"):
        mk.find_map(model, penalty="ridge")
    with pytest.raises(ValueError, match="information"):
        mk.find_map(model, penalty="jeffreys", information="fisher")
    with pm.Model() as sums:
        eta = pm.Normal("b", 0, 1, shape=3)
        pm.Potential("y", pt.sum(eta - pt.exp(eta)))
    with pytest.raises(ValueError, match="observed"):
        mk.find_map(sums, penalty="jeffreys", potentials="likelihood")
    assert mk.find_map(sums, penalty="jeffreys", information="observed", potentials="likelihood").status == "converged"
    with pytest.raises(ValueError, match="maximum likelihood"):
        mk.bootstrap(model, mk.find_map(model, penalty="jeffreys"))


@pytest.mark.slow
def test_the_bias_of_logistic_slopes_falls_fivefold():
    rng = np.random.default_rng(3)
    x = np.linspace(-1.5, 1.5, 20)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 10, shape=2)
        pm.Bernoulli("y", logit_p=b[0] + b[1] * x, observed=(np.arange(20) % 2))
    truth, plain, penalized = np.array([0.3, 1.0]), [], []
    for _ in range(400):
        y = (rng.random(20) < expit(truth[0] + truth[1] * x)).astype(int)
        mle = mk.find_mle(model, data={"y": y}, random_seed=1)
        penalized.append(float(mk.find_map(model, penalty="jeffreys", data={"y": y}).values["b"][1]))
        # The bias of the MLE is that of those that exist: without them it would be larger still.
        plain.append(float(mle.values["b"][1]) if mle.status == "converged" else np.nan)
    bias = np.nanmean(plain) - truth[1]
    error = np.std(penalized) / np.sqrt(len(penalized))
    assert np.isfinite(penalized).all()
    assert bias > 0.1
    assert abs(np.mean(penalized) - truth[1]) < bias / 5 + 2 * error
