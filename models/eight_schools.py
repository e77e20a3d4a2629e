"""Eight schools: a hierarchical normal model whose group means are pulled together.

Effects of coaching on test scores in eight schools with known standard errors. Shows a hierarchical model: its
hyperparameters have no ordinary MLE, the textbook MAP of the centred form does not exist (the density grows without bound
as tau goes to 0), and the centred and non-centred forms sample very differently.

Data: D. B. Rubin, Estimation in parallel randomized experiments, Journal of Educational Statistics 6 (1981); as in
Gelman et al., Bayesian Data Analysis (3rd ed. 2013), section 5.5. Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

SCHOOLS = [
    "Choate",
    "Deerfield",
    "Phillips Andover",
    "Phillips Exeter",
    "Hotchkiss",
    "Lawrenceville",
    "St. Paul's",
    "Mt. Hermon",
]

TRUTH = {"mu": 8.0, "tau": 6.0, "theta": np.array([20.0, 9.0, 3.0, 8.0, 2.0, 4.0, 14.0, 10.0])}

BUILDERS = {
    "build": {
        "tags": "hierarchical normal",
        "observations": 8,
        "parameters": 10,
        "mle": "converged",
        "map": "unbounded",
    },
    "build_noncentered": {
        "tags": "hierarchical normal",
        "observations": 8,
        "parameters": 10,
        "mle": "not_identified",
        "map": "boundary",
    },
}


def load_data() -> xr.Dataset:
    """Estimated effects and their standard errors, dim school (8)."""
    effect = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
    standard_error = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]
    return xr.Dataset(
        {"effect": ("school", effect), "standard_error": ("school", standard_error)}, coords={"school": SCHOOLS}
    )


def build(data: xr.Dataset | None = None) -> pm.Model:
    """The centred model: theta ~ Normal(mu, tau)."""
    data = load_data() if data is None else data
    with pm.Model(coords={"school": data["school"].values}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("effect", theta, data["standard_error"].values, observed=data["effect"].values, dims="school")
    return model


def build_noncentered(data: xr.Dataset | None = None) -> pm.Model:
    """The non-centred model: theta = mu + tau * offset, offset ~ Normal(0, 1)."""
    data = load_data() if data is None else data
    with pm.Model(coords={"school": data["school"].values}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        offset = pm.Normal("offset", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * offset, dims="school")
        pm.Normal("effect", theta, data["standard_error"].values, observed=data["effect"].values, dims="school")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """Effects in ``n`` schools (at most the eight, whose standard errors are known) under ``truth``."""
    data = load_data()
    if not 1 <= n <= data.sizes["school"]:
        raise ValueError(f"n must be between 1 and {data.sizes['school']}, got {n}.")
    data = data.isel(school=slice(0, n))
    theta = np.asarray((truth or TRUTH)["theta"], dtype=np.float64)[:n]
    generator = np.random.default_rng(random_seed)
    return data.assign(effect=("school", generator.normal(theta, data["standard_error"].values)))
