"""Diabetes after one year, quadratic: 64 predictors of which few matter, by a horseshoe prior.

The ten baseline measurements, their squares and their products. Shows global and local shrinkage, and scales that the
likelihood knows only in products with the slopes, so that no MLE is unique.

Data: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least angle regression, Annals of Statistics 32 (2004); the
copy that comes with scikit-learn (BSD 3-clause).
"""

from itertools import combinations
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .linear_diabetes import PREDICTORS, load_data
from .tables import simulated, standardized

PAIRS = [*combinations(PREDICTORS, 2), *((name, name) for name in PREDICTORS if name != "sex")]
TERMS = [*PREDICTORS, *(f"{a}:{b}" for a, b in PAIRS)]

TRUTH = {
    "intercept": 152.0,
    "tau": 0.05,
    "local": np.where(np.isin(TERMS, ["sex", "bmi", "bp", "s5"]), 5.0, 0.5),
    "offset": np.where(np.isin(TERMS, ["sex", "bmi", "bp", "s5"]), 1.0, 0.1),
    "sigma": 54.0,
}

BUILDERS = {
    "build": {"tags": "regression normal horseshoe", "observations": 442, "parameters": 131, "mle": "", "map": ""},
}

__all__ = ["BUILDERS", "TRUTH", "build", "load_data", "simulate"]


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Slopes tau * local * offset, in units of 77, the standard deviation of the outcome."""
    data = load_data() if data is None else data
    linear = standardized(data["x"].values)
    places = [[PREDICTORS.index(name) for name in pair] for pair in PAIRS]
    x = np.column_stack([linear, standardized(linear[:, places].prod(axis=2))])
    with pm.Model(coords={"patient": np.arange(len(x)), "term": TERMS}) as model:
        intercept = pm.Normal("intercept", 150, 50)
        tau = pm.HalfStudentT("tau", 3, 0.02)
        local = pm.HalfStudentT("local", 3, 1, dims="term")
        offset = pm.Normal("offset", 0, 1, dims="term")
        slope = pm.Deterministic("slope", 77 * tau * local * offset, dims="term")
        sigma = pm.HalfNormal("sigma", 100)
        pm.Normal("progression", intercept + x @ slope, sigma, observed=data["progression"].values, dims="patient")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """Progression of ``n`` patients at the measurements of the data under ``truth``."""
    data = load_data()
    # Every 37th patient: neighbours in the table do not share the sex.
    data = data.isel(patient=np.arange(n) * 37 % data.sizes["patient"])
    return simulated(build, data, TRUTH if truth is None else truth, random_seed)
