"""Test scores of children: linear regression on the mother's schooling and intelligence, with an interaction.

434 children of the National Longitudinal Survey of Youth. Shows an interaction of centred predictors, and errors that
are skewed to the left, which the normal likelihood cannot follow.

Data: U.S. Bureau of Labor Statistics, National Longitudinal Survey of Youth; as in A. Gelman and J. Hill, Data Analysis
Using Regression and Multilevel/Hierarchical Models (2007), chapter 3. A survey of the U.S. government, public domain.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, read_table, simulated

TERMS = ["intercept", "high_school", "iq", "high_school:iq"]

TRUTH = {"coefficient": np.array([85.0, 3.0, 15.0, -7.0]), "sigma": 18.0}

BUILDERS = {
    "build": {
        "tags": "regression normal",
        "observations": 434,
        "parameters": 5,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Children (434): the mother finished high school (0 or 1), her IQ, and the child's score at age three or four."""
    return read_table("kid_scores")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Normal errors; the mother's IQ in units of 15 from 100."""
    data = load_data() if data is None else data
    school, iq = data["mother_high_school"].to_numpy(), (data["mother_iq"].to_numpy() - 100) / 15
    x = np.column_stack([np.ones(len(data)), school, iq, school * iq])
    with pm.Model(coords={"child": data.index, "term": TERMS}) as model:
        coefficient = pm.Normal("coefficient", [85, 0, 0, 0], [20, 10, 10, 10], dims="term")
        sigma = pm.HalfNormal("sigma", 30)
        pm.Normal("kid_score", x @ coefficient, sigma, observed=data["kid_score"], dims="child")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Scores of ``n`` children at the predictors of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
