"""Clotting times of blood: a gamma regression whose inverse mean is linear in the log concentration.

Normal plasma diluted to nine percentages, two lots of clotting agent. Shows a likelihood with constant coefficient of
variation, and a shape that the data determine to within a factor only.

Data: R. J. Hurn, N. W. Barker and T. D. Magath, Journal of Laboratory and Clinical Medicine 30 (1945); as in
P. McCullagh and J. A. Nelder, Generalized Linear Models (2nd ed. 1989), section 8.4.2. Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

CONCENTRATIONS = [5, 10, 15, 20, 30, 40, 60, 80, 100]
LOTS = [[118, 58, 42, 35, 27, 25, 21, 19, 18], [69, 35, 26, 21, 18, 16, 13, 12, 12]]

TRUTH = {"speed": np.array([[0.008, 0.055], [0.014, 0.085]]), "shape": 200.0}

BUILDERS = {
    "build": {"tags": "regression gamma", "observations": 18, "parameters": 5, "mle": "converged", "map": "converged"},
}


def load_data() -> pd.DataFrame:
    """Clotting times (18): lot (0 or 1), percentage of normal plasma, seconds."""
    concentration = np.tile(CONCENTRATIONS, 2)
    return pd.DataFrame({"lot": np.repeat([0, 1], 9), "concentration": concentration, "seconds": np.ravel(LOTS) * 1.0})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Speed, the inverse mean time, at 5 and at 100 percent; linear in the log concentration between."""
    data = load_data() if data is None else data
    lot = data["lot"].to_numpy()
    weight = np.log(data["concentration"].to_numpy() / 5) / np.log(100 / 5)
    coords = {"measurement": data.index, "lot": ["first", "second"], "percent": [5, 100]}
    with pm.Model(coords=coords) as model:
        speed = pm.LogNormal("speed", np.log([0.01, 0.05]), 1, dims=("lot", "percent"))
        shape = pm.LogNormal("shape", 4, 2)
        rate = shape * (speed[lot, 0] * (1 - weight) + speed[lot, 1] * weight)
        pm.Gamma("seconds", shape, rate, observed=data["seconds"], dims="measurement")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Times of ``n`` measurements at the concentrations of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
