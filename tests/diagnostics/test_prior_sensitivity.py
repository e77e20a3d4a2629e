"""What is said of the sensitivity to the prior, by tables and densities made by hand."""

import logging

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.diagnostics.prior_sensitivity import no_sensitivity, prior_sensitivity

VALUES = np.array([[0.0, 1.0], [2.0, 3.0]])


def tree_of(log_prior):
    dims = ("chain", "draw")
    groups = {"posterior": {"a": (dims, VALUES)}, "log_likelihood": {"y": ((*dims, "row"), VALUES[..., None])}}
    groups["log_prior"] = {name: ((*dims, *"rs"[: v.ndim - 2]), v) for name, v in log_prior.items()}
    return xr.DataTree.from_dict({name: xr.Dataset(group) for name, group in groups.items()})


@pytest.fixture
def found(monkeypatch):
    """Findings about a table of sensitivities, and what ArviZ was called with."""
    given = {}

    def call(rows, tree=None, var_names=None, prior_var_names=None):
        table = pd.DataFrame(rows, columns=["prior", "likelihood"], index=[f"p{i}" for i in range(len(rows))])

        def psense_summary(tree, **options):
            given.update(options)
            return table

        monkeypatch.setattr(az, "psense_summary", psense_summary)
        notes = []
        result = prior_sensitivity(tree or tree_of({"a": VALUES}), var_names, prior_var_names, notes)
        assert result is table
        return [(n.level, n.topic, n.text) for n in notes]

    call.given = given
    return call


NEITHER = ("ok", "prior", "The posterior is not sensitive to the prior (power scaling).")
CONFLICT = "Possible prior-data conflict: the posterior of {} is sensitive to both prior and likelihood."
STRONG = "The prior may dominate: the posterior of {} is sensitive to the prior, but not to the likelihood."


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(0.05, 0.05), (0.05, 0.9)], [NEITHER]),
        ([(0.051, 0.051), (0.01, 0.9)], [("caution", "prior", CONFLICT.format("p0"))]),
        ([(0.051, 0.05), (0.06, np.nan)], [("caution", "prior", STRONG.format("p0, p1"))]),
        (
            [(0.06, 0.06), (0.06, 0.04), (0.04, 0.04)],
            [("caution", "prior", CONFLICT.format("p0")), ("caution", "prior", STRONG.format("p1"))],
        ),
        ([("0.3", "0.2")], [("caution", "prior", CONFLICT.format("p0"))]),
    ],
)
def test_sensitive_is_above_five_per_cent(found, rows, said):
    assert found(rows) == said


def test_the_names_are_handed_on(found):
    found([(0.0, 0.0)], var_names=["a"], prior_var_names=["a"])
    assert found.given == {"var_names": ["a"], "prior_var_names": ["a"]}
    found([(0.0, 0.0)])
    assert found.given == {"var_names": None, "prior_var_names": None}


@pytest.mark.parametrize(
    ("log_prior", "names", "flat"),
    [
        ({"a": np.zeros((2, 2))}, None, True),
        ({"a": np.zeros((2, 2)) + VALUES * 0.9e-10 / 3}, None, True),
        ({"a": np.zeros((2, 2)) + VALUES * 1.1e-10 / 3}, None, False),
        # Rounding is relative to densities above 1.
        ({"a": 100 + VALUES * 0.9e-8 / 3}, None, True),
        ({"a": -100 + VALUES * 0.9e-8 / 3}, None, True),
        ({"a": 100 + VALUES * 1.1e-8 / 3}, None, False),
        # The sum over variables and elements counts.
        ({"a": VALUES, "b": np.stack([-VALUES / 2, -VALUES / 2], axis=-1)}, None, True),
        ({"a": VALUES, "b": np.zeros((2, 2))}, ["b"], True),
        ({"a": VALUES, "b": np.zeros((2, 2))}, ["a"], False),
    ],
)
def test_a_flat_prior_is_none_to_scale(found, log_prior, names, flat):
    tree = tree_of(log_prior)
    if not flat:
        assert found([(0.0, 0.0)], tree, prior_var_names=names) == [NEITHER]
        return
    notes = []
    table = prior_sensitivity(tree, None, names, notes)
    assert [(n.level, n.topic) for n in notes] == [("ok", "prior")]
    assert notes[0].text == "The prior is flat over the posterior's draws: scaling it changes nothing."
    pd.testing.assert_frame_equal(table, no_sensitivity())


def test_without_a_prior_nothing_is_said():
    whole = tree_of({"a": VALUES})
    for tree, names in (
        (whole, []),
        (whole.filter(lambda node: node.name != "log_prior"), None),
        (whole.filter(lambda node: node.name != "log_likelihood"), None),
    ):
        notes = []
        assert list(prior_sensitivity(tree, None, names, notes).columns) == ["prior", "likelihood", "diagnosis"]
        assert notes == []


def test_why_there_is_none_is_said(monkeypatch):
    def refuses(*_, **__):
        raise ValueError("no tail")

    monkeypatch.setattr(az, "psense_summary", refuses)
    notes = []
    assert len(prior_sensitivity(tree_of({"a": VALUES}), None, None, notes)) == 0
    assert [(n.level, n.text) for n in notes] == [("caution", "The sensitivity to the prior is unavailable (no tail).")]


def test_arviz_logs_nothing_meanwhile(monkeypatch):
    logger = logging.getLogger("arviz_stats.psense")
    seen = []

    def psense_summary(*_, **__):
        seen.append(logger.disabled)
        return pd.DataFrame({"prior": [0.0], "likelihood": [0.0]})

    monkeypatch.setattr(az, "psense_summary", psense_summary)
    prior_sensitivity(tree_of({"a": VALUES}), None, None, [])
    assert (seen, logger.disabled) == ([True], False)
