"""Profile likelihood against roots found independently, and its invariance."""

from functools import cache

import degenerate_models as degenerate
import golden_models as golden
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.profile_likelihood import profile


@cache
def binomial():
    with pm.Model() as model:
        pm.Binomial("y", 20, pm.Beta("p", 1, 1), observed=13)
    return model


def test_interval_is_where_the_likelihood_ratio_says():
    result = profile(binomial(), random_seed=1)
    found = result.interval.sel(parameter="p").values
    np.testing.assert_array_equal(result.summary().loc["p", ["2.5%", "97.5%"]], found)
    assert "97.5%" in repr(result)
    level = stats.binom.logpmf(13, 20, 0.65) - 0.5 * stats.chi2.ppf(0.95, 1)
    ends = [optimize.brentq(lambda p: stats.binom.logpmf(13, 20, p) - level, *b) for b in ((0.1, 0.65), (0.65, 0.95))]
    np.testing.assert_allclose(found, ends, rtol=1e-7)


def test_profile_of_a_normal_mean_with_free_scale():
    y = np.array([0.3, 1.9, 2.2, 0.7, 1.4, 3.0])
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=y)
    result = profile(model, var_names=["mu"], random_seed=1)
    half = np.sqrt(y.var() * (np.exp(stats.chi2.ppf(0.95, 1) / len(y)) - 1))
    np.testing.assert_allclose(result.interval.sel(parameter="mu"), [y.mean() - half, y.mean() + half], rtol=1e-7)
    mu = result.curve["value"].values[0]
    scale = np.mean((y - mu[:, None]) ** 2, axis=1)
    np.testing.assert_allclose(
        result.curve["log_likelihood"].values[0], -0.5 * len(y) * (np.log(2 * np.pi * scale) + 1), rtol=1e-9
    )


def test_intervals_do_not_depend_on_the_parametrisation():
    with pm.Model() as model:
        pm.Binomial("y", 20, logit_p=pm.Normal("eta", 0, 3), observed=13)
    eta = profile(model, random_seed=1).interval.sel(parameter="eta").values
    p = profile(binomial(), random_seed=1).interval.sel(parameter="p").values
    np.testing.assert_allclose(1 / (1 + np.exp(-eta)), p, rtol=1e-7)


def test_an_interval_may_be_open():
    with pm.Model() as model:
        half = pm.HalfNormal("half", 10)
        pm.Normal("y", half / (1 + half), 0.1, observed=[0.95])
    lower, upper = profile(model, random_seed=1).interval.sel(parameter="half").values
    share = 0.95 - 0.1 * np.sqrt(stats.chi2.ppf(0.95, 1))
    assert lower == pytest.approx(share / (1 - share), rel=1e-7)
    assert upper == np.inf


def test_what_has_no_regular_maximum_is_refused():
    with pytest.raises(ValueError, match="boundary"):
        profile(golden.all_zero_poisson(), random_seed=1)
    with pytest.raises(ValueError, match="var_names"):
        profile(binomial(), var_names=["q"])


def test_one_sided_interval_of_a_logit_whose_trials_all_succeed():
    with pm.Model() as model:
        pm.Binomial("y", 20, logit_p=pm.Normal("a", 0, 10), observed=20)
    estimate = find_mle(model, random_seed=1)
    # A concave likelihood is climbed once.
    assert estimate.settings["starts"] == 1
    result = profile(model, estimate, ci_prob=0.9)
    assert result.curve["value"].coords["parameter"].values.tolist() == ["a"]
    assert result.curve["coordinate"].dims == ("parameter",)
    assert result.curve["coordinate"].values.tolist() == ["a"]
    # Below this probability 20 successes are rarer than 1 in 10 (the exact one-sided bound of Clopper and Pearson).
    p = 0.1 ** (1 / 20)
    np.testing.assert_allclose(result.interval.values, [[np.log(p / (1 - p)), np.inf]], rtol=1e-8)
    curve = result.curve["log_likelihood"].values[0]
    assert np.all(np.diff(curve) > 0)
    assert curve[0] < np.log(0.1) < curve[-1] < 0


def test_intervals_of_a_limiting_fit_leave_the_others_two_sided():
    group, y = np.repeat([0, 1], 5), np.array([3, 2, 4, 1, 2, 0, 0, 0, 0, 0])
    with pm.Model() as model:
        pm.Poisson("y", pm.math.exp(pm.Normal("b", 0, 10, shape=2)[group]), observed=y)
    with pm.Model() as rest:
        pm.Poisson("y", pm.math.exp(pm.Normal("b", 0, 10)), observed=y[:5])
    found = profile(model, random_seed=1).interval.values
    np.testing.assert_allclose(found[0], profile(rest, random_seed=1).interval.values[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], [-np.inf, np.log(-np.log(0.05) / 5)], rtol=1e-8)


