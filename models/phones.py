"""Telephone calls from Belgium: a line through six years of wrong records.

Calls in each of 24 years; from 1964 to 1969 minutes were recorded instead. Shows a regression with Student-t errors, which
sets the wrong years aside, and its misspecified twin with normal errors, which follows them.

Data: P. J. Rousseeuw and A. M. Leroy, Robust Regression and Outlier Detection (1987), table 2, from the Belgian
Statistical Survey. Published figures, free of rights.
"""

from typing import Any

import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

CALLS = [
    4.4, 4.7, 4.7, 5.9, 6.6, 7.3, 8.1, 8.8, 10.6, 12.0, 13.5, 14.9, 16.1, 21.2, 119.0, 124.0, 142.0, 159.0, 182.0,
    212.0, 43.0, 24.0, 27.0, 29.0,
]  # fmt: skip

TRUTH = {"level": 12.0, "slope": 1.1, "sigma": 2.0}

BUILDERS = {
    "build": {
        "tags": "regression robust student-t",
        "observations": 24,
        "parameters": 3,
        "mle": "converged",
        "map": "converged",
    },
    "build_normal": {
        "tags": "regression normal misspecified",
        "observations": 24,
        "parameters": 3,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Years (24) and millions of calls in tens (of minutes from 1964 to 1969)."""
    return pd.DataFrame({"year": range(1950, 1974), "calls": CALLS})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Student-t errors with two degrees of freedom."""
    return _model(load_data() if data is None else data, robust=True)


def build_normal(data: pd.DataFrame | None = None) -> pm.Model:
    """Normal errors: the wrong years pull the line up."""
    return _model(load_data() if data is None else data, robust=False)


def _model(data: pd.DataFrame, *, robust: bool) -> pm.Model:
    with pm.Model(coords={"year": data.index}) as model:
        level = pm.Normal("level", 0, 50)
        slope = pm.Normal("slope", 0, 5)
        sigma = pm.HalfNormal("sigma", 50)
        mean = level + slope * (data["year"].to_numpy() - 1960)
        if robust:
            pm.StudentT("calls", nu=2, mu=mean, sigma=sigma, observed=data["calls"], dims="year")
        else:
            pm.Normal("calls", mean, sigma, observed=data["calls"], dims="year")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Calls in ``n`` years under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
