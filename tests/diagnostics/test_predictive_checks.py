"""Posterior predictive checks: what they find, what they leave alone, and how often by chance."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from pp_mlekl.diagnostics.predictive_checks import about_checks, no_checks, predictive_checks

N, DRAWS = 100, (2, 400)


def tree(data, draws, coords=None):
    groups = {
        "observed_data": xr.Dataset({"y": ("row", data)}, coords=coords),
        "posterior_predictive": xr.Dataset({"y": (("chain", "draw", "row"), draws)}, coords=coords),
    }
    return xr.DataTree.from_dict(groups)


def failed(table):
    return set(table.loc[table["p_adjusted"] < 0.02, "check"])


@pytest.fixture
def generator():
    return np.random.default_rng(5)


def test_the_p_value_is_twice_the_smaller_tail(generator):
    data, draws = generator.normal(size=N), generator.normal(size=(*DRAWS, N))
    row = predictive_checks(tree(data, draws)).set_index("check").loc["maximum"]
    replicated = draws.max(axis=-1).ravel()
    tail = min(np.sum(replicated >= data.max()), np.sum(replicated <= data.max()))
    assert row["p"] == pytest.approx(min(1, 2 * (tail + 1) / (replicated.size + 1)))
    assert row["data"] == data.max()
    np.testing.assert_allclose(row[["low", "high"]].astype(float), np.quantile(replicated, [0.025, 0.975]))


def test_skewed_data_with_a_bound(generator):
    table = predictive_checks(tree(generator.exponential(size=N), generator.normal(1, 1, size=(*DRAWS, N))))
    assert failed(table) == {"skewness", "minimum"}
    (found,) = about_checks(table)
    assert found.level == "caution"


def test_spread_that_grows_with_the_fit(generator):
    fit = np.linspace(0, 10, N)
    sizes = np.sqrt(np.mean((0.5 + 0.5 * fit) ** 2))
    data = fit + (0.5 + 0.5 * fit) * stats.norm.ppf((generator.permutation(N) + 0.5) / N)
    draws = fit + sizes * generator.normal(size=(*DRAWS, N))
    assert "residual spread against the fit" in failed(predictive_checks(tree(data, draws)))
    even = fit + sizes * stats.norm.ppf((generator.permutation(N) + 0.5) / N)
    assert "residual spread against the fit" not in failed(predictive_checks(tree(even, draws)))


def test_overdispersed_counts(generator):
    data = generator.negative_binomial(1, 0.25, size=N)
    table = predictive_checks(tree(data, generator.poisson(3, size=(*DRAWS, N))))
    assert {"mean squared residual", "fraction of zeros"} <= failed(table)


def test_categories_are_compared_by_their_frequencies(generator):
    """No statistic depends on the numbers that stand for the categories."""
    draws, names = generator.choice(4, p=[0.4, 0.3, 0.2, 0.1], size=(*DRAWS, N)), np.array([7, 0, 2, 5])
    alike, other = np.repeat(np.arange(4), [40, 30, 20, 10]), np.repeat(np.arange(5), [20, 30, 30, 19, 1])
    assert failed(predictive_checks(tree(other, draws), ["y"])) == {"frequencies of categories"}
    table = predictive_checks(tree(alike, draws), ["y"])
    assert table["p"].item() > 0.9
    pd.testing.assert_frame_equal(predictive_checks(tree(names[alike], names[draws]), ["y"]), table)


def test_autocorrelation_needs_an_order(generator):
    noise = generator.normal(size=N)
    data = np.array([noise[max(0, i - 4) : i + 1].sum() for i in range(N)])
    draws = data.std() * generator.normal(size=(*DRAWS, N))
    name = "autocorrelation of residuals"
    assert name in failed(predictive_checks(tree(data, draws, {"row": np.arange(1900, 1900 + N)})))
    assert name in failed(predictive_checks(tree(data, draws, {"row": pd.date_range("2000-01-01", periods=N)})))
    for labels in (np.arange(N), [f"r{i}" for i in range(N)], np.arange(N)[::-1]):
        assert name not in set(predictive_checks(tree(data, draws, {"row": labels}))["check"])


def test_calibration_curve_of_binary_data(generator):
    true = np.linspace(0.02, 0.98, 400)
    data = (generator.uniform(size=400) < true).astype(int)
    right = (generator.uniform(size=(2, 200, 400)) < true).astype(int)
    flat = (generator.uniform(size=(2, 200, 400)) < 0.5 + 0.3 * (true - 0.5)).astype(int)
    assert predictive_checks(tree(data, right))["check"].tolist() == ["calibration curve"]
    assert failed(predictive_checks(tree(data, right))) == set()
    assert failed(predictive_checks(tree(data, flat))) == {"calibration curve"}


@pytest.mark.parametrize("kind", ["normal", "poisson", "binary"])
def test_right_models_rarely_fail(kind):
    """p values of single checks are at most uniform, and adjusted ones are below .05 in at most 5% of data sets."""
    smallest = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        mean = np.linspace(1, 4, 40)
        draw = {
            "normal": lambda size, m=mean, g=generator: g.normal(m, 1, size=size),
            "poisson": lambda size, m=mean, g=generator: g.poisson(m, size=size),
            "binary": lambda size, m=mean, g=generator: (g.uniform(size=size) < m / 5).astype(int),
        }[kind]
        smallest.append(predictive_checks(tree(draw(40), draw((2, 100, 40))))["p_adjusted"].min())
    # 40 data sets: more than 6 below .05 has probability .003 if each has 5%.
    assert np.sum(np.array(smallest) < 0.05) <= 6


def test_checks_that_do_not_apply_are_left_out(generator):
    data, draws = generator.normal(size=N), generator.normal(size=(*DRAWS, N))
    vectors = tree(data, draws)
    vectors["log_likelihood"] = xr.DataTree(xr.Dataset({"y": (("chain", "draw"), np.zeros(DRAWS))}))
    assert len(predictive_checks(vectors)) == 0
    assert len(predictive_checks(tree(np.where(data > 1, np.nan, data), draws))) == 0
    assert len(predictive_checks(xr.DataTree())) == 0
    constant = predictive_checks(tree(np.ones(N), np.ones((*DRAWS, N))))
    assert failed(constant) == set()


def lag_one(residuals):
    centred = residuals - residuals.mean()
    return np.sum(centred[1:] * centred[:-1]) / np.sum(centred**2)


def improvement_by_calibration(values, fit):
    curve = IsotonicRegression().fit_transform(np.argsort(np.argsort(fit, kind="stable")), values)
    return np.mean((values - fit) ** 2) - np.mean((values - curve) ** 2)


STATISTICS = {
    "skewness": lambda values, fit: stats.skew(values),
    "minimum": lambda values, fit: min(values),
    "maximum": lambda values, fit: max(values),
    "mean squared residual": lambda values, fit: np.mean((values - fit) ** 2),
    "fraction of zeros": lambda values, fit: np.mean(values == 0),
    "residual spread against the fit": lambda values, fit: stats.pearsonr(abs(values - fit), stats.rankdata(fit))[0],
    "autocorrelation of residuals": lambda values, fit: lag_one(values - fit),
    "calibration curve": improvement_by_calibration,
}


@pytest.mark.parametrize("binary", [False, True])
def test_each_statistic_of_data_and_replications_is_the_one_that_its_name_says(generator, binary):
    mean = np.linspace(0.2, 0.9, 40) if binary else np.linspace(0.5, 4.0, 40)
    drawn = generator.binomial(1, mean, size=(2, 40, 40)) if binary else generator.poisson(mean, size=(2, 40, 40))
    data = generator.binomial(1, mean) if binary else generator.poisson(mean)
    table = predictive_checks(tree(data, drawn, {"row": 0.5 * np.arange(40)})).set_index("check")
    only_binary = {"calibration curve", "autocorrelation of residuals"}
    assert set(table.index) == (only_binary if binary else set(STATISTICS) - {"calibration curve"})
    fit, draws = drawn.mean(axis=(0, 1)), drawn.reshape(-1, 40)
    for name, row in table.iterrows():
        replicated = np.array([STATISTICS[name](values, fit) for values in draws])
        assert row["data"] == pytest.approx(STATISTICS[name](data, fit))
        np.testing.assert_allclose(row[["low", "high"]].astype(float), np.quantile(replicated, [0.025, 0.975]))
        above, below = ((np.sum(which) + 1) / 81 for which in (replicated >= row["data"], replicated <= row["data"]))
        assert row["p"] == pytest.approx(
            above if name == "calibration curve" else min(1.0, 2 * min(above, below)), abs=0.02
        )


def checks_table(*rows):
    return pd.DataFrame(rows, columns=["observed", "check", "data", "low", "high", "p", "p_adjusted"])


@pytest.mark.parametrize(("p", "level"), [(0.0099, "caution"), (0.01, "ok")])
def test_a_check_fails_below_one_in_a_hundred(p, level):
    (found,) = about_checks(checks_table(["y", "maximum", 1.23456, 2.34567, 34.5678, 0.001, p]))
    assert (found.level, found.topic, found.judged) == (level, "predictive checks", True)
    says = {
        "caution": "y: replicated data differ from the data in maximum 1.23 against 2.35 to 34.6 (p = .010).",
        "ok": "y: replicated data resemble the data (1 statistic compared, smallest p = .010).",
    }
    assert found.text == says[level]


def test_findings_have_the_order_of_the_variables_and_name_each_check_that_fails():
    rows = [["z", "minimum", 1.0, 2.0, 3.0, 0.0, 0.001], ["z", "skewness", 1.0, 2.0, 3.0, 0.5, 0.5]]
    rows += [["z", "maximum", 4.0, 2.0, 3.0, 0.0, 0.0001], ["a", "minimum", 1.0, 0.0, 3.0, 0.5, 0.4]]
    rows += [["a", "maximum", 1.0, 0.0, 3.0, 0.5, np.nan], ["b", "maximum", 1.0, np.nan, np.nan, np.nan, np.nan]]
    first, second = about_checks(checks_table(*rows))
    assert first.text == (
        "z: replicated data differ from the data in minimum 1 against 2 to 3 (p = .001); maximum 4 against 2 to 3 (p < .001)."
    )
    assert second.text == "a: replicated data resemble the data (1 statistic compared, smallest p = .40)."


@pytest.mark.parametrize(("size", "number"), [(2, 0), (3, 4)])
def test_three_numbers_can_be_checked(generator, size, number):
    data, draws = generator.normal(size=size), generator.normal(size=(*DRAWS, size))
    assert len(predictive_checks(tree(data, draws))) == number
    with_terms = tree(data, draws)
    with_terms["log_likelihood"] = xr.DataTree(xr.Dataset({"y": (("chain", "draw", "row"), draws)}))
    assert len(predictive_checks(with_terms)) == number


@pytest.mark.parametrize(("zeros", "kind", "counted"), [(1, int, True), (0, int, False), (1, float, False)])
def test_zeros_are_counted_in_counts_that_have_some(zeros, kind, counted):
    data = np.array([3, 1, 2, 5, 4, 2])
    data[:zeros] = 0
    table = predictive_checks(tree(data.astype(kind), np.tile(data, (1, 3, 1))))
    assert ("fraction of zeros" in set(table["check"])) == counted


def test_the_distance_of_frequencies_is_pearsons():
    """Mean frequencies of the replicated data are 2, 1, 1/2 and 1/2; the category 9 counts as one that was drawn once."""
    draws = np.array([[[0, 0, 1, 2], [0, 0, 1, 3]]])
    table = predictive_checks(tree(np.array([0, 1, 1, 9]), draws), ["y"])
    (row,) = table.to_dict("records")
    expected = np.array([2, 1, 1 / 2, 1 / 2, 1 / 2])
    distances = [np.sum((np.array(o) - expected) ** 2 / expected) for o in ([1, 2, 0, 0, 1], [2, 1, 1, 0, 0])]
    assert row["check"] == "frequencies of categories"
    assert row["data"] == pytest.approx(distances[0])
    assert (row["low"], row["high"]) == pytest.approx((distances[1],) * 2)
    assert row["p"] == row["p_adjusted"] == pytest.approx(1 / 3)


def test_two_categories_are_no_frequencies_and_names_of_others_do_not_count(generator):
    draws = generator.integers(0, 2, size=(2, 20, 6))
    assert "frequencies of categories" not in set(
        predictive_checks(tree(np.array([0, 1, 1, 0, 1, 0]), draws), ["y"])["check"]
    )
    assert "minimum" in set(predictive_checks(tree(np.arange(6), draws), ["z"])["check"])


def test_a_statistic_that_is_no_number_has_no_p_value():
    """Of constant data the skewness; of replications those that are constant are left out."""
    data = np.array([1.0, 2.0, 4.0])
    draws = np.array([[[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]])
    row = predictive_checks(tree(data, draws)).set_index("check").loc["skewness"]
    # Of two finite skewnesses, 1 / sqrt 2 and its negative, one is at least that of the data, .381.
    assert row["p"] == pytest.approx(1.0)
    assert (row["low"], row["high"]) == pytest.approx((-0.95 / np.sqrt(2), 0.95 / np.sqrt(2)))
    constant = predictive_checks(tree(np.ones(3), draws)).set_index("check").loc["skewness"]
    assert np.isnan(constant[["data", "low", "high", "p"]].astype(float)).all()
    none = predictive_checks(tree(data, np.ones((1, 3, 3)))).set_index("check").loc["skewness"]
    assert np.isfinite(none["data"])
    assert np.isnan(none[["low", "high", "p"]].astype(float)).all()


@pytest.mark.parametrize(("spread", "varies"), [(3.4, True), (2.9, False)])
def test_the_fit_varies_where_its_variance_is_ten_times_its_monte_carlo_variance(spread, varies):
    """Means of rows with unit variance lie ``spread`` / 10 on either side of 0."""
    draws = np.array([1.0, -1.0] * 50)[None, :, None] + np.array([-1.0, 1.0, -1.0, 1.0]) * spread / 10
    # 100 draws: the Monte Carlo variance of a mean is .01, and the variance of the means is spread² / 100.
    table = predictive_checks(tree(np.array([0.1, 0.7, -0.3, 1.0]), draws))
    assert ("residual spread against the fit" in set(table["check"])) == varies


def test_labels_that_are_not_increasing_or_have_no_order(generator):
    data, draws = generator.normal(size=3), generator.normal(size=(2, 20, 3))
    name = "autocorrelation of residuals"

    def checked(labels):
        return name in set(predictive_checks(tree(data, draws, {"row": labels}))["check"])

    assert checked([1, 2, 3])
    assert checked([0.5, 0.7, 9.0])
    assert checked(np.array([1, 2, 3], dtype="uint8"))
    assert not checked([1, 1, 3])
    assert not checked([1, 3, 2])
    assert not checked([0, 1, 2])
    assert not checked([False, True, True])
    assert name not in set(predictive_checks(tree(data, draws))["check"])


def test_a_table_without_rows_has_the_columns_of_one_with_rows():
    table = predictive_checks(tree(np.arange(3.0), np.zeros((1, 4, 3))))
    assert list(no_checks().columns) == list(table.columns) == list(predictive_checks(xr.DataTree()).columns)
    assert len(no_checks()) == 0
