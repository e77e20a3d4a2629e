"""Rows of "Estimates at a glance": texts, keys, bars, and each mark of a row's picture at its place."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.report.estimates import FIRST_ROWS, MAX_PICTURES, MAX_ROWS, glance, ticks

STATUSES = {"mle": "converged", "map": "converged"}
ROW = {
    "MLE": 1.2345, "SE": 0.213, "MAP": 1.5432, "mean": 1.3579, "sd": 0.246, "eti89_lb": 0.9753, "eti89_ub": 1.8642,
    "r_hat": 1.0123, "KL": 2.0, "KL_mcse": 0.0187, "truth": 1.1111,
}  # fmt: skip
# Quantiles of .002 and .998 of these are the ends of what they are made between.
GRID = np.linspace(0.0, 1.0, 501)


def uniform(low, high):
    """Draws whose .002 and .998 quantiles are low and high."""
    return (low + (high - low) * (GRID - 0.002) / 0.996)[None]


def made(draws, rows, derived=None, statuses=None, **groups):
    names = sorted({name.partition("[")[0] for name in rows}, key=[n.partition("[")[0] for n in rows].index)
    data = {}
    for name in names + sorted({n.partition("[")[0] for n in derived or {}}):
        parts = [v for k, v in draws.items() if k.partition("[")[0] == name]
        one = np.stack(parts, axis=-1) if f"{name}[0]" in draws else parts[0]
        data[name] = (("chain", "draw", f"{name}_dim")[: one.ndim], one)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(data), **groups})
    return glance(
        SimpleNamespace(
            summary=lambda: pd.DataFrame(list(rows.values()), index=list(rows)),
            derived_summary=lambda: pd.DataFrame(list(derived.values()), index=list(derived)),
            tree=tree,
            free_names=names,
            derived_names=[n for n in data if n not in names],
            statuses=STATUSES | (statuses or {}),
        )
    )


def only(row=None, draws=None, **more):
    found = made({"mu": uniform(0.5, 2.0) if draws is None else draws}, {"mu": ROW | (row or {})}, **more)
    return found.rows[0]


def without(*names):
    return {k: v for k, v in ROW.items() if k not in names}


def test_the_texts_and_keys_of_a_row():
    row = only()
    assert row.texts == {
        "MLE": "1.23 ± 0.21", "MAP": "1.54", "mean": "1.36", "interval": "0.98 to 1.86", "truth": "1.111",
        "KL": "2.000 ± 0.019",
    }  # fmt: skip
    assert row.keys == {"MLE": 1.2345, "MAP": 1.5432, "mean": 1.3579, "truth": 1.1111, "KL": 2.0}
    assert (row.name, row.derived, row.bar, row.note) == ("mu", False, 1.0, "R-hat 1.012")


@pytest.mark.parametrize(("r_hat", "note"), [(1.01, ""), (1.0101, "R-hat 1.010"), (np.nan, "")])
def test_an_r_hat_above_the_limit_is_noted(r_hat, note):
    assert only({"r_hat": r_hat}).note == note


def test_what_is_missing_has_no_text():
    row = only({"truth": np.nan, "KL": np.inf, "MLE": np.nan, "SE": np.nan}, statuses={"mle": "at_infinity"})
    assert (row.texts["truth"], row.texts["KL"], row.texts["MLE"], row.bar) == ("", "", "at infinity", 0.0)
    bare = made({"mu": uniform(0, 1)}, {"mu": without("truth", "KL", "KL_mcse")})
    assert (bare.rows[0].texts["truth"], bare.rows[0].texts["KL"]) == ("", "")
    assert bare.columns == ("MLE", "MAP", "mean")
    assert bare.marks == ("MLE", "MAP")


def test_bars_are_shares_of_the_largest_finite_divergence():
    rows = {name: ROW | {"KL": kl} for name, kl in (("a", 1.0), ("b", 4.0), ("c", np.nan), ("d", -0.1))}
    found = made(dict.fromkeys(rows, uniform(0, 1)), rows)
    assert [row.bar for row in found.rows] == [0.25, 1.0, 0.0, 0.0]
    none = made({"a": uniform(0, 1)}, {"a": ROW | {"KL": 0.0}})
    assert none.rows[0].bar == 0.0


def test_columns_marks_and_the_percentage():
    found = made({"mu": uniform(0, 1)}, {"mu": ROW | {"marginal_MLE": 1.0, "marginal_SE": 0.1, "MAP": np.nan}})
    assert found.columns == ("MLE", "marginal_MLE", "MAP", "mean", "truth", "KL")
    assert found.marks == ("MLE", "marginal_MLE", "truth")
    assert (found.percent, found.total, found.first, found.exact_priors) == ("89", 1, FIRST_ROWS, False)
    assert found.rows[0].texts["marginal_MLE"] == "1.00 ± 0.10"
    assert found.rows[0].keys["marginal_MLE"] == 1.0
    missing = made({"mu": uniform(0, 1)}, {"mu": ROW | {"marginal_MLE": np.nan, "marginal_SE": np.nan}})
    assert missing.rows[0].texts["marginal_MLE"] == "integrated out"


def test_derived_quantities_follow_without_a_mode():
    derived = {"d": without("KL", "KL_mcse", "truth") | {"MAP": np.nan}}
    row = ROW | {"marginal_MLE": np.nan, "marginal_SE": np.nan}
    found = made({"mu": uniform(0, 1), "d": uniform(2, 3)}, {"mu": row}, derived)
    assert [(r.name, r.derived) for r in found.rows] == [("mu", False), ("d", True)]
    assert (found.rows[1].texts["MAP"], found.rows[1].texts["marginal_MLE"]) == ("not defined", "not defined")
    assert found.total == 2
    assert found.rows[1].picture


def test_the_limits_of_rows_and_pictures():
    assert (MAX_PICTURES, MAX_ROWS, FIRST_ROWS) == (80, 400, 20)
    names = [f"a[{i}]" for i in range(401)]
    draws = {name: uniform(0, 1) for name in names}
    found = made(draws, dict.fromkeys(names, ROW))
    assert (len(found.rows), found.total) == (400, 401)
    assert [bool(row.picture) for row in found.rows] == [True] * 80 + [False] * 320


def lines(picture, kind):
    return [
        tuple(map(float, found))
        for found in re.findall(
            rf'<line class="{kind}" x1="(-?[\d.]+)" x2="(-?[\d.]+)" y1="([\d.]+)" y2="([\d.]+)"', picture
        )
    ]


def moves(picture, kind):
    return [tuple(map(float, f)) for f in re.findall(rf'<path class="{kind}" d="M(-?[\d.]+),(\d+)', picture)]


def test_each_mark_stands_at_its_place():
    """The window reaches 15% of the draws' range beyond them: from -3 to 23 for draws between 0 and 20."""
    row = only({"MLE": 10.0, "SE": 2.0, "MAP": 5.0, "truth": 15.0, "eti89_lb": 1.0, "eti89_ub": 20.0}, uniform(0, 20))

    def at(value):
        return pytest.approx((value + 3) / 26 * 320, abs=0.06)

    assert moves(row.picture, "mle") == [(at(10.0), 6)]
    assert moves(row.picture, "map") == [(at(5.0), 20)]
    assert moves(row.picture, "marginal") == []
    assert lines(row.picture, "truth") == [(at(15.0), at(15.0), 0, 38)]
    assert lines(row.picture, "ci") == [(at(1.0), at(20.0), 42.5, 42.5)]
    assert lines(row.picture, "se") == [(at(8.0), at(12.0), 11, 11)]
    base, *tick_lines = lines(row.picture, "axis")
    assert base == (0, 320, 38, 38)
    assert tick_lines == [(at(x), at(x), 38, 41) for x in (0, 10, 20)]
    # Near an end the text of a tick starts or ends there.
    texts = re.findall(r'<text x="([\d.]+)" y="(\d+)" text-anchor="(\w+)">([^<]+)</text>', row.picture)
    assert [(anchor, y, text) for _, y, anchor, text in texts] == [("middle", "58", t) for t in ("0", "10", "20")]
    titles = re.findall(r"<title>([^<]+)</title>", row.picture)
    assert titles == ["posterior", "posterior interval", "MLE ± SE", "MLE", "MAP"]
    assert 'viewBox="0 0 320 60" width="320" height="60"' in row.picture
    assert 'aria-label="mu: prior and posterior density with the estimates of this row"' in row.picture


