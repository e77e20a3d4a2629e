"""Gasoline from crude oil: proportions between 0 and 1, by beta regression.

Thirty-two yields of ten crude oils at several temperatures. Shows a likelihood for proportions, with many coefficients for
few rows and a precision whose MLE is biased upwards.

Data: N. H. Prater, Estimate gasoline yields from crudes, Petroleum Refiner 35 (1956); the table as in the R package
betareg. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, read_table, simulated

BATCHES = 10

TRUTH = {"batch_level": np.linspace(0.5, -1.8, BATCHES) + 1.1, "slope": 1.1, "precision": 300.0}

BUILDERS = {
    "build": {"tags": "regression beta", "observations": 32, "parameters": 12, "mle": "converged", "map": "converged"},
}


def load_data() -> pd.DataFrame:
    """Yields (32) as proportions of the crude oil, end temperature in degrees Fahrenheit, batch of crude oil (1 to 10)."""
    return read_table("gasoline")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Logit of the mean: a level for each batch, a slope in 100 degrees from 330."""
    data = load_data() if data is None else data
    batch, hotter = data["batch"].to_numpy() - 1, (data["temperature"].to_numpy() - 330) / 100
    with pm.Model(coords={"distillation": data.index, "batch": range(1, BATCHES + 1)}) as model:
        level = pm.Normal("batch_level", -1, 1.5, dims="batch")
        slope = pm.Normal("slope", 0, 2)
        precision = pm.LogNormal("precision", 4, 2)
        mean = pm.math.sigmoid(level[batch] + slope * hotter)
        alpha, beta = mean * precision, (1 - mean) * precision
        pm.Beta("yield", alpha, beta, observed=data["yield"], dims="distillation")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Yields of ``n`` distillations at the temperatures of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
