"""Where results go, checked before they are computed."""

import tempfile
from pathlib import Path


def writable_folder(folder: Path) -> Path:
    """The folder, made where it is missing.

    Raises
    ------
    ValueError
        Where nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(
            f"Nothing can be written to {folder} ({error.strerror or error}); name a folder that you may write to."
        ) from error


def check_writable(path: Path) -> None:
    """Raise ValueError where no file can be written at a path; its folder is made where it is missing."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file, such as {path / 'study.nc'}.")
    writable_folder(path.parent)
