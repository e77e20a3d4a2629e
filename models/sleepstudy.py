"""Reaction times of sleep-deprived drivers: varying intercepts and slopes with a correlation of their own.

Eighteen subjects over ten days. Shows varying slopes, a covariance matrix with an LKJ prior, and a correlation that the
data hardly inform. The marginal MLE is what linear mixed-model programs report.

Data: G. Belenky et al., Patterns of performance degradation and restoration during sleep restriction and subsequent
recovery, Journal of Sleep Research 12 (2003); the table as in the R package lme4. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, levels, normal_scores, read_table, simulated

EFFECTS = ["intercept", "day"]

TRUTH = {
    "mean": np.array([251.0, 10.5]),
    # Packed rows of the Cholesky factor: standard deviations 24 and 6, correlation 0.
    "covariance": np.array([24.0, 0.0, 6.0]),
    "effect": np.column_stack([24.0 * normal_scores(18), 6.0 * normal_scores(18)[::-1]]),
    "sigma": 25.0,
}

BUILDERS = {
    "build": {
        "tags": "hierarchical normal covariance",
        "observations": 180,
        "parameters": 42,
        "mle": "not_identified",
        "map": "unbounded",
    },
    "build_intercepts": {
        "tags": "hierarchical normal",
        "observations": 180,
        "parameters": 22,
        "mle": "not_identified",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Subject (18), days of sleep deprivation (0 to 9) and mean reaction time in ms, 180 rows."""
    return read_table("sleepstudy").astype({"subject": "category"})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Intercept and slope of each subject, correlated."""
    data = load_data() if data is None else data
    subject, names = levels(data["subject"])
    coords = {"row": data.index, "subject": names, "effect_name": EFFECTS, "packed": ["aa", "ab", "bb"]}
    with pm.Model(coords=coords) as model:
        mean = pm.Normal("mean", [250, 10], [50, 10], dims="effect_name")
        deviations = pm.HalfNormal.dist([50.0, 15.0], shape=2)
        cholesky, _, _ = pm.LKJCholeskyCov("covariance", eta=2, n=2, sd_dist=deviations, dims="packed")
        effect = pm.MvNormal("effect", np.zeros(2), chol=cholesky, dims=("subject", "effect_name"))
        sigma = pm.HalfNormal("sigma", 50)
        line = mean + effect
        day = data["day"].to_numpy()
        pm.Normal("reaction", line[subject, 0] + line[subject, 1] * day, sigma, observed=data["reaction"], dims="row")
    return model


def build_intercepts(data: pd.DataFrame | None = None) -> pm.Model:
    """One slope for all subjects: a model that the spread of the slopes contradicts."""
    data = load_data() if data is None else data
    subject, names = levels(data["subject"])
    with pm.Model(coords={"row": data.index, "subject": names, "effect_name": EFFECTS}) as model:
        mean = pm.Normal("mean", [250, 10], [50, 10], dims="effect_name")
        tau = pm.HalfNormal("tau", 50)
        effect = pm.Normal("effect", 0, tau, dims="subject")
        sigma = pm.HalfNormal("sigma", 50)
        line = mean[0] + effect[subject] + mean[1] * data["day"].to_numpy()
        pm.Normal("reaction", line, sigma, observed=data["reaction"], dims="row")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Reaction times in ``n`` rows at the subjects and days of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
