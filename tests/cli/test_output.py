"""Verdicts for scripts, and tables as JSON, CSV and LaTeX."""

import io
import json
from types import SimpleNamespace

import pandas as pd
import pytest
import typer
from command_line import run

from pp_mlekl.cli.app import app
from pp_mlekl.comparison.verdict import Verdict
from pp_mlekl.diagnostics.findings import finding

WRITTEN = [
    (command.name, option.opts[0])
    for command in typer.main.get_command(app).commands.values()
    for option in command.params
    if option.name in ("out", "page", "store")
]
KINDS = {"--page": (".html",), "--store": (".zarr",), "calibrate --out": (".html",), "study --out": (".nc", ".zarr")}


@pytest.mark.parametrize(("command", "option"), WRITTEN)
def test_a_name_of_a_file_that_is_not_written_is_refused(folder, command, option):
    """Nothing of another kind is written under the name, and the line names what is."""
    kinds = KINDS.get(f"{command} {option}", KINDS.get(option, ("folder",)))
    for wrong in ("x.csv", "x.HTML", "x.json", *([] if "folder" in kinds else ["x", "x.nc.txt"])):
        result = run(command, option, wrong)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert option in line
        assert all(kind in line for kind in kinds)
        assert wrong in line
    for kind in kinds:
        # The next complaint is about the model, which is missing.
        assert option not in run(command, option, "results-1.2" if kind == "folder" else f"x{kind}").stderr
    assert not list(folder.glob("x*"))


def test_a_folder_that_exists_may_be_called_like_a_file(folder):
    (folder / "x.csv").mkdir()
    assert "--out" not in run("compare", "--out", "x.csv").stderr


def test_version():
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("pp_mlekl ")


def test_doctor_of_a_model_that_is_not_identified(folder):
    result = run("doctor", "my_model.py:flat", "--draws", "200", "--chains", "2", "--seed", "1", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == found["exit_status"]
    assert (result.exit_code, found["level"]) == (4, "problem")
    assert list(folder.glob("*.html")) == []


@pytest.mark.parametrize(("level", "status"), [("ok", 0), ("caution", 3), ("problem", 4)])
def test_doctor_exits_with_the_level(folder, monkeypatch, level, status):
    """Of verdicts made by hand."""
    made = Verdict(conclusion="What to do.", findings=(finding("ok", "a", "x"), finding(level, "b", "y")))
    monkeypatch.setattr("pp_mlekl.comparison.compare.compare", lambda *_, **__: SimpleNamespace(verdict=lambda: made))
    shown = run("doctor", "my_model.py:build")
    assert (shown.exit_code, shown.stdout.strip()) == (status, str(made))
    found = json.loads(run("doctor", "my_model.py:build", "--json").stdout)
    assert (found["level"], found["exit_status"], found["conclusion"]) == (level, status, "What to do.")
    assert [f["level"] for f in found["findings"]] == ["ok", level]


@pytest.mark.parametrize("command", [["rules"], ["list"], ["kl", "Normal(0, 1)", "Normal(1, 1)", "Cauchy(0, 1)"]])
def test_tables_in_each_format(command):
    rows = json.loads(run(*command, "--json").stdout)
    table = pd.read_csv(io.StringIO(run(*command, "--csv").stdout))
    assert len(rows) == len(table) > 2
    assert list(rows[0]) == list(table.columns)
    latex = run(*command, "--latex").stdout
    assert latex.startswith("\\begin{tabular}")
    assert latex.count(r"\\") == len(rows) + 1


def test_numbers_of_kl():
    first = json.loads(run("kl", "Normal(0, 1)", "Normal(1, 1)", "--json").stdout)[0]
    assert (first["value"], first["mcse"], first["unit"]) == (0.5, 0.0, "nats")


@pytest.mark.parametrize("columns", ["80", "130"])
def test_the_gallery_has_a_line_for_each_builder(columns, monkeypatch):
    rows = json.loads(run("list", "--json").stdout)
    monkeypatch.setattr("pp_mlekl.cli.output._WIDTH_OF_LINES", int(columns))
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [row["builder"] for row in rows]
    assert max(map(len, lines)) <= int(columns)
    assert all(str(row["parameters"]) in line.split() for row, line in zip(rows, lines[1:], strict=True))
