"""``pp-mlekl kl`` and ``pp-mlekl rules``."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from pp_mlekl.cli.app import app
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.rule_table import rules


def _run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_both_directions_and_the_symmetric_one():
    result = _run("kl", "Normal(0, 1)", "Normal(1, 1)")
    assert result.exit_code == 0
    assert re.findall(r"^(\w+)\(.* 0\.5 +0 +nats +closed form", result.stdout, re.MULTILINE) == ["KL", "KL"]
    assert re.search(r"JSD\(.*0\.1114", result.stdout)


def test_several_make_a_table_of_all_pairs_in_bits():
    result = _run("kl", "Normal(0,1)", "Normal(1,1)", "Cauchy(0,1)", "--base", "2")
    assert result.exit_code == 0
    assert len(re.findall(r"KL\(.*bits", result.stdout)) == 6
    assert len(re.findall(r"JSD\(.*bits", result.stdout)) == 3
    assert len(re.findall(r"\binf\b", result.stdout)) == 2


def test_lists_of_parameters_have_a_row_each():
    result = _run("kl", "Normal([0,1],1)", "Normal(1,1)")
    assert result.exit_code == 0
    assert re.search(r"KL\(Normal.*\)\[0\] +0.5 ", result.stdout)
    assert re.search(r"JSD\(.*\)\[1\] +0 ", result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("Gama(2, 1)", "Normal(0, 1)"),
        ("Normal(0, 1)",),
        ("Normal(0,1)", "Poisson(3)"),
        ("Normal(0,1)", "Normal(1,1)", "--seed", "-1"),
        ("Normal([0,1],1)", "Normal([0,1,2],1)"),
        *(("Normal(0,1)", "Normal(1,1)", "--rtol", wrong) for wrong in ("-1", "0", "nan", "inf")),
        *(("Normal(0,1)", "Normal(1,1)", "--budget", wrong) for wrong in ("-7", "0", "1")),
        *(("Normal(0,1)", "Normal(1,1)", "--base", wrong) for wrong in ("-1", "1", "0.5", "nan", "inf")),
    ],
)
def test_wrong_use_is_one_line_and_status_2(arguments):
    result = _run("kl", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_rules_lists_the_table():
    result = _run("rules")
    assert result.exit_code == 0
    assert f"{len(rules())} ordered pairs" in result.stdout


@pytest.fixture
def rows(monkeypatch):
    """The rows of JSON for values made by hand, and the options of each divergence."""
    given = []

    def divergence(p, q, **options):
        given.append(options)
        value = np.array([[0.25, np.inf], [np.nan, 1.0]])
        return Estimate(value=value, mcse=0.5, method="m", unit="u", warnings=("[first]", "second"))

    monkeypatch.setattr("pp_mlekl.inputs.divergence.kl_divergence", divergence)
    monkeypatch.setattr("pp_mlekl.inputs.divergence.js_divergence", divergence)

    def invoke(*options):
        del given[:]
        return _run("kl", "Normal(0, 1)", "Normal(1, 1)", *options), given

    return invoke


def test_both_divergences_have_the_options(rows):
    _, given = rows("--base", "2", "--rtol", "0.25", "--budget", "1000", "--seed", "9")
    assert given == [{"base": 2.0, "rtol": 0.25, "budget": 1000, "random_seed": 9}] * 3
    _, given = rows()
    assert given == [{"base": None, "rtol": None, "budget": None, "random_seed": 0}] * 3


def test_a_batch_of_distributions_has_a_row_for_each_place(rows):
    shown, _ = rows("--json")
    found = json.loads(shown.stdout)
    assert [row["quantity"] for row in found[:4]] == [
        f"KL(Normal(0, 1) || Normal(1, 1)){place}" for place in ("[0, 0]", "[0, 1]", "[1, 0]", "[1, 1]")
    ]
    assert [row["quantity"].partition("(")[0] for row in found] == ["KL"] * 8 + ["JSD"] * 4
    assert [row["value"] for row in found[:4]] == [0.25, "inf", None, 1.0]
    assert found[0] | {"quantity": ""} == {
        "quantity": "", "value": 0.25, "mcse": 0.5, "unit": "u", "method": "m", "warnings": "[first] second"
    }  # fmt: skip


def test_warnings_follow_the_table_one_a_line_and_as_they_are(rows):
    lines = rows()[0].stdout.splitlines()
    assert lines[0].split() == ["value", "mcse", "unit", "method"]
    assert lines[-2:] == ["JSD(Normal(0, 1), Normal(1, 1)): [first]", "JSD(Normal(0, 1), Normal(1, 1)): second"]
    assert len(lines) == 1 + 12 + 6


def test_numbers_have_ten_digits_and_errors_two(monkeypatch):
    made = Estimate(value=1 / 3, mcse=1 / 3, method="a longer text", unit="nats and more")
    monkeypatch.setattr("pp_mlekl.inputs.divergence.kl_divergence", lambda *_, **__: made)
    header, row, *_ = _run("kl", "Normal(0, 1)", "Normal(1, 1)").stdout.splitlines()
    assert row.split()[-7:] == ["0.33", "nats", "and", "more", "a", "longer", "text"]
    assert " 0.3333333333 " in row
    # Texts begin below their titles, numbers end there.
    assert row.index("nats") == header.index("unit")
    assert row.index("a longer") == header.index("method")
    assert row.index("0.33 ") + 4 == header.index("mcse") + 4


def test_one_distribution_is_too_few():
    assert _run("kl", "Normal(0, 1)").stderr == "pp-mlekl: Give two or more distributions, got 1.\n"


def test_rules_have_a_line_for_each_first_family(monkeypatch):
    pairs = [("A", "A"), ("A", "B"), ("C", "A")]
    monkeypatch.setattr("pp_mlekl.divergences.rule_table.rules", lambda: pairs)
    lines = [line.rstrip() for line in _run("rules").stdout.splitlines()]
    assert lines == ["P  Q", "A  A, B", "C  A", "3 ordered pairs."]
