"""What a report's result, its card and the file of all numbers hold; made by hand, nothing is sampled."""

import json
from pathlib import Path

import pytest

from pp_mlekl.cli.report_build import Built, Task, build, check_summaries, check_targets, index_entry, write_summaries
from pp_mlekl.cli.report_file import Specification

SUMMARY = {
    "name": "N",
    "href": "n.html",
    "verdict": {"level": "problem", "conclusion": "Do not use.", "findings": []},
    "card": {"rows": [("mu", "<b>1</b>")], "badges": []},
    "pp_mlekl_fingerprint": "f",
}


def finding(level, topic, text="t"):
    return {"level": level, "topic": topic, "text": text, "judged": True}


def task(tmp_path, **settings):
    return Task(specification=Specification(builder="none.py:build", name="N"), stem=tmp_path / "a.b", **settings)


def test_a_task_makes_what_has_changed_and_shows_one_line(tmp_path):
    made = task(tmp_path)
    assert (made.force, made.only_check, made.guide, made.traceback) == (False, False, "", False)
    assert made.path("html") == tmp_path / "a.b.html"


def test_a_result_is_new_and_no_failure():
    made = Built(summary={})
    assert (made.status, made.changed) == (0, True)


def test_a_failure_has_its_reason_and_status(tmp_path, capsys):
    failed = build(task(tmp_path))
    assert failed == Built(summary={"name": "N", "failure": "There is no file none.py."}, status=2)
    assert capsys.readouterr().err == "pp-mlekl: There is no file none.py.\n"


def test_the_file_of_all_numbers_leaves_out_what_only_later_runs_read(tmp_path):
    path = tmp_path / "report.json"
    failed = {"name": "é", "failure": "why"}
    assert write_summaries([Built(summary=SUMMARY), Built(summary=failed, status=1)], path) == path
    kept = {key: SUMMARY[key] for key in ("name", "href", "verdict")}
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps({"pp_mlekl_reports": [kept, failed]}, indent=1, ensure_ascii=False)
    # It is replaced by a later run, but nothing else is.
    check_summaries(path)
    path.write_text('{"pp_mlekl_fingerprint": "f"}')
    with pytest.raises(ValueError, match="was not written by pp_mlekl"):
        check_summaries(path)


@pytest.mark.parametrize(
    ("content", "ours"),
    [('{"pp_mlekl_fingerprint": "f"}', True), ('{"a": 1}', False), ('["pp_mlekl_fingerprint"]', False), ("{", False)],
)
def test_numbers_of_other_programs_are_kept(tmp_path, content, ours):
    (tmp_path / "a.b.json").write_text(content)
    if ours:
        check_targets(task(tmp_path))
    else:
        with pytest.raises(ValueError, match="was not written by pp_mlekl"):
            check_targets(task(tmp_path))


def test_a_card_has_the_conclusion_the_problems_and_what_the_warnings_are_about():
    findings = [
        finding("ok", "a"), finding("caution", "b"), finding("problem", "c", "x y"), finding("caution", "d"),
        finding("caution", "b"),
    ]  # fmt: skip
    shown = index_entry(SUMMARY | {"verdict": SUMMARY["verdict"] | {"findings": findings}})
    assert shown["findings"] == [("problem", "Do not use."), ("problem", "c: x y"), ("caution", "Warnings: b, d.")]
    assert index_entry(SUMMARY)["findings"] == [("problem", "Do not use.")]
    ((name, row),) = index_entry(SUMMARY)["card"]["rows"]
    # Markup is not escaped a second time.
    assert (name, f"{row}", row.__html__()) == ("mu", "<b>1</b>", "<b>1</b>")


@pytest.mark.parametrize("more", [0, 1])
def test_findings_of_more_than_260_characters_are_cut(more):
    room = 260 - len("c: ")
    text = "x" * (room - 4 + more) + " end"
    shown = index_entry(SUMMARY | {"verdict": SUMMARY["verdict"] | {"findings": [finding("problem", "c", text)]}})
    assert shown["findings"][1][1] == (f"c: {text}" if not more else f"c: {text[:-4]} …")
    reason = "x" * (260 - len("There is no page:  end") + more) + " end"
    failed = index_entry({"name": "N", "failure": reason})
    cut = f"There is no page: {reason}" if not more else f"There is no page: {reason[:-4]} …"
    assert failed == {"href": "", "name": "N", "shows": "", "findings": [("problem", cut)]}


@pytest.mark.parametrize(
    ("truth", "module", "says"),
    [
        ("other", "TRUTH = {}", "truth must be \"module\" or a table of values, got 'other'."),
        ("module", "", "mine.py has no TRUTH; write the values into the report's [truth] table."),
    ],
)
def test_a_truth_that_is_none_is_refused(tmp_path, monkeypatch, truth, module, says):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(f"import pymc as pm\n{module}\ndef build():\n    return pm.Model()\n")
    wanted = Specification(builder="mine.py", name="N", truth=truth)
    failed = build(Task(specification=wanted, stem=tmp_path / "n", only_check=True))
    assert (failed.summary["failure"], failed.status) == (says, 2)
