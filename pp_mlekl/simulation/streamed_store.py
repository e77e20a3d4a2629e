"""A Zarr store to which every finished batch of a simulation is added.

Each batch has a row of ``batches/sha256``, which is written after the batch's data and holds their checksum. If the writer is
killed, batches without a valid checksum are computed again, and the others are kept. All metadata files follow from the
settings, so that existing ones must be equal to those that would be written.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from filelock import FileLock, Timeout

from pp_mlekl.simulation.batches import Batch
from pp_mlekl.simulation.result_arrays import LEADING, Layout
from pp_mlekl.simulation.storage import STUDY, check_same_settings
from pp_mlekl.typing import Array, RandomSeed
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.files import AnyPath, check_folder, signals_held_back, write_folder
from pp_mlekl.utils.seeds import integer_of
from pp_mlekl.utils.tree_storage import CONTENT as _MARK
from pp_mlekl.utils.tree_storage import Files, is_zarr, memory_store

_CONTENT = "batches"
# Data sets in one stored chunk.
_CHUNK = 4096
_SUMMARIES = ("summary", "pseudo_true")
_ROOT = "zarr.json"
_OF_CHUNKS = re.compile(r"(?:replicates|batches)/[^/]+/c(?:/\d+)+")
_PARTIAL = re.compile(r".*\.[0-9a-f]{32}\.partial")


def is_streamed_target(path: AnyPath) -> bool:
    """Whether a path is for a store of this kind: a Zarr path without a study of an earlier version."""
    return is_zarr(path) and _attributes(Path(path)).get(_MARK) != STUDY


def seed_for(store: AnyPath | None, random_seed: RandomSeed) -> int | np.random.SeedSequence:
    """``random_seed`` in a form that can be stored; where it is None, the seed of an existing store, or else a new one."""
    if isinstance(random_seed, np.random.SeedSequence):
        return random_seed
    begun = _stored_seed(store) if random_seed is None and store is not None else None
    return integer_of(random_seed) if begun is None else begun


def _stored_seed(path: AnyPath) -> int | None:
    """The integer seed of the store at a path; None where there is no store, or its seed was a SeedSequence's child."""
    try:
        entropy, key = _attributes(Path(path))["seed"]
    except (KeyError, TypeError, ValueError):
        return None
    return entropy if isinstance(entropy, int) and not key else None


