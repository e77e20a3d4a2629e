"""Trees of arrays in files: NetCDF, or Zarr where the path ends in ``.zarr``.

A file carries what it holds and a checksum of its own bytes as attributes of its root. Reading checks both, and that the file
is made of what ``write_tree`` writes: groups, arrays of numbers and text, and attributes. Large arrays are compressed. Links,
references to other files, other filters and pickled objects are refused before anything is decoded.
"""

import io
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from pp_mlekl.utils.files import (
    AnyPath,
    check_file,
    check_folder,
    locked,
    restored,
    signals_held_back,
    writable_folder,
    write_bytes,
    write_folder,
)
from pp_mlekl.utils.shared_state import alone

# A file's bytes, or those of a folder's files by their names.
Files = dict[str, bytes]

CONTENT, _CHECKSUM, _ENCODED = "pp_mlekl_content", "pp_mlekl_checksum", "pp_mlekl_json"
_SEAL = re.compile(rb"pp_mlekl-sha256:[0-9a-f]{64}")
_BLANK_SEAL = b"pp_mlekl-sha256:" + b"0" * 64

# information_gain/marginal is two groups below the root; what is nested deeper than this is not ours.
_DEEPEST_GROUP = 4
# How netCDF marks dimensions.
_NETCDF_ATTRIBUTES = {"DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_NCProperties", "_nc3_strict"}
_DIMENSION_ALONE = b"This is a netCDF dimension but not a netCDF variable."
# Signed and unsigned integers, floating-point numbers, text of fixed length.
_PLAIN_KINDS = "iufS"
_ZARR_TYPES = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|string|fixed_length_utf32")
_ZARR_CODECS = {"bytes", "zstd", "vlen-utf8"}
_ZARR_NAMES = re.compile(r"(?:[^/]+/)*(?:zarr\.json|c(?:/\d+)*)")
_LARGEST_INTEGER = 2**63
_NETCDF_NAMES = ("", ".nc", ".nc4", ".netcdf", ".h5", ".hdf5")
# Arrays of numbers with at least this number of elements are compressed, by HDF5's own filters.
_COMPRESSED = 4096
_COMPRESSION = {"zlib": True, "complevel": 1, "shuffle": True}
_FILTERS = [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE]
# What a byte can become at the most when it is inflated.
_INFLATION = 1032


def write_tree(tree: xr.DataTree, path: AnyPath, content: str) -> Path:
    """Write a tree under a name for what it holds, such as ``"comparison"``.

    Raises
    ------
    ValueError
        Where there is something at the path that this function did not write, or where the path ends like another kind of file.
    OSError
        Where it cannot be written.
    """
    _check_name(path)
    plain = xr.DataTree.from_dict({node.path: _plain(node.to_dataset(inherit=False)) for node in tree.subtree})
    plain.attrs |= {CONTENT: content, _CHECKSUM: _BLANK_SEAL.decode()}
    is_ours = partial(is_tree, content=content)
    # HDF5 and Zarr call back into Python, where an interrupt would be swallowed.
    with signals_held_back():
        if is_zarr(path):
            return write_folder(path, _sealed(_zarr_files(plain)), is_ours=is_ours)
        return write_bytes(path, _sealed({"": _netcdf_bytes(plain)})[""], is_ours=is_ours)


def _check_name(path: AnyPath) -> None:
    ending = Path(os.fspath(path)).suffix
    # What follows the last point of a name such as results-1.2 is no ending.
    if not is_zarr(path) and ending not in _NETCDF_NAMES and ending[1:].isalpha():
        raise ValueError(f"Give a file that ends in .nc or a folder that ends in .zarr, got {path}.")


def check_tree_target(path: AnyPath, content: str) -> None:
    """Raise as ``write_tree`` would, before anything is computed."""
    _check_name(path)
    is_ours = partial(is_tree, content=content)
    target = check_folder(path, is_ours) if is_zarr(path) else check_file(path, is_ours)
    writable_folder(target.parent)


