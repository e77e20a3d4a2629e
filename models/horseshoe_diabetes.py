"""Diabetes after one year: ten predictors of which few matter, by a horseshoe prior.

The regression of ``linear_diabetes`` with another prior. Shows global and local shrinkage, and scales that the
likelihood knows only in products with the slopes, so that no MLE is unique.

Data: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least angle regression, Annals of Statistics 32 (2004); the
copy that comes with scikit-learn (BSD 3-clause).
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .linear_diabetes import PREDICTORS, load_data
from .tables import simulated, standardized

MATTER = np.isin(PREDICTORS, ["sex", "bmi", "bp", "s5"])

TRUTH = {
    "intercept": 152.0,
    "tau": 0.05,
    "local": np.where(MATTER, 5.0, 0.5),
    "offset": np.where(MATTER, 1.0, 0.1),
    "sigma": 54.0,
}

BUILDERS = {
    "build": {
        "tags": "regression normal horseshoe",
        "observations": 442,
        "parameters": 23,
        "mle": "not_identified",
        "map": "boundary",
    },
}

__all__ = ["BUILDERS", "TRUTH", "build", "load_data", "simulate"]


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Slopes tau * local * offset, in units of 77, the standard deviation of the outcome."""
    data = load_data() if data is None else data
    x = standardized(data["x"].values)
    with pm.Model(coords={"patient": np.arange(len(x)), "predictor": PREDICTORS}) as model:
        intercept = pm.Normal("intercept", 150, 50)
        tau = pm.HalfCauchy("tau", 0.1)
        local = pm.HalfCauchy("local", 1, dims="predictor")
        offset = pm.Normal("offset", 0, 1, dims="predictor")
        slope = pm.Deterministic("slope", 77 * tau * local * offset, dims="predictor")
        sigma = pm.HalfNormal("sigma", 100)
        pm.Normal("progression", intercept + x @ slope, sigma, observed=data["progression"].values, dims="patient")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """Progression of ``n`` patients at the measurements of the data under ``truth``."""
    data = load_data()
    # Every 37th patient, so that few of them still differ in every measurement.
    data = data.isel(patient=np.arange(n) * 37 % data.sizes["patient"])
    return simulated(build, data, TRUTH if truth is None else truth, random_seed)
