"""Likelihood-ratio, Wald and score tests against closed forms and statsmodels."""

import degenerate_models as degenerate
import golden_models as golden
import numpy as np
import pymc as pm
import pytest
from scipy import linalg, stats
from tiers import slow_if

from pp_mlekl.estimation.bootstrap import bootstrap
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.nested_tests.likelihood_ratio_wald_score import likelihood_ratio_test, nested_tests
from pp_mlekl.estimation.profile_likelihood import profile


def test_binomial_against_closed_forms():
    with pm.Model() as model:
        pm.Binomial("y", 20, pm.Beta("p", 1, 1), observed=13)
    ratio, wald, score = nested_tests(model, null={"p": 0.5}, random_seed=1)
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
    ratio, wald, _ = nested_tests(model, null={"c": 0.0}, random_seed=1)
    assert ratio.statistic == pytest.approx(2 * (full.llf - small.llf), rel=1e-7)
    assert wald.statistic == pytest.approx(full.tvalues[2] ** 2, rel=1e-6)


def test_the_three_agree_for_a_normal_mean():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1.0, observed=[0.5, 1.5, 0.9])
    statistics = [t.statistic for t in nested_tests(model, null={"mu": 0.2}, random_seed=1)]
    np.testing.assert_allclose(statistics, 3 * (2.9 / 3 - 0.2) ** 2, rtol=1e-9)


def test_where_the_theorem_fails():
    with pytest.raises(ValueError, match="free variables"):
        nested_tests(golden.separated(), null={"c": 0.0})
    with pytest.raises(ValueError, match="at_infinity"):
        nested_tests(golden.separated(), null={"slope": 0.0}, random_seed=1)


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
        values.append([t.p_value for t in nested_tests(model, null={"b": 0.0}, random_seed=1)])
    for column in np.transpose(values):
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_elements_of_a_vector_can_be_tested_and_the_others_stay_free():
    import statsmodels.api as sm

    d = golden.columns("real/spector.csv")
    x, y = np.c_[np.ones(32), d["GPA"], d["TUCE"], d["PSI"]], d["GRADE"].astype(int)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 10, shape=4)
        pm.Bernoulli("y", logit_p=x @ b, observed=y)
    found = nested_tests(model, null={"b": [np.nan, np.nan, 0.0, 0.0]}, random_seed=1)
    full, small = sm.Logit(y, x).fit(disp=0, tol=1e-14), sm.Logit(y, x[:, :2]).fit(disp=0, tol=1e-14)
    ratio, wald, score = found
    assert [t.degrees_of_freedom for t in found] == [2, 2, 2]
    assert ratio.statistic == pytest.approx(2 * (full.llf - small.llf), rel=1e-7)
    assert wald.statistic == pytest.approx(float(full.wald_test(np.eye(4)[2:], scalar=True).statistic), rel=1e-6)
    residual, p = y - small.predict(), small.predict()
    gradient, information = x.T @ residual, x.T @ (x * (p * (1 - p))[:, None])
    assert score.statistic == pytest.approx(gradient @ np.linalg.solve(information, gradient), rel=1e-6)
    table = found.summary()
    assert list(table.index) == ["likelihood ratio", "Wald", "score"]
    assert table.loc["Wald", "p"] == wald.p_value
    assert "32 terms of the log-likelihood for 4 parameters" in repr(found)
    assert "chi2(2)" in str(ratio)


def test_weights_and_potentials_of_an_estimate_stay_with_it():
    y, w = np.array([0, 1, 2, 3, 5]), np.array([2, 0, 1, 4, 1])

    def build(values):
        with pm.Model() as model:
            rate = pm.Gamma("rate", 2, 1)
            pm.Poisson("y", rate, observed=values)
            pm.Potential("penalty", -0.3 * rate)
        return model

    found = []
    for model, weights in ((build(y), w), (build(np.repeat(y, w)), None)):
        best = find_mle(model, weights=weights, potentials="prior", random_seed=1)
        tests = nested_tests(model, null={"rate": 2.0}, estimate=best, potentials="prior")
        limits = profile(model, estimate=best, points=2, potentials="prior").interval.values.ravel()
        draws = bootstrap(model, estimate=best, replicates=2000, random_seed=1, potentials="prior")
        found.append([*(t.statistic for t in tests), *limits, float(draws.standard_error["rate"])])
    np.testing.assert_allclose(found[0][:-1], found[1][:-1], rtol=1e-7)
    assert found[0][-1] == pytest.approx(found[1][-1], rel=0.06)
    with pytest.raises(ValueError, match="whole numbers"):
        bootstrap(build(y), estimate=find_mle(build(y), weights=w / 2, potentials="prior"), potentials="prior")


