"""A simulated motorcycle accident: the helmet's acceleration as a Gaussian process.

133 measurements in 57 ms. Shows a likelihood that is one multivariate normal of all data, hyperparameters by marginal
likelihood, and a misfit: the noise is not the same before and after the impact.

Data: G. Schmidt, R. Mattern and F. Schueler, 1981; as published by B. W. Silverman, Some aspects of the spline smoothing
approach to non-parametric regression curve fitting, Journal of the Royal Statistical Society B 47 (1985). Published
measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, read_table, simulated

TRUTH = {"amplitude": 45.0, "length": 5.5, "sigma": 22.0}

BUILDERS = {
    "build": {"tags": "gaussian-process", "observations": 1, "parameters": 3, "mle": "converged", "map": "converged"},
}


def load_data() -> pd.DataFrame:
    """Measurements (133): time after the impact in ms, acceleration in g."""
    return read_table("motorcycle")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Squared exponential covariance and independent noise, the process integrated out."""
    data = load_data() if data is None else data
    time = data["time"].to_numpy()
    squares = (time[:, None] - time) ** 2
    with pm.Model(coords={"measurement": data.index}) as model:
        amplitude = pm.HalfNormal("amplitude", 60)
        length = pm.InverseGamma("length", 3, 15)
        sigma = pm.HalfNormal("sigma", 40)
        covariance = amplitude**2 * pm.math.exp(-squares / (2 * length**2)) + sigma**2 * np.eye(len(time))
        observed = data["acceleration"].to_numpy()
        pm.MvNormal("acceleration", np.zeros(len(time)), covariance, observed=observed, dims="measurement")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Accelerations at the first ``n`` times of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
