"""Newcomb's measurements of the speed of light: a normal sample with two outliers.

Sixty-six passage times, as deviations in nanoseconds from 24,800. Shows the simplest model, mean and standard
deviation both unknown, and a likelihood that the data contradict: two measurements lie far below the others. Its
Student-t twin gives them their place.

Data: S. Newcomb, 1882; as published by S. M. Stigler, Do robust estimators work with real data?, Annals of Statistics
5 (1977), table 5. Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

DEVIATIONS = (
    "28 26 33 24 34 -44 27 16 40 -2 29 22 24 21 25 30 23 29 31 19 24 20 36 32 36 28 25 21 28 29 37 25 28 26 30 32 "
    "36 26 30 22 36 23 27 27 28 27 31 27 26 33 26 32 32 24 39 28 24 25 32 25 29 27 28 29 16 23"
)

TRUTH = {"mu": 27.0, "sigma": 6.0}

BUILDERS = {
    "build": {
        "tags": "normal misspecified",
        "observations": 66,
        "parameters": 2,
        "mle": "converged",
        "map": "converged",
    },
    "build_student_t": {
        "tags": "robust student-t",
        "observations": 66,
        "parameters": 3,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Deviations from 24,800 ns, dim measurement (66)."""
    return xr.Dataset({"deviation": ("measurement", np.array(DEVIATIONS.split(), dtype=np.float64))})


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Normal with unknown mean and standard deviation."""
    data = load_data() if data is None else data
    with pm.Model(coords={"measurement": np.arange(data.sizes["measurement"])}) as model:
        mu = pm.Normal("mu", 0, 50)
        sigma = pm.HalfNormal("sigma", 30)
        pm.Normal("deviation", mu, sigma, observed=data["deviation"].values, dims="measurement")
    return model


def build_student_t(data: xr.Dataset | None = None) -> pm.Model:
    """Student-t with unknown degrees of freedom: the outliers no longer move the mean."""
    data = load_data() if data is None else data
    with pm.Model(coords={"measurement": np.arange(data.sizes["measurement"])}) as model:
        mu = pm.Normal("mu", 0, 50)
        sigma = pm.HalfNormal("sigma", 30)
        nu = pm.Gamma("nu", 2, 0.1)
        pm.StudentT("deviation", nu=nu, mu=mu, sigma=sigma, observed=data["deviation"].values, dims="measurement")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """``n`` measurements under ``truth``."""
    truth = TRUTH if truth is None else truth
    generator = np.random.default_rng(random_seed)
    return xr.Dataset({"deviation": ("measurement", generator.normal(truth["mu"], truth["sigma"], size=n))})
