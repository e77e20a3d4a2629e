"""Radon in Minnesota's houses: county means that are pulled together by a common distribution.

Log radon in 919 houses of 85 counties. Shows partial pooling of groups of very different size: counties with one house
move to the state's line, large ones keep their own mean. The MLE of all parameters does not exist, that of the
parameters other than the county means does.

Data: U.S. Environmental Protection Agency, State Residential Radon Survey; as in P. N. Price, A. V. Nero and A. Gelman,
Bayesian prediction of mean indoor radon concentrations for Minnesota counties, Health Physics 71 (1996). A survey of the
U.S. government, public domain; the table as in the R package HLMdiag.
"""

from typing import Any

import pandas as pd
import pymc as pm

from .tables import first_rows, levels, normal_scores, read_table, simulated

TRUTH = {
    "intercept": 1.5,
    "tau": 0.3,
    "county_effect": 0.3 * normal_scores(85),
    "floor_slope": -0.7,
    "sigma": 0.75,
}

BUILDERS = {
    "build": {
        "tags": "hierarchical normal",
        "observations": 919,
        "parameters": 89,
        "mle": "not_identified",
        "map": "unbounded",
    },
    "build_uranium": {
        "tags": "hierarchical normal",
        "observations": 919,
        "parameters": 90,
        "mle": "not_identified",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Houses (919): county, floor of the measurement (0: basement), log radon, log uranium of the county's soil."""
    return read_table("radon").astype({"county": "category"})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """County effects from Normal(0, tau), centred."""
    data = load_data() if data is None else data
    county, names = levels(data["county"])
    with pm.Model(coords={"house": data.index, "county": names}) as model:
        intercept = pm.Normal("intercept", 0, 2)
        tau = pm.HalfNormal("tau", 1)
        effect = pm.Normal("county_effect", 0, tau, dims="county")
        floor_slope = pm.Normal("floor_slope", 0, 1)
        sigma = pm.HalfNormal("sigma", 1)
        mean = intercept + effect[county] + floor_slope * data["floor"].to_numpy()
        pm.Normal("log_radon", mean, sigma, observed=data["log_radon"], dims="house")
    return model


def build_uranium(data: pd.DataFrame | None = None) -> pm.Model:
    """The soil's uranium explains most of the counties' differences; what is left of them is non-centred."""
    data = load_data() if data is None else data
    county, names = levels(data["county"])
    with pm.Model(coords={"house": data.index, "county": names}) as model:
        intercept = pm.Normal("intercept", 0, 2)
        tau = pm.HalfNormal("tau", 1)
        offset = pm.Normal("offset", 0, 1, dims="county")
        effect = pm.Deterministic("county_effect", tau * offset, dims="county")
        floor_slope = pm.Normal("floor_slope", 0, 1)
        uranium_slope = pm.Normal("uranium_slope", 0, 1)
        sigma = pm.HalfNormal("sigma", 1)
        slopes = floor_slope * data["floor"].to_numpy() + uranium_slope * data["uranium"].to_numpy()
        mean = intercept + effect[county] + slopes
        pm.Normal("log_radon", mean, sigma, observed=data["log_radon"], dims="house")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Log radon in ``n`` houses at the predictors of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
