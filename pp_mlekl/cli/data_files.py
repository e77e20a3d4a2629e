"""Data that a user names on the command line or in a report's file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def read_data(path: Path | None) -> "pd.DataFrame | xr.Dataset | None":
    """A table (``.csv``, ``.parquet``) as a DataFrame, a NetCDF file (``.nc``) as a Dataset; None without a file.

    Raises
    ------
    ValueError
        If there is no such file, its extension is another one, or it cannot be read.
    ImportError
        If no reader for Parquet files is installed.
    """
    if path is None:
        return None
    import pandas as pd
    import xarray as xr

    readers: dict[str, Callable[[Path], pd.DataFrame | xr.Dataset]] = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".nc": xr.load_dataset,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"Data must be a file that ends in {', '.join(readers)}, got {path}.")
    if not path.is_file():
        raise ValueError(f"There is no file {path}; name a file that exists.")
    try:
        return reader(path)
    except ImportError as error:
        raise ImportError("Parquet files need: pip install pyarrow.") from error
    except Exception as error:
        raise ValueError(f"{path} cannot be read as {path.suffix[1:]} ({error}).") from error
