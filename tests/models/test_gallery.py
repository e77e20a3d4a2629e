"""The gallery's estimates and data agree with what is published and with other programs."""

import importlib
import json
import tomllib

import numpy as np
import pymc as pm
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.naive_bayes import GaussianNB
from statsmodels import api as sm

from models import eight_schools, linear_diabetes, logistic_spector, naive_bayes_iris, normal_newcomb, poisson_randhie
from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.pymc_model.model_functions import model_functions

REGRESSIONS = {
    "diabetes-normal": linear_diabetes,
    "randhie-poisson": poisson_randhie,
    "spector-logit": logistic_spector,
}


@pytest.fixture(scope="module")
def published(root):
    """Estimates on the real data in raw units, by case."""
    cases = json.loads((root / "tests" / "data" / "golden" / "real" / "mle.json").read_text(encoding="utf-8"))["cases"]
    return {case["id"]: case for case in cases}


@pytest.mark.parametrize(("case", "gallery"), REGRESSIONS.items())
def test_regressions_agree_with_published_estimates(published, case, gallery):
    expected = published[case]
    data = gallery.load_data()
    estimate = find_mle(gallery.build(), random_seed=1)
    assert estimate.status == "converged"
    np.testing.assert_allclose(estimate.log_likelihood, expected["loglik"], rtol=1e-10)
    scale = data["x"].std(data["x"].dims[0]).values
    names = [str(n) for n in data["predictor"].values]
    # The models standardise their predictors: a slope per unit is the slope per standard deviation over it.
    slope = estimate.values["slope"].values / scale
    errors = estimate.standard_error["slope"].values / scale
    np.testing.assert_allclose(slope, [expected["estimates"][n] for n in names], rtol=1e-6)
    np.testing.assert_allclose(errors, [expected["standard_errors"][n] for n in names], rtol=1e-5)
    intercept = float(estimate.values["intercept"]) - float(np.sum(slope * data["x"].mean(data["x"].dims[0]).values))
    np.testing.assert_allclose(intercept, expected["estimates"]["const"], rtol=1e-6)


def test_logistic_agrees_with_statsmodels():
    data = logistic_spector.load_data()
    x = (data["x"] - data["x"].mean("student")) / data["x"].std("student")
    fit = sm.Logit(data["improved"].values, sm.add_constant(x.values)).fit(disp=0)
    estimate = find_mle(logistic_spector.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["slope"], fit.params[1:], rtol=1e-6)
    np.testing.assert_allclose(estimate.standard_error["slope"], fit.bse[1:], rtol=1e-5)


@pytest.mark.slow
def test_naive_bayes_agrees_with_scikit_learn(published):
    data = naive_bayes_iris.load_data()
    fit = GaussianNB(var_smoothing=0).fit(data["features"].values, data["species"].values)
    estimate = find_mle(naive_bayes_iris.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["p"], fit.class_prior_, rtol=1e-7)
    np.testing.assert_allclose(estimate.values["mu"], fit.theta_, rtol=1e-7)
    np.testing.assert_allclose(estimate.values["sigma"] ** 2, fit.var_, rtol=1e-6)


def test_newcomb_has_the_sample_moments():
    deviation = normal_newcomb.load_data()["deviation"].values
    # Stigler (1977): 66 values, mean 26.21 and standard deviation (divisor n - 1) 10.75.
    assert (len(deviation), round(deviation.mean(), 2), round(deviation.std(ddof=1), 2)) == (66, 26.21, 10.75)
    estimate = find_mle(normal_newcomb.build(), random_seed=1)
    np.testing.assert_allclose(estimate.values["mu"], deviation.mean(), rtol=1e-8)
    np.testing.assert_allclose(estimate.values["sigma"], deviation.std(), rtol=1e-8)


def test_eight_schools_has_the_published_figures(shared):
    reference = json.loads((shared("posteriordb/eight_schools_centered") / "data.json").read_text(encoding="utf-8"))
    data = eight_schools.load_data()
    assert data["effect"].values.tolist() == reference["y"]
    assert data["standard_error"].values.tolist() == reference["sigma"]


def test_both_forms_of_eight_schools_are_one_model():
    centred, other = (model_functions(m) for m in (eight_schools.build(), eight_schools.build_noncentered()))
    values = {"mu": 3.0, "tau": 2.0, "theta": np.arange(8.0)}
    offset = (values["theta"] - values["mu"]) / values["tau"]
    z, y = centred.unconstrain(values), other.unconstrain({**values, "offset": offset})
    np.testing.assert_allclose(centred.log_likelihood(z), other.log_likelihood(y))
    # Densities of theta and of the offset differ by the scale of each of the eight.
    np.testing.assert_allclose(centred.log_prior(z), other.log_prior(y) - 8 * np.log(2.0))


def test_tables_are_those_of_the_packages():
    diabetes = load_diabetes(scaled=False)
    np.testing.assert_allclose(linear_diabetes.load_data()["x"], diabetes.data)
    np.testing.assert_allclose(linear_diabetes.load_data()["progression"], diabetes.target)
    np.testing.assert_allclose(naive_bayes_iris.load_data()["features"], load_iris().data)
    spector = sm.datasets.spector.load_pandas()
    np.testing.assert_allclose(logistic_spector.load_data()["x"], spector.exog[logistic_spector.PREDICTORS])
    randhie = sm.datasets.randhie.load_pandas().data.iloc[::20]
    np.testing.assert_allclose(poisson_randhie.load_data()["visits"], randhie["mdvis"])
    np.testing.assert_allclose(poisson_randhie.load_data()["x"], randhie[poisson_randhie.PREDICTORS])


def test_reports_name_builders_that_work(root):
    for path in (root / "reports").glob("*.toml"):
        name, _, function = tomllib.loads(path.read_text(encoding="utf-8"))["builder"].partition(":")
        assert isinstance(getattr(importlib.import_module(name), function)(), pm.Model)