def test_the_window_holds_estimates_up_to_twice_its_range_away():
    near = only({"MLE": 2.9, "SE": 0.0, "MAP": -1.9, "truth": 0.5}, uniform(0, 1))
    # From -1.9 to 2.9, and 15% of that on both sides.
    assert moves(near.picture, "mle") == [(pytest.approx(320 * 1.15 / 1.3, abs=0.06), 6)]
    assert moves(near.picture, "map") == [(pytest.approx(320 * 0.15 / 1.3, abs=0.06), 20)]
    far = only({"MLE": 3.1, "SE": 0.0, "MAP": -2.1, "truth": 5.0}, uniform(0, 1))
    assert (moves(far.picture, "mle"), moves(far.picture, "map"), lines(far.picture, "truth")) == ([], [], [])
    assert lines(far.picture, "se") == []
    wide = only({"MLE": 0.5, "SE": 1.0, "MAP": 0.5, "truth": 0.5}, uniform(0, 1))
    assert lines(wide.picture, "se") == [
        (pytest.approx(320 * 0.15 / 1.3, abs=0.06), pytest.approx(320 * 1.15 / 1.3, abs=0.06), 11, 11)
    ]


def test_segments_end_with_the_picture():
    row = only({"eti89_lb": -50.0, "eti89_ub": 50.0}, uniform(0, 1))
    assert lines(row.picture, "ci") == [(0.0, 320.0, 42.5, 42.5)]


