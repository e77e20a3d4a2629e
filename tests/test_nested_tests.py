"""Likelihood-ratio, Wald and score tests against closed forms and statsmodels."""

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pp_mlekl.nested_tests import nested_tests


def test_binomial_against_closed_forms():
    with pm.Model() as model:
        pm.Binomial("y", 20, pm.Beta("p", 1, 1), observed=13)
    ratio, wald, score = nested_tests(model, {"p": 0.5}, random_seed=1)
    assert ratio.statistic == pytest.approx(2 * (13 * np.log(1.3) + 7 * np.log(0.7)), rel=1e-9)
    assert wald.statistic == pytest.approx(0.15**2 / (0.65 * 0.35 / 20), rel=1e-7)
    assert score.statistic == pytest.approx(0.15**2 / (0.25 / 20), rel=1e-9)
    assert ratio.p_value == pytest.approx(stats.chi2.sf(ratio.statistic, 1))


def test_regression_against_statsmodels():
    import statsmodels.api as sm

    d = golden.columns("real/spector.csv")
    y = d["GRADE"].astype(int)
    with pm.Model() as model:
        a, b, c = (pm.Normal(name, 0, 10) for name in "abc")
        pm.Bernoulli("y", logit_p=a + b * d["GPA"] + c * d["PSI"], observed=y)
    full = sm.Logit(y, np.c_[np.ones(len(y)), d["GPA"], d["PSI"]]).fit(disp=0)
    small = sm.Logit(y, np.c_[np.ones(len(y)), d["GPA"]]).fit(disp=0)
    ratio, wald, _ = nested_tests(model, {"c": 0.0}, random_seed=1)
    assert ratio.statistic == pytest.approx(2 * (full.llf - small.llf), rel=1e-7)
    assert wald.statistic == pytest.approx(full.tvalues[2] ** 2, rel=1e-6)


def test_the_three_agree_for_a_normal_mean():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1.0, observed=[0.5, 1.5, 0.9])
    statistics = [t.statistic for t in nested_tests(model, {"mu": 0.2}, random_seed=1)]
    np.testing.assert_allclose(statistics, 3 * (2.9 / 3 - 0.2) ** 2, rtol=1e-9)


def test_where_the_theorem_fails():
    with pytest.raises(ValueError, match="free variables"):
        nested_tests(golden.separated(), {"c": 0.0})
    with pytest.raises(ValueError, match="at_infinity"):
        nested_tests(golden.separated(), {"slope": 0.0}, random_seed=1)


@pytest.mark.slow
def test_p_values_are_uniform_under_the_null():
    generator = np.random.default_rng(3)
    x = generator.normal(size=80)
    with pm.Model() as model:
        data = pm.Data("data", np.zeros(80, dtype=int))
        pm.Poisson("y", pm.math.exp(pm.Normal("a", 0, 2) + pm.Normal("b", 0, 2) * x), observed=data)
    values = []
    for _ in range(200):
        with model:
            pm.set_data({"data": generator.poisson(np.exp(0.3), 80)})
        values.append([t.p_value for t in nested_tests(model, {"b": 0.0}, random_seed=1)])
    for column in np.transpose(values):
        assert stats.kstest(column, "uniform").pvalue > 1e-3
