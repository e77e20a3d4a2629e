"""``pp-mlekl kl`` and ``pp-mlekl rules``."""

import re

import pytest
from typer.testing import CliRunner

from pp_mlekl.cli.app import app
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
