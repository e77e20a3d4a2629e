"""Returns of the German mark in pounds: a log variance that wanders, stochastic volatility.

The last 250 days of the series that ``garch`` models. Shows a latent path as long as the data, which only a prior on its
steps makes estimable.

Data: T. Bollerslev and E. Ghysels, Periodic autoregressive conditional heteroscedasticity, Journal of Business and
Economic Statistics 14 (1996); the table as in the R package AER. Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, normal_scores, read_table, simulated

DAYS = 250

TRUTH = {
    "mu": -1.5,
    "phi": 0.95,
    "step": 0.25,
    "log_variance": -1.5 + 0.8 * np.convolve(normal_scores(DAYS), np.ones(20) / 4, mode="same"),
}

BUILDERS = {
    "build": {
        "tags": "time-series hierarchical normal",
        "observations": 250,
        "parameters": 253,
        "mle": "converged",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Days (250) and the return of each in percent."""
    return read_table("mark_pound").tail(DAYS).reset_index(drop=True)


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """The log variance is a first-order autoregression from its stationary distribution."""
    data = load_data() if data is None else data
    with pm.Model(coords={"day": data.index}) as model:
        mu = pm.Normal("mu", -1, 1)
        phi = pm.Beta("phi", 20, 1.5)
        step = pm.HalfNormal("step", 0.5)
        coefficients = pm.math.stack([mu * (1 - phi), phi])
        first = pm.Normal.dist(mu, step / pm.math.sqrt(1 - phi**2), shape=1)
        steps = len(data) - 1
        path = pm.AR("log_variance", coefficients, step, init_dist=first, constant=True, steps=steps, dims="day")
        pm.Normal("returns", 0, pm.math.exp(path / 2), observed=data["returns"], dims="day")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Returns of ``n`` days (at most 250, whose variances are known) under ``truth``."""
    truth = TRUTH if truth is None else truth
    if not 2 <= n <= DAYS:
        raise ValueError(f"n must be between 2 and {DAYS}, got {n}.")
    return simulated(
        build, first_rows(load_data(), n), {**truth, "log_variance": truth["log_variance"][:n]}, random_seed
    )
