"""Visits to a doctor in the RAND health insurance experiment: Poisson regression of overdispersed counts.

Every twentieth row of the experiment's data, nine predictors. Shows a well-determined regression (MLE, MAP and
posterior agree) whose likelihood is nevertheless wrong: the counts are overdispersed. Its negative binomial twin fits.

Data: A. C. Cameron and P. K. Trivedi, Microeconometrics (2005), from the RAND Health Insurance Experiment; the copy
that comes with statsmodels (public domain).
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .tables import read_table, standardized

PREDICTORS = ["lncoins", "idp", "lpi", "fmde", "physlm", "disea", "hlthg", "hlthf", "hlthp"]

TRUTH = {"intercept": 0.9, "slope": np.array([-0.13, -0.17, 0.18, -0.08, 0.01, 0.2, 0.06, 0.07, 0.1])}

BUILDERS = {
    "build": {
        "tags": "regression poisson misspecified",
        "observations": 1010,
        "parameters": 10,
        "mle": "converged",
        "map": "converged",
    },
    "build_negative_binomial": {
        "tags": "regression negative-binomial",
        "observations": 1010,
        "parameters": 11,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Visits, dim person (1010), and predictors (person, predictor) as they were measured."""
    table = read_table("randhie_every20")
    return xr.Dataset(
        {
            "x": (("person", "predictor"), np.column_stack([table[name] for name in PREDICTORS])),
            "visits": ("person", table["mdvis"].astype(int)),
        },
        coords={"predictor": PREDICTORS},
    )


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Log-linear mean in the standardised predictors."""
    data = load_data() if data is None else data
    x = standardized(data["x"].values)
    coords = {"person": np.arange(len(x)), "predictor": data["predictor"].values}
    with pm.Model(coords=coords) as model:
        intercept = pm.Normal("intercept", 0, 2)
        slope = pm.Normal("slope", 0, 1, dims="predictor")
        pm.Poisson("visits", pm.math.exp(intercept + x @ slope), observed=data["visits"].values, dims="person")
    return model


def build_negative_binomial(data: xr.Dataset | None = None) -> pm.Model:
    """The same mean with a dispersion of its own, which the counts ask for."""
    data = load_data() if data is None else data
    x = standardized(data["x"].values)
    coords = {"person": np.arange(len(x)), "predictor": data["predictor"].values}
    with pm.Model(coords=coords) as model:
        intercept = pm.Normal("intercept", 0, 2)
        slope = pm.Normal("slope", 0, 1, dims="predictor")
        alpha = pm.Exponential("alpha", 1)
        mean = pm.math.exp(intercept + x @ slope)
        pm.NegativeBinomial("visits", mu=mean, alpha=alpha, observed=data["visits"].values, dims="person")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """``n`` persons with standard normal predictors and counts under ``truth``."""
    truth = TRUTH if truth is None else truth
    generator = np.random.default_rng(random_seed)
    x = standardized(generator.normal(size=(n, len(PREDICTORS))))
    visits = generator.poisson(np.exp(truth["intercept"] + x @ np.asarray(truth["slope"])))
    return xr.Dataset(
        {"x": (("person", "predictor"), x), "visits": ("person", visits)}, coords={"predictor": PREDICTORS}
    )
