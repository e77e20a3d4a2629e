"""Finished studies in files, and the check that a stored study has the requested settings."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from filelock import FileLock, Timeout

from pp_mlekl.utils.files import AnyPath
from pp_mlekl.utils.tree_storage import check_tree_target, read_tree, write_tree

STUDY = "study"
"""The mark of files with finished studies."""
# Relative difference between compiled and interpreted functions (see ``pymc_model/interpreter/lazy_function.py``).
_ROUNDING = 1e-6


@contextmanager
def exclusive_store(path: AnyPath, say: Callable[[str], None] | None) -> Iterator[None]:
    """A block in which no other study writes to the file; it waits for one that does.

    Raises
    ------
    ValueError
        Where the path is a folder, or something that this package did not write.
    """
    check_tree_target(path, STUDY)
    place = Path(os.path.realpath(path))
    lock = FileLock(place.with_name(f".{place.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if say is not None:
            say(f"waiting for another study that writes to {path}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def read_study(path: AnyPath, settings: Mapping[str, Any]) -> xr.DataTree | None:
    """The study in a file; None where there is no file or it is empty.

    Raises
    ------
    ValueError
        Where the file holds something else, or a study with other settings.
    """
    place = Path(path)
    if not place.exists() or (place.is_file() and not place.stat().st_size):
        return None
    tree = read_tree(path, STUDY)
    check_same_settings(path, json.loads(tree.attrs["settings"]), settings)
    return tree


def check_same_settings(path: AnyPath, kept: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raise ValueError, which names the differences, where a file was written with other settings."""
    # Files of version 0.1.0 do not identify the prior.
    kept = {"prior": settings.get("prior")} | dict(kept)
    held, wanted = _kind(kept), _kind(settings)
    if held != wanted:
        raise ValueError(
            f"{path} holds a {held}, not a {wanted}, and is not overwritten; pass another path to store=, or move it."
        )
    # A setting at its default may be missing on either side.
    names = dict.fromkeys([*settings, *kept])
    if changed := [name for name in names if not _same(kept.get(name), settings.get(name))]:
        differences = ", ".join(_difference(name, kept.get(name), settings.get(name)) for name in changed)
        raise ValueError(
            f"{path} holds another {held} ({differences}), which is not overwritten; pass another path to store=, or move it."
        )


def _kind(settings: Mapping[str, Any]) -> str:
    return "calibration" if "methods" in settings else "study"


def _difference(name: str, one: Any, other: Any) -> str:
    """How two settings differ; numbers computed with a model say nothing to a reader."""
    if isinstance(one, dict) and "numbers" in one:
        return f"another {name}"
    return f"{name} {one!r} instead of {other!r}"


def _same(one: Any, other: Any) -> bool:
    """Whether two settings are equal; numbers that were computed with a model need to agree up to rounding only."""
    if isinstance(one, dict) and isinstance(other, dict) and "numbers" in one.keys() & other.keys():
        numbers = one["numbers"], other["numbers"]
        alike = np.shape(numbers[0]) == np.shape(numbers[1]) and np.allclose(
            *numbers, rtol=_ROUNDING, atol=0, equal_nan=True
        )
        return bool(alike) and one | {"numbers": 0} == other | {"numbers": 0}
    return one == other


def write_study(tree: xr.DataTree, path: AnyPath) -> None:
    """Write a study atomically."""
    write_tree(tree, path, STUDY)
