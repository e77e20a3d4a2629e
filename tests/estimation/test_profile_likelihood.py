"""Profile likelihood against roots found independently, and its invariance."""

import degenerate_models as degenerate
import golden_models as golden
import numpy as np
import pymc as pm
import pytest
from scipy import optimize, stats

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.profile_likelihood import profile


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
    with pytest.raises(ValueError, match="at_infinity"):
        profile(golden.separated(), random_seed=1)
    with pytest.raises(ValueError, match="cannot be profiled"):
        profile(binomial(), var_names=["q"])


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
