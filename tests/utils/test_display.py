"""Results are shown by one helper: no text escapes into HTML, and none is shown as its constructor's call."""

import dataclasses

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import pp_mlekl as mk
from pp_mlekl.utils.display import Display


def test_text_and_html_hold_the_same():
    table = pd.DataFrame({"<b>": [1.23456789]}, index=["<i>"])
    shown = Display(
        title="<script>", badge="&", level="bad", lines=["<l>"], warnings=["<w>"], table=table, details={"<d>": table}
    )
    text, html = shown.text(), shown.html()
    assert text.splitlines()[:3] == ["<script>: &", "<l>", "! <w>"]
    assert "1.2346" in text
    assert "1.2346" in html
    for raw in ("<script>", "<l>", "<w>", "<i>", "<d>", "<b>1"):
        assert raw not in html
    assert html.count("<details>") == 1


@pytest.fixture(scope="module")
def results() -> dict:
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Deterministic("double", 2 * mu)
        pm.Normal("y", mu, 1.0, observed=np.random.default_rng(1).normal(size=20))
    mle = mk.find_mle(model, random_seed=1)
    tests = mk.nested_tests(model, mle, null={"mu": 0.0})
    batch = mk.Estimate(value=xr.DataArray([1.0, 2.0], dims="row"), mcse=np.array([0.1, 0.2]), method="Monte Carlo")
    return {
        "MLE": mle,
        "MAP": mk.find_map(model, random_seed=1),
        "pseudo-true": mk.pseudo_true(model, {"mu": 0.5}, random_seed=1),
        "derived": mle.delta_method(),
        "profile": mle.profile(),
        "bootstrap": mle.bootstrap(replicates=20, random_seed=1),
        "nested tests": tests,
        "one test": tests[0],
        "information matrix": mk.information_matrix_test(model, mle, replicates=0),
        "Laplace": mk.laplace(model, random_seed=1),
        "evidence": mk.log_evidence(model, mk.laplace(model, random_seed=1).tree, random_seed=1),
        "number": mk.kl_divergence("Normal(0, 1)", "Normal(1, 1)"),
        "array": batch,
    }


NAMES = (
    "MLE",
    "MAP",
    "pseudo-true",
    "derived",
    "profile",
    "bootstrap",
    "nested tests",
    "one test",
    "information matrix",
    "Laplace",
    "evidence",
    "number",
    "array",
)


@pytest.mark.parametrize("name", NAMES)
def test_every_result_shows_itself(results, name):
    result = results[name]
    assert dataclasses.is_dataclass(result)
    assert type(result).__dataclass_params__.frozen
    assert isinstance(result.summary(), pd.DataFrame)
    assert f"{type(result).__name__}(" not in repr(result)
    assert "<b>" in result._repr_html_()


LEVELS = {
    "MLE": {
        "converged": "good",
        "boundary": "caution",
        "multimodal": "caution",
        "not_identified": "bad",
        "failed": "bad",
    },
    "derived": {"converged": "good", "boundary": "caution", "not_identified": "caution"},
}


@pytest.mark.parametrize("name", LEVELS)
def test_the_level_of_a_status(results, name):
    levels = {status: dataclasses.replace(results[name], status=status)._display().level for status in LEVELS[name]}
    assert levels == LEVELS[name]


@pytest.mark.parametrize(
    ("limit", "bootstrap", "level", "badge"),
    [
        (0.5, np.nan, "good", "p = 0.5"),
        (0.049, np.nan, "caution", "p = 0.049"),
        (0.051, np.nan, "good", "p = 0.051"),
        (0.5, 0.01, "caution", "p = 0.01"),
        (0.01, 0.5, "good", "p = 0.5"),
    ],
)
def test_the_level_of_a_test_of_the_model(results, limit, bootstrap, level, badge):
    test = dataclasses.replace(results["information matrix"], p_value=limit, p_value_bootstrap=bootstrap)
    assert (test._display().level, test._display().badge) == (level, badge)


def test_a_warning_of_an_approximation_is_a_caution(results):
    found = [dataclasses.replace(results["Laplace"], warnings=w)._display().level for w in ((), ("bent",))]
    assert found == ["good", "caution"]


def test_numbers_of_an_estimate(results):
    assert results["number"].summary().loc[0].tolist() == [0.5, 0.0]
    table = results["array"].summary()
    assert table.index.name == "row"
    assert table["mcse"].tolist() == [0.1, 0.2]
    assert "0.5" in repr(results["number"])
    assert results["array"]._display().table.equals(table)


def test_tables_leave_out_empty_columns_and_mark_gaps():
    table = pd.DataFrame({"estimate": [1.5, np.nan], "se": [np.nan, np.nan]}, index=["mu", "tau"])
    shown = Display(title="A fit", table=table)
    for text in (shown.text(), shown.html()):
        assert "1.5" in text
        assert "–" in text
        assert "NaN" not in text
        assert "se<" not in text
    nothing = Display(title="A fit", table=table[["se"]])
    assert nothing.text() == "A fit"
    assert "<table" not in nothing.html()
    assert "<table" in Display(title="No rows", table=table.iloc[:0]).html()
