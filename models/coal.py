"""Disasters in British coal mines: a Poisson rate that changes in one year or over several.

Disasters with ten or more deaths, 1851 to 1962. Shows a change point whose suddenness the data hardly inform, and the
misspecified twin of a constant rate.

Data: R. G. Jarrett, A note on the intervals between coal-mining disasters, Biometrika 66 (1979). Published counts, free
of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

DISASTERS = (
    "4 5 4 1 0 4 3 4 0 6 3 3 4 0 2 6 3 3 5 4 5 3 1 4 4 1 5 5 3 4 2 5 2 2 3 4 2 1 3 2 2 1 1 1 1 3 0 0 1 0 1 1 0 0 3 1 "
    "0 3 2 2 0 1 1 1 0 1 0 1 0 0 0 2 1 0 0 0 1 1 0 2 3 3 1 1 2 1 1 1 1 2 3 3 0 0 0 1 4 0 0 0 1 0 0 0 0 0 1 0 0 1 0 1"
)

TRUTH = {"rate": np.array([3.0, 0.9]), "change": 40.0, "width": 3.0}

BUILDERS = {
    "build": {
        "tags": "change-point poisson",
        "observations": 112,
        "parameters": 4,
        "mle": "converged",
        "map": "converged",
    },
    "build_constant": {
        "tags": "poisson misspecified",
        "observations": 112,
        "parameters": 1,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Years (112) and disasters in each."""
    return pd.DataFrame({"year": range(1851, 1963), "disasters": np.array(DISASTERS.split(), dtype=int)})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """The log rate goes from one level to another along a logistic curve."""
    data = load_data() if data is None else data
    year = data["year"].to_numpy() - 1851
    with pm.Model(coords={"year": data.index, "time": ["before", "after"]}) as model:
        rate = pm.Exponential("rate", 0.5, dims="time")
        change = pm.Normal("change", 55, 25)
        width = pm.Gamma("width", 2, 0.5)
        share = pm.math.sigmoid((year - change) / width)
        mean = pm.math.exp((1 - share) * pm.math.log(rate[0]) + share * pm.math.log(rate[1]))
        pm.Poisson("disasters", mean, observed=data["disasters"], dims="year")
    return model


def build_constant(data: pd.DataFrame | None = None) -> pm.Model:
    """One rate for all years."""
    data = load_data() if data is None else data
    with pm.Model(coords={"year": data.index}) as model:
        rate = pm.Exponential("rate", 0.5)
        pm.Poisson("disasters", rate, observed=data["disasters"], dims="year")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Disasters of ``n`` years from 1851 under ``truth``; after 1962 the years begin again."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
