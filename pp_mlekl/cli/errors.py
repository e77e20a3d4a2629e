"""Errors as one line that says what to do."""

import dis
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

WRONG_USE, FAILED = 2, 1


def stop(message: str, status: int) -> NoReturn:
    """Print one line on standard error and exit."""
    print(f"pp-mlekl: {' '.join(str(message).split())}", file=sys.stderr)
    raise SystemExit(status)


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


def _by_raise(error: BaseException) -> bool:
    """Whether a ``raise`` statement made an error, and not an operation that went wrong."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]
