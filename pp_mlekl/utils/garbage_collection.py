"""Rarer searches for garbage while graphs, compiled functions and pictures are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from pp_mlekl.utils.shared_state import Shared

# New objects until the next search. Graphs and compiled code are millions of objects that stay: searching them for
# garbage as often as Python does of its own takes a tenth of the time.
_NEW_OBJECTS = 50_000


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Search for garbage more rarely within a block or, as a decorator, a function.

    Where the garbage collector is off or set to less already, nothing changes.

    Examples
    --------
    >>> before = gc.get_threshold()
    >>> with collected_rarely():
    ...     gc.get_threshold()[0] >= 50_000
    True
    >>> gc.get_threshold() == before
    True
    """
    with _RARELY:
        yield


@contextmanager
def _threshold() -> Iterator[None]:
    before = gc.get_threshold()
    if 0 < before[0] < _NEW_OBJECTS:
        gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


_RARELY = Shared(_threshold)
