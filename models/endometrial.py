"""Grade of endometrial cancer: a logistic regression whose MLE lies at infinity.

Every patient with neovasculation has the high grade. Shows quasi-complete separation in real data: no MLE exists, while
the MAP and Firth's penalised estimate do.

Data: G. Heinze and M. Schemper, A solution to the problem of separation in logistic regression, Statistics in Medicine 21
(2002); the table as in the R package brglm2. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, read_table, simulated

TERMS = ["intercept", "NV", "PI", "EH"]

TRUTH = {"coefficient": np.array([4.0, 2.0, -0.04, -2.8])}

BUILDERS = {
    "build": {
        "tags": "regression bernoulli separated",
        "observations": 79,
        "parameters": 4,
        "mle": "at_infinity",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Patients (79): neovasculation NV (0 or 1), pulsatility index PI, endometrium height EH, high grade HG (0 or 1)."""
    return read_table("endometrial")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Predictors in their own units, with wide normal priors."""
    data = load_data() if data is None else data
    x = np.column_stack([np.ones(len(data)), data["NV"], data["PI"], data["EH"]])
    with pm.Model(coords={"patient": data.index, "term": TERMS}) as model:
        coefficient = pm.Normal("coefficient", 0, [10, 5, 0.5, 5], dims="term")
        pm.Bernoulli("HG", logit_p=x @ coefficient, observed=data["HG"], dims="patient")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Grades of ``n`` patients at the predictors of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