def test_what_a_null_cannot_be_is_named():
    with pm.Model() as model:
        p, b = pm.Dirichlet("p", np.ones(3)), pm.Normal("b", 0, 1, shape=2)
        pm.Categorical("y", p, observed=[0, 1, 2, 0, 1, 2, 0])
        pm.Normal("z", b, 1.0, observed=np.ones((5, 2)))
    best = find_mle(model, random_seed=1)
    for null, message in (
        ({"b": [np.nan, np.nan]}, "every element"),
        ({"p": [0.5, np.nan, np.nan]}, "no coordinates of their own"),
        ({"p": [1.0, 0.0, 0.0]}, "on the boundary"),
    ):
        with pytest.raises(ValueError, match=message):
            nested_tests(model, null=null, estimate=best)
    with pytest.raises(ValueError, match="maximum likelihood estimate"):
        nested_tests(model, null={"b": 0.0}, estimate=find_map(model, random_seed=1))


def balanced(y, with_groups):
    """A random intercept's marginal likelihood by group means and contrasts, or without the groups' variance."""
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 2)
        variance = sigma**2 / y.shape[1] + (pm.HalfNormal("tau", 2) ** 2 if with_groups else 0.0)
        pm.Normal("mean", mu, pm.math.sqrt(variance), observed=y.mean(axis=1))
        pm.Normal("contrasts", 0, sigma, observed=y @ linalg.helmert(y.shape[1]).T)
    return model


@pytest.mark.slow
def test_a_variance_of_zero_is_tested_by_the_mixture():
    generator = np.random.default_rng(5)
    y = generator.normal(0, 0.6, (12, 1)) + generator.normal(size=(12, 4))
    small, large = (find_mle(balanced(y, with_groups), random_seed=1) for with_groups in (False, True))
    test = likelihood_ratio_test(small, large, at_boundary=True)
    means, inner = y.mean(axis=1), y - y.mean(axis=1, keepdims=True)
    s, l = np.sum(inner**2) / 36, 4 * np.mean((means - means.mean()) ** 2)
    exact = 48 * np.log(np.mean((y - y.mean()) ** 2)) - 36 * np.log(s) - 12 * np.log(l)
    assert l > s
    assert test.statistic == pytest.approx(exact, rel=1e-8)
    assert test.p_value == pytest.approx(0.5 * stats.chi2.sf(exact, 1))
    assert likelihood_ratio_test(small, large).p_value == pytest.approx(stats.chi2.sf(exact, 1))
    calm = np.tile([-1.0, 0.5, 1.5, -1.0], (12, 1)) + 0.01 * generator.normal(size=(12, 4))
    small, large = (find_mle(balanced(calm, with_groups), random_seed=1) for with_groups in (False, True))
    assert large.status == "boundary"
    edge = likelihood_ratio_test(small, large)
    assert edge.statistic == pytest.approx(0.0, abs=1e-6)
    assert "at_boundary=True" in edge.warnings[-1]
    with pytest.raises(ValueError, match="fewer parameters"):
        likelihood_ratio_test(large, small)
    with pytest.raises(ValueError, match="status at_infinity"):
        likelihood_ratio_test(small, find_mle(golden.separated(), random_seed=1))


def test_an_estimate_without_standard_errors_is_refused():
    with pytest.raises(ValueError, match=r"kink.*likelihood_ratio_test"):
        nested_tests(degenerate.build("least_absolute_deviations"), null={"b": [np.nan, 0.0]}, random_seed=1)


