"""BCG vaccine against tuberculosis: a meta-analysis of thirteen trials with random effects.

Log relative risks with known standard errors. Shows a heterogeneity variance that only the marginal likelihood
estimates, and how much of it the trial's latitude explains.

Data: G. A. Colditz et al., Efficacy of BCG vaccine in the prevention of tuberculosis, Journal of the American Medical
Association 271 (1994). Published counts, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, levels, normal_scores, simulated

# Cases and other persons in the vaccinated and the control group, degrees of latitude.
TRIALS = [
    (4, 119, 11, 128, 44), (6, 300, 29, 274, 55), (3, 228, 11, 209, 42), (62, 13536, 248, 12619, 52),
    (33, 5036, 47, 5761, 13), (180, 1361, 372, 1079, 44), (8, 2537, 10, 619, 19), (505, 87886, 499, 87892, 13),
    (29, 7470, 45, 7232, 27), (17, 1699, 65, 1600, 42), (186, 50448, 141, 27197, 18), (5, 2493, 3, 2338, 33),
    (27, 16886, 29, 17825, 33),
]  # fmt: skip

TRUTH = {"mu": -0.7, "tau": 0.5, "effect": -0.7 + 0.5 * normal_scores(13)}

BUILDERS = {
    "build": {
        "tags": "hierarchical normal meta-analysis",
        "observations": 13,
        "parameters": 15,
        "mle": "converged",
        "map": "unbounded",
    },
    "build_latitude": {
        "tags": "hierarchical normal meta-analysis",
        "observations": 13,
        "parameters": 16,
        "mle": "not_identified",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Trials (13): log relative risk, its standard error, latitude."""
    cases, others, control_cases, control_others, latitude = np.array(TRIALS, dtype=np.float64).T
    vaccinated, controls = cases + others, control_cases + control_others
    variance = 1 / cases - 1 / vaccinated + 1 / control_cases - 1 / controls
    log_risk_ratio = np.log(cases / vaccinated) - np.log(control_cases / controls)
    columns = {"trial": range(1, 14), "log_risk_ratio": log_risk_ratio, "standard_error": np.sqrt(variance)}
    return pd.DataFrame({**columns, "latitude": latitude}).astype({"trial": "category"})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Effects of the trials from Normal(mu, tau)."""
    return _model(load_data() if data is None else data, latitude=False)


def build_latitude(data: pd.DataFrame | None = None) -> pm.Model:
    """Effects of the trials about a line in the latitude."""
    return _model(load_data() if data is None else data, latitude=True)


def _model(data: pd.DataFrame, *, latitude: bool) -> pm.Model:
    trial, names = levels(data["trial"])
    with pm.Model(coords={"row": data.index, "trial": names}) as model:
        mu = pm.Normal("mu", 0, 1)
        tau = pm.HalfNormal("tau", 1)
        effect = pm.Normal("effect", mu, tau, dims="trial")
        mean = effect[trial]
        if latitude:
            mean = mean + pm.Normal("slope", 0, 0.1) * (data["latitude"].to_numpy() - 33.5)
        pm.Normal("log_risk_ratio", mean, data["standard_error"], observed=data["log_risk_ratio"], dims="row")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Log relative risks of ``n`` trials with the data's standard errors under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
