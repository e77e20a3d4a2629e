"""Looks of the plots: colours, lines, markers, scales, limits and sizes of what is drawn, from data made by hand."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy import stats

from pp_mlekl.report import plots, proof_plots, study_plots
from pp_mlekl.report.calibration_page import coverage_table, plot_ranks
from pp_mlekl.report.figures import INK, PALETTE, STYLE, colour_key, panels, whole
from pp_mlekl.report.pair_plot import kept_draws, pair_plot
from pp_mlekl.report.proof_plots import BLUE, GREEN, ORANGE, densities_svg, figure
from pp_mlekl.report.style import styled
from pp_mlekl.theorem.proof_result import Step

THETA, N = np.linspace(-1, 1, 11), np.array([10, 100, 1000])


def looks(axis):
    """Colour, line and marker of each line with a label, in the order of drawing."""
    return [
        (line.get_label(), to_hex(line.get_color()), line.get_linestyle(), str(line.get_marker()))
        for line in axis.get_lines()
        if not line.get_label().startswith("_")
    ]


def areas(axis):
    """Colour, opacity and width of the edge of each filled area."""
    return [(to_hex(c.get_facecolor()[0]), c.get_alpha(), float(c.get_linewidth()[0])) for c in axis.collections]


def words(axis):
    return axis.get_title(), axis.get_xlabel(), axis.get_ylabel()


def scales(axis):
    return axis.get_xscale(), axis.get_yscale()


def step(number, data, coords, **attributes):
    return Step(number=number, title="", claim="", checks=(), data=xr.Dataset(data, coords=coords, attrs=attributes))


def over(dim, count, factor=1.0):
    return dim, factor * (1.0 + np.arange(count)) / count


ATTRIBUTES = {"entropy": 1.23456, "parameter": "m$u", "pseudo_true": 0.3, "mle": 0.4, "what": "KL$"}
CURVES = {name: over("theta", 11) for name in ("kl", "cross_entropy", "expected_log_likelihood", "objective")}


def test_colours_are_the_first_of_the_palette():
    assert [BLUE, ORANGE, GREEN] == list(PALETTE)[:3] == ["#3a6ea5", "#c05621", "#1b7f5c"]


def test_curves_of_divergence_and_cross_entropy():
    fig = figure(step(1, CURVES, {"theta": THETA}, **ATTRIBUTES))
    (axis,) = fig.axes
    assert looks(axis) == [
        ("cross-entropy H(p, q)", ORANGE, "-", "None"), ("KL(p ‖ q)", BLUE, "-", "None"), ("H(p) = 1.235", GREEN, "-", "None"),
    ]  # fmt: skip
    assert words(axis) == ("", r"m\$u", "nats per observation")
    assert axis.get_legend() is not None
    assert fig.get_size_inches().tolist() == [6.2, 3.2]
    arrows = [a.arrowprops for a in axis.texts]
    assert arrows == [{"arrowstyle": "<->", "color": GREEN}] * 5
    assert fig._repr_png_().startswith(b"\x89PNG")


def test_both_minimisers():
    fig = figure(step(2, CURVES, {"theta": THETA}, **ATTRIBUTES))
    left, right = fig.axes
    assert [to_hex(line.get_color()) for line in left.get_lines()] == [BLUE, GREEN]
    assert [to_hex(line.get_color()) for line in right.get_lines()] == [ORANGE, GREEN]
    assert {axis.get_lines()[1].get_linestyle() for axis in (left, right)} == {"--"}
    assert words(left) == ("KL(p ‖ q): minimum at θ*", r"m\$u", "nats")
    assert words(right) == ("E[log q]: maximum at θ*", r"m\$u", "nats")
    assert fig.get_size_inches().tolist() == [8.8, 3.1]


BY_N = {
    name: over("n", 3, 0.1 * k)
    for k, name in enumerate(
        ("supremum_low", "supremum", "supremum_high", "rms", "theory", "bound", "frequency", "exact"), 1
    )
}


def test_errors_against_n():
    (axis,) = figure(step(3, BY_N, {"n": N})).axes
    assert looks(axis) == [
        ("largest error over parameters (5-95 %)", ORANGE, "-", "o"), ("typical error at one parameter", BLUE, "None", "s"),
        ("theory: sd / √n", BLUE, "-", "None"),
    ]  # fmt: skip
    assert areas(axis) == [(ORANGE + "", 0.25, 0.0)]
    assert words(axis) == ("", "observations n", "error of the mean log-likelihood")
    assert scales(axis) == ("log", "log")


def test_probabilities_of_large_deviations():
    data = BY_N | {
        "probability": ("k", [0.5, 1.1e-5, 0.9e-5]),
        "bound": ("n", [3.0, 0.5, 0.1]),
        "frequency": ("n", [0.2, 0.1, 0.0]),
    }
    data |= {"exact": ("n", [0.1, 1.1e-5, 0.9e-5])}
    left, right = figure(step(4, data, {"n": N, "k": [1.0, 2.0, 3.0]})).axes
    assert looks(left) == [("bound 1 / k²", ORANGE, "-", "None"), ("one observation, exact", BLUE, "None", "o")]
    k, _ = left.get_lines()[0].get_data()
    assert (k[0], k[-1], len(k)) == (1, 6, 200)
    assert np.isnan(left.get_lines()[1].get_ydata()).tolist() == [False, False, True]
    assert looks(right) == [
        ("bound, mean log-likelihood", ORANGE, "-", "None"), ("simulated", BLUE, "None", "o"), ("exact, mean of the data", GREEN, "-", "s"),
    ]  # fmt: skip
    assert right.get_lines()[0].get_ydata().tolist() == [1.0, 0.5, 0.1]
    assert np.isnan(right.get_lines()[1].get_ydata()).tolist() == [False, False, True]
    assert np.isnan(right.get_lines()[2].get_ydata()).tolist() == [False, False, True]
    assert right.get_ylim() == (1e-5, 2.0)
    assert (scales(left), scales(right)) == (("linear", "log"), ("log", "log"))
    assert words(left) == ("One observation", "k standard deviations", "probability")
    assert words(right) == ("The mean of n", "observations n", "probability")
    # Without one of them the panel is empty, and a curve that is not known is not drawn.
    without = {name: v for name, v in data.items() if name not in ("probability", "exact")}
    left, right = figure(step(4, without, {"n": N})).axes
    assert not left.axison
    assert len(right.get_lines()) == 2


def test_the_limit_law():
    data = {
        "excess": over("n", 3),
        "excess_error": over("n", 3, 0.1),
        "theory": over("n", 3),
        "scaled": ("replicate", [3.0, 1.0]),
    }
    data |= {"limit_cdf": over("x", 5)}
    left, right = figure(step(5, data, {"n": N, "x": np.arange(5.0)}, last=1000)).axes
    (bars,) = left.containers
    line = bars.lines[0]
    assert (to_hex(line.get_color()), line.get_marker(), bars.get_label()) == (BLUE, "o", "simulated")
    assert looks(left) == [("trace / 2n", ORANGE, "-", "None")]
    assert looks(right) == [("n = 1000", BLUE, "-", "None"), ("half a weighted chi-squared", ORANGE, "-", "None")]
    assert right.get_lines()[0].get_drawstyle() == "steps-pre"
    assert (scales(left), scales(right)) == (("log", "log"), ("linear", "linear"))
    assert words(left) == ("Excess KL of the MLE", "observations n", "nats per observation")
    assert words(right) == ("Distribution of n × excess KL", "n × excess KL", "cumulative probability")
    empty = data | {"scaled": ("replicate", [])}
    assert len(figure(step(5, empty, {"n": N, "x": np.arange(5.0)}, last=0)).axes[1].get_lines()) == 1


def test_data_and_directions():
    (axis,) = figure(step(6, CURVES, {"theta": THETA}, **ATTRIBUTES)).axes
    assert to_hex(axis.get_lines()[0].get_color()) == BLUE
    assert looks(axis) == [("maximum likelihood estimate", GREEN, "--", "None")]
    assert words(axis) == (r"KL\$", r"m\$u", "nats per observation")
    data = {name: over("x", 4) for name in ("truth", "covering", "seeking")}
    data |= {"kl": ("shift", [0.0, np.inf]), "jsd": ("shift", [0.0, 0.5]), "wasserstein": ("shift", [0.0, 3.0])}
    left, right = figure(step(7, data, {"x": np.arange(4.0), "shift": [0.0, 3.0]})).axes
    assert areas(left) == [(BLUE, 0.25, 0.0)]
    assert looks(left) == [
        ("min KL(true ‖ normal): covers both", ORANGE, "-", "None"), ("min KL(normal ‖ true): covers one", GREEN, "-", "None"),
    ]  # fmt: skip
    assert (left.get_ylim(), words(left)) == ((0, 0.66), ("", "y", "density"))
    assert looks(right) == [
        ("Wasserstein", GREEN, "-", "None"), ("Jensen-Shannon", BLUE, "-", "None"), ("KL (infinite after 0)", ORANGE, "None", "o"),
    ]  # fmt: skip
    dotted = right.get_lines()[3]
    assert (to_hex(dotted.get_color()), dotted.get_linestyle(), dotted.get_linewidth()) == (BLUE, ":", 1)
    assert words(right) == ("Two uniform densities", "shift of the second uniform", "nats, or distance")


def drawn_densities(monkeypatch, count, discrete):
    seen = []
    monkeypatch.setattr(proof_plots, "whole", lambda fig, prefix, label: (seen.append(fig), f"{prefix}: {label}")[1])
    y = np.arange(float(count))
    data = xr.Dataset(
        {"truth": ("y", y + 1), "fitted": ("y", 2 * y + 1)},
        coords={"y": y},
        attrs={"variable": "y$", "discrete": discrete},
    )
    assert densities_svg(data, "what") == "d: what"
    return seen[0], seen[0].axes[0]


@pytest.mark.parametrize(("count", "each"), [(12, True), (13, False)])
def test_probabilities_are_bars_beside_each_other(monkeypatch, count, each):
    fig, axis = drawn_densities(monkeypatch, count, 1)
    assert fig.get_size_inches().tolist() == [5.6, 3.0]
    first, second = axis.containers
    assert (first.get_label(), second.get_label()) == ("truth p", "model at θ*, q")
    for bars, centre, colour in ((first, -0.2, BLUE), (second, 0.2, ORANGE)):
        box = bars.patches[1]
        assert box.get_width() == pytest.approx(0.4)
        assert box.get_x() + box.get_width() / 2 == pytest.approx(1 + centre)
        assert to_hex(box.get_facecolor()) == colour
    assert (list(axis.get_xticks()) == list(range(count))) == each
    assert axis.get_ylim() == (0, pytest.approx(1.3 * (2 * count - 1)))
    assert words(axis) == ("", r"y\$", "probability")


def test_densities_are_an_area_and_a_line(monkeypatch):
    _, axis = drawn_densities(monkeypatch, 5, 0)
    assert areas(axis) == [(BLUE, 0.25, 0.0)]
    assert looks(axis) == [("model at θ*, q", ORANGE, "-", "None")]
    assert words(axis) == ("", r"y\$", "density")
    assert densities_svg(xr.Dataset(), "") == ""


def test_panels_of_a_step_are_separate_elements():
    both = proof_plots.panels(step(2, CURVES, {"theta": THETA}, **ATTRIBUTES), "What.")
    assert len(both) == 2
    assert 'aria-label="What. KL(p ‖ q): minimum at θ*."' in both[0]
    one = proof_plots.panels(step(1, CURVES, {"theta": THETA}, **ATTRIBUTES), "What.")
    assert len(one) == 1
    assert 'aria-label="What."' in one[0]
    assert 'id="s1p0-' in one[0]
    assert proof_plots.panels(step(2, {}, {}), "What.") == []
    without = {name: BY_N[name] for name in ("bound", "frequency")}
    assert len(proof_plots.panels(step(4, without, {"n": N}), "What.")) == 1


# Studies.


def study_tree(sizes=(10, 100), **changed):
    dims = ("size", "estimator", "parameter")
    shape = (len(sizes), 2, 1)
    summary = {
        name: (dims, np.full(shape, 0.5)) for name in ("bias", "bias_mcse", "rmse", "rmse_mcse", "coverage_naive")
    }
    summary |= {"excess": (dims[:2], np.full(shape[:2], 0.5)), "kl_mcse": (dims[:2], np.full(shape[:2], 0.1))}
    summary |= {"exists": (dims[:2], np.full(shape[:2], 0.5))}
    coords = {"size": list(sizes), "estimator": ["mle", "map"], "parameter": ["a$"]}
    tree = xr.DataTree.from_dict(
        {"summary": xr.Dataset(summary | changed, coords=coords), "pseudo_true": xr.Dataset({"trace": 3.0})}
    )
    tree.attrs.update(ci_prob=0.9, n_replicates=20)
    return tree


def one_axis(draws):
    (draw,) = draws
    axis = Figure().subplots()
    draw(axis)
    return axis


def grey_lines(axis):
    return [(line.get_color(), line.get_linewidth()) for line in axis.get_lines() if line.get_color() == "0.6"]


def test_error_bars_of_a_study():
    for what, label, line in (("bias", "bias", 0.0), ("rmse", "RMSE", None)):
        axis = one_axis(study_plots._of_parameters(study_tree(), what, label, line))
        assert [c.get_label() for c in axis.containers] == ["mle", "map"]
        drawn = axis.containers[0].lines[0]
        assert (drawn.get_marker(), drawn.get_markersize(), drawn.get_linewidth()) == ("o", 3, 1.2)
        assert axis.containers[0].lines[1][0].get_markersize() == 4
        assert grey_lines(axis) == ([("0.6", 0.8)] if line is not None else [])
        assert words(axis) == (r"a\$", "n", label)
        assert axis.get_xscale() == "log"
    negative = study_tree(rmse=(("size", "estimator", "parameter"), np.array([0.0, 1.0] * 2).reshape(2, 2, 1)))
    assert one_axis(study_plots._of_parameters(negative, "rmse", "RMSE", None)).get_yscale() == "linear"


def test_coverage_of_a_study():
    axis = one_axis(study_plots._coverage(study_tree()))
    assert [c.get_label() for c in axis.containers] == ["Wald"]
    assert grey_lines(axis) == [("0.6", 0.8)]
    assert words(axis) == (r"a\$", "n", "coverage")
    without = study_tree()
    without["summary"] = without["summary"].to_dataset().drop_vars("coverage_naive")
    assert list(study_plots._coverage(without)) == []
    others = study_tree()
    others["summary"] = others["summary"].to_dataset().sel(estimator=["map"])
    assert list(study_plots._coverage(others)) == []
    credible = others["summary"].to_dataset().rename(coverage_naive="coverage_credible")
    assert study_plots.mle_intervals(credible) == []


def ends_of_bars(axis):
    """Lower and upper ends of the first error bars."""
    return np.array([segment[:, 1].astype(float) for segment in axis.containers[0].lines[2][0].get_segments()]).T


def test_bars_of_coverage_are_wilsons_intervals():
    """Of 20 data sets an estimate exists for half: 5 of 10 have 0.2366 to 0.7634."""
    low, high = ends_of_bars(one_axis(study_plots._coverage(study_tree())))
    z, n = stats.norm.ppf(0.975), 10
    centre, half = 0.5, z * np.sqrt(n * 0.25 + z**2 / 4) / (n + z**2)
    np.testing.assert_allclose([low, high], [[centre - half] * 2, [centre + half] * 2], rtol=1e-12)
    dims = ("size", "estimator")
    few = study_tree(
        exists=(dims, np.array([[0.0, 1.0], [1.0, 1.0]])),
        coverage_naive=((*dims, "parameter"), np.array([0.5, 0.5, np.nan, 0.5]).reshape(2, 2, 1)),
    )
    drawn = one_axis(study_plots._coverage(few)).containers[0]
    assert [len(segment) for segment in drawn.lines[2][0].get_segments()] == [0, 0]


def test_bars_of_excess_are_two_errors():
    axis = one_axis(study_plots._excess(study_tree()))
    np.testing.assert_allclose(axis.containers[0].lines[0].get_ydata().astype(float), [5.0, 50.0])
    np.testing.assert_allclose(ends_of_bars(axis), [[3.0, 30.0], [7.0, 70.0]])
    assert axis.get_lines()[-1].get_ydata()[0] == 1.5


def test_standardised_errors_are_those_of_the_largest_size():
    """Estimates that exist less the target over their own sd; an angle by the shorter arc, what does not vary not at all."""
    values = np.zeros((2, 2, 4))
    values[1, 0] = [1.0, 2.0, 4.0, np.nan]
    angle = np.zeros((2, 2, 4))
    angle[1, 0] = [3.0, -3.0, 3.1, np.nan]
    dims = ("size", "estimator", "replicate")
    exists = np.ones((2, 2, 4), dtype=bool)
    exists[1, 0, 3] = False
    replicates = {
        "a": (dims, values), "angle": (dims, angle), "same": (dims, np.where(exists, 2.0, np.nan)),
        "exists": (dims, exists),
    }  # fmt: skip
    target = xr.Dataset({"a": 1.5, "angle": np.pi, "same": 1.0, "other": 1.0}, attrs={"circular": '["angle"]'})
    tree = xr.DataTree.from_dict({"replicates": xr.Dataset(replicates), "pseudo_true": target})
    found = dict(study_plots.standardised_errors(tree))
    assert list(found) == ["a", "angle"]
    errors = np.array([-0.5, 0.5, 2.5])
    np.testing.assert_allclose(found["a"], errors / errors.std(ddof=1))
    errors = np.array([3.0 - np.pi, np.pi - 3.0, 3.1 - np.pi])
    np.testing.assert_allclose(found["angle"], errors / errors.std(ddof=1))
    one = exists.copy()
    one[1, 0, 1:] = False
    tree["replicates"] = tree["replicates"].to_dataset().assign(exists=(dims, one))
    assert dict(study_plots.standardised_errors(tree)) == {}


def test_the_other_panels_of_a_study():
    axis = one_axis(study_plots._excess(study_tree()))
    assert grey_lines(axis) == [("0.6", 0.8)]
    assert words(axis) == ("", "n", "n × excess KL, nats")
    axis = one_axis(study_plots._missing(study_tree()))
    assert [(line.get_marker(), line.get_linestyle(), line.get_markersize()) for line in axis.get_lines()] == [
        ("o", "-", 3)
    ] * 2
    assert words(axis) == ("", "n", "share of data sets")
    axis = one_axis([study_plots._quantile_panel("a$", np.arange(100.0))])
    line, dots = axis.get_lines()
    assert (line.get_color(), line.get_linewidth(), len(dots.get_xdata())) == ("0.6", 0.8, 60)
    assert (dots.get_marker(), dots.get_markersize(), dots.get_linestyle()) == (".", 3, "None")
    np.testing.assert_allclose(dots.get_xdata(), stats.norm.ppf((np.arange(60) + 0.5) / 60))
    assert words(axis) == (r"a\$", "normal quantile", "(estimate − limit) / sd")


def test_sizes_are_the_ticks_as_plain_numbers():
    axis = Figure().subplots()
    axis.set_yscale("log")
    axis.plot([10, 1000], [0.02, 5.0])
    study_plots._over_sizes(axis, np.array([10, 100, 1000]), "t", "l")
    assert [t.get_text() for t in axis.get_xticklabels()] == ["10", "100", "1000"]
    assert len(axis.get_xticks(minor=True)) == 0
    assert axis.yaxis.get_major_formatter()(0.05) == "0.05"
    assert axis.yaxis.get_minor_formatter()(0.05) == ""
    ticks = [t for t in axis.yaxis.get_major_locator().tick_values(0.02, 5.0) if 0.01 < t < 6]
    np.testing.assert_allclose(ticks, [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5])


def test_figures_of_a_study_have_a_panel_each():
    found = study_plots._panels("Root mean", list(study_plots._of_parameters(study_tree(), "bias", "bias", 0.0)) * 2)
    assert len(found) == 2
    assert 'id="root-mean-' in found[0].content
    assert 'aria-label="Root mean: a$"' in found[0].content
    sizes = [tuple(map(int, re.search(r'width="(\d+)" height="(\d+)"', p.content).groups())) for p in found]
    assert all(150 < width < 260 and 130 < height < 200 for width, height in sizes)


# Panels as elements.


def test_each_axes_is_an_element_without_its_title():
    with styled(STYLE):
        fig = Figure(figsize=(6, 3))
        first, second, hidden = fig.subplots(1, 3)
        first.plot([0, 1], [0, 1])
        second.plot([0, 1], [1, 0], color=INK)
        first.set_title(r"a\$b")
        hidden.set_visible(False)
    found = panels(fig, "p", "L")
    assert [one.title for one in found] == ["a$b", ""]
    assert 'aria-label="L: a$b"' in found[0].content
    assert 'aria-label="L"' in found[1].content
    assert "var(--post)" in found[0].content
    assert "currentColor" in found[1].content
    for one in found:
        view, width, height, most = re.search(
            r'viewBox="([^"]+)" width="(\d+)" height="(\d+)" style="max-width: (\d+)px"', one.content
        ).groups()
        assert view.split()[2:] == [width, height]
        assert int(most) == pytest.approx(1.7 * int(width), abs=1)
        assert not re.search(r"\d\.\d\d", re.sub(r">[^<]*<", "><", one.content))


def test_a_whole_figure_keeps_its_size_and_its_ids():
    fig = Figure(figsize=(2, 1))
    fig.subplots().plot([0, 1], [0, 1], color="#8a5a9e")
    content = whole(fig, "q", "All")
    assert 'aria-label="All"' in content
    assert 'width="144pt" height="72pt"' in content
    assert "var(--c3)" in content
    assert set(re.findall(r'id="(..)', content)) == {"q-"}
    assert "<metadata" not in content
    assert "<style" not in content
    assert content == whole(fig, "q", "All")


def test_the_key_of_several_lines():
    assert colour_key(["a"]) == ()
    assert colour_key("abcdefg")[-1] == ("g", "--post")


# Pairs and ranks.


def test_points_of_a_pair_plot():
    diverging = np.zeros(900, dtype=bool)
    diverging[[0, 5]] = True
    fig = pair_plot({"a": np.linspace(0, 10, 900), "b": np.linspace(5, 6, 900)}, diverging)
    assert len(kept_draws(np.zeros(600, dtype=bool))) == 600
    assert len(kept_draws(np.zeros(601, dtype=bool))) == 600
    assert len(kept_draws(np.ones(2000, dtype=bool))) <= 1200
    regular, divergent = fig.axes[1].lines
    assert (regular.get_marker(), regular.get_markersize(), regular.get_markeredgewidth(), regular.get_alpha()) == (
        "o",
        2.2,
        0,
        0.35,
    )
    assert (divergent.get_marker(), divergent.get_markersize(), divergent.get_markeredgewidth()) == ("o", 4.5, 0)
    assert regular.get_linestyle() == divergent.get_linestyle() == "None"
    # A twentieth of the range is free on either side.
    np.testing.assert_allclose(fig.axes[0].get_xlim(), (-0.5, 10.5), atol=0.02)
    np.testing.assert_allclose(fig.axes[1].get_ylim(), (4.95, 6.05), atol=0.01)
    np.testing.assert_allclose(fig.get_size_inches(), [0.85 + 2 * 2.2 + 0.2 + 0.1, 0.55 + 2 * 1.6 + 0.2 + 0.1])
    full = fig.get_size_inches()
    corner = fig.axes[1].get_position()
    np.testing.assert_allclose([corner.x0 * full[0], corner.y0 * full[1]], [0.85, 0.55])
    np.testing.assert_allclose([corner.width * full[0], corner.height * full[1]], [2.2, 1.6])
    top = fig.axes[0].get_position()
    np.testing.assert_allclose(top.y0 * full[1], 0.55 + 1.6 + 0.2)
    right = fig.axes[2].get_position()
    np.testing.assert_allclose(right.x0 * full[0], 0.85 + 2.2 + 0.2)
    assert fig.axes[0].get_ylim()[0] == 0
    assert not fig.axes[0].yaxis.get_visible()
    assert not fig.axes[0].spines["left"].get_visible()
    assert len(fig.axes[2].get_xticks()) <= 6


def test_a_constant_has_limits_about_it():
    axis = pair_plot({"a": np.full(9, 5.0), "b": np.full(9, 0.5)}, np.zeros(9, dtype=bool)).axes
    assert axis[0].get_xlim() == (0.0, 10.0)
    assert axis[2].get_xlim() == (-0.5, 1.5)


@pytest.mark.parametrize(("draws", "chains"), [(100, 4), (50, 2)])
def test_the_band_of_ranks_is_that_of_dvoretzky_kiefer_and_wolfowitz(draws, chains):
    half = plots.rank_band(draws, chains)
    # Of one chain the probability of leaving it is 2 exp(-2 n half²): a hundredth over the number of chains.
    assert 2 * np.exp(-2 * draws * half**2) == pytest.approx(0.01 / chains)


def ranks_figure(names, count=60, chains=3):
    values = np.random.default_rng(1).normal(size=(len(names), chains, count))
    data = {name: (("chain", "draw"), v) for name, v in zip(names, values, strict=True)}
    return plots._ranks(xr.Dataset(data)), values


def test_rank_plots():
    fig, values = ranks_figure(["a$"])
    (axis,) = fig.axes
    half = plots.rank_band(60, 3)
    ranks = np.sort(stats.rankdata(values[0]).reshape(3, 60) / 180, axis=1)
    levels = (np.arange(60) + 1) / 60
    for line, rank in zip(axis.get_lines(), ranks, strict=True):
        np.testing.assert_allclose(line.get_xdata(), rank)
        np.testing.assert_allclose(line.get_ydata(), levels - rank)
        assert line.get_drawstyle() == "steps-post"
    (band,) = axis.patches
    assert (band.get_y(), band.get_height()) == (pytest.approx(-half), pytest.approx(2 * half))
    assert (to_hex(band.get_facecolor()), band.get_alpha(), band.get_linewidth()) == (INK, 0.1, 0)
    farthest = max(half, np.abs(levels - ranks).max())
    np.testing.assert_allclose(axis.get_ylim(), (-1.1 * farthest, 1.1 * farthest))
    assert words(axis) == (r"a\$", "rank", "Δ ECDF")
    assert fig.get_size_inches().tolist() == [4.6, 2.7]


@pytest.mark.parametrize(("number", "shape"), [(2, (1, 2)), (4, (1, 4)), (5, (2, 4))])
def test_four_rank_plots_stand_in_a_row(number, shape):
    fig, _ = ranks_figure([f"x{i}" for i in range(number)], 20)
    assert len(fig.axes) == np.prod(shape)
    assert sum(axis.axison for axis in fig.axes) == number
    np.testing.assert_allclose(fig.get_size_inches(), [2.45 * shape[1], 1.75 * shape[0]])


def calibration(quantities=5, level=0.05, count=40):
    rank = np.random.default_rng(2).uniform(size=(1, quantities, count))
    rank[0, -1, 1:] = np.nan
    names = [f"q{i}" for i in range(quantities)]
    data = xr.Dataset(
        {"rank": (("method", "quantity", "simulation"), rank)}, coords={"method": ["mle"], "quantity": names}
    )
    return SimpleNamespace(simulations=data, level=level, methods=["mle"]), rank[0]


def test_ranks_of_a_calibration():
    made, rank = calibration()
    fig = plot_ranks(made, "mle")
    # What has one rank alone is not shown.
    assert [axis.get_title() for axis in fig.axes if axis.get_visible()] == ["q0", "q1", "q2", "q3"]
    assert fig.get_size_inches().tolist() == [2.8 * 4, 2.3]
    axis = fig.axes[0]
    (line,) = axis.get_lines()
    points = line.get_xdata()
    np.testing.assert_allclose(line.get_ydata(), [np.mean(rank[0] <= x) - x for x in points], atol=1e-12)
    assert (line.get_linewidth(), line.get_drawstyle()) == (1.2, "steps-post")
    (band,) = axis.collections
    assert (band.get_alpha(), float(band.get_linewidth()[0])) == (0.25, 0.0)
    assert axis.get_xlabel() == "rank"
    assert axis.get_ylabel() == "Δ ECDF"
    chosen = plot_ranks(made, "mle", ["q2"])
    assert [a.get_title() for a in chosen.axes] == ["q2"]
    assert chosen.get_size_inches().tolist() == [2.8, 2.3]
    with pytest.raises(ValueError, match=r"^The method 'mle' has no ranks to plot; choose another of \['mle'\]\.$"):
        plot_ranks(made, "mle", ["q4"])
    # A band for a lower level is wider.
    heights = [
        np.ptp(plot_ranks(calibration(level=p)[0], "mle", ["q0"]).axes[0].collections[0].get_paths()[0].vertices[:, 1])
        for p in (0.5, 0.01)
    ]
    assert heights[0] < heights[1]


def test_the_coverage_table_of_a_calibration():
    import pandas as pd

    index = pd.MultiIndex.from_tuples([("mle", "a"), ("posterior", "b")])
    numbers = {
        "p_value": [0.01234, np.nan],
        "covered 50%": [0.51239, np.nan],
        "low 50%": [0.4, np.nan],
        "high 50%": [0.61, np.nan],
    }
    made = SimpleNamespace(table=pd.DataFrame(numbers | {"verdict": ["biased", "not tested"]}, index=index))
    table = coverage_table(made)
    assert table.header == ("quantity", "method", "50%", "p", "verdict")
    assert table.rows == (
        ("a", "MLE", "0.512 (0.400–0.610)", ".012", "biased"),
        ("b", "posterior", "–", "–", "not tested"),
    )
    assert table.words == {"method", "verdict"}
