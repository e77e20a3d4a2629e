"""Errors as one line that says what to do."""

import dis
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from typer import BadParameter, Exit
from typer.core import TyperCommand, TyperGroup

WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130
# A message of another library may hold a whole array or a backtrace of its own.
_LONGEST = 1000
# Of all errors in what is typed; Typer has no public name for the class.
_UsageError: Any = BadParameter.__base__
_TRACEBACK = ContextVar("_TRACEBACK", default=False)


class Stopped(SystemExit):
    """An exit whose reason was printed on standard error."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(status)
        self.reason = reason


class Commands(TyperGroup):
    """The commands by their names; wrong use is one line."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse what stands before the name of a command."""
        with one_line_usage():
            return super().make_context(*args, **extra)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command by its name."""
        with one_line_usage():
            return super().resolve_command(ctx, args)


class Command(TyperCommand):
    """A command that prints each error as one line."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse options and arguments."""
        with one_line_usage():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command and flush standard output."""
        with one_line_errors():
            result = super().invoke(ctx)
            sys.stdout.flush()
        return result


def show_tracebacks(wanted: bool) -> None:
    """Whether ``stop`` also prints the traceback."""
    _TRACEBACK.set(wanted)


def stop(message: str, status: int) -> NoReturn:
    """Print one line on standard error and exit; the traceback comes first if it was requested."""
    error = sys.exception()
    if error is not None and _TRACEBACK.get():
        _print_traceback(error)
    line = _printable(message)
    with suppress(OSError):
        print(f"pp-mlekl: {line}", file=sys.stderr, flush=True)
    raise Stopped(line, status)


@contextmanager
def one_line_usage() -> Iterator[None]:
    """Turn an error in what was typed, which Typer shows in a box, into one line."""
    try:
        yield
    except _UsageError as error:
        message = error.format_message()
        if not message:  # Nothing was typed, and the help was printed.
            raise
        command = error.ctx.command_path if error.ctx else "pp-mlekl"
        stop(f"{message.rstrip('.')}{'' if message.endswith('?') else '.'} See {command} --help.", WRONG_USE)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every failure into one line: the user's to correct, the machine's, another library's, and an interrupt.

    The suite's functions raise TypeError, ValueError and ImportError for what the user can correct. Another exception of
    theirs, or one that no ``raise`` statement made, such as of ``None + 1``, is a bug: its traceback is shown, and a
    report asked for.
    """
    try:
        with warnings.catch_warnings():
            # The libraries' notes on performance and layout are not about the user's model.
            warnings.simplefilter("ignore")
            yield
    except (Stopped, Exit, BrokenPipeError):
        raise
    except BaseException as error:
        if _by_interrupt(error):
            stop("Interrupted.", INTERRUPTED)
        _stop_for(error)


def _stop_for(error: BaseException) -> NoReturn:
    if isinstance(error, OSError):
        stop(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", FAILED)
    if isinstance(error, MemoryError):
        stop(f"The memory does not suffice ({text_of(error)}); take fewer draws, chains or replicates.", FAILED)
    package = _package(error)
    if package != __package__.partition(".")[0]:
        stop(
            f"{package} failed with {one_line(error)} ({place_of(error)}); --traceback shows how it came to that.",
            FAILED,
        )
    if isinstance(error, TypeError | ValueError | ImportError) and _by_raise(error):
        stop(text_of(error), WRONG_USE)
    if not _TRACEBACK.get():
        _print_traceback(error)
    stop(f"{one_line(error)}: this is a bug in pp_mlekl; please report it with the lines above and the model.", FAILED)


def one_line(error: BaseException) -> str:
    """Type and message of an exception."""
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """The message of an exception; ``str`` of some exceptions itself raises."""
    try:
        # Exceptions from Rust bring their own backtrace.
        return _printable(str(error).partition("Stack backtrace:")[0])
    except Exception:
        return "its message cannot be read"


def place_of(error: BaseException) -> str:
    """File and line where an error arose."""
    trace = _last(error)
    return f"{Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}" if trace else "unknown place"


def _printable(text: str) -> str:
    """One line without control characters, of bounded length."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"


def _print_traceback(error: BaseException) -> None:
    with suppress(OSError):
        traceback.print_exception(error)


def _by_interrupt(error: BaseException | None) -> bool:
    """Whether an interrupt caused an error; libraries may raise another error in its place."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _package(error: BaseException) -> str:
    """The top-level package whose code raised an error."""
    trace = _last(error)
    name = trace.tb_frame.f_globals.get("__name__") if trace else None
    return str(name or "Python").partition(".")[0].removeprefix("_builder_")


def _last(error: BaseException) -> TracebackType | None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _by_raise(error: BaseException) -> bool:
    """Whether a ``raise`` statement raised an error, as opposed to a failed operation."""
    trace = _last(error)
    return trace is None or trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]
