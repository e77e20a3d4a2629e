"""Deterministics' standard errors against statsmodels and closed forms, and what they must not depend on."""

from types import SimpleNamespace

import degenerate_models as degenerate
import golden_models as golden
import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pp_mlekl.estimation.bootstrap import bootstrap
from pp_mlekl.estimation.delta_method import _limit, delta_method
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.profile_likelihood import profile
from pp_mlekl.estimation.sandwich import sandwich
from pp_mlekl.estimation.wald_interval import wald_interval
from pp_mlekl.optimize import objective
from pp_mlekl.pymc_model.deterministics import quantities
from pp_mlekl.pymc_model.interpreter.lazy_function import CompilationCount
from pp_mlekl.pymc_model.model_functions import model_functions

RNG = np.random.default_rng(8)
PAIRS = RNG.multivariate_normal([0.0, 1.0], [[1.0, 0.6], [0.6, 2.0]], 60)


@pytest.fixture(scope="module")
def logit():
    d = golden.columns("real/spector.csv")
    x = np.stack([np.ones(32), d["GPA"], d["PSI"]], axis=1)
    with pm.Model(coords={"term": ["const", "GPA", "PSI"]}) as model:
        b = pm.Normal("b", 0, 10, dims="term")
        pm.Deterministic("odds_ratio", pm.math.exp(b), dims="term")
        pm.Deterministic("ratio", b[1] / b[2])
        pm.Deterministic("eta", pm.math.stack([x @ b, 2 * (x @ b)]))
        pm.Deterministic("step", pm.math.floor(b[0]).astype("int64"))
        pm.Bernoulli("y", logit_p=x @ b, observed=d["GRADE"].astype(int))
    return model, find_mle(model, random_seed=1), x, d["GRADE"]


@pytest.mark.parametrize(("error", "kind"), [("information", "nonrobust"), ("sandwich", "HC0")])
def test_odds_ratios_ratio_and_a_matrix_of_predictors_equal_statsmodels(logit, error, kind):
    import statsmodels.api as sm
    from statsmodels.stats._delta_method import NonlinearDeltaCov

    model, mle, x, y = logit
    result = delta_method(model, mle, error=error)
    assert list(result.values) == ["odds_ratio", "ratio", "eta"]
    fit = sm.Logit(y, x).fit(disp=0, cov_type=kind, tol=1e-14)
    covariance = np.asarray(fit.cov_params())
    odds = NonlinearDeltaCov(np.exp, fit.params, covariance)
    np.testing.assert_allclose(result.values["odds_ratio"], odds.predicted(), rtol=1e-6)
    np.testing.assert_allclose(result.standard_error["odds_ratio"], odds.se_vectorized(), rtol=1e-6)
    ratio = NonlinearDeltaCov(lambda b: np.array([b[1] / b[2]]), fit.params, covariance)
    assert float(result.standard_error["ratio"]) == pytest.approx(float(ratio.se_vectorized()[0]), rel=1e-6)
    lines = np.sqrt(np.einsum("ij,jk,ik->i", x, covariance, x))
    np.testing.assert_allclose(result.standard_error["eta"], [lines, 2 * lines], rtol=1e-6)
    assert result.values["odds_ratio"].coords["term"].values.tolist() == ["const", "GPA", "PSI"]


def test_summary_has_z_p_and_intervals(logit):
    model, mle, _, _ = logit
    row = delta_method(model, mle, var_names=["ratio"]).summary(ci_prob=0.9).loc["ratio"]
    assert row["z"] == pytest.approx(row["estimate"] / row["se"])
    assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(row["z"])))
    assert row["95%"] - row["estimate"] == pytest.approx(stats.norm.ppf(0.95) * row["se"])
    robust = delta_method(model, mle, var_names=["ratio"], error="sandwich")
    freedom = float(robust.degrees_of_freedom["ratio"])
    row = robust.summary().loc["ratio"]
    assert row["97.5%"] - row["estimate"] == pytest.approx(stats.t.ppf(0.975, freedom) * row["se"])
    assert "ratio" in repr(robust)
    assert "ratio" in robust._repr_html_()


