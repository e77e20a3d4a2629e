"""Data that lie beside the repository, not in it: tests that need them are skipped, with a message, without them."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1].parent / "shared"


def shared_path(name: str) -> Path:
    """The path of a file or folder below ``../shared``; skips the test (or the module) where it is missing."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(
            f"{path} is missing: it comes with the shared data, not with the repository", allow_module_level=True
        )
    return path
