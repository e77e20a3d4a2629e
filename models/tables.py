"""What the gallery's modules share: small tables of public data, their rows and levels, and new data from a model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats


def read_table(name: str) -> pd.DataFrame:
    """The table ``data/NAME.csv``."""
    return pd.read_csv(Path(__file__).parent / "data" / f"{name}.csv")


def standardized(columns: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1, shape (n, k)."""
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def levels(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """Codes of a column's levels, shape (n,), and the levels; a categorical column keeps levels without rows."""
    labels = pd.Categorical(column)
    return labels.codes.astype(int), np.asarray(labels.categories)


def first_rows(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """``n`` rows of a table, which starts again after its last row."""
    return table.iloc[np.arange(n) % len(table)].reset_index(drop=True)


def normal_scores(n: int) -> np.ndarray:
    """``n`` fixed values spread like a standard normal sample: the golden-ratio sequence through the quantiles."""
    return stats.norm.ppf((0.5 + np.arange(n) * (np.sqrt(5) - 1) / 2) % 1)


def simulated[Table: (pd.DataFrame, xr.Dataset)](
    build: Callable[[Table], pm.Model], data: Table, truth: Mapping[str, Any], random_seed: Any
) -> Table:
    """``data`` with its observed variables, which have the names of the model's, drawn anew at the parameters ``truth``."""
    observed = pm.do(build(data), dict(truth)).observed_RVs
    # A handful of draws does not repay compilation.
    interpreted = Mode(linker="py", optimizer=None)
    draws = pm.draw(observed, random_seed=np.random.default_rng(random_seed), mode=interpreted)
    made = data.copy()
    for rv, values in zip(observed, draws, strict=True):
        made[rv.name] = values if isinstance(data, pd.DataFrame) else (data[rv.name].dims, values)
    return made
