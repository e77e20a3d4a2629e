"""Whose failure it is decides what is shown: the user's, the machine's and another library's are a line each."""

import contextlib
import errno

import numpy as np
import pytest
import typer

from pp_mlekl.cli.errors import one_line_errors, place_of, show_tracebacks
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
