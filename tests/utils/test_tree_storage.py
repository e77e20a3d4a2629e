"""Trees in files: what comes back, and what is not read."""

import io
import json

import h5py
import numpy as np
import pytest
import xarray as xr

from pp_mlekl.utils import tree_storage
from pp_mlekl.utils.tree_storage import read_tree, write_tree


def tree():
    dataset = xr.Dataset(
        {"a": ("x", np.arange(3.0)), "flag": ("x", [True, False, True]), "g": ("x", ["u", "v", "\u8a9e"])},
        coords={"x": ["one", "two", "three"]},
        attrs={"list": [1], "empty": [], "nothing": None, "yes": True, "large": 2**70, "text": "a\0b", "number": 1.5},
    )
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"sizes": [5]}), "g": dataset, "g/deeper": xr.Dataset({"b": 1})}
    )


@pytest.mark.parametrize("name", ["tree.nc", "tree.zarr"])
def test_a_tree_comes_back_unchanged(tmp_path, name):
    write_tree(tree(), tmp_path / name, "test")
    write_tree(tree(), tmp_path / name, "test")
    found = read_tree(tmp_path / name, "test")
    assert found.identical(tree())
    assert [node.attrs for node in found.subtree] == [node.attrs for node in tree().subtree]
    assert found["g"].attrs["yes"] is True
    with pytest.raises(ValueError, match="holds no other of pp_mlekl, but a test"):
        read_tree(tmp_path / name, "other")


def test_reading_does_not_need_the_file_afterwards(tmp_path):
    write_tree(tree(), tmp_path / "tree.nc", "test")
    found = read_tree(tmp_path / "tree.nc", "test")
    (tmp_path / "tree.nc").unlink()
    # xarray's own way to load a tree leaves out a variable that is named as a group is.
    assert found["g/g"].values.tolist() == ["u", "v", "\u8a9e"]


def damaged(path, change):
    """The file with an HDF5 change, and with the right checksum again."""
    content = io.BytesIO(path.read_bytes())
    with h5py.File(content, "r+") as file:
        change(file)
    path.write_bytes(tree_storage._sealed({"": content.getvalue()})[""])


def replace(file, name, value, **kwargs):
    del file[name]
    file.create_dataset(name, data=value, **kwargs)


def cycle(file):
    file["g/again"] = file["g"]


def claim(file):
    del file["g/a"]
    file.create_dataset("g/a", shape=(10**12,), dtype="f8")


def deep(file):
    file.create_group("g/" + "/".join("pqrstu"))


def virtual(file):
    layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "a", shape=(3,))
    del file["g/a"]
    file.create_virtual_dataset("g/a", layout)


FOREIGN = {
    "soft link": lambda file: file.__setitem__("g/link", h5py.SoftLink("/g/a")),
    "external link": lambda file: file.__setitem__("g/link", h5py.ExternalLink("/etc/passwd", "/a")),
    "stored elsewhere": lambda file: replace(file, "g/a", np.zeros(3), external=[("/etc/passwd", 0, 24)]),
    "virtual": virtual,
    "cycle": cycle,
    "compressed": lambda file: replace(file, "g/a", np.zeros(3), compression="gzip"),
    "compound": lambda file: replace(file, "g/a", np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])),
    "opaque": lambda file: replace(file, "g/a", np.zeros(3, dtype="V8")),
    "reference": lambda file: replace(file, "g/a", np.array([file.ref], dtype=h5py.ref_dtype)),
    "nothing": lambda file: replace(file, "g/a", h5py.Empty("f8")),
    "named type": lambda file: file.__setitem__("g/type", np.dtype("f8")),
    "compound attribute": lambda file: file["g"].attrs.__setitem__("c", np.zeros(1, dtype=[("a", "f8")])),
    "larger than it is": claim,
    "deep": deep,
}  # fmt: skip


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_hdf5_that_is_not_ours_is_not_read(tmp_path, change):
    path = write_tree(tree(), tmp_path / "tree.nc", "test")
    damaged(path, change)
    with pytest.raises(ValueError, match=r"is not read: .*, which pp_mlekl does not write"):
        read_tree(path, "test")


def edited(path, name, change):
    """The store with changed metadata, and with the right checksum again."""
    node = json.loads((path / name).read_text())
    change(node)
    (path / name).write_text(json.dumps(node))
    for file, content in tree_storage._sealed(tree_storage._files(path)).items():
        (path / file).write_bytes(content)


METADATA = {
    "object codec": lambda node: node["codecs"].append({"name": "numcodecs.pickle"}),
    "unknown codec": lambda node: node.update(codecs=[{"name": "blosc", "configuration": {}}]),
    "object type": lambda node: node.update(data_type={"name": "numpy.object", "configuration": {}}),
    "older format": lambda node: node.update(zarr_format=2),
    "transformers": lambda node: node.update(storage_transformers=[{"name": "x"}]),
    "no codecs": lambda node: node.pop("codecs"),
    "attributes": lambda node: node.update(attributes=[1]),
    "kind": lambda node: node.update(node_type="link"),
}


@pytest.mark.parametrize("change", METADATA.values(), ids=METADATA)
def test_zarr_that_is_not_ours_is_not_read(tmp_path, change):
    path = write_tree(tree(), tmp_path / "tree.zarr", "test")
    edited(path, "g/a/zarr.json", change)
    with pytest.raises(ValueError, match=r"is not read: .*, which pp_mlekl does not write"):
        read_tree(path, "test")


def test_links_within_a_store_are_not_followed(tmp_path):
    path = write_tree(tree(), tmp_path / "tree.zarr", "test")
    (path / "g" / "a" / "c" / "0").unlink()
    (path / "g" / "a" / "c" / "0").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="is a link or a device"):
        read_tree(path, "test")


@pytest.mark.parametrize("name", ["tree.nc", "tree.zarr"])
def test_a_changed_byte_is_noticed(tmp_path, name):
    path = write_tree(tree(), tmp_path / name, "test")
    file = path if path.is_file() else path / "g" / "a" / "c" / "0"
    content = bytearray(file.read_bytes())
    content[content.index(np.arange(3.0).tobytes()) if path.is_file() else -1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        read_tree(path, "test")
    with pytest.raises(ValueError, match="was not written by pp_mlekl"):
        write_tree(tree(), path, "test")
