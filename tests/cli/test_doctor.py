"""``pp-mlekl doctor``: what it computes, and how its JSON is written."""

import json
from types import SimpleNamespace

import pytest
from command_line import run

from pp_mlekl.comparison.verdict import Verdict
from pp_mlekl.diagnostics.findings import finding
from pp_mlekl.report.json_summary import json_verdict

MADE = Verdict(conclusion="What to do.", findings=(finding("caution", "b", "y"),))


@pytest.fixture
def doctored(tmp_path, monkeypatch):
    """Runs the command with a comparison made by hand, and gives its output and what it was called with."""
    (tmp_path / "mine.py").write_text("import pymc as pm\n\ndef build():\n    return pm.Model()\n")
    monkeypatch.chdir(tmp_path)
    given = []

    def compare(model, truth, **settings):
        settings["progress"]("a step")
        given.append((truth, settings))
        return SimpleNamespace(verdict=lambda: MADE)

    monkeypatch.setattr("pp_mlekl.comparison.compare.compare", compare)

    def invoke(*arguments):
        return run("doctor", "mine.py", *arguments).stdout, *given[-1]

    return invoke


def test_nothing_is_computed_for_the_page_alone(doctored):
    _, truth, settings = doctored()
    assert truth is None
    del settings["progress"]
    assert settings == {
        "draws": 1000, "chains": 4, "random_seed": None, "nuts_sampler": "nutpie", "potentials": None,
        "skip": ["derived"],
    }  # fmt: skip


def test_the_json_has_a_line_for_each_key(doctored):
    shown, *_ = doctored("--json")
    assert shown == json.dumps({**json_verdict(MADE), "exit_status": 3}, indent=1) + "\n"
    assert shown.startswith('{\n "level": "caution",\n')