def test_a_parameter_among_the_quantities_keeps_its_own_error(logit):
    model, mle, _, _ = logit
    for error, own in (("information", mle.standard_error), ("sandwich", sandwich(model, mle))):
        result = delta_method(model, mle, var_names=["b"], error=error)
        np.testing.assert_allclose(result.standard_error["b"], own["b"], rtol=1e-9)


def test_all_quantities_share_one_function():
    y = RNG.normal(size=12)
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5)
        for k in range(1, 9):
            pm.Deterministic(f"power_{k}", (mu + sigma) ** k)
        pm.Normal("y", mu, sigma, observed=y)
    mle = find_mle(model, random_seed=1)
    before = CompilationCount.interpreted, CompilationCount.compiled
    delta_method(model, mle)
    # The values, and their derivatives.
    assert CompilationCount.interpreted - before[0] <= 3
    assert CompilationCount.compiled == before[1]


def test_error_does_not_depend_on_which_of_two_is_the_parameter():
    y = RNG.gamma(2.0, 1.5, 40)
    with pm.Model() as by_scale:
        scale = pm.HalfNormal("scale", 5)
        pm.Deterministic("rate", 1 / scale)
        pm.Gamma("y", 2.0, 1 / scale, observed=y)
    with pm.Model() as by_rate:
        rate = pm.HalfNormal("rate", 5)
        pm.Deterministic("scale", 1 / rate)
        pm.Gamma("y", 2.0, rate, observed=y)
    a, b = find_mle(by_scale, random_seed=1), find_mle(by_rate, random_seed=1)
    for error in ("information", "sandwich"):
        one, other = delta_method(by_scale, a, error=error), delta_method(by_rate, b, var_names=["rate"], error=error)
        assert float(one.values["rate"]) == pytest.approx(float(other.values["rate"]), rel=1e-9)
        assert float(one.standard_error["rate"]) == pytest.approx(float(other.standard_error["rate"]), rel=1e-7)


def test_covariance_matrix_of_a_normal_has_its_closed_form():
    with pm.Model() as model:
        chol, _corr, _ = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(3, size=2))
        pm.Deterministic("cov", chol @ chol.T)
        pm.MvNormal("y", pm.Normal("mu", 0, 5, shape=2), chol=chol, observed=PAIRS)
    result = delta_method(model, find_mle(model, random_seed=1))
    s, n = np.cov(PAIRS.T, ddof=0), len(PAIRS)
    np.testing.assert_allclose(result.values["cov"], s, rtol=1e-7)
    exact = np.sqrt((np.outer(np.diag(s), np.diag(s)) + s**2) / n)
    np.testing.assert_allclose(result.standard_error["cov"], exact, rtol=1e-6)
    rho = s[0, 1] / np.sqrt(s[0, 0] * s[1, 1])
    name = next(n for n in result.values if n.endswith("corr"))
    np.testing.assert_allclose(result.standard_error[name].values[0, 1], (1 - rho**2) / np.sqrt(n), rtol=1e-6)
    np.testing.assert_allclose(result.standard_error[name].values[0, 0], 0.0, atol=1e-9)


