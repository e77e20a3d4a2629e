"""Memory of freed arrays is used again, also in processes that Dask has started.

Dask's nanny tells the C library of its workers (``MALLOC_TRIM_THRESHOLD_``) to return freed memory of 64 kB or more to the system at
once. Every array that follows then costs fresh pages: a batch of fits takes 2.7 times as long.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pp_mlekl.utils.shared_state import Shared

_VARIABLE = "MALLOC_TRIM_THRESHOLD_"
# Parameters of mallopt, and what glibc arrives at by itself in a process that frees large arrays: blocks of less than 32 MB are no
# mappings of their own, and twice as much may be free (malloc/malloc.c: DEFAULT_MMAP_THRESHOLD_MAX, mmap_threshold).
_TRIM, _MAPPING = -1, -3
_LARGEST_MAPPING = 32 * 2**20
_DEFAULT_MAPPING = 128 * 2**10


@contextmanager
def _kept() -> Iterator[None]:
    library = _glibc()
    before = os.environ.get(_VARIABLE, "")
    if library is None or not before.isdigit():
        yield
        return
    library.mallopt(_MAPPING, _LARGEST_MAPPING)
    library.mallopt(_TRIM, 2 * _LARGEST_MAPPING)
    try:
        yield
    finally:
        library.mallopt(_MAPPING, _DEFAULT_MAPPING)
        library.mallopt(_TRIM, int(before))
        library.malloc_trim(0)


def _glibc() -> Any:
    """The C library where it is glibc, else None."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
    except (OSError, TypeError):
        return None


freed_memory_kept = Shared(_kept)
"""A block in which the process keeps freed memory for its next arrays; afterwards it is returned as Dask wants it."""