def read_tree(path: AnyPath, content: str) -> xr.DataTree:
    """Read what ``write_tree`` wrote under the same name.

    Raises
    ------
    FileNotFoundError
        Where there is nothing at the path.
    ValueError
        Where it was not written by ``write_tree``, or is damaged.
    """
    source = restored(path)
    # Not while another process exchanges it.
    with locked(source.parent):
        if not source.exists():
            raise FileNotFoundError(f"There is no {content} at {path}; check the path.")
        found = _content(source)
        files = _files(source) if found == content else {}
    if found != content:
        raise ValueError(f"{path} must hold a {content} of pp_mlekl{f', not a {found}' if found else ''}.")
    if files != _sealed(files):
        raise ValueError(f"{path} is damaged, or was changed after it was written; write it again.")
    foreign = next(_foreign_to_zarr(files) if source.is_dir() else _foreign_to_netcdf(files[""]), "")
    if foreign:
        raise ValueError(f"{path} is not read: {foreign}, which pp_mlekl does not write.")
    try:
        return _decoded(files)
    except Exception as error:
        raise ValueError(f"{path} cannot be decoded ({type(error).__name__}: {error}); write it again.") from error


def is_tree(path: Path, content: str) -> bool:
    """Whether ``write_tree`` wrote all that is at a path, under this name for what it holds."""
    try:
        files = _files(path) if _content(path) == content else {}
    except ValueError:
        return False
    return bool(files) and files == _sealed(files)


def is_zarr(path: AnyPath) -> bool:
    """Whether a path is that of a Zarr store, and not of a NetCDF file."""
    return os.fspath(path).endswith(".zarr")


def _content(source: Path) -> str:
    """The name for what a file or folder holds; empty where it has none."""
    try:
        if source.is_dir():
            found = json.loads((source / "zarr.json").read_bytes())["attributes"][CONTENT]
        else:
            with h5py.File(source, locking=False) as file:
                found = file.attrs[CONTENT]
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def _files(source: Path) -> Files:
    if not source.is_dir():
        return {"": source.read_bytes()}
    found = {}
    for path in sorted(source.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path} is a link or a device, which pp_mlekl does not write.")
        if path.is_file():
            found[path.relative_to(source).as_posix()] = path.read_bytes()
    return found


