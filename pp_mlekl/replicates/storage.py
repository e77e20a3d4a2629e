"""A finished study in a file, and whether it is the one that is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr


def read_study(path: Path, settings: dict[str, Any]) -> xr.DataTree | None:
    """The study in a file, where there is one with these settings."""
    if not path.is_file():
        return None
    tree = xr.load_datatree(path, engine="h5netcdf")
    same = all(np.array_equal(np.asarray(tree.attrs.get(k)), np.asarray(v)) for k, v in settings.items())
    return tree if same else None


def write_study(tree: xr.DataTree, path: Path) -> None:
    """Write to a temporary name first, so that an interruption leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    tree.to_netcdf(part, engine="h5netcdf")
    part.replace(path)
