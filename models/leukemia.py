"""Remission of leukaemia under 6-mercaptopurine: Weibull times, censored where the remission lasted.

Forty-two patients. Shows right censoring, which enters the likelihood as the probability of lasting longer, and the
effect of a treatment on a time scale.

Data: E. J. Freireich et al., The effect of 6-mercaptopurine on the duration of steroid-induced remissions in acute
leukemia, Blood 21 (1963); as in E. A. Gehan, Biometrika 52 (1965). Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

CONTROL = [1, 22, 3, 12, 8, 17, 2, 11, 8, 12, 2, 5, 4, 15, 8, 23, 5, 11, 4, 1, 8]
TREATED = [10, 7, 32, 23, 22, 6, 16, 34, 32, 25, 11, 20, 19, 6, 17, 35, 6, 13, 9, 6, 10]
LASTED = [0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1]

TRUTH = {"shape": 1.4, "log_scale": 2.2, "effect": 1.3}

BUILDERS = {
    "build": {
        "tags": "survival weibull censored",
        "observations": 42,
        "parameters": 3,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Patients (42): treated (0 or 1), weeks of remission, and where these end in censoring (infinite: nowhere)."""
    weeks = np.array([*CONTROL, *TREATED], dtype=np.float64)
    censored = np.array([0] * 21 + LASTED, dtype=bool)
    return pd.DataFrame({"treated": np.repeat([0, 1], 21), "weeks": weeks, "limit": np.where(censored, weeks, np.inf)})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """One shape; the treatment multiplies the scale by exp(effect)."""
    data = load_data() if data is None else data
    with pm.Model(coords={"patient": data.index}) as model:
        shape = pm.LogNormal("shape", 0, 1)
        log_scale = pm.Normal("log_scale", 2, 2)
        effect = pm.Normal("effect", 0, 2)
        remission = pm.Weibull.dist(shape, pm.math.exp(log_scale + effect * data["treated"].to_numpy()))
        limit = data["limit"].to_numpy()
        pm.Censored("weeks", remission, lower=None, upper=limit, observed=data["weeks"], dims="patient")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Remissions of ``n`` patients with the treatments and limits of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
