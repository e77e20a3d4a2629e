"""The page and the figures of a proof made by hand: every number in its cell, every curve in its plot."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.report import proof as page
from pp_mlekl.report.proof_plots import figure
from pp_mlekl.theorem.proof_result import Check, Proof, Step


def check(left, right, error, bound=False):
    return Check(what="P(|X| >= 2) <= 1", left=left, right=right, error=error, source="theory", bound=bound)


CHECKS = (check(-1.2345678, -1.2345, 2e-4), check(0.25, 0.5, 0.0, bound=True), check(0.75, 0.5, 0.3, bound=True))


def made(kl_min=0.125, **steps):
    summary = pd.DataFrame({"estimate": [1e-14, 2.5], "se": [0.1234567, 0.2]}, index=["mu", "sigma"])
    pseudo_true = SimpleNamespace(
        kl_min=kl_min,
        summary=lambda: summary,
        naive_standard_error=xr.Dataset({"mu": 0.3, "sigma": ("i", [0.4567])}),
        n_observations=37,
        trace=2.71828,
        n_parameters=2,
    )
    step = Step(number=3, title="t", claim="c", checks=CHECKS, note="n >= 2")
    return Proof(
        name="N",
        truth="T",
        steps=(step,),
        pseudo_true=pseudo_true,
        settings={"random_seed": "1", "sizes": (10,), "replicates": (5,), "pp_mlekl_version": "0"},
    )


def cells(html, row):
    (body,) = re.findall(r'<table class="checks">.*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    found = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)[row]
    return [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?>(.*?)</td>", found, re.DOTALL)]


def test_both_sides_of_each_check_are_shown():
    html = page.render(made())
    assert cells(html, 0)[:6] == ["P(|X| ≥ 2) ≤ 1", "−1.23457", "=", "−1.2345", "6.8·10⁻⁵", "0.0002"]
    assert cells(html, 1)[1:5] == ["0.25", "≤", "0.5", "satisfied"]
    assert cells(html, 2)[1:6] == ["0.75", "≤", "0.5", "exceeded by 0.25", "0.3"]
    assert "n ≥ 2" in html


def test_the_pseudo_true_parameter_has_both_errors():
    html = page.render(made())
    (body,) = re.findall(r'<table class="theta">.*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    # A value that differs from 0 by rounding is 0.
    assert re.findall("<td>(.*?)</td>", body) == ["mu", "0", "0.123457", "0.3", "sigma", "2.5", "0.2", "0.4567"]
    for shown in ("0.125 nats", "37 observations", "2.71828"):
        assert shown in html
    assert "0.125 nats" not in page.render(made(kl_min=1e-13))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.nan, "unavailable"),
        (np.inf, "infinite"),
        (-np.inf, "minus infinity"),
        (-1234567.0, "−1.23457·10⁶"),
        (0.5, "0.5"),
    ],
)
def test_numbers(value, shown):
    assert page.number(value) == shown


def over(name, count, factor):
    """Different positive numbers."""
    return (name, factor * (1.0 + np.arange(count)) / count)


def lines(axes):
    """What is drawn, by label: x, y and, for bars, the half lengths."""
    found = {}
    for line in axes.get_lines():
        found[line.get_label()] = np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)
    return found


THETA = np.linspace(-1, 1, 11)
N = np.array([10, 100, 1000])


def drawn(number, data, coords, **attributes):
    return figure(
        Step(number=number, title="", claim="", checks=(), data=xr.Dataset(data, coords=coords, attrs=attributes))
    ).axes


def test_curves_of_the_first_two_steps_and_of_the_data():
    data = {
        name: over("theta", 11, f)
        for name, f in (("kl", 1.0), ("cross_entropy", 2.0), ("expected_log_likelihood", 3.0), ("objective", 4.0))
    }
    attributes = {"entropy": 1.25, "parameter": "mu", "pseudo_true": 0.3, "mle": 0.4, "what": "KL"}
    (ax,) = drawn(1, data, {"theta": THETA}, **attributes)
    found = lines(ax)
    np.testing.assert_array_equal(found["cross-entropy H(p, q)"], [THETA, data["cross_entropy"][1]])
    np.testing.assert_array_equal(found["KL(p ‖ q)"], [THETA, data["kl"][1]])
    assert any("1.25" in label for label in found)
    # Each arrow is as long as the difference of the curves.
    assert [(a.xy, a.xyann) for a in ax.texts] == [
        ((THETA[i], data["cross_entropy"][1][i]), (THETA[i], data["kl"][1][i])) for i in (1, 3, 5, 6, 8)
    ]
    left, right = drawn(2, data, {"theta": THETA}, **attributes)
    for axes, name in ((left, "kl"), (right, "expected_log_likelihood")):
        curve, place = axes.get_lines()
        np.testing.assert_array_equal(curve.get_ydata(), data[name][1])
        assert set(place.get_xdata()) == {0.3}
    (ax,) = drawn(6, data, {"theta": THETA}, **attributes)
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), data["objective"][1])
    np.testing.assert_array_equal(lines(ax)["maximum likelihood estimate"][0], [0.4, 0.4])


def test_errors_and_probabilities_against_n():
    names = ("supremum_low", "supremum", "supremum_high", "rms", "theory", "bound", "frequency", "exact")
    data = {name: over("n", 3, 0.1 * k) for k, name in enumerate(names, start=1)}
    data |= {"probability": ("k", [0.5, 0.01, 1e-9])}
    coords = {"n": N, "k": [1.0, 2.0, 3.0]}
    (ax,) = drawn(3, data, coords)
    assert [
        np.array_equal(line.get_ydata(), data[name][1])
        for line, name in zip(ax.get_lines(), ("supremum", "rms", "theory"), strict=True)
    ] == [True] * 3
    (band,) = ax.collections
    assert {data["supremum_low"][1][0], data["supremum_high"][1][0]} <= set(band.get_paths()[0].vertices[:, 1])
    assert ax.get_ylim()[0] == pytest.approx(0.1 * 0.5 / 3)
    left, right = drawn(4, data, coords)
    k, bound = lines(left)["bound 1 / k²"]
    np.testing.assert_allclose(bound, k**-2.0)
    np.testing.assert_array_equal(lines(left)["one observation, exact"][1], [0.5, 0.01, np.nan])
    found = lines(right)
    for label, name in (
        ("bound, mean log-likelihood", "bound"),
        ("simulated", "frequency"),
        ("exact, mean of the data", "exact"),
    ):
        np.testing.assert_array_equal(found[label], [N, data[name][1]])


def test_the_limit_and_the_directions():
    data = {
        "excess": over("n", 3, 1.0),
        "excess_error": over("n", 3, 0.1),
        "theory": over("n", 3, 2.0),
        "scaled": ("replicate", [3.0, 1.0, 2.0]),
        "limit_cdf": over("x", 5, 1.0),
    }
    left, right = drawn(5, data, {"n": N, "x": np.arange(5.0)}, last=1000)
    (bars,) = left.containers
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends, data["excess"][1][:, None] + 2 * data["excess_error"][1][:, None] * [-1, 1])
    np.testing.assert_array_equal(lines(left)["trace / 2n"], [N, data["theory"][1]])
    np.testing.assert_allclose(lines(right)["n = 1000"], [[1, 2, 3], [1 / 3, 2 / 3, 1]])
    np.testing.assert_array_equal(lines(right)["half a weighted chi-squared"][1], data["limit_cdf"][1])
    assert right.get_xlim() == (0, 4)
    data = {name: over("x", 4, k) for k, name in enumerate(("truth", "covering", "seeking"), start=1)}
    data |= {"kl": ("shift", [0.0, np.inf]), "jsd": ("shift", [0.0, 0.5]), "wasserstein": ("shift", [0.0, 3.0])}
    left, right = drawn(7, data, {"x": np.arange(4.0), "shift": [0.0, 3.0]})
    assert [list(line.get_ydata()) for line in left.get_lines()] == [list(data[n][1]) for n in ("covering", "seeking")]
    found = lines(right)
    assert [list(found[name][1]) for name in ("Wasserstein", "Jensen-Shannon", "KL (infinite after 0)")] == [
        [0, 3],
        [0, 0.5],
        [0],
    ]
    assert any(np.all(y == np.log(2)) for _, y in found.values())


def test_steps_without_data_have_an_empty_figure():
    assert not any(axes.axison for axes in drawn(2, {}, {}))
