"""Names and labels that would be lost or changed are refused before anything is computed; the others survive files."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pymc as pm
import pytest

import pp_mlekl as mk
from pp_mlekl.pymc_model.model_functions import model_functions

DAYS = pd.date_range("2020-01-01", periods=3)


def labelled(labels, dim="site", free=True):
    with pm.Model(coords={dim: labels}) as model:
        mu = pm.Normal("mu", 0, 1, dims=dim if free else None)
        pm.Normal("y", mu, 1, observed=np.arange(3.0), dims=dim)
    return model


def named(parameter="mu", observed="y"):
    with pm.Model() as model:
        pm.Normal(observed, pm.Normal(parameter), 1, observed=[0.1, 0.2])
    return model


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "a", "b"],
        DAYS.tz_localize("Europe/Berlin"),
        pd.period_range("2020", periods=3, freq="M"),
        pd.interval_range(0, 3),
        [b"a", b"b", b"\xff"],
        ["a", 1, 2.5],
        [1, "a", None],
        [None, None, None],
        [1.0, np.nan, 2.0],
        np.array(["2020-01-01", "NaT", "2020-01-03"], dtype="M8[ns]"),
        [(1, 2), (1, 3), (2, 1)],
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
        [datetime.date(2020, 1, day) for day in (1, 2, 3)],
        [1j, 2, 3],
        [10**30, 1, 2],
        [object(), object(), object()],
        [Decimal(1), Decimal(2), Decimal(3)],
        ["a\0", "b", "c"],
        ["\udcff", "b", "c"],
        ["x" * 1000, "b", "c"],
    ],
)
def test_labels_that_would_be_lost_are_refused(labels):
    with pytest.raises(ValueError, match="label") as caught:
        model_functions(labelled(labels))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dim", ["sample", "estimator", "variable", "a/b", ".", "..", "", "\0", "a\\b", "x" * 300])
def test_dims_that_would_be_lost_are_refused(dim):
    with pytest.raises(ValueError, match="dim"):
        model_functions(labelled(["a", "b", "c"], dim))


@pytest.mark.parametrize(
    "name", [".", "..", "", " ", "\0", "a\0b", "a\\b", "a\nb", "\ud800", "chain", "draw", "x" * 300]
)
def test_names_that_would_be_lost_are_refused(name):
    for model in (named(name), named("mu", name)):
        with pytest.raises(ValueError, match="variable"):
            model_functions(model)


def test_observations_may_share_a_label():
    assert model_functions(labelled(["a", "a", "b"], free=False)).n_observations == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "labels",
    [
        DAYS,
        pd.timedelta_range("1D", periods=3),
        ["a/b", "<b>", "c\nd"],
        ["é", "😀", "$x$"],
        [1.5, 2.5, 3.5],
    ],
    ids=["days", "durations", "marks", "unicode", "fractions"],
)
def test_other_labels_survive_files_and_pages(labels, tmp_path):
    comparison = mk.compare(labelled(labels), draws=20, chains=2, random_seed=1)
    for name in ("c.nc", "c.zarr"):
        comparison.save(tmp_path / name)
        loaded = mk.load(tmp_path / name)
        for group in comparison.tree.children:
            for coord, values in comparison.tree[group].to_dataset().coords.items():
                assert values.equals(loaded.tree[group].to_dataset()[coord]), (group, coord)
    page = comparison.to_html(tmp_path / "c.html")
    assert "could not be drawn" not in page.read_text("utf-8")