@pytest.mark.slow
def test_what_the_limit_does_not_determine_has_no_bounds():
    x = np.repeat([0.0, 1.0], 5)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 3, shape=2), pm.Normal("b", 0, 3, shape=2)
        scores = pt.concatenate([pt.zeros((10, 1)), a + x[:, None] * b], axis=1)
        pm.Categorical("y", logit_p=scores, observed=[2] * 5 + [0, 0, 0, 1, 1])
    result = profile(model, random_seed=1, points=3)
    assert result.interval.sel(parameter=["a[0]", "b[0]"]).values.tolist() == [[-np.inf, np.inf]] * 2
    assert result.interval.sel(parameter="a[1]").values[1] == np.inf
    assert np.isfinite(result.interval.sel(parameter="a[1]").values[0])


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_limits_of_a_location_at_the_end_of_the_data_keep_their_sides(sign):
    y = np.array([2.9, 3.3, 3.8, 4.1, 4.4, 4.6, 5.0, 5.3, 5.9, 6.4, 7.0, 8.1])
    with pm.Model() as model:
        m = pm.Normal("m", sign * 1.5, 5, initval=sign * 1.5)
        gap = sign * (sign * y - m)
        # Rayleigh's distribution with a location: none of the data lies below it.
        scale = pm.HalfNormal("s", 5, initval=3.0)
        terms = pt.log(pt.switch(gap > 0, gap, 1.0)) - 2 * pt.log(scale) - gap**2 / (2 * scale**2)
        pm.Potential("y", pt.switch(gap > 0, terms, -np.inf))
    found = profile(model, var_names=["m"], random_seed=1, potentials="likelihood", points=3)

    def profiled(m):
        gap = y - m
        return np.sum(np.log(gap)) - len(y) * np.log(np.mean(gap**2) / 2) - len(y)

    top = optimize.minimize_scalar(
        lambda m: -profiled(m), bounds=(-5, 2.899), method="bounded", options={"xatol": 1e-10}
    )
    level = -top.fun - 0.5 * stats.chi2.ppf(0.95, 1)
    ends = [optimize.brentq(lambda m: profiled(m) - level, *b) for b in ((-20, top.x), (top.x, 2.9 - 1e-9))]
    np.testing.assert_allclose(found.interval.values[0], np.sort(sign * np.array(ends)), rtol=1e-6)


def test_a_limit_that_is_not_found_is_nan_with_a_reason():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1.0, observed=[0.3, -0.2, 0.5, 0.0])
        pm.Potential("limit", pt.switch(mu < 0.6, 0.0, -np.inf))
    found = profile(model, random_seed=1, potentials="likelihood", points=3)
    lower, upper = found.interval.values[0]
    assert lower == pytest.approx(0.15 - 0.5 * stats.norm.ppf(0.975), rel=1e-7)
    assert np.isnan(upper)
    assert len(found.warnings) == 1
    assert "upper limit of mu" in found.warnings[0]
    assert found.warnings[0] in repr(found)
    assert found.curve["value"].values[0, -1] == pytest.approx(0.6, abs=1e-6)


@pytest.mark.slow
def test_profile_of_least_absolute_deviations_follows_the_kinks():
    model = degenerate.build("least_absolute_deviations")
    estimate = find_mle(model, random_seed=1)
    result = profile(model, var_names=["b"], points=3, estimate=estimate)
    n = len(degenerate.Y)
    design = np.column_stack([np.ones(n), degenerate.X])

    def likelihood(value, place):
        # What is left is a linear programme: the least sum of absolute deviations, over the other coefficient.
        other = design[:, [1 - place]]
        fitted = optimize.linprog(
            np.r_[0, np.ones(2 * n)],
            A_eq=np.hstack([other, np.eye(n), -np.eye(n)]),
            b_eq=degenerate.Y - value * design[:, place],
            bounds=[(None, None)] + [(0, None)] * (2 * n),
        )
        return -n * np.log(2 * fitted.fun / n) - n

    level = estimate.log_likelihood - 0.5 * stats.chi2.ppf(0.95, 1)
    for place, centre in enumerate(estimate.values["b"].values):
        exact = [
            optimize.brentq(lambda b, j=place: likelihood(b, j) - level, centre - 1, centre),
            optimize.brentq(lambda b, j=place: likelihood(b, j) - level, centre, centre + 1),
        ]
        np.testing.assert_allclose(result.interval.sel(parameter=f"b[{place}]"), exact, rtol=1e-6)


@pytest.mark.slow
def test_coverage_of_the_intervals():
    generator = np.random.default_rng(4)
    with pm.Model() as model:
        data = pm.Data("data", np.zeros(15))
        pm.Exponential("y", pm.Gamma("rate", 2, 1), observed=data)
    hits = 0
    for _ in range(200):
        with model:
            pm.set_data({"data": generator.exponential(0.5, 15)})
        low, high = profile(model, points=3, random_seed=1).interval.sel(parameter="rate").values
        hits += low < 2.0 < high
    assert stats.binomtest(hits, 200, 0.95).pvalue > 1e-3