class StreamedStore:
    """The results of a simulation in a folder, as ``ResultArrays``; ``streamed_store`` opens one."""

    def __init__(self, folder: Path, given: AnyPath, layout: Layout, batches: list[Batch]):
        import zarr

        self._folder, self._given, self._layout = folder, given, layout
        group: Any = zarr.open_group(os.fspath(folder), mode="r+", use_consolidated=False)
        self._arrays = {name: group[f"replicates/{name}"] for name in layout.columns}
        self._checksums = group["batches/sha256"]
        self._kept = self._checksums[:]
        self._finished = {b.index for b in batches if self._is_whole(b)}

    def finished(self, batch: Batch) -> bool:
        """As ``ResultArrays``."""
        return batch.index in self._finished

    def write(self, batch: Batch, values: Mapping[str, Array]) -> None:
        """As ``ResultArrays``.

        Raises
        ------
        OSError
            Where the disk is full; the batches before this one stay.
        """
        with self._naming_the_store(), signals_held_back():
            for name, array in self._arrays.items():
                array[batch.where] = values[name]
            self._checksums[batch.index] = self._checksum(values)
        self._finished.add(batch.index)

    def read(self, batch: Batch) -> dict[str, Array]:
        """As ``ResultArrays``."""
        return {name: array[batch.where] for name, array in self._arrays.items()}

    def dataset(self) -> xr.Dataset:
        """As ``ResultArrays``; its arrays are read when they are used."""
        return xr.open_zarr(os.fspath(self._folder), group="replicates", chunks=None, consolidated=False)

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the result."""
        return {name: value for name, value in _attributes(self._folder).items() if name not in (_MARK, "seed")}

    def finish(self, groups: Mapping[str, xr.Dataset]) -> None:
        """Add the groups that are computed from all batches."""
        with self._naming_the_store(), signals_held_back():
            for name, dataset in groups.items():
                dataset.to_zarr(os.fspath(self._folder), group=name, mode="w", consolidated=False)

    def _is_whole(self, batch: Batch) -> bool:
        kept = self._kept[batch.index]
        if not kept.any():
            return False
        try:
            return np.array_equal(kept, self._checksum(self.read(batch)))
        except Exception:
            # Zarr's codecs raise exceptions of many types for damaged chunks.
            return False

    def _checksum(self, values: Mapping[str, Array]) -> Array:
        digest = sha256()
        for name, column in self._layout.columns.items():
            digest.update(np.ascontiguousarray(values[name], dtype=column.dtype).tobytes())
        return np.frombuffer(digest.digest(), dtype=np.uint8)

    @contextmanager
    def _naming_the_store(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(
                error.errno,
                f"{error.strerror}; make room and run the study again: the finished batches are kept",
                os.fspath(self._given),
            ) from error


@contextmanager
def streamed_store(
    path: AnyPath,
    settings: Mapping[str, Any],
    attributes: Mapping[str, Any],
    layout: Layout,
    batches: list[Batch],
    root: np.random.SeedSequence,
    say: Callable[[str], None],
) -> Iterator[StreamedStore]:
    """Open or create the store at a path, with exclusive access within the block.

    Parameters
    ----------
    path
        Path of the folder.
    settings
        The settings that identify a simulation, in types that JSON preserves.
    attributes
        Attributes of the result, with the ``versions`` of the libraries.
    layout, batches, root
        The variables and batches that are stored, and the root of the batches' seeds.
    say
        Called with a line about batches that exist already.

    Raises
    ------
    ValueError
        Where another process uses the store, or it has other settings, was begun with other versions of the libraries, is
        damaged, or was not written by this package.
    """
    folder = check_folder(path, _is_ours)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not Path(lock.lock_file).exists():
            raise ValueError(f"No file can be written in {folder.parent}; pass another path.") from None
        raise ValueError(f"{path} is in use by another study; wait for it, or pass another path.") from None
    try:
        seed = [root.entropy, list(root.spawn_key)]
        every = dict(attributes) | {"settings": json.dumps(settings), "seed": seed, _MARK: _CONTENT}
        wanted = _files(every, layout, len(batches))
        if not folder.exists() or not any(folder.iterdir()):
            write_folder(path, wanted, is_ours=_is_ours)
        _check(folder, path, settings, wanted)
        store = StreamedStore(folder, path, layout, batches)
        done = sum(store.finished(b) for b in batches)
        if 0 < done < len(batches):
            _check_versions(path, store.attributes.get("versions"), attributes["versions"])
            say(f"{done} of {counted(len(batches), 'batch', 'batches')} read from {path}")
        yield store
    finally:
        lock.release()


def _attributes(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / _ROOT).read_bytes())["attributes"]
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_ours(folder: Path) -> bool:
    return _attributes(folder).get(_MARK) == _CONTENT


def _files(attributes: Mapping[str, Any], layout: Layout, batches: int) -> Files:
    """All files of a store before its first batch."""
    import zarr

    content: dict[str, Any] = {}
    store = memory_store(content)
    zarr.create_group(store, attributes=dict(attributes))
    layout.coordinates().to_zarr(store, group="replicates", mode="w", consolidated=False)
    replicates: Any = zarr.open_group(store, path="replicates", mode="r+", use_consolidated=False)
    _, estimators, count = layout.shape
    for name, column in layout.columns.items():
        replicates.create_array(
            name,
            shape=(*layout.shape, *column.shape),
            # A dimension of length 0 has chunks of length 1.
            chunks=(1, estimators, min(count, _CHUNK), *(max(1, length) for length in column.shape)),
            dtype=column.dtype,
            fill_value=column.fill,
            dimension_names=(*LEADING, *column.dims),
            attributes=dict(column.attrs),
        )
    done: Any = zarr.create_group(store, path="batches")
    done.create_array(
        "sha256", shape=(batches, 32), chunks=(min(batches, 1024), 32), dtype="uint8", dimension_names=("batch", "byte")
    )
    return {name: buffer.to_bytes() for name, buffer in content.items()}


def _check_versions(given: AnyPath, found: Any, wanted: Mapping[str, str]) -> None:
    if found != wanted:
        raise ValueError(
            f"{given} was begun with other versions ({found} instead of {wanted}), whose numbers may differ in the last "
            f"digits; continue with those, or pass another path."
        )


def _check(folder: Path, given: AnyPath, settings: Mapping[str, Any], wanted: Files) -> None:
    """Raise ValueError where a store differs from the one that would be written; remove partial files of killed writers."""
    found = _attributes(folder)
    try:
        kept = json.loads(found["settings"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{given} is damaged: its settings cannot be read; write it again.") from None
    check_same_settings(given, kept, settings)
    present = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if _PARTIAL.fullmatch(name) and not file.is_symlink():
            file.unlink()
        elif file.is_symlink() or not (file.is_dir() or file.is_file()):
            raise ValueError(f"{given} is not read: {name} is a link or a device, which pp_mlekl does not write.")
        elif file.is_file() and not name.startswith(tuple(f"{group}/" for group in _SUMMARIES)):
            present[name] = file
    for name, file in present.items():
        if name not in wanted and not _OF_CHUNKS.fullmatch(name):
            raise ValueError(f"{given} is not read: {name} is a file that pp_mlekl does not write.")
        if name in wanted and _comparable(name, file.read_bytes()) != _comparable(name, wanted[name]):
            raise ValueError(f"{given} is damaged, or was changed after it was written ({name}); write it again.")
    if missing := sorted(wanted.keys() - present.keys()):
        raise ValueError(f"{given} is damaged: {missing[0]} is missing; write it again.")


def _comparable(name: str, content: bytes) -> Any:
    """The content of a file that must be equal in two stores: for the root, all but settings and versions of libraries."""
    if name != _ROOT:
        return content
    found = json.loads(content)
    for other in ("settings", "versions", "pp_mlekl_version"):
        found["attributes"].pop(other, None)
    return found
