"""Freed memory is used again within the block, also where Dask has told the C library otherwise."""

import os
import platform
import subprocess
import sys
import threading

import numpy as np
import pytest

from pp_mlekl.utils import freed_memory
from pp_mlekl.utils.freed_memory import freed_memory_kept

# Pages that 100 arrays of 2 MB need, one after the other: in the block, in a thread, and after the block.
_PAGES = """
import resource, threading
import numpy as np
from pp_mlekl.utils.freed_memory import freed_memory_kept

found = []
def count():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(250_000)
    found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

with freed_memory_kept:
    count()
    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
count()
print(*found)
"""
_ALL = 100 * 250_000 * 8 // 4096


def pages(**variables):
    done = subprocess.run(
        [sys.executable, "-c", _PAGES], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="The setting is one of glibc.")
def test_arrays_use_memory_again_within_the_block_only():
    here, in_thread, afterwards = pages(MALLOC_TRIM_THRESHOLD_="65536")
    assert max(here, in_thread) < _ALL / 20
    assert afterwards > _ALL / 2


@pytest.mark.parametrize("library", [None, "without"])
def test_another_c_library_is_left_alone(monkeypatch, library):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda name: object() if library else _raise())
    with freed_memory_kept:
        assert np.ones(3).sum() == 3


def _raise():
    raise OSError


@pytest.mark.parametrize("value", [None, "", "-1", "much"])
def test_without_dasks_setting_nothing_is_changed(monkeypatch, value):
    monkeypatch.setattr(freed_memory, "_glibc", Forbidden)
    if value is None:
        monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    else:
        monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", value)
    with freed_memory_kept:
        pass


class Forbidden:
    """A C library that must not be touched."""

    def __getattr__(self, name):
        raise AssertionError(name)


def test_threads_leave_the_setting_to_the_last_of_them(monkeypatch):
    calls = []

    class Library:
        def mallopt(self, parameter, value):
            calls.append((parameter, value))

        def malloc_trim(self, pad):
            calls.append(pad)

    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.setattr(freed_memory, "_glibc", Library)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with freed_memory_kept:
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait()
    with freed_memory_kept:
        pass
    assert len(calls) == 2
    leave.set()
    thread.join()
    assert calls[2:] == [(-3, 128 * 1024), (-1, 65536), 0]
