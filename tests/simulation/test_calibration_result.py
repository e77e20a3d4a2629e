"""The table, the sentences and the verdict of a calibration from ranks made by hand."""

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.simulation.calibration_result import Calibration
from pp_mlekl.simulation.uniform_ranks import uniformity, wilson

EVEN = (np.arange(100) + 0.5) / 100


def made(rank, level=0.05, bars=None, status=0):
    """A calibration from ranks by method and quantity."""
    methods, quantities = list(rank), list(next(iter(rank.values())))
    values = np.array([[rank[m][q] for q in quantities] for m in methods])
    count = values.shape[-1]
    bars = np.full((len(methods), count, 1), np.nan) if bars is None else bars
    data = {
        "rank": (("method", "quantity", "simulation"), values),
        "pit_error_bar": (("method", "simulation", "error_bar"), bars),
        "status": (("method", "simulation"), np.full((len(methods), count), status)),
    }
    coords = {"method": methods, "quantity": quantities, "error_bar": ["log_evidence"]}
    tree = xr.DataTree.from_dict({"simulations": xr.Dataset(data, coords=coords)})
    tree.attrs["simulations"] = count
    return Calibration(tree=tree, level=level)


@pytest.mark.parametrize("squeezed", [1.0, 0.5])
def test_central_intervals_are_counted(squeezed):
    ranks = 0.5 + squeezed * (EVEN - 0.5)
    row = made({"m": {"a": ranks}}).table.loc[("m", "a")]
    for prob in (0.5, 0.8, 0.95):
        percent = f"{100 * prob:.0f}%"
        share = min(1.0, prob / squeezed)
        assert row[f"covered {percent}"] == pytest.approx(share, abs=0.011)
        low, high = wilson(np.array(100 * row[f"covered {percent}"]), np.array(100))
        assert (row[f"low {percent}"], row[f"high {percent}"]) == (pytest.approx(low), pytest.approx(high))
    assert row["ranks"] == 100
    assert row["p_value"] == uniformity(ranks).p_value


def test_the_level_is_shared_by_the_quantities():
    """A p value between half of the level and the level: rejected alone, not as one of two."""
    ranks = EVEN**1.3
    p = uniformity(ranks).p_value
    alone, of_two = made({"m": {"a": ranks}}, level=1.5 * p), made({"m": {"a": ranks, "b": EVEN}}, level=1.5 * p)
    assert alone.table.loc[("m", "a"), "verdict"] == "biased high"
    assert of_two.table.loc[("m", "a"), "verdict"] == "calibrated"
    assert alone.p_values == {"m": pytest.approx(p)}
    assert of_two.p_values == {"m": pytest.approx(2 * p)}


def test_error_bars_are_quantities_and_unknown_ones_are_left_out():
    bars = np.stack([np.repeat(EVEN[:, None], 1, axis=1), np.full((100, 1), np.nan)])
    found = made(
        {"m": {"a": EVEN, "b": np.full(100, np.nan)}, "none": dict.fromkeys("ab", np.full(100, np.nan))}, bars=bars
    )
    assert found.methods == ["m", "none"]
    assert found.table.loc["m"].index.tolist() == ["a", "error bar of log_evidence"]
    # A method without ranks keeps its rows, which say so.
    assert set(found.table.loc["none", "verdict"]) == {"not tested"}
    assert np.isnan(found.table.loc["none", "covered 50%"]).all()
    assert np.isnan(found.p_values["none"])
    sentences = found.sentences()
    assert len(sentences) == len(found.table)
    assert not any(c.isdigit() for s in sentences if s.startswith("none") for c in s)
    assert not [c for c in found.summary().columns if c.startswith(("low", "high"))]


def test_sentences_hold_the_numbers_of_their_row():
    found = made({"m": {"a": EVEN**2}})
    row = found.table.iloc[0]
    (sentence,) = found.sentences()
    for number in (
        f"p = {row['p_value']:.2g}",
        f"{100 * row['covered 95%']:.1f}%",
        f"{100 * row['low 95%']:.1f}-{100 * row['high 95%']:.1f}%",
    ):
        assert number in sentence
    assert sentence.startswith("m, a: biased high")


@pytest.mark.parametrize(
    ("ranks", "badge", "level"),
    [
        ({"m": EVEN, "n": EVEN}, "calibrated", "good"),
        ({"m": EVEN, "n": EVEN**2}, "n not calibrated", "bad"),
        ({"m": EVEN, "n": np.full(100, np.nan)}, "n not tested", "caution"),
    ],
)
def test_the_badge_names_the_worst(ranks, badge, level):
    display = made({m: {"a": r} for m, r in ranks.items()})._display()
    assert (display.badge, display.level) == (badge, level)
    assert "100 simulated" in display.title
    assert "0.05" in display.lines[-1]
    assert len(display.lines) == 3


def test_statuses_are_counted_by_method():
    found = made({"m": {"a": EVEN}}, status=STATUSES.index("unconverged")).statuses
    assert found.loc["m"].to_dict() == dict.fromkeys(STATUSES, 0) | {"unconverged": 100}
