"""Articles by doctoral students of biochemistry: a count with zeros of two kinds.

915 students, with sex, marriage, young children, the department's prestige and the mentor's articles as predictors.
Shows a zero-inflated Poisson regression, and its misspecified twin without the extra zeros.

Data: J. S. Long, The origins of sex differences in science, Social Forces 68 (1990); the table as in the R package
pscl. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, read_table, simulated

PREDICTORS = ["female", "married", "kids", "prestige", "mentor"]
TERMS = ["intercept", *PREDICTORS]

TRUTH = {"coefficient": np.array([0.65, -0.2, 0.1, -0.15, 0.0, 0.18]), "psi": 0.85}

BUILDERS = {
    "build": {
        "tags": "regression zero-inflated poisson",
        "observations": 915,
        "parameters": 7,
        "mle": "converged",
        "map": "converged",
    },
    "build_poisson": {
        "tags": "regression poisson misspecified",
        "observations": 915,
        "parameters": 6,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Students (915): articles of the last three years and five predictors."""
    return read_table("articles")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """A student counts with probability psi, and has zero articles otherwise."""
    return _model(load_data() if data is None else data, inflated=True)


def build_poisson(data: pd.DataFrame | None = None) -> pm.Model:
    """All zeros from the Poisson distribution: too few."""
    return _model(load_data() if data is None else data, inflated=False)


def _model(data: pd.DataFrame, *, inflated: bool) -> pm.Model:
    x = np.column_stack([np.ones(len(data)), *(data[name] for name in PREDICTORS[:3])])
    x = np.column_stack([x, data["prestige"] - 3, data["mentor"] / 10])
    with pm.Model(coords={"student": data.index, "term": TERMS}) as model:
        coefficient = pm.Normal("coefficient", 0, 1, dims="term")
        mean = pm.math.exp(x @ coefficient)
        if inflated:
            psi = pm.Beta("psi", 2, 1)
            pm.ZeroInflatedPoisson("articles", psi, mean, observed=data["articles"], dims="student")
        else:
            pm.Poisson("articles", mean, observed=data["articles"], dims="student")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Articles of ``n`` students at the predictors of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
