"""Diabetes after one year: linear regression of the disease's progression from ten baseline measurements.

Shows collinear predictors (the blood serum measurements), where a weak prior already separates MAP from MLE, and a
scale parameter whose MLE is biased downwards.

Data: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least angle regression, Annals of Statistics 32 (2004); the
copy that comes with scikit-learn (BSD 3-clause).
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .tables import read_table, standardized

PREDICTORS = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]

TRUTH = {
    "intercept": 152.0,
    "slope": np.array([0.0, -11.0, 25.0, 15.0, -30.0, 18.0, 3.0, 8.0, 33.0, 3.0]),
    "sigma": 54.0,
}

BUILDERS = {
    "build": {
        "tags": "regression normal",
        "observations": 442,
        "parameters": 12,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Progression after one year, dim patient (442), and predictors (patient, predictor) as they were measured."""
    table = read_table("diabetes")
    return xr.Dataset(
        {
            "x": (("patient", "predictor"), np.column_stack([table[name] for name in PREDICTORS])),
            "progression": ("patient", table["target"]),
        },
        coords={"predictor": PREDICTORS},
    )


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Normal errors about a linear function of the standardised predictors."""
    data = load_data() if data is None else data
    x = standardized(data["x"].values)
    coords = {"patient": np.arange(len(x)), "predictor": data["predictor"].values}
    with pm.Model(coords=coords) as model:
        intercept = pm.Normal("intercept", 150, 50)
        slope = pm.Normal("slope", 0, 30, dims="predictor")
        sigma = pm.HalfNormal("sigma", 100)
        pm.Normal("progression", intercept + x @ slope, sigma, observed=data["progression"].values, dims="patient")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """``n`` patients with standard normal predictors and outcomes under ``truth``."""
    truth = TRUTH if truth is None else truth
    generator = np.random.default_rng(random_seed)
    x = standardized(generator.normal(size=(n, len(PREDICTORS))))
    progression = generator.normal(truth["intercept"] + x @ np.asarray(truth["slope"]), truth["sigma"])
    return xr.Dataset(
        {"x": (("patient", "predictor"), x), "progression": ("patient", progression)},
        coords={"predictor": PREDICTORS},
    )
