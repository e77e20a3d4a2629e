"""Cockroaches caught in flats: counts whose variance is far above their mean, by negative binomial regression.

262 flats, treated or not, with the time that the traps stood as exposure. Shows an overdispersed count model with an
offset, where more than a third of the counts are zero.

Data: a field experiment in New York; as in Gelman and Hill (2007), section 8.3; the table as in the R package rstanarm.
Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, read_table, simulated

TERMS = ["intercept", "before", "treatment", "senior"]

TRUTH = {"coefficient": np.array([1.7, 0.7, -1.2, 0.0]), "alpha": 0.35}

BUILDERS = {
    "build": {
        "tags": "regression negative-binomial",
        "observations": 262,
        "parameters": 5,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Flats (262): roaches before, treatment, senior residents only, exposure in trap-days, roaches caught."""
    return read_table("roaches")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Log-linear mean for each trap-day, in the logarithm of the roaches before (their number itself fits 22 nats worse)."""
    data = load_data() if data is None else data
    x = np.column_stack([np.ones(len(data)), np.log1p(data["before"]), data["treatment"], data["senior"]])
    with pm.Model(coords={"flat": data.index, "term": TERMS}) as model:
        coefficient = pm.Normal("coefficient", [2, 0, 0, 0], [2, 1, 1, 1], dims="term")
        alpha = pm.Exponential("alpha", 1)
        mean = data["exposure"].to_numpy() * pm.math.exp(x @ coefficient)
        pm.NegativeBinomial("roaches", mu=mean, alpha=alpha, observed=data["roaches"], dims="flat")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Roaches in ``n`` flats at the predictors of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