@pytest.mark.slow
def test_intraclass_correlation_of_a_marginal_fit():
    groups, size = 12, 4
    y = RNG.normal(size=groups)[:, None] + RNG.normal(0, 0.8, (groups, size))
    with pm.Model() as model:
        mu, tau, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
        u = pm.Normal("u", 0, tau, shape=(groups, 1))
        pm.Deterministic("icc", tau**2 / (tau**2 + sigma**2))
        pm.Normal("y", mu + u, sigma, observed=y)
    mle = find_mle(model, marginalize=["u"], random_seed=1)
    result = delta_method(model, mle)
    # In s = sigma^2 and l = s + size tau^2 the likelihood of a balanced design is a product (Searle et al. 1992).
    within = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    s, l = within / (groups * (size - 1)), size * np.mean((y.mean(axis=1) - y.mean()) ** 2)
    bottom = l + (size - 1) * s
    slope = np.array([-size * l, size * s]) / bottom**2
    variance = np.array([2 * s**2 / (groups * (size - 1)), 2 * l**2 / groups])
    assert float(result.values["icc"]) == pytest.approx((l - s) / bottom, rel=1e-6)
    assert float(result.standard_error["icc"]) == pytest.approx(np.sqrt(slope**2 @ variance), rel=1e-5)
    with pytest.raises(ValueError, match="marginal"):
        delta_method(model, mle, error="sandwich")
    with pytest.raises(ValueError, match="marginal"):
        sandwich(model, mle)


def test_an_identified_combination_has_an_error_though_its_parts_have_none():
    y = RNG.normal(size=25)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Deterministic("total", a + b)
        pm.Deterministic("difference", a - b)
        pm.Normal("y", a + b, 1.0, observed=y)
    for error, exact in (("information", 0.2), ("sandwich", np.std(y) / 5)):
        result = delta_method(model, find_mle(model, random_seed=1), error=error)
        assert result.status == "not_identified"
        assert float(result.values["total"]) == pytest.approx(y.mean(), abs=1e-9)
        assert float(result.standard_error["total"]) == pytest.approx(exact, rel=1e-6)
        assert np.isnan(result.standard_error["difference"])
        assert result.warnings


def test_edges_infinities_and_what_is_not_in_the_likelihood():
    with pm.Model() as model:
        p, q = pm.Beta("p", 2, 2), pm.Beta("q", 2, 2)
        pm.Deterministic("odds", pm.math.stack([p / (1 - p), q / (1 - q), 1 / p]))
        pm.Binomial("x", 10, p, observed=0)
        pm.Binomial("y", 10, q, observed=5)
    result = delta_method(model, find_mle(model, random_seed=1))
    np.testing.assert_allclose(result.values["odds"], [0.0, 1.0, np.inf], atol=1e-9)
    np.testing.assert_allclose(result.standard_error["odds"], [np.nan, 4 * np.sqrt(0.025), np.nan], rtol=1e-6)
    centred = golden.eight_schools()
    with centred:
        pm.Deterministic("spread", 2 * centred["tau"] + 1)
        pm.Deterministic("first", 2 * centred["theta"][0])
    result = delta_method(centred, find_mle(centred, random_seed=1))
    assert np.isnan(result.values["spread"])
    assert float(result.standard_error["first"]) == pytest.approx(2 * 15.0)


def test_weights_are_counts():
    y, w = RNG.poisson(3.0, 15), RNG.integers(0, 4, 15)

    def build(values):
        with pm.Model() as model:
            rate = pm.Gamma("rate", 2, 1)
            pm.Deterministic("none", pm.math.exp(-rate))
            pm.Poisson("y", rate, observed=values)
        return model

    one, other = build(y), build(np.repeat(y, w))
    a, b = find_mle(one, weights=w, random_seed=1), find_mle(other, random_seed=1)
    for error in ("information", "sandwich"):
        errors = [float(delta_method(m, e, error=error).standard_error["none"]) for m, e in ((one, a), (other, b))]
        assert errors[0] == pytest.approx(errors[1], rel=1e-9)
    assert float(sandwich(one, a)["rate"]) == pytest.approx(float(sandwich(other, b)["rate"]), rel=1e-9)


def test_wrong_use_is_named(logit):
    model, mle, _, _ = logit
    for names in (["nothing"], [], ["step"]):
        with pytest.raises(ValueError, match="var_names"):
            delta_method(model, mle, var_names=names)
    with pytest.raises(ValueError, match="error must be"):
        delta_method(model, mle, error="robust")
    with pytest.raises(ValueError, match="pass one by find_mle"):
        delta_method(model, find_map(model, random_seed=1), error="sandwich")
    with pytest.raises(ValueError, match=r"no pm\.Deterministic"):
        delta_method(golden.separated(), find_mle(golden.separated(), random_seed=1))


