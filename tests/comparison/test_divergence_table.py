"""Rows of the table of divergences from a tree made by hand: every number in its row, every direction by its name."""

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.comparison.divergence_table import fitted_rows, gained_rows
from pp_mlekl.report.labels import JOINT


def joint(**more):
    values = {}
    for k, key in enumerate(JOINT):
        values[key], values[f"{key}_mcse"] = 1.0 + k, 0.01 * (1 + k)
    tree = xr.DataTree.from_dict({"information_gain/joint": xr.Dataset(values | more)})
    return tree


def test_each_quantity_has_its_own_number():
    rows = gained_rows(joint(), ["jsd: Beware.", "a sentence: not a name", "jsd: The first counts."])
    assert [row["direction"] for row in rows] == [direction for _, direction in JOINT.values()]
    assert [row["value"] for row in rows] == [1.0 + k for k in range(len(JOINT))]
    assert [row["mcse"] for row in rows] == [0.01 * (1 + k) for k in range(len(JOINT))]
    assert {row["direction"]: row["note"] for row in rows if row["note"]} == {"JSD(prior, posterior)": "Beware."}
    assert {row["of"] for row in rows} == {"joint"}


def test_parts_that_were_not_computed_have_no_row():
    tree = joint()
    tree["information_gain/joint"] = xr.DataTree(tree["information_gain/joint"].to_dataset()[["jsd", "jsd_mcse"]])
    assert [row["direction"] for row in gained_rows(tree, [])] == ["JSD(prior, posterior)"]
    assert gained_rows(xr.DataTree.from_dict({"information_gain": xr.Dataset()}), []) == []


def test_the_evidence_is_that_of_the_normalised_prior():
    (row,) = (
        r
        for r in gained_rows(joint(log_prior_normalizer=-0.5, log_prior_normalizer_mcse=0.06), [])
        if r["direction"] == "log Z"
    )
    written = 1.0 + list(JOINT).index("log_evidence")
    assert row["value"] == written + 0.5
    assert row["mcse"] == pytest.approx(np.hypot(0.01 * written, 0.06))
    assert f"{written:.6g}" in row["quantity"]


def fitted(truth, n=5):
    data = {
        "kl": [0.1, 0.2],
        "kl_mcse": [0.01, 0.02],
        "kl_theory": [0.3, np.nan],
        "kl_reverse": [0.4, 0.5],
        "kl_reverse_mcse": [0.04, 0.05],
        "jsd": [0.6, 0.7],
        "jsd_mcse": [0.06, 0.07],
    }
    dataset = xr.Dataset({k: ("estimator", v) for k, v in data.items()}, coords={"estimator": ["mle", "map"]})
    tree = xr.DataTree.from_dict({"fitted": dataset})
    tree.attrs.update(truth=truth, n_observations=n)
    return tree


@pytest.mark.parametrize(("truth", "source"), [("dict", "truth"), ("unknown", "posterior predictive")])
def test_fits_in_both_directions(truth, source):
    rows = fitted_rows(fitted(truth), ["map: Beware."])
    found = {row["direction"]: (row["value"], row["mcse"], row["of"], row["note"]) for row in rows}
    assert found == {
        f"KL({source}||MLE)": (0.1, 0.01, "mle", ""),
        f"KL({source}||MAP)": (0.2, 0.02, "map", "Beware."),
        f"expected KL({source}||MLE)": (0.3, 0.0, "mle", ""),
        f"KL(MLE||{source})": (0.4, 0.04, "mle", ""),
        f"KL(MAP||{source})": (0.5, 0.05, "map", "Beware."),
        f"JSD({source}, MLE)": (0.6, 0.06, "mle", ""),
        f"JSD({source}, MAP)": (0.7, 0.07, "map", "Beware."),
    }


@pytest.mark.parametrize(("n", "sums"), [(1, False), (2, True)])
def test_one_observation_has_no_sum(n, sums):
    quantities = " ".join(row["quantity"] for row in fitted_rows(fitted("dict", n), []))
    assert ("sum over observations" in quantities) == ("mean over observations" in quantities) == sums


def test_no_label_holds_an_unfilled_place():
    rows = fitted_rows(fitted("mapping"), [])
    assert not any("{" in row["quantity"] or "{" in row["direction"] for row in rows)
    (theory,) = (row for row in rows if row["direction"].startswith("expected"))
    assert "KL(truth||MLE)" in theory["quantity"]
