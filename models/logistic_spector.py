"""Spector and Mazzeo's teaching experiment: logistic regression of an improved grade in a small sample.

Thirty-two students, three predictors, one of them personalised teaching. Shows a regression in which MLE, MAP and
posterior mean differ, and how much of each coefficient's uncertainty the data removed.

Data: L. C. Spector and M. Mazzeo, Probit analysis and economic education, Journal of Economic Education 11 (1980); as
in W. H. Greene, Econometric Analysis; the copy that comes with statsmodels (public domain).
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .tables import read_table, standardized

PREDICTORS = ["GPA", "TUCE", "PSI"]

TRUTH = {"intercept": -1.0, "slope": np.array([1.2, 0.3, 1.0])}

BUILDERS = {
    "build": {
        "tags": "regression bernoulli",
        "observations": 32,
        "parameters": 4,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Grade improved (0 or 1), dim student (32), and predictors (student, predictor) as they were measured."""
    table = read_table("spector")
    return xr.Dataset(
        {
            "x": (("student", "predictor"), np.column_stack([table[name] for name in PREDICTORS])),
            "improved": ("student", table["GRADE"].astype(int)),
        },
        coords={"predictor": PREDICTORS},
    )


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Intercept and slopes of the standardised predictors."""
    data = load_data() if data is None else data
    x = standardized(data["x"].values)
    coords = {"student": np.arange(len(x)), "predictor": data["predictor"].values}
    with pm.Model(coords=coords) as model:
        intercept = pm.Normal("intercept", 0, 2.5)
        slope = pm.Normal("slope", 0, 2.5, dims="predictor")
        pm.Bernoulli("improved", logit_p=intercept + x @ slope, observed=data["improved"].values, dims="student")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """``n`` students with standard normal predictors and outcomes under ``truth``."""
    truth = TRUTH if truth is None else truth
    generator = np.random.default_rng(random_seed)
    x = standardized(generator.normal(size=(n, len(PREDICTORS))))
    eta = truth["intercept"] + x @ np.asarray(truth["slope"])
    improved = generator.binomial(1, 1 / (1 + np.exp(-eta)))
    return xr.Dataset(
        {"x": (("student", "predictor"), x), "improved": ("student", improved)}, coords={"predictor": PREDICTORS}
    )
