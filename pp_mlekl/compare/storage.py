"""Writing comparisons and pages so that a failure leaves nothing half done."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from pp_mlekl.compare.comparison import Comparison


def load(path: str | os.PathLike) -> Comparison:
    """Read a comparison that ``Comparison.save`` wrote (NetCDF, or Zarr where the path ends in ``.zarr``).

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file holds no comparison.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no comparison at {path}.")
    kwargs = {"engine": "zarr", "consolidated": False} if path.suffix == ".zarr" else {"engine": "h5netcdf"}
    try:
        with xr.open_datatree(path, **kwargs) as stored:
            tree = stored.load()
    except OSError as error:
        raise ValueError(f"{path} is no NetCDF file; write one with Comparison.save.") from error
    for node in tree.subtree:
        node.attrs = {k: v.tolist() if isinstance(v, np.ndarray | np.generic) else v for k, v in node.attrs.items()}
    if "pp_mlekl_version" not in tree.attrs:
        raise ValueError(f"{path} holds no comparison of pp_mlekl; write one with Comparison.save.")
    return Comparison(tree=tree)


def save_tree(tree: xr.DataTree, path: Path) -> None:
    """Write a tree to NetCDF, or to Zarr where the path ends in ``.zarr``."""
    with atomic_path(path) as temporary:
        if path.suffix == ".zarr":
            tree.to_zarr(temporary, mode="w", consolidated=False)
        else:
            # HDF5 does not survive a full disk, so the file is made in memory and written by Python.
            with tree.to_netcdf(engine="h5netcdf") as content, temporary.open("wb") as file:
                file.write(content)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` that takes its place when all is written; nothing is left of a failure.

    Raises
    ------
    OSError
        Where it cannot be written, as on a full disk; it names the path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)
