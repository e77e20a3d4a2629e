"""Waiting for Old Faithful: a mixture of two normal distributions.

Minutes between 272 eruptions. Shows a mixture that has an MLE where both components share their standard deviation, an
unbounded likelihood where each has its own, and the misspecified twin of one normal distribution.

Data: A. Azzalini and A. W. Bowman, A look at some data on the Old Faithful geyser, Applied Statistics 39 (1990); the
table of R. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
from pymc.distributions.transforms import ordered

from .tables import first_rows, read_table, simulated

TRUTH = {"p": 0.36, "mu": np.array([54.6, 80.1]), "sigma": 5.9}

BUILDERS = {
    "build": {"tags": "mixture normal", "observations": 272, "parameters": 4, "mle": "converged", "map": "converged"},
    "build_two_scales": {
        "tags": "mixture normal",
        "observations": 272,
        "parameters": 5,
        "mle": "unbounded",
        "map": "unbounded",
    },
    "build_normal": {
        "tags": "normal misspecified",
        "observations": 272,
        "parameters": 2,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Eruptions (272): how long they lasted, and the waiting time to the next, in minutes."""
    return read_table("old_faithful")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """A short and a long waiting time with one standard deviation."""
    return _mixture(load_data() if data is None else data, None)


def build_two_scales(data: pd.DataFrame | None = None) -> pm.Model:
    """A standard deviation for each component: the likelihood is unbounded where one of them shrinks to a point."""
    return _mixture(load_data() if data is None else data, "component")


def build_normal(data: pd.DataFrame | None = None) -> pm.Model:
    """One normal distribution: it puts most of its mass where no waiting times are."""
    data = load_data() if data is None else data
    with pm.Model(coords={"eruption": data.index}) as model:
        mu = pm.Normal("mu", 70, 20)
        sigma = pm.HalfNormal("sigma", 20)
        pm.Normal("waiting", mu, sigma, observed=data["waiting"], dims="eruption")
    return model


def _mixture(data: pd.DataFrame, scales: str | None) -> pm.Model:
    with pm.Model(coords={"eruption": data.index, "component": ["short", "long"]}) as model:
        p = pm.Beta("p", 2, 2)
        mu = pm.Normal("mu", [60, 80], 15, transform=ordered, dims="component")
        sigma = pm.HalfNormal("sigma", 20, dims=scales)
        weights = pm.math.stack([p, 1 - p])
        pm.NormalMixture("waiting", weights, mu, sigma, observed=data["waiting"], dims="eruption")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Waiting times after ``n`` eruptions under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
