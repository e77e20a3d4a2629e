"""Files of ours with what we do not write, and with the right checksum again, as somebody who means harm would make them."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pp_mlekl.utils import tree_storage

OUTSIDE = "/etc/passwd"


def with_hdf5(path: Path, array: str, change: Callable[[Any, str], None]) -> None:
    """Change a NetCDF file with h5py; ``array`` is the path of an array of numbers within it."""
    content = io.BytesIO(path.read_bytes())
    with h5py.File(content, "r+") as file:
        change(file, array)
    path.write_bytes(tree_storage._sealed({"": content.getvalue()})[""])


def with_metadata(path: Path, name: str, change: Callable[[dict], Any]) -> None:
    """Change one metadata file of a Zarr store."""
    node = json.loads((path / name).read_text())
    change(node)
    (path / name).write_text(json.dumps(node))
    for file, content in tree_storage._sealed(tree_storage._files(path)).items():
        (path / file).write_bytes(content)


def _replaced(value: Any, **kwargs: Any) -> Callable[[Any, str], None]:
    def change(file: Any, array: str) -> None:
        del file[array]
        file.create_dataset(array, data=value, **kwargs)

    return change


def _linked(link: Any) -> Callable[[Any, str], None]:
    def change(file: Any, array: str) -> None:
        file[f"{array}_link"] = link

    return change


def _link_in_place(file: Any, array: str) -> None:
    del file[array]
    file[array] = h5py.ExternalLink(OUTSIDE, "/a")


def _reference(file: Any, array: str) -> None:
    _replaced(np.array([file.ref], dtype=h5py.ref_dtype))(file, array)


def _cycle(file: Any, array: str) -> None:
    group = file[array].parent
    group["again"] = group


def _twice(file: Any, array: str) -> None:
    file[f"{array}_again"] = file[array]


def _claim(file: Any, array: str) -> None:
    del file[array]
    file.create_dataset(array, shape=(10**12,), dtype="f8")


def _chunks_missing(file: Any, array: str) -> None:
    del file[array]
    made = file.create_dataset(array, shape=(10**6,), dtype="f8", chunks=(1000,), compression="gzip", shuffle=True)
    made[:5000] = np.random.default_rng(1).normal(size=5000)


def _deep(file: Any, array: str) -> None:
    file.create_group("/".join(["deep"] * 3000))


def _virtual(file: Any, array: str) -> None:
    layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
    layout[:] = h5py.VirtualSource(OUTSIDE, "a", shape=(3,))
    del file[array]
    file.create_virtual_dataset(array, layout)


def _attribute(value: Any) -> Callable[[Any, str], None]:
    def change(file: Any, array: str) -> None:
        file[array].parent.attrs["c"] = value

    return change


HDF5: dict[str, Callable[[Any, str], None]] = {
    "soft link": _linked(h5py.SoftLink("/")),
    "dangling link": _linked(h5py.SoftLink("/nowhere")),
    "external link": _linked(h5py.ExternalLink(OUTSIDE, "/a")),
    "external link in place": _link_in_place,
    "stored elsewhere": _replaced(np.zeros(3), external=[(OUTSIDE, 0, 24)]),
    "virtual": _virtual,
    "cycle": _cycle,
    "twice": _twice,
    "deep": _deep,
    "compressed in another way": _replaced(np.zeros(5000), compression="lzf", shuffle=True),
    "compressed in part": _chunks_missing,
    "compressed without need": _replaced(np.zeros(3), compression="gzip"),
    "in chunks": _replaced(np.zeros(3), chunks=(1,)),
    "compound": _replaced(np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])),
    "opaque": _replaced(np.zeros(3, dtype="V8")),
    "reference": _reference,
    "nothing": _replaced(h5py.Empty("f8")),
    "named type": _linked(np.dtype("f8")),
    "compound attribute": _attribute(np.zeros(1, dtype=[("a", "f8")])),
    "opaque attribute": _attribute(np.zeros(1, dtype="V4")),
    "larger than it is": _claim,
}

METADATA: dict[str, Callable[[dict], Any]] = {
    "object codec": lambda node: node["codecs"].append({"name": "numcodecs.pickle"}),
    "unknown codec": lambda node: node.update(codecs=[{"name": "blosc", "configuration": {}}]),
    "shards": lambda node: node.update(codecs=[{"name": "sharding_indexed", "configuration": {}}]),
    "object type": lambda node: node.update(data_type={"name": "numpy.object", "configuration": {}}),
    "unknown type": lambda node: node.update(data_type="r64"),
    "older format": lambda node: node.update(zarr_format=2),
    "transformers": lambda node: node.update(storage_transformers=[{"name": "x"}]),
    "no codecs": lambda node: node.pop("codecs"),
    "codecs that are none": lambda node: node.update(codecs=[1]),
    "attributes": lambda node: node.update(attributes=[1]),
    "kind": lambda node: node.update(node_type="link"),
}