def test_an_estimate_without_an_error_has_no_segment_and_marginal_ones_have_their_own():
    more = {"MLE": 0.5, "SE": np.nan, "MAP": 0.5, "truth": np.nan, "marginal_MLE": 0.25, "marginal_SE": 0.1}
    row = only(more, uniform(0, 1))
    assert moves(row.picture, "mle") == [(160.0, 6)]
    assert moves(row.picture, "marginal") == [(pytest.approx(320 * 0.4 / 1.3, abs=0.06), 6)]
    assert len(lines(row.picture, "se")) == 1
    assert "<title>marginal MLE ± SE</title>" in row.picture


def test_constant_draws_have_a_window_about_them():
    row = only({"MLE": 5.0, "SE": np.nan, "MAP": 5.0, "truth": np.nan}, np.full((1, 50), 5.0))
    # 15% of 5 on both sides, or of 1 about 0.
    assert moves(row.picture, "map") == [(160.0, 20)]
    assert [round((x1 - 160) / 320 * 1.5, 2) for x1, *_ in lines(row.picture, "axis")[1:]] == [-0.5, 0.0, 0.5]
    zero = only({"MLE": np.nan, "SE": np.nan, "MAP": 0.0, "truth": np.nan}, np.zeros((1, 50)))
    assert moves(zero.picture, "map") == [(160.0, 20)]
    assert [round((x1 - 160) / 320 * 0.3, 3) for x1, *_ in lines(zero.picture, "axis")[1:]] == [-0.1, 0.0, 0.1]
    # There is no density.
    assert 'class="post"' not in zero.picture


@pytest.mark.parametrize(("second", "shared"), [(1.0, True), (0.13, True), (0.11, False)])
def test_elements_share_an_axis_unless_one_would_be_too_small(second, shared):
    row = ROW | {"MLE": 0.0, "SE": np.nan, "MAP": 0.0, "truth": np.nan}
    found = made({"a[0]": uniform(0, 1), "a[1]": uniform(0, second)}, {"a[0]": row, "a[1]": row})
    ((first, _),), ((other, _),) = (moves(one.picture, "map") for one in found.rows)
    assert first == pytest.approx(320 * 0.15 / 1.3, abs=0.06)
    # 0 is at the same place of both axes where they are the same; the narrow axis begins at -.15 of its width.
    assert other == pytest.approx(first, abs=0.06)
    ends = [lines(one.picture, "axis")[-1][0] for one in found.rows]
    assert (ends[0] == ends[1]) == shared


