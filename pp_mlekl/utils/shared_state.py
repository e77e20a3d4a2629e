"""What all threads of a process share (settings of libraries, the garbage collector), changed so that no two threads cross.

Two threads cross where both keep an old value and put it back in another order than they kept it: the second one then puts
back what the first had set. Short changes hold one lock (``alone``). Long ones are made by the first thread that needs them
and undone by the last (``Shared``). Warnings are silenced for the thread that asks alone (``silenced``).
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
    """A block that one thread at a time is in; it may enter it again.

    For short changes of shared settings, and for code that is not safe in threads, such as building PyTensor graphs.
    """
    with _locks["alone"]:
        yield


class Shared:
    """A context that the first thread enters for all, and the last one leaves.

    Parameters
    ----------
    make
        Returns the context manager, anew each time.

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
    """In the place of a filter's pattern: every message within ``silenced`` matches, and none outside."""

    def match(self, message: str) -> bool:
        return _silent.get()


_silent: ContextVar[bool] = ContextVar("silent", default=False)
_FILTER = ("ignore", _WhereSilenced(), Warning, None, 0)


@contextmanager
def silenced() -> Iterator[None]:
    """No warnings within the block, in this thread alone.

    ``warnings.catch_warnings`` changes the filters of all threads before Python 3.14, and later without
    ``-X context_aware_warnings``. Here one filter, which matches nothing outside such blocks, is put before the others and stays.

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
