"""Attacks on ``mk.load``: files with the right checksum that hold what a comparison does not."""

import json
from collections.abc import Callable
from typing import Any

import h5py
import xarray as xr
from attack import Place, attack
from foreign_trees import HDF5, METADATA, with_hdf5, with_metadata

import pp_mlekl as mk
from pp_mlekl.utils.tree_storage import write_tree

KIND = "files that are not ours to read"


@attack(KIND, HDF5)
def hdf5(place: Place, name: str) -> None:
    """Links, references to other files, types and layouts that ``save`` does not write."""
    path = place.given.comparison.save(place.folder / "c.nc")
    with_hdf5(path, "posterior/mu", HDF5[name])
    place.keep()
    place.refused(mk.load, path)


@attack(KIND, METADATA)
def zarr(place: Place, name: str) -> None:
    """Codecs and types that ``save`` does not write."""
    path = place.given.comparison.save(place.folder / "c.zarr")
    with_metadata(path, "posterior/mu/zarr.json", METADATA[name])
    place.keep()
    place.refused(mk.load, path)


ROOTS = (
    '{"zarr_format": 3, "node_type": "group", "attributes": {"pp_mlekl_content": "comparison"}}',
    '{"zarr_format": 3, "node_type": "group", "attributes": {"pp_mlekl_version": "0.1.0"}}',
    '{"attributes": {"pp_mlekl_content": ["comparison"]}}',
    '{"attributes": []}',
    "[" * 100_000,
    "",
    "null",
    '"pp_mlekl_content"',
)


@attack(KIND, ROOTS)
def zarr_root(place: Place, text: str) -> None:
    """A store whose root says little, or nonsense."""
    (place.folder / "c.zarr").mkdir()
    (place.folder / "c.zarr" / "zarr.json").write_text(text)
    place.keep()
    place.refused(mk.load, place.folder / "c.zarr")


def pickled(place: Place) -> bytes:
    """A pickle that would spring the trap."""
    return f"cbuiltins\neval\n(Vopen({str(place.trap)!r}, 'w').write('pickle')\ntR.".encode()


CONTENTS = {
    "a pickle": pickled,
    "nothing": lambda place: b"",
    "zeros": lambda place: bytes(100_000),
    "text": lambda place: b"pp_mlekl-sha256:" + b"0" * 64,
    "a signature": lambda place: b"\x89HDF\r\n\x1a\n" + bytes(2000),
    "classic netCDF": lambda place: b"CDF\x01" + bytes(2000),
}


@attack(KIND, [(name, suffix) for name in CONTENTS for suffix in ("nc", "zarr", "h5", "pkl")])
def no_tree(place: Place, name: str, suffix: str) -> None:
    """Other content under any name."""
    path = place.folder / f"c.{suffix}"
    path.write_bytes(CONTENTS[name](place))
    place.keep()
    place.refused(mk.load, path)


def without_attribute(tree: xr.DataTree, name: str) -> None:
    """Lose one of the root's attributes."""
    del tree.attrs[name]


def with_attribute(tree: xr.DataTree, given: tuple[str, Any]) -> None:
    """Give one of the root's attributes another value."""
    tree.attrs[given[0]] = given[1]


def without_group(tree: xr.DataTree, name: str) -> None:
    """Lose a group."""
    del tree[name]


def without_variable(tree: xr.DataTree, name: str) -> None:
    """Lose a variable."""
    group, _, variable = name.rpartition("/")
    tree[group] = xr.DataTree(tree[group].to_dataset().drop_vars(variable))


def with_warnings(tree: xr.DataTree, text: Any) -> None:
    """Give the audit other warnings."""
    tree["audit"].attrs["warnings"] = text


def with_other_warnings(tree: xr.DataTree, given: tuple[str, Any]) -> None:
    """Give another group other warnings."""
    tree[given[0]].attrs["warnings"] = given[1]


NESTED = "[" * 100_000 + "]" * 100_000
SCHEMA = (
    [(without_attribute, name) for name in ("model_name", "truth", "units", "n_observations", "n_parameters", "variables")]
    + [
        (with_attribute, (name, value))
        for name, value in (
            ("variables", "[]"), ("variables", "{}"), ("variables", "nonsense"), ("variables", NESTED), ("variables", '["mu"]'),
            ("variables", json.dumps([{"name": "mu"}])), ("variables", 3), ("model_name", 3), ("n_parameters", "three"),
        )
    ]
    + [(without_group, name) for name in ("posterior", "point_estimate", "point_estimate_se", "audit", "information_gain", "fitted")]
    + [(without_variable, name) for name in ("posterior/mu", "point_estimate/mu", "audit/status")]
    + [(with_other_warnings, (group, text)) for group in ("fitted", "information_gain") for text in ("[x", "[1]", 3, NESTED)]
    + [(with_warnings, text) for text in ("", "[]", "null", NESTED, '{"mle": "text"}', '{"mle": [3]}')]
)  # fmt: skip


@attack(KIND, SCHEMA)
def other_schema(place: Place, change: Callable, what: Any) -> None:
    """A tree that ``save`` could not have had."""
    tree = place.given.comparison.tree.copy(deep=True)
    change(tree, what)
    path = write_tree(tree, place.folder / "c.nc", "comparison")
    place.keep()
    place.refused(mk.load, path)


@attack(KIND)
def only_a_version(place: Place) -> None:
    """The attribute alone that once made a comparison of any file."""
    with h5py.File(place.folder / "c.nc", "w") as file:
        file.attrs["pp_mlekl_version"] = "0.1.0"
        file["posterior"] = h5py.ExternalLink("/etc/passwd", "/")
    place.refused(mk.load, place.folder / "c.nc")
