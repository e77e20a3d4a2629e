"""Warnings survive as attributes; those that the previous release wrote are read too."""

import pytest

from pp_mlekl.utils.progress import progress_bar
from pp_mlekl.utils.warning_attributes import read_warnings, warnings_attribute


@pytest.mark.parametrize("warnings", [[], ["one"], ["a | b", 'with "quotes"', "‖ and é"]])
def test_there_and_back(warnings):
    assert read_warnings({"warnings": warnings_attribute(warnings)}) == tuple(warnings)


def test_each_stands_there_once_in_the_order_of_their_first():
    assert read_warnings({"warnings": warnings_attribute(["b", "a", "b"])}) == ("b", "a")


@pytest.mark.parametrize(
    ("former", "read"), [("one | two", ("one", "two")), ("", ()), (["one", "two"], ("one", "two"))]
)
def test_former_attributes(former, read):
    assert read_warnings({"warnings": former}) == read


@pytest.mark.parametrize("progress", [True, False])
def test_no_progress_is_shown_in_a_pipe(progress, capsys):
    with progress_bar("title", 2, progress) as step:
        step("first")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("finished", "expected"), [(False, [0, 1, 2]), (True, [1, 2, 3])])
def test_a_bar_counts_the_steps_that_have_ended(finished, expected, monkeypatch):
    shown, totals = [], []
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setattr("rich.progress.Progress.add_task", lambda self, title, total: totals.append(total))
    monkeypatch.setattr(
        "rich.progress.Progress.update", lambda self, task, completed, **_: shown.append(completed), raising=True
    )
    with progress_bar("title", 3, True, finished=finished) as step:
        for name in "abc":
            step(name)
    assert (shown, totals) == (expected, [3])
