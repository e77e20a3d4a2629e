"""Widths, cuts and formats of what is printed, on either side of each limit."""

import sys

import numpy as np
import pandas as pd
import pytest

from pp_mlekl.cli.errors import Stopped
from pp_mlekl.cli.output import check_format, console, fitted, print_as, show_lines, show_table

TABLE = pd.DataFrame({"a": ["é", "b_c"], "x": [np.inf, 1 / 3]})


def lines_of(capsys):
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("chosen", [(1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_two_formats_are_refused(chosen, capsys):
    with pytest.raises(Stopped, match="2"):
        check_format(*map(bool, chosen))
    assert capsys.readouterr().err == "pp-mlekl: Choose one of --json, --csv and --latex.\n"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("as_json", '[\n {\n  "a": "é",\n  "x": "inf"\n },\n {\n  "a": "b_c",\n  "x": 0.3333333333333333\n }\n]\n'),
        ("as_csv", "a,x\né,inf\nb_c,0.3333333333333333\n"),
        (
            "as_latex",
            "\\begin{tabular}{lr}\n\\toprule\na & x \\\\\n\\midrule\né & inf \\\\\nb\\_c & 0.3333 \\\\\n\\bottomrule\n"
            "\\end{tabular}\n",
        ),
    ],
)
def test_each_format(form, text, capsys):
    chosen = dict.fromkeys(("as_json", "as_csv", "as_latex"), False)
    assert print_as(TABLE, **chosen | {form: True})
    assert capsys.readouterr().out == text
    assert not print_as(TABLE, **chosen)
    assert capsys.readouterr().out == ""


def test_other_content_is_printed_as_json_alone(capsys):
    assert print_as(TABLE, as_json=True, as_csv=False, as_latex=False, content={"k": 1})
    assert capsys.readouterr().out == '{\n "k": 1\n}\n'
    assert print_as(TABLE, as_json=False, as_csv=True, as_latex=False, content={"k": 1})
    assert capsys.readouterr().out.startswith("a,x\n")


def test_a_pipe_is_as_wide_as_is_said_and_a_terminal_as_wide_as_it_is(monkeypatch):
    assert (console().width, console(33).width) == (120, 33)
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert console(33).width == 77


@pytest.mark.parametrize(("length", "lines"), [(40, 1), (41, 3)])
def test_names_of_rows_of_more_than_forty_letters_are_broken(length, lines, capsys):
    # A broken name needs room for twelve letters only, which the gaps make fourteen.
    show_table(["", "number"], [["n" * length, "1"]], width_in_a_pipe=10)
    assert len(lines_of(capsys)) == 1 + lines


def test_without_more_the_first_column_holds_words(capsys):
    show_table(["w", "x"], [["word", "1"], ["a", "100"]])
    assert lines_of(capsys) == ["w       x", "word    1", "a     100"]


def test_square_brackets_are_no_styles(capsys):
    show_table(["[red]", "x"], [["[bold]a[/bold]", "[1]"]])
    assert lines_of(capsys) == ["[red]             x", "[bold]a[/bold]  [1]"]


def test_numbers_are_as_wide_as_they_need_and_words_are_broken_after_twelve_letters(capsys):
    number, words = "1" * 60, "word " * 20
    show_table(["name", "x", "y", "remark"], [["n", number, number, words]], words=(0, 3))
    first, *_ = lines_of(capsys)[1:]
    # 120 would not hold both: the name, three gaps and twelve letters stand beside them.
    assert len(first.rstrip()) <= 4 + 2 * 60 + 12 + 2 * 4
    assert first.count(number) == 2
    assert "word word" in first


ROWS = [["name", "n", "family", "shows"], ["a", "12", "normal and so on", "word " * 3], ["bb", "7", "x", "y"]]


def test_lines_have_numbers_to_the_right_and_words_to_the_left():
    assert fitted(ROWS, 2, 100) == [
        "name   n  family            shows",
        "a     12  normal and so on  word word word",
        "bb     7  x                 y",
    ]


def test_a_column_that_is_cut_keeps_twelve_letters_or_is_left_out():
    # The first two columns take 8, and each further one a gap of 2.
    assert fitted(ROWS, 2, 8 + 2 + 16) == ["name   n  family", "a     12  normal and so on", "bb     7  x"]
    assert fitted(ROWS, 2, 8 + 2 + 12) == ["name   n  family", "a     12  normal and…", "bb     7  x"]
    assert fitted(ROWS, 2, 8 + 2 + 11) == ["name   n", "a     12", "bb     7"]
    assert fitted(ROWS, 2, 8 + 2 + 16 + 2 + 12)[1] == "a     12  normal and so on  word word w…"
    assert fitted(ROWS, 0, 8)[1] == "a     12  normal and so on  word word word"


def test_lines_of_a_pipe_have_eighty_letters(capsys):
    show_lines(["a", "b"], [["x" * 10, "y" * 100]], flexible=1)
    assert lines_of(capsys)[1] == f"{'x' * 10}  {'y' * 67}…"