def test_a_model_too_large_for_a_covariance_has_errors_of_deterministics_all_the_same(monkeypatch):
    monkeypatch.setattr(objective, "LARGE", 2)
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2, 1, shape=3)
        pm.Deterministic("total", rate.sum())
        pm.Poisson("y", rate[:, None], observed=[[1, 2], [3, 1], [2, 2]])
    mle = find_mle(model, random_seed=1)
    np.testing.assert_allclose(mle.standard_error["rate"], np.sqrt(np.array([1.5, 2.0, 2.0]) / 2), rtol=1e-6)
    total = delta_method(model, mle)
    assert float(total.standard_error["total"]) == pytest.approx(np.sqrt(5.5 / 2), rel=1e-6)
    for use in (sandwich, wald_interval, profile, bootstrap):
        with pytest.raises(ValueError, match="covariance"):
            use(model, estimate=mle)


@pytest.mark.slow
def test_coverage_of_the_interval_of_a_ratio():
    generator = np.random.default_rng(12)
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5)
        pm.Deterministic("variation", sigma / mu)
        pm.Normal("y", mu, sigma, observed=np.zeros(60))
    inside = {"information": 0, "sandwich": 0}
    for _ in range(300):
        mle = find_mle(model, data={"y": generator.normal(3.0, 1.0, 60)}, starts=1, random_seed=1)
        for error in inside:
            row = delta_method(model, mle, error=error).summary().loc["variation"]
            inside[error] += row["2.5%"] < 1 / 3 < row["97.5%"]
    for count in inside.values():
        assert stats.binomtest(count, 300, 0.95).pvalue > 1e-3


def test_at_an_edge_what_depends_on_other_parameters_too_keeps_its_error():
    """With an empty category two limits are equal: each is the logit of a share of the observations."""
    model = degenerate.build("empty_middle_category")
    estimate = find_mle(model, random_seed=1)
    result = delta_method(model, estimate, var_names=["cut"])
    share = np.array([0.4, 0.75, 0.75])
    np.testing.assert_allclose(result.standard_error["cut"], 1 / np.sqrt(20 * share * (1 - share)), rtol=1e-6)
    np.testing.assert_allclose(estimate.standard_error["cut"], result.standard_error["cut"], rtol=1e-9)


def test_constants_are_not_tested():
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2, 1)
        pm.Deterministic("constant", 3.0 + 0.0 * rate)
        angle = pm.Deterministic("angle", pm.math.sin(rate) ** 2 + pm.math.cos(rate) ** 2)
        pm.Deterministic("none", 0.0 * angle)
        pm.Poisson("y", rate, observed=[3, 1, 4])
    table = delta_method(model, find_mle(model, random_seed=1)).summary()
    assert table["se"].tolist() == [0.0, 0.0, 0.0]
    assert table[["z", "p"]].isna().all(axis=None)


@pytest.fixture(scope="module")
def lifetimes():
    t = np.array([3.0, 5.0, 6.5, 7.0, 9.0])
    with pm.Model() as model:
        shape, scale = pm.HalfNormal("shape", 3), pm.HalfNormal("scale", 10)
        pm.Deterministic("survival", pm.math.exp(-((np.array([2.0, 8.0, 11.0]) / scale) ** shape)))
        pm.Deterministic("median", scale * np.log(2.0) ** (1 / shape))
        pm.Deterministic("difference", scale - shape)
        pm.Weibull("t", shape, scale, observed=t)
    return model, find_mle(model, random_seed=1)


