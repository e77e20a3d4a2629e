"""Length and age of 27 dugongs: growth that levels off.

Shows a nonlinear regression with an asymptote, whose parameters are correlated.

Data: D. A. Ratkowsky, Nonlinear Regression Modeling (1983), from G. E. Marsh and others; as in B. P. Carlin and
A. E. Gelfand, Statistics and Computing 1 (1991). Published measurements, free of rights.
"""

from typing import Any

import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

AGES = [
    1, 1.5, 1.5, 1.5, 2.5, 4, 5, 5, 7, 8, 8.5, 9, 9.5, 9.5, 10, 12, 12, 13, 13, 14.5, 15.5, 15.5, 16.5, 17, 22.5, 29, 31.5,
]  # fmt: skip
LENGTHS = [
    1.8, 1.85, 1.87, 1.77, 2.02, 2.27, 2.15, 2.26, 2.47, 2.19, 2.26, 2.4, 2.39, 2.41, 2.5, 2.32, 2.32, 2.43, 2.47, 2.56,
    2.65, 2.47, 2.64, 2.56, 2.7, 2.72, 2.57,
]  # fmt: skip

TRUTH = {"asymptote": 2.65, "deficit": 0.97, "ratio": 0.87, "sigma": 0.1}

BUILDERS = {
    "build": {"tags": "nonlinear normal", "observations": 27, "parameters": 4, "mle": "converged", "map": "converged"},
}


def load_data() -> pd.DataFrame:
    """Dugongs (27): age in years, length in m."""
    return pd.DataFrame({"age": AGES, "length": LENGTHS})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Length asymptote - deficit * ratio^age."""
    data = load_data() if data is None else data
    with pm.Model(coords={"dugong": data.index}) as model:
        asymptote = pm.Normal("asymptote", 2.5, 1)
        deficit = pm.HalfNormal("deficit", 2)
        ratio = pm.Uniform("ratio", 0.5, 1)
        sigma = pm.HalfNormal("sigma", 0.5)
        mean = asymptote - deficit * ratio ** data["age"].to_numpy()
        pm.Normal("length", mean, sigma, observed=data["length"], dims="dugong")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Lengths of ``n`` dugongs of the data's ages under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
