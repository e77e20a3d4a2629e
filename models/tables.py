"""Small tables of public data that come with the gallery."""

from pathlib import Path

import numpy as np


def read_table(name: str) -> dict[str, np.ndarray]:
    """Columns of ``models/data/NAME.csv`` by their names, each of shape (n,)."""
    path = Path(__file__).parent / "data" / f"{name}.csv"
    with path.open(encoding="utf-8") as lines:
        table = np.genfromtxt(lines, delimiter=",", names=True)
    return {column: table[column].astype(np.float64) for column in table.dtype.names}


def standardized(columns: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1, shape (n, k)."""
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)
