"""Errors as one line that says what to do."""

import dis
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn

WRONG_USE, FAILED = 2, 1


class Stopped(SystemExit):
    """An exit whose reason has been told on standard error."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(status)
        self.reason = reason


def stop(message: str, status: int) -> NoReturn:
    """Print one line on standard error and exit."""
    line = " ".join(str(message).split())
    print(f"pp-mlekl: {line}", file=sys.stderr)
    raise Stopped(line, status)


@contextmanager
def one_line_each() -> Iterator[None]:
    """Turn every error into one line, a bug too, so that one of many tasks that fails keeps nothing from the others."""
    try:
        with one_line_errors():
            yield
    except Exception as error:
        stop(f"{type(error).__name__}: {error} ({place_of(error)})", FAILED)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what is the user's to mend, or the machine's, into one line; a bug keeps its traceback.

    The suite's functions, and the libraries', raise TypeError and ValueError for wrong arguments and refused models. One
    that no ``raise`` statement made, such as of ``None + 1``, is a bug.
    """
    try:
        with warnings.catch_warnings():
            # The libraries' notes on performance and layout are not about the user's model.
            warnings.simplefilter("ignore")
            yield
    except (TypeError, ValueError) as error:
        if not _by_raise(error):
            raise
        stop(str(error), WRONG_USE)
    except OSError as error:
        stop(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", FAILED)


def place_of(error: BaseException) -> str:
    """File and line where an error arose."""
    trace = _last(error)
    return f"{Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}" if trace else "unknown place"


def _last(error: BaseException) -> TracebackType | None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _by_raise(error: BaseException) -> bool:
    """Whether a ``raise`` statement made an error, and not an operation that went wrong."""
    trace = _last(error)
    return trace is None or trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]
