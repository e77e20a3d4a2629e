"""Less frequent garbage collection while graphs are built and compiled, and plots drawn."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from pp_mlekl.utils.shared_state import Shared

# Allocations between two collections. Graphs and compiled code are millions of objects that stay alive; with Python's
# default threshold, collections take a tenth of the time.
_NEW_OBJECTS = 50_000


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Collect garbage less often within a block or, as a decorator, within a function.

    Nothing changes if the collector is off or collects less often already.

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
