"""Arsenic in the wells of Bangladesh: who changes to a safe well, by logistic regression.

3,020 households. Shows a regression so well determined that MLE, MAP and posterior agree and the prior says nothing.

Data: A. van Geen et al., Promotion of well-switching to mitigate the current arsenic crisis in Bangladesh,
Environmental Health Perspectives 110 (2002); as in Gelman and Hill (2007), section 5.4; the table as in the R package
carData. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, read_table, simulated

TERMS = ["intercept", "distance", "arsenic", "education"]

TRUTH = {"coefficient": np.array([0.33, -0.9, 0.47, 0.17])}

BUILDERS = {
    "build": {
        "tags": "regression bernoulli",
        "observations": 3020,
        "parameters": 4,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Households (3,020): arsenic in 100 ug/l, distance to a safe well in m, years of schooling, switched (0 or 1)."""
    return read_table("wells")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Distance in 100 m, arsenic from 1.66, schooling in units of four years from 5."""
    data = load_data() if data is None else data
    columns = [data["distance"] / 100 - 0.5, data["arsenic"] - 1.66, (data["education"] - 5) / 4]
    x = np.column_stack([np.ones(len(data)), *columns])
    with pm.Model(coords={"household": data.index, "term": TERMS}) as model:
        coefficient = pm.Normal("coefficient", 0, 2.5, dims="term")
        pm.Bernoulli("switched", logit_p=x @ coefficient, observed=data["switched"], dims="household")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Decisions of ``n`` households at the predictors of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