TIMES = [0.3, 1.2, 0.5, 2.5, 0.1, 0.9, 1.7, 0.4, 0.6, 0.8, 1.1, 2.0]
PRIORS = {
    "log": lambda name: pm.HalfNormal(name, 3),
    "none": lambda name: pm.Normal(name, 2, 0.5),
    "interval": lambda name: pm.Uniform(name, 0, 3),
}


@pytest.mark.parametrize("transform", list(PRIORS))
def test_the_score_test_of_a_rate_does_not_depend_on_its_prior(transform):
    with pm.Model() as model:
        pm.Exponential("y", PRIORS[transform]("rate"), observed=TIMES)
    score = nested_tests(model, null={"rate": 1.8}, random_seed=1)[2]
    n, total = len(TIMES), sum(TIMES)
    assert score.information == "expected"
    assert score.statistic == pytest.approx((n - 1.8 * total) ** 2 / n, rel=1e-9)


@pytest.mark.parametrize("transform", slow_if(PRIORS, ["none", "interval"]))
def test_nor_does_it_where_the_family_is_not_known(transform):
    with pm.Model() as model:
        rate = PRIORS[transform]("rate")
        pm.CustomDist("y", rate, logp=lambda value, r: pm.math.log(r) - r * value**1.0, observed=TIMES)
    score = nested_tests(model, null={"rate": 1.8}, random_seed=1)[2]
    n, total = len(TIMES), sum(TIMES)
    assert score.information == "observed"
    assert score.statistic == pytest.approx((n / 1.8 - total) ** 2 / (n / 1.8**2), rel=1e-9)


def test_probabilities_have_pearsons_statistic():
    """Of a multinomial Rao's statistic is Pearson's, whichever probability the transform leaves out; counts are weights."""
    counts, null = np.array([9, 5, 16]), np.array([0.5, 0.2, 0.3])
    pearson = np.sum((counts - 30 * null) ** 2 / (30 * null))
    with pm.Model() as model:
        pm.Categorical("y", pm.Dirichlet("p", np.ones(3)), observed=[0, 1, 2])
    best = find_mle(model, weights=counts, random_seed=1)
    score = nested_tests(model, null={"p": null}, estimate=best)[2]
    assert score.statistic == pytest.approx(pearson, rel=1e-8)


@pytest.mark.slow
def test_observed_information_along_the_simplex_does_not_depend_on_the_transform():
    counts, null = np.array([9, 5, 16]), np.array([0.5, 0.2, 0.3])
    statistics = []
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        with pm.Model() as model:
            p = pm.Dirichlet("p", np.ones(3))
            pm.Multinomial("y", 30, p, observed=counts[order])
            pm.Potential("nothing", 0.0 * p[0])
        best = find_mle(model, potentials="likelihood", random_seed=1)
        score = nested_tests(model, null={"p": null[order]}, estimate=best, potentials="likelihood")[2]
        statistics.append(score.statistic)
        assert score.information == "observed"
    # Along the plane of probabilities that sum to 1, with a basis of two.
    basis = linalg.null_space(np.ones((1, 3)))
    gradient, information = basis.T @ (counts / null), basis.T @ np.diag(counts / null**2) @ basis
    np.testing.assert_allclose(statistics, gradient @ np.linalg.solve(information, gradient), rtol=1e-8)


def test_score_of_a_probit_against_statsmodels():
    import statsmodels.api as sm

    d = golden.columns("real/spector.csv")
    x, y = np.c_[np.ones(32), d["GPA"]], d["GRADE"].astype(int)
    family = sm.families.Binomial(sm.families.links.Probit())
    small = sm.GLM(y, x, family=family).fit(tol=1e-12)
    expected, _, _ = small.model.score_test(small.params, exog_extra=d["PSI"][:, None], observed=False)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 10, shape=3)
        pm.Bernoulli("y", pm.math.invprobit(b[0] + b[1] * d["GPA"] + b[2] * d["PSI"]), observed=y)
    score = nested_tests(model, null={"b": [np.nan, np.nan, 0.0]}, random_seed=1)[2]
    assert score.statistic == pytest.approx(np.asarray(expected).item(), rel=1e-6)
