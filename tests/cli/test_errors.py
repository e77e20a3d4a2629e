"""Whose failure it is decides what is shown: the user's, the machine's and another library's are a line each."""

import contextlib
import errno
import re
import warnings

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pp_mlekl.cli.app import app
from pp_mlekl.cli.errors import one_line, one_line_errors, place_of, show_tracebacks, text_of
from pp_mlekl.inputs.text import parse_distribution


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError


def raises(error):
    raise error


@pytest.fixture
def tracebacks():
    show_tracebacks(True)
    yield
    show_tracebacks(False)


def failure(call, capsys):
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        call()
    return stopped.value.code, capsys.readouterr().err.splitlines()


def interrupted_library():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise RuntimeError("no results")  # noqa: B904


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda: parse_distribution("Gama(2, 1)"), 2),
        (lambda: np.linalg.inv(np.zeros((2, 2))), 1),
        (lambda: raises(OSError(errno.ENOSPC, "No space left on device", "a.nc")), 1),
        (lambda: raises(MemoryError()), 1),
        (lambda: raises(Unreadable()), 1),
        (lambda: raises(RuntimeError("first\n\nStack backtrace:\n" + "  0: <unknown>\n" * 1000)), 1),
        (lambda: raises(ValueError("x" * 100_000)), 1),
        (lambda: raises(ValueError("\x1b[2J\0\udcff")), 1),
        (lambda: raises(SystemExit(0)), 1),
        (lambda: raises(KeyboardInterrupt()), 130),
        (interrupted_library, 130),
    ],
)
def test_a_failure_is_one_line(call, status, capsys):
    code, lines = failure(call, capsys)
    assert code == status
    assert len(lines) == 1
    assert lines[0].startswith("pp-mlekl: ")
    assert lines[0].isprintable()
    assert len(lines[0]) < 1200


def test_a_bug_keeps_its_traceback(capsys):
    code, lines = failure(lambda: place_of(None), capsys)
    assert code == 1
    assert lines[0].startswith("Traceback")
    assert "report" in lines[-1]
    assert sum(line.startswith("Traceback") for line in lines) == 1


def test_every_traceback_is_shown_on_request(tracebacks, capsys):
    for call in (
        lambda: parse_distribution("Gama(2, 1)"),
        lambda: np.linalg.inv(np.zeros((2, 2))),
        lambda: place_of(None),
    ):
        _, lines = failure(call, capsys)
        assert sum(line.startswith("Traceback") for line in lines) >= 1
        assert lines[-1].startswith("pp-mlekl: ")


def test_an_exit_that_is_no_failure_goes_through():
    with pytest.raises(typer.Exit), one_line_errors():
        raise typer.Exit(3)
    with contextlib.suppress(BrokenPipeError), one_line_errors():
        raise BrokenPipeError


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: raises(OSError(errno.ENOSPC, "No space left on device", "a.nc")), "No space left on device: a.nc"),
        (lambda: raises(OSError(errno.ENOSPC, "No space left on device")), "No space left on device"),
        (lambda: raises(OSError("odd")), "odd"),
        (
            lambda: raises(MemoryError("9 GiB")),
            "The memory does not suffice (9 GiB); take fewer draws, chains or replicates.",
        ),
        (lambda: raises(KeyboardInterrupt()), "Interrupted."),
    ],
)
def test_what_is_said_of_the_machine(call, line, capsys):
    assert failure(call, capsys)[1] == [f"pp-mlekl: {line}"]


def test_what_is_said_of_another_library(capsys):
    _, (line,) = failure(lambda: np.linalg.inv(np.zeros((2, 2))), capsys)
    start, _, end = line.partition(" (")
    assert start == "pp-mlekl: numpy failed with LinAlgError: Singular matrix"
    assert end.endswith("); --traceback shows how it came to that.")
    _, (line,) = failure(lambda: raises(SystemExit), capsys)
    assert line.startswith("pp-mlekl: test_errors failed with SystemExit (test_errors.py, line ")


@pytest.mark.parametrize(("length", "end"), [(1000, "x"), (1001, " …")])
def test_a_message_is_cut_after_a_thousand_letters(length, end):
    shown = text_of(ValueError("x" * length))
    assert shown.startswith("x" * 1000)
    assert shown.endswith(end)
    assert len(shown) == min(length, 1000) + (2 if end == " …" else 0)


def test_a_message_is_one_line_of_printable_letters():
    assert text_of(ValueError("a\n  b\tc \x1b[2J\0")) == r"a b c \x1b[2J\x00"
    assert text_of(ValueError("first\nStack backtrace:\n 0")) == "first"
    assert text_of(Unreadable()) == "its message cannot be read"
    assert (one_line(ValueError("a")), one_line(ValueError())) == ("ValueError: a", "ValueError")


def test_an_error_that_arose_nowhere_has_an_unknown_place():
    assert place_of(ValueError("a")) == "unknown place"


def test_tracebacks_are_shown_on_request_alone(capsys):
    for wanted in (False, True, False):
        show_tracebacks(wanted)
        _, lines = failure(lambda: np.linalg.inv(np.zeros((2, 2))), capsys)
        assert (lines[0].startswith("Traceback"), len(lines) > 1) == (wanted, wanted)


def test_warnings_of_libraries_are_no_output(capsys):
    with one_line_errors():
        warnings.warn("slow", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == ""


def test_an_interrupt_behind_another_error_is_found_by_its_cause(capsys):
    def chained():
        raise ValueError("late") from KeyboardInterrupt()

    assert failure(chained, capsys) == (130, ["pp-mlekl: Interrupted."])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        # In between stand Typer's own words.
        (["compare"], r"Missing argument .*[^.]\. See pp-mlekl compare --help\."),
        (["compar"], r"No such command 'compar'\. Did you mean 'compare'.*\? See pp-mlekl --help\."),
        (["xyzzyx"], r"No such command 'xyzzyx'\. See pp-mlekl --help\."),
        (["--versoin"], r"No such option: --versoin.*[^.]\. See pp-mlekl --help\."),
    ],
)
def test_wrong_use_names_the_command_and_its_help(arguments, line):
    result = CliRunner().invoke(app, arguments, prog_name="pp-mlekl")
    assert result.exit_code == 2
    assert re.fullmatch(f"pp-mlekl: {line}\n", result.stderr)


def test_without_arguments_the_help_is_shown():
    result = CliRunner().invoke(app, [])
    assert result.exit_code in (0, 2)
    assert "compare-models" in result.output
    assert "pp-mlekl: " not in result.output