def test_intervals_of_quantities_with_a_range_stay_within_it(lifetimes):
    model, mle = lifetimes
    result = delta_method(model, mle)
    assert result.bounds.values.tolist() == [[0.0, 1.0]] * 3 + [[0.0, np.inf], [-np.inf, np.inf]]
    plain = delta_method(model, mle, transform="identity").interval()["survival"]
    assert float(plain.min()) < 0 or float(plain.max()) > 1
    ends = result.interval(ci_prob=0.9)
    survival, error = result.values["survival"], result.standard_error["survival"]
    quantile = stats.norm.ppf(0.95)
    # The interval of the logit by its own delta method.
    logit, width = np.log(survival / (1 - survival)), error / (survival * (1 - survival))
    for bound, sign in (("lower", -1), ("upper", 1)):
        expected = 1 / (1 + np.exp(-(logit + sign * quantile * width)))
        np.testing.assert_allclose(ends["survival"].sel(bound=bound), expected, rtol=1e-12)
    median = float(result.values["median"]) * np.exp(
        np.array([-1, 1]) * quantile * float(result.standard_error["median"] / result.values["median"])
    )
    np.testing.assert_allclose(ends["median"], median, rtol=1e-12)
    table = result.summary(ci_prob=0.9)
    np.testing.assert_array_equal(table.loc["median", ["5%", "95%"]], ends["median"])


def test_an_interval_does_not_depend_on_which_of_two_scales_is_asked_for(lifetimes):
    model, mle = lifetimes
    direct = delta_method(model, mle, var_names=["shape"]).interval()["shape"]
    np.testing.assert_allclose(direct, wald_interval(model, mle)["shape"], rtol=1e-9)


def test_transforms_by_name_and_what_is_refused(lifetimes):
    model, mle = lifetimes
    chosen = delta_method(model, mle, transform={"median": "identity"})
    assert np.isinf(chosen.bounds.sel(quantity="median")).all()
    assert chosen.bounds.sel(quantity="survival[0]").values.tolist() == [0.0, 1.0]
    for wrong in ("sqrt", {"mean": "log"}):
        with pytest.raises(ValueError, match="transform"):
            delta_method(model, mle, transform=wrong)
    with pytest.raises(ValueError, match="median"):
        delta_method(model, mle, transform="logit")


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e15])
def test_limits_of_quantities_in_any_unit(unit):
    with pm.Model() as model:
        b = pm.Normal("b")
        pm.Deterministic("rests", unit * (1 + pm.math.sigmoid(b)))
        pm.Deterministic("vanishes", unit * pm.math.sigmoid(-b))
        pm.Deterministic("grows", unit * b)
        pm.Normal("y", b, 1, observed=[0.0])
    wanted = quantities(model_functions(model), ["rests", "vanishes", "grows"])
    limit, _ = _limit(wanted, np.zeros(1), np.ones(1))
    np.testing.assert_allclose(limit, [2 * unit, 0.0, np.nan], rtol=1e-12)


@pytest.mark.parametrize(
    ("quantity", "limit", "constant"),
    [
        (lambda x, y: np.exp(-x), 0.0, True),
        # What is multiplied by 0 may be anything.
        (lambda x, y: np.exp(-x) * (2 + y), 0.0, True),
        (lambda x, y: 3 + np.exp(-x) + y, 3.25, False),
        (lambda x, y: np.tanh(x), 1.0, True),
        (lambda x, y: np.exp(x), np.inf, True),
        (lambda x, y: -np.exp(x), -np.inf, True),
        (lambda x, y: np.cos(x), np.nan, True),
    ],
)
@pytest.mark.parametrize("length", [1.0, 0.2])
def test_limits_of_quantities_and_which_of_them_have_no_error(quantity, limit, constant, length):
    wanted = SimpleNamespace(values=lambda z: np.array([quantity(*z)]))
    found = _limit(wanted, np.array([2.0, 0.25]), np.array([length, 0.0]))
    np.testing.assert_allclose(found[0], [limit])
    assert found[1].tolist() == [constant]
