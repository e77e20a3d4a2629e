"""Growth of thirty young rats: a line for each rat, and their common distribution.

Weights at five ages. Shows varying intercepts and slopes that the data determine well, so that centred effects sample
without trouble although the MLE of all parameters does not exist.

Data: A. E. Gelfand, S. E. Hills, A. Racine-Poon and A. F. M. Smith, Illustration of Bayesian inference in normal data
models using Gibbs sampling, Journal of the American Statistical Association 85 (1990), table 3. Published measurements,
free of rights.
"""

from typing import Any

import pandas as pd
import pymc as pm

from .tables import first_rows, levels, normal_scores, read_table, simulated

TRUTH = {
    "mean_weight": 242.0,
    "mean_growth": 6.2,
    "tau_weight": 14.0,
    "tau_growth": 0.5,
    "weight_effect": 242.0 + 14.0 * normal_scores(30),
    "growth_effect": 6.2 + 0.5 * normal_scores(30)[::-1],
    "sigma": 6.0,
}

BUILDERS = {
    "build": {
        "tags": "hierarchical normal",
        "observations": 150,
        "parameters": 65,
        "mle": "converged",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Rat (30), age in days (8 to 36) and weight in g, 150 rows."""
    return read_table("rats").astype({"rat": "category"})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Weight at day 22 and daily growth of each rat, independent."""
    data = load_data() if data is None else data
    rat, names = levels(data["rat"])
    age = data["day"].to_numpy() - 22
    with pm.Model(coords={"row": data.index, "rat": names}) as model:
        mean_weight = pm.Normal("mean_weight", 250, 50)
        mean_growth = pm.Normal("mean_growth", 5, 5)
        tau_weight = pm.HalfNormal("tau_weight", 30)
        tau_growth = pm.HalfNormal("tau_growth", 2)
        weight = pm.Normal("weight_effect", mean_weight, tau_weight, dims="rat")
        growth = pm.Normal("growth_effect", mean_growth, tau_growth, dims="rat")
        sigma = pm.HalfNormal("sigma", 20)
        pm.Normal("weight", weight[rat] + growth[rat] * age, sigma, observed=data["weight"], dims="row")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Weights in ``n`` rows at the rats and ages of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