def _sealed(files: Files) -> Files:
    """The files with the checksum of them all, but for itself, in its place; with none where there is no place for it."""
    root = "" if "" in files else "zarr.json"
    blank, places = _SEAL.subn(_BLANK_SEAL, files[root])
    if places != 1:
        return {}
    digest = sha256()
    for name, content in sorted((files | {root: blank}).items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return files | {root: blank.replace(_BLANK_SEAL, b"pp_mlekl-sha256:" + digest.hexdigest().encode())}


def _plain(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset with attributes that every format gives back, in the formats' own encodings."""
    dataset = dataset.drop_encoding()
    dataset.attrs = _encoded(dataset.attrs)
    for variable in dataset.variables.values():
        variable.attrs = _encoded(variable.attrs)
    return dataset


def _encoded(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Numbers and text as they are, all else as JSON."""
    coded = [str(name) for name, value in attributes.items() if not _is_plain(value)]
    found = {
        str(name): json.dumps(value, default=_listed) if str(name) in coded else value
        for name, value in attributes.items()
    }
    return found | ({_ENCODED: json.dumps(coded)} if coded else {})


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return value.isprintable()
    return isinstance(value, float) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_INTEGER
    )


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _as_given(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """What ``_encoded`` was given."""
    plain = {k: v.tolist() if isinstance(v, np.ndarray | np.generic) else v for k, v in attributes.items()}
    coded = json.loads(plain.pop(_ENCODED, "[]"))
    return {k: json.loads(v) if k in coded else v for k, v in plain.items()}


def _netcdf_bytes(tree: xr.DataTree) -> bytes:
    # HDF5 does not survive a full disk, so the file is made in memory.
    encoding = {
        node.path: {name: _COMPRESSION for name, array in node.variables.items() if _is_large(array)}
        for node in tree.subtree
    }
    with _not_on_a_cluster(), tree.to_netcdf(engine="h5netcdf", encoding=encoding) as content:
        return bytes(content)


@contextmanager
def _not_on_a_cluster() -> Iterator[None]:
    """xarray asks a Dask client for a lock where there is one, and there is no such lock for a file in memory."""
    if "distributed" not in sys.modules:
        yield
        return
    import dask

    with alone(), dask.config.set(scheduler="synchronous"):
        yield


def _is_large(array: Any) -> bool:
    return array.size >= _COMPRESSED and array.dtype.kind in "iufb"


def _zarr_files(tree: xr.DataTree) -> Files:
    store: dict[str, Any] = {}
    tree.to_zarr(memory_store(store), mode="w", consolidated=False)
    return {name: content.to_bytes() for name, content in store.items()}


def memory_store(content: dict[str, Any]) -> Any:
    """A store of Zarr in memory, which fills ``content``; ImportError says how to install Zarr."""
    try:
        from zarr.storage import MemoryStore
    except ImportError as error:
        raise ImportError("Zarr files need: pip install pp_mlekl[zarr].") from error
    return MemoryStore(content)


def _decoded(files: Files) -> xr.DataTree:
    if "" in files:
        opened = xr.open_datatree(io.BytesIO(files[""]), engine="h5netcdf")
    else:
        from zarr.core.buffer import default_buffer_prototype

        buffers = default_buffer_prototype().buffer
        store = memory_store({name: buffers.from_bytes(content) for name, content in files.items()})
        opened = xr.open_datatree(store, engine="zarr", consolidated=False)
    with opened as tree:
        for node in tree.subtree:
            node.attrs = _as_given(node.attrs)
            for variable in node.variables.values():
                # DataTree.load leaves out variables that are named as a group is.
                variable.load()
                variable.attrs = _as_given(variable.attrs)
    for name in (CONTENT, _CHECKSUM):
        del tree.attrs[name]
    return tree


def _foreign_to_netcdf(content: bytes) -> Iterator[str]:
    """What in an HDF5 file is neither a group nor an array of numbers or text within the file."""
    seen = set()
    with h5py.File(io.BytesIO(content)) as file:
        groups = [(file["/"], 0)]
        while groups:
            group, depth = groups.pop()
            yield from _foreign_attributes(group)
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    yield f"{name!r} is a link to another place"
                    continue
                item = group[name]
                address = h5py.h5o.get_info(item.id).addr
                if address in seen or depth == _DEEPEST_GROUP:
                    yield f"{name!r} stands in several groups or too deep"
                seen.add(address)
                if isinstance(item, h5py.Group):
                    groups.append((item, depth + 1))
                else:
                    yield from _foreign_array(name, item)


def _foreign_array(name: str, item: Any) -> Iterator[str]:
    if not isinstance(item, h5py.Dataset) or not _is_text_or_number(item.dtype) or item.shape is None:
        yield f"{name!r} is no array of numbers or text"
        return
    yield from _foreign_attributes(item)
    if item.is_virtual or item.external or (item.chunks and item.size and not _is_compressed_whole(item)):
        yield f"{name!r} is in part missing, compressed in another way or stored elsewhere"
    alone = bytes(item.attrs.get("NAME", b"")).startswith(_DIMENSION_ALONE)
    most = item.id.get_storage_size() * (_INFLATION if item.chunks else 1)
    if not alone and item.size * item.dtype.itemsize > most:
        yield f"{name!r} is said to be larger than it is"


def _is_compressed_whole(item: Any) -> bool:
    """Whether a large array in chunks has all of them, and no other filters than ours."""
    plan = item.id.get_create_plist()
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    chunks = math.prod(-(-n // size) for n, size in zip(item.shape, item.chunks, strict=True))
    return bool(item.size >= _COMPRESSED and filters == _FILTERS and item.id.get_num_chunks() == chunks)


def _foreign_attributes(item: Any) -> Iterator[str]:
    for name in item.attrs:
        netcdf = name in _NETCDF_ATTRIBUTES or name.startswith("_Netcdf4")
        if not netcdf and not _is_text_or_number(item.attrs.get_id(name).dtype):
            yield f"the attribute {name!r} is neither a number nor text"


def _is_text_or_number(dtype: np.dtype) -> bool:
    return dtype.kind in _PLAIN_KINDS or h5py.check_string_dtype(dtype) is not None


def _foreign_to_zarr(files: Files) -> Iterator[str]:
    """What in a Zarr store of format 3 is neither a group nor an array of numbers or text."""
    for name, content in files.items():
        if not _ZARR_NAMES.fullmatch(name):
            yield f"{name} is a file"
        elif name.endswith("zarr.json"):
            try:
                fits = name.count("/") <= _DEEPEST_GROUP and _is_plain_node(json.loads(content))
            except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
                fits = False
            if not fits:
                yield f"{name} describes neither a group nor an array of numbers or text"


def _is_plain_node(node: Any) -> bool:
    if node["zarr_format"] != 3 or not isinstance(node["attributes"], dict):
        return False
    if node["node_type"] == "group":
        return set(node) == {"zarr_format", "node_type", "attributes"}
    kind = node["data_type"]["name"] if isinstance(node["data_type"], dict) else node["data_type"]
    return (
        node["node_type"] == "array"
        and bool(_ZARR_TYPES.fullmatch(kind))
        and {codec["name"] for codec in node["codecs"]} <= _ZARR_CODECS
        and not node.get("storage_transformers")
    )
