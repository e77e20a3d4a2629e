"""Findings, their words, and how they are stored."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.diagnostics.calibration import about_calibration, are_vectors, uniformity
from pp_mlekl.diagnostics.diagnose import Diagnostics
from pp_mlekl.diagnostics.findings import Finding, finding, not_judged, some
from pp_mlekl.diagnostics.predictive_checks import no_checks
from pp_mlekl.diagnostics.prior_sensitivity import no_sensitivity
from pp_mlekl.diagnostics.stored_diagnostics import diagnostics_tree, read_diagnostics


def test_what_was_judged():
    assert finding("ok", "a", "b") == Finding(level="ok", topic="a", text="b", judged=True)
    assert not_judged("a", "b") == Finding(level="caution", topic="a", text="b", judged=False)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("a", "a"),
        ("abcd", "a, b, c, d"),
        ("abcde", "a, b, c, d and 1 more"),
        ("abcdefg", "a, b, c, d and 3 more"),
    ],
)
def test_at_most_four_names(names, text):
    assert some(iter(names)) == text


@pytest.mark.parametrize(
    ("p", "level", "text"),
    [
        (
            0.0099,
            "problem",
            "y: LOO-PIT is not uniform (p = .010): the model's distribution of y does not fit the data.",
        ),
        (0.01, "ok", "y: no miscalibration detected by LOO-PIT (p = .010)."),
    ],
)
def test_calibration_fails_below_one_in_a_hundred(p, level, text):
    assert about_calibration("y", p) == [finding(level, "calibration", text)]
    assert about_calibration("y", np.nan) == []


def observed(values, predictive=True):
    groups = {"observed_data": xr.Dataset({"y": (("a", "b")[: values.ndim], values)})}
    return xr.DataTree.from_dict(groups | ({"posterior_predictive": xr.Dataset()} if predictive else {}))


def test_vectors_have_more_numbers_than_terms():
    loo = SimpleNamespace(pareto_k=np.zeros(3))
    assert are_vectors(observed(np.zeros((3, 2))), "y", loo)
    assert not are_vectors(observed(np.zeros(3)), "y", loo)
    assert not are_vectors(observed(np.zeros((3, 2))), "z", loo)
    assert not are_vectors(xr.DataTree(), "y", loo)
    for tree in (observed(np.zeros((3, 2))), observed(np.zeros(3), predictive=False), xr.DataTree()):
        assert np.isnan(uniformity(tree, "y", loo))
    assert np.isnan(uniformity(observed(np.zeros(3)), "z", loo))


def test_tables_and_findings_are_read_as_they_were_stored():
    table = pd.DataFrame({"mean": [1.5, np.nan], "diagnosis": ["a", "b"]}, index=["mu", "sigma"])
    made = Diagnostics(
        summary=table,
        loo=pd.DataFrame({"elpd": [1.0]}, index=["y"]),
        checks=no_checks(),
        sensitivity=no_sensitivity(),
        findings=(finding("ok", "a", "é"), not_judged("b", "c")),
    )
    tree = diagnostics_tree(made)
    assert tree["summary"].sizes == {"row": 2}
    assert tree["checks"].sizes == {}
    read = read_diagnostics(tree)
    assert read.findings == made.findings
    for name in ("summary", "loo"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(made, name))
    for name in ("checks", "sensitivity"):
        assert list(getattr(read, name).columns) == list(getattr(made, name).columns)
        assert len(getattr(read, name)) == 0
