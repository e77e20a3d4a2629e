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

# Graphs and compiled functions are millions of objects that stay.
gc.set_threshold(50_000, 20, 50)

import pytest  # noqa: E402
import shared as shared_data  # noqa: E402

ROOT = Path(__file__).parents[1]

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
