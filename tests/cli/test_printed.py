"""What commands print, against the objects that hold it."""

import json
import re
from importlib import import_module

import numpy as np
import pandas as pd
import xarray as xr
from command_line import run

import pp_mlekl as mk
from models import radon
from pp_mlekl.cli.gallery import entries
from pp_mlekl.cli.load_model import load_builder
from pp_mlekl.cli.output import show_table
from pp_mlekl.cli.study import _print
from pp_mlekl.divergences.rule_table import rules
from pp_mlekl.report.labels import INTERVALS


def test_models_as_latex(folder):
    """The rows of ``compare_models``, and a page for each model and for all."""
    result = run(
        *("compare-models", "my_model.py:build", "my_model.py:build_wide", "--draws", "100", "--chains", "2"),
        *("--seed", "1", "--out", "out", "--latex"),
    )
    assert result.exit_code == 0, result.output
    names = ("my_model", "my_model-wide")
    assert {p.name for p in (folder / "out").glob("*.html")} == {"models.html", *(f"{name}.html" for name in names)}
    fits = {name: mk.load(folder / "out" / f"{name}.nc") for name in names}
    table = mk.compare_models(fits, random_seed=1).summary().reset_index(names="model")
    assert result.stdout == table.to_latex(index=False, escape=True, float_format="%.4g")


def test_the_gallery_in_the_words_of_its_docstrings():
    found = {entry.function: entry for entry in entries() if entry.module == "radon"}
    first = " ".join(radon.__doc__.partition("\n\n")[0].split())
    assert found["build"].describes == radon.build.__doc__.partition("\n")[0]
    assert f"{found['build'].data}: {found['build'].shows}".lower() == first.lower()
    assert found["build"].shows[0].isupper()
    for name in found.keys() - {"build"}:
        assert found[name].shows == getattr(radon, name).__doc__.partition("\n")[0]


def test_rules_are_grouped_by_their_first_family():
    lines = run("rules").stdout.splitlines()
    starts = [line.split()[0] for line in lines[1:-1] if line[:1].isalpha()]
    assert starts == sorted({p for p, _ in rules()})


def test_texts_are_aligned_to_the_left_and_numbers_to_the_right():
    header, *rows = run("kl", "Normal(0, 1)", "Normal(1, 1)", "Normal(20, 1)").stdout.splitlines()
    # Of a column of texts the first letters are below each other, of a column of numbers the last digits.
    for title, left in (("unit", True), ("method", True), ("value", False), ("mcse", False)):
        place = header.index(title) + (0 if left else len(title) - 1)
        for row in (row for row in rows if row.startswith(("KL", "JSD"))):
            beyond = place - 1 if left else place + 1
            assert row[place] != " "
            assert row[beyond] == " "


def test_numbers_are_not_broken_in_a_pipe(capsys):
    numbers = [f"{n}.0123456789 ± 0.00012" for n in range(8)]
    show_table(["a name", *"abcdefgh", "a remark"], [["one", *numbers, "words " * 30]] * 2, words=(0, 9))
    lines = capsys.readouterr().out.splitlines()
    assert sum(all(number in line for number in numbers) for line in lines) == 2


def test_the_truth_of_an_imported_builder_is_that_of_its_module(folder):
    (folder / "origin.py").write_text('"""Where it is."""\nTRUTH = {"mu": 1.0}\ndef build():\n    pass\n')
    (folder / "passed_on.py").write_text("from origin import build\n")
    (folder / "replaced.py").write_text('from origin import build\nTRUTH = {"mu": 2.0}\n')
    assert load_builder("passed_on.py:build").truth == {"mu": 1.0}
    assert load_builder("replaced.py:build").truth == {"mu": 2.0}


def test_the_table_of_a_study(capsys):
    """A row for each estimator and size; what each interval is made from, a line each."""
    dims = ("estimator", "size")
    summary = xr.Dataset(
        {
            "kl": (dims, [[0.25, 0.125]]),
            "exists": (dims, [[1.0, 0.75]]),
            "coverage_estimated": ((*dims, "parameter"), [[[0.95, np.nan], [0.9, 0.91]]]),
            "coverage_profile": ((*dims, "parameter"), [[[0.94, 0.93], [0.92, 0.96]]]),
        },
        coords={"estimator": ["mle"], "size": [10, 20], "parameter": ["a", "b"]},
    )
    _print(xr.DataTree.from_dict({"summary": summary}))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["mle", "10"], ["mle", "20"]]
    assert re.search(r"0\.25 +0\.00% +0\.950,", lines[1])
    assert re.search(r"0\.125 +25\.00% +0\.900, 0\.910", lines[2])
    wanted = [f"  {INTERVALS[kind][1]} ({INTERVALS[kind][0]})" for kind in ("estimated", "profile")]
    assert lines[-2:] == wanted


def test_the_numbers_of_compare_are_those_of_its_file(folder, monkeypatch):
    (folder / "truth.toml").write_text("mu = 1.0\n")
    arguments = ["compare", "my_model.py:build", "--draws", "100", "--chains", "2", "--seed", "1", "--out", "out"]
    result = run(*arguments, "--truth", "truth.toml", "--json")
    assert result.exit_code == 0, result.output
    assert {p.name for p in (folder / "out").iterdir()} == {"my_model.html", "my_model.md", "my_model.nc"}
    page = (folder / "out" / "my_model.html").read_text(encoding="utf-8")
    assert "KL(truth‖MLE)" in page
    assert "A normal sample" in page
    comparison = mk.load(folder / "out" / "my_model.nc")
    table = comparison.summary()
    found = pd.DataFrame(json.loads(result.stdout)["estimates"]).set_index("parameter")
    assert list(found.columns) == list(table.columns)
    for column in table.select_dtypes("number"):
        np.testing.assert_array_equal(found[column], table[column])
    # The same comparison in another form.
    monkeypatch.setattr(import_module("pp_mlekl.comparison.compare"), "compare", lambda *_, **__: comparison)
    assert run(*arguments, "--csv").stdout == table.reset_index(names="parameter").to_csv(index=False)