def path(picture, kind):
    (text,) = re.findall(rf'<path class="{kind}" d="M0,38L([^"]*)L320,38z">', picture)
    return np.array([point.split(",") for point in text.split("L")], dtype=float)


def test_densities_are_drawn_to_the_height_of_the_posterior():
    draws = np.random.default_rng(2).normal(size=(2, 500))
    prior = xr.Dataset({"mu": (("chain", "draw"), 2 * draws)})
    row = only({"MLE": 0.0, "MAP": 0.0, "truth": 0.0}, draws, prior=prior)
    posterior, of_prior = path(row.picture, "post"), path(row.picture, "prior")
    assert len(posterior) == 91
    np.testing.assert_allclose(posterior[:, 0], 320 * np.arange(91) / 90, atol=0.06)
    # The highest point is at 3 of 38, and half as wide a density twice as high.
    assert posterior[:, 1].min() == 3.0
    assert of_prior[:, 1].min() == pytest.approx(38 - 35 / 2, abs=1.0)


def test_an_exact_prior_is_interpolated_in_the_order_of_its_grid_and_cut_above_the_posterior():
    """A prior that is 3 between -1 and 1, far above the posterior's top, and infinite at one point."""
    x = xr.Dataset({"mu": ("grid", [1.0, 0.0, -1.0])})
    density = xr.Dataset({"mu": ("grid", [300.0, np.inf, 300.0])})
    row = only({"MLE": 0.0, "MAP": 0.0, "truth": 0.0, "SE": np.nan}, uniform(-2, 2), **{
        "prior_density/x": x, "prior_density/density": density, "prior": xr.Dataset({"mu": (("chain", "draw"), uniform(0, 1))}),
    })  # fmt: skip
    heights = path(row.picture, "prior")
    # 1.08 of the height from 38 up to 3.
    inside = np.abs(heights[:, 0] / 320 * 5.2 - 2.6) < 0.95
    outside = np.abs(heights[:, 0] / 320 * 5.2 - 2.6) > 1.05
    np.testing.assert_allclose(heights[inside, 1], 38 - 35 * 1.08, atol=0.06)
    np.testing.assert_array_equal(heights[outside, 1], 38)
    empty = only(None, None, **{"prior_density/x": xr.Dataset(), "prior_density/density": xr.Dataset()})
    assert 'class="prior"' not in empty.picture


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.0, 5.0, [(0.0, "0"), (1.0, "1"), (2.0, "2"), (3.0, "3"), (4.0, "4"), (5.0, "5")]),
        (0.0, 5.1, [(0.0, "0"), (2.0, "2"), (4.0, "4")]),
        (0.0, 12.0, [(0.0, "0.0"), (2.5, "2.5"), (5.0, "5.0"), (7.5, "7.5"), (10.0, "10.0")]),
        (-0.1, 0.1, [(-0.1, "−0.10"), (-0.05, "−0.05"), (0.0, "0.00"), (0.05, "0.05"), (0.1, "0.10")]),
        (0.0, 30.0, [(0.0, "0"), (10.0, "10"), (20.0, "20"), (30.0, "30")]),
        (99_998.0, 99_998.4, [(99_998 + t / 10, f"99998.{t}") for t in range(5)]),
        (0.0, 1e5, [(0.0, "0"), *((t * 1e4, f"{t}0000") for t in (2, 4, 6, 8, 10))]),
        (0.0, 2e-4, [(0.0, "0"), (5e-5, "5·10⁻⁵"), (1e-4, "0.000100"), (1.5e-4, "0.000150"), (2e-4, "0.000200")]),
    ],
)  # fmt: skip
def test_ticks_are_round(low, high, found):
    places = [t for t, _ in ticks(low, high)]
    np.testing.assert_allclose(places, [t for t, _ in found], rtol=1e-9, atol=1e-12)
    assert [text for _, text in ticks(low, high)] == [text for _, text in found]
    assert all(low <= t <= high for t in places)


def test_as_many_ticks_as_wanted():
    assert [t for t, _ in ticks(0.0, 10.0, 2)] == [0.0, 5.0, 10.0]
    assert ticks(0.0, 1.0) == ticks(0.0, 1.0, 5)
