"""Trees in files: what comes back, and what is not read."""

import numpy as np
import pytest
import xarray as xr
from foreign_trees import HDF5, METADATA, with_hdf5, with_metadata

from pp_mlekl.utils.tree_storage import check_tree_target, read_tree, write_tree


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
    with pytest.raises(ValueError, match="not a test"):
        read_tree(tmp_path / name, "other")


def test_large_arrays_are_compressed(tmp_path):
    counts = np.random.default_rng(1).poisson(3.0, size=(4, 25_000))
    whole = xr.DataTree.from_dict(
        {"g": xr.Dataset({"n": (("chain", "draw"), counts), "flag": ("draw", counts[0] > 2)})}
    )
    path = write_tree(whole, tmp_path / "tree.nc", "test")
    assert path.stat().st_size < counts.nbytes / 5
    assert read_tree(path, "test").identical(whole)


@pytest.mark.parametrize("name", ["tree.nc", "tree.zarr"])
def test_empty_arrays_come_back(tmp_path, name):
    empty = xr.DataTree.from_dict({"g": xr.Dataset(coords={"estimator": np.array([], dtype=str), "n": np.zeros(0)})})
    assert read_tree(write_tree(empty, tmp_path / name, "test"), "test")["g"].sizes == {"estimator": 0, "n": 0}


def test_reading_does_not_need_the_file_afterwards(tmp_path):
    write_tree(tree(), tmp_path / "tree.nc", "test")
    found = read_tree(tmp_path / "tree.nc", "test")
    (tmp_path / "tree.nc").unlink()
    # xarray's own way to load a tree leaves out a variable that is named as a group is.
    assert found["g/g"].values.tolist() == ["u", "v", "\u8a9e"]


@pytest.mark.parametrize("change", HDF5.values(), ids=HDF5)
def test_foreign_hdf5_files_are_refused(tmp_path, change):
    path = write_tree(tree(), tmp_path / "tree.nc", "test")
    with_hdf5(path, "g/a", change)
    with pytest.raises(ValueError, match=r"is not read: .*, which pp_mlekl does not write"):
        read_tree(path, "test")


@pytest.mark.parametrize("change", METADATA.values(), ids=METADATA)
def test_foreign_zarr_stores_are_refused(tmp_path, change):
    path = write_tree(tree(), tmp_path / "tree.zarr", "test")
    with_metadata(path, "g/a/zarr.json", change)
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tree.nc", "tree.zarr"])
def test_a_dask_client_in_the_process_changes_nothing(tmp_path, name):
    distributed = pytest.importorskip("distributed")

    def write_and_read(path):
        return read_tree(write_tree(tree(), path, "test"), "test").identical(tree())

    with distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        assert write_and_read(tmp_path / f"here_{name}")
        assert client.submit(write_and_read, tmp_path / f"there_{name}").result()


@pytest.mark.parametrize("name", ["x.csv", "x.html", "x.zip", "x.ncc"])
def test_a_name_of_another_kind_of_file_is_refused(tmp_path, name):
    for refused in (
        lambda path: write_tree(xr.DataTree(), path, "study"),
        lambda path: check_tree_target(path, "study"),
    ):
        with pytest.raises(ValueError, match=r"ends in \.nc or a folder that ends in \.zarr, got .*" + name):
            refused(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x", "x.nc4", "results-1.2", "x.zarr"])
def test_other_names_are_taken(tmp_path, name):
    check_tree_target(tmp_path / name, "study")
    write_tree(xr.DataTree(xr.Dataset({"a": 1.0})), tmp_path / name, "study")
    assert float(read_tree(tmp_path / name, "study")["a"]) == 1.0
