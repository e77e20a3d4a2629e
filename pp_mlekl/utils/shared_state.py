"""Changes of settings that all threads of a process share, such as those of libraries and of the garbage collector.

If two threads save, change and restore the same setting, the second one may restore the value that the first one set.
Short changes therefore hold one lock (``alone``). The first thread that needs a long change makes it, and the last one
undoes it (``Shared``). Warnings are silenced in one thread only (``silenced``).
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

_locks = {"alone": threading.RLock(), "counts": threading.RLock()}


def _unlock_in_child() -> None:
    # The thread that held a lock does not exist in a forked process.
    _locks.update(alone=threading.RLock(), counts=threading.RLock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)


@contextmanager
def alone() -> Iterator[None]:
    """Run the block in one thread at a time; the same thread may enter it again (a reentrant lock).

    For short changes of shared settings, and for code that is not safe in threads, such as building PyTensor graphs.
    """
    with _locks["alone"]:
        yield


class Shared:
    """A context that is entered when the first thread needs it and left when the last thread has finished.

    Parameters
    ----------
    make
        Returns a new context manager.

    Examples
    --------
    >>> import decimal
    >>> fewer = Shared(lambda: decimal.localcontext(prec=5))
    >>> with fewer, fewer:
    ...     decimal.getcontext().prec
    5
    """

    def __init__(self, make: Callable[[], AbstractContextManager[Any]]):
        self._make = make
        self._inside = 0
        self._context: Any = None

    def __enter__(self) -> None:
        with _locks["counts"]:
            if self._inside == 0:
                self._context = self._make()
                self._context.__enter__()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with _locks["counts"]:
            self._inside -= 1
            if self._inside == 0:
                self._context.__exit__(None, None, None)


class _WhereSilenced:
    """The pattern of a warning filter: matches every message inside ``silenced`` and none outside."""

    def match(self, message: str) -> bool:
        return _silent.get()


_silent: ContextVar[bool] = ContextVar("silent", default=False)
_FILTER = ("ignore", _WhereSilenced(), Warning, None, 0)


@contextmanager
def silenced() -> Iterator[None]:
    """Silence warnings within the block, in this thread only.

    ``warnings.catch_warnings`` changes the filters of all threads unless Python (3.14 or later) runs with
    ``-X context_aware_warnings``. This function inserts one filter before the others and leaves it there; the filter
    matches nothing outside such blocks.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as heard:
    ...     warnings.simplefilter("always")
    ...     with silenced():
    ...         warnings.warn("not heard")
    ...     warnings.warn("heard")
    >>> [str(warning.message) for warning in heard]
    ['heard']
    """
    if getattr(sys.flags, "context_aware_warnings", False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
        return
    filters: Any = warnings.filters
    if filters[:1] != [_FILTER]:
        filters.insert(0, _FILTER)
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)
