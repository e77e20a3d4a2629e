"""Settings and fixtures of all tests."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

# Tests run side by side: one thread each, set before any library of linear algebra is loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# No test needs a screen.
os.environ.setdefault("MPLBACKEND", "agg")

import psutil  # noqa: E402
import pytest  # noqa: E402
import shared as shared_data  # noqa: E402

ROOT = Path(__file__).parents[1]

# Growth of the memory, in bytes, after which garbage is collected.
_GARBAGE = 1_000_000_000
_PROCESS = psutil.Process()
_collected_at = 0

# `--doctest-modules` would import every conftest.py as a module of one name.
collect_ignore_glob = ["*conftest.py"]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Finds a file below ``../shared``, or skips the test."""
    return shared_data.shared_path


def pytest_collection_finish() -> None:
    """Graphs and compiled functions are millions of objects that stay: the collector would take an eighth of the time."""
    global _collected_at
    gc.disable()
    _collected_at = _PROCESS.memory_info().rss


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Collect garbage between two files where there may be much of it."""
    global _collected_at
    if nextitem is not None and nextitem.path != item.path and _PROCESS.memory_info().rss > _collected_at + _GARBAGE:
        gc.collect()
        _collected_at = _PROCESS.memory_info().rss
