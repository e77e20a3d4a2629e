"""Tables and figures of a study from a summary made by hand: every number in its cell, every error bar with its length."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats

from pp_mlekl.report import study_plots
from pp_mlekl.report.study_page import _coverage, _divergences, _estimates, _truth, write_study_index

SIZES, ESTIMATORS, PARAMETERS = [10, 100], ["mle", "map"], ["mu", "sigma"]
STATUSES = ["converged", "not_finite", "unconverged"]


def numbers(*shape, start=1.0):
    """Different numbers above 0."""
    return start + np.arange(np.prod(shape)).reshape(shape) / 100


@pytest.fixture
def tree():
    over, of_parameters = ("size", "estimator"), ("size", "estimator", "parameter")
    summary = {
        "kl": (over, numbers(2, 2)),
        "kl_mcse": (over, numbers(2, 2, start=0.11)),
        "kl_theory": ("size", np.array([1.5, 1.25])),
        "excess": (over, numbers(2, 2, start=0.5)),
        "exists": (over, np.array([[0.5, 1.0], [1.0, 1.0]])),
        "status_count": ((*over, "status"), np.arange(12).reshape(2, 2, 3)),
        "bias": (of_parameters, numbers(2, 2, 2, start=-0.3)),
        "bias_mcse": (of_parameters, numbers(2, 2, 2, start=0.11)),
        "rmse": (of_parameters, numbers(2, 2, 2, start=2.0)),
        "rmse_mcse": (of_parameters, numbers(2, 2, 2, start=0.21)),
        "coverage_naive": (
            of_parameters,
            np.where(np.arange(8).reshape(2, 2, 2) == 0, np.nan, numbers(2, 2, 2, start=0.9)),
        ),
    }
    coords = {"size": SIZES, "estimator": ESTIMATORS, "parameter": PARAMETERS, "status": STATUSES}
    found = xr.DataTree.from_dict(
        {"summary": xr.Dataset(summary, coords=coords), "pseudo_true": xr.Dataset({"trace": 3.0})}
    )
    found.attrs.update(ci_prob=0.95, n_replicates=40)
    return found


def test_divergences_and_statuses(tree):
    table = _divergences(tree)
    assert table.header == ("estimator", "n", "mean KL", "theory", "not finite", "unconverged")
    assert table.rows[0] == ("MLE", "10", "1.00 ± 0.11", "1.50", "1", "2")
    assert table.rows[1][:3] == ("MLE", "100", "1.02 ± 0.13")
    assert table.rows[2] == ("MAP", "10", "1.01 ± 0.12", "1.50", "4", "5")


def test_biases_and_coverages(tree):
    assert _estimates(tree).rows[4] == ("sigma", "MLE", "10", "−0.29 ± 0.12", "2.01 ± 0.22")
    assert _estimates(tree).rows[-1] == ("sigma", "MAP", "100", "−0.23 ± 0.18", "2.07 ± 0.28")
    table = _coverage(tree)
    assert table.header == ("parameter", "estimator", "n", "Wald")
    assert [row[3] for row in table.rows] == [
        "\N{EN DASH}",
        "0.940",
        "0.920",
        "0.960",
        "0.910",
        "0.950",
        "0.930",
        "0.970",
    ]


def test_an_index_counts_data_sets_without_a_maximum(tree, tmp_path):
    text = write_study_index({"S": ("s.html", tree)}, tmp_path / "index.html").read_text(encoding="utf-8")
    assert "20 data sets without a regular maximum" in text
    assert "40 data sets of each of 2 sizes" in text


def test_a_truth_is_shown_without_marks_of_python():
    assert _truth("{'a': array([1., 2.]), 'b': 3}") == "a = [1, 2], b = 3"
    assert _truth("{'a': -1.0, 'b': array([ 1.2, -0.3, 1. ])}") == "a = −1.0, b = [1.2, −0.3, 1]"
    assert _truth("Gamma(2, 1)") == "Gamma(2, 1)"


def drawn(draws):
    """The axes of each panel."""
    found = []
    for draw in draws:
        axis = Figure().subplots()
        draw(axis)
        found.append(axis)
    return found


def bars(axis):
    """Of each line with error bars: its label, its heights, and the ends of its bars."""
    found = {}
    for container in axis.containers:
        line, _, (collection,) = container.lines
        ends = [s[:, 1] if len(s) else [np.nan] * 2 for s in collection.get_segments()]
        found[container.get_label()] = np.asarray(line.get_ydata(), dtype=float), np.asarray(ends, dtype=float)
    return found


@pytest.mark.parametrize(("what", "line"), [("bias", 0.0), ("rmse", None)])
def test_panels_of_parameters(tree, what, line):
    summary = tree["summary"].to_dataset()
    axes = drawn(study_plots._of_parameters(tree, what, what, line))
    assert [axis.get_title() for axis in axes] == PARAMETERS
    for axis, parameter in zip(axes, PARAMETERS, strict=True):
        for estimator, (heights, ends) in bars(axis).items():
            one = summary.sel(estimator=estimator, parameter=parameter)
            np.testing.assert_array_equal(heights, one[what])
            np.testing.assert_allclose(
                ends, one[what].values[:, None] + 2 * one[f"{what}_mcse"].values[:, None] * [-1, 1]
            )
        assert axis.get_yscale() == ("linear" if what == "bias" else "log")
        assert (0.0 in [line.get_ydata()[0] for line in axis.get_lines()]) == (line == 0.0)
        assert list(axis.get_xticks()) == SIZES


def test_coverages_have_wilson_intervals(tree):
    first, second = drawn(study_plots._coverage(tree))
    shares, ends = bars(second)["Wald"]
    np.testing.assert_allclose(shares, [0.91, 0.95])
    for (low, high), share, count in zip(ends, shares, (20, 40), strict=True):
        expected = stats.binomtest(round(share * count), count).proportion_ci(0.95, method="wilson")
        np.testing.assert_allclose([low, high], [expected.low, expected.high])
    assert np.isnan(bars(first)["Wald"][0][0])
    assert any(set(line.get_ydata()) == {0.95} for line in first.get_lines())


def test_excess_times_n_against_half_the_trace(tree):
    (axis,) = drawn(study_plots._excess(tree))
    heights, ends = bars(axis)["map"]
    excess, error = np.array([0.51, 0.53]) * SIZES, np.array([0.12, 0.14]) * SIZES
    np.testing.assert_allclose(heights, excess)
    np.testing.assert_allclose(ends, excess[:, None] + 2 * error[:, None] * [-1, 1])
    assert any(set(line.get_ydata()) == {1.5} for line in axis.get_lines())


def test_shares_without_a_fit(tree):
    (axis,) = drawn(study_plots._missing(tree))
    assert [list(line.get_ydata()) for line in axis.get_lines()] == [[0.5, 0.0], [0.0, 0.0]]
    whole = tree.copy()
    whole["summary"] = tree["summary"].to_dataset().assign(exists=1.0 + 0 * tree["summary/exists"])
    assert drawn(study_plots._missing(whole)) == []


def test_quantiles_against_the_normal():
    scores = np.random.default_rng(1).exponential(size=500)
    (axis,) = drawn([study_plots._quantile_panel("mu", scores)])
    diagonal, dots = axis.get_lines()
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_allclose(dots.get_ydata(), np.quantile(scores, stats.norm.cdf(dots.get_xdata())))


@pytest.mark.parametrize(("count", "shown"), [(3, 3), (5, 5), (9, 5)])
def test_at_most_five_sizes_are_labelled(count, shown):
    axis = Figure().subplots()
    sizes = 10 * 2 ** np.arange(count)
    study_plots._over_sizes(axis, sizes, "t", False)
    ticks = axis.get_xticks()
    assert (len(ticks), ticks[0], ticks[-1]) == (shown, sizes[0], sizes[-1])
