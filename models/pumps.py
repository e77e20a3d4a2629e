"""Failures of ten pumps of a power plant: Poisson counts whose rates come from one gamma distribution.

Shows a conjugate hierarchy: rates of pumps watched for a short time are drawn towards the others. The likelihood alone
has an MLE for each rate and says nothing on their distribution.

Data: D. P. Gaver and I. G. O'Muircheartaigh, Robust empirical Bayes analyses of event rates, Technometrics 29 (1987);
as in E. I. George, U. E. Makov and A. F. M. Smith, Conjugate likelihood distributions, Scandinavian Journal of
Statistics 20 (1993). Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, levels, simulated

TRUTH = {
    "alpha": 0.8,
    "beta": 1.0,
    "rate": np.array([0.06, 0.1, 0.09, 0.12, 0.6, 0.6, 0.9, 0.9, 1.6, 2.0]),
}

BUILDERS = {
    "build": {
        "tags": "hierarchical poisson",
        "observations": 10,
        "parameters": 12,
        "mle": "converged",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Pump (10), thousand hours of operation, failures."""
    hours = [94.3, 15.7, 62.9, 126.0, 5.24, 31.4, 1.05, 1.05, 2.1, 10.5]
    failures = [5, 1, 5, 14, 3, 19, 1, 1, 4, 22]
    table = pd.DataFrame({"pump": range(1, 11), "hours": hours, "failures": failures})
    return table.astype({"pump": "category"})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Rates from Gamma(alpha, beta), with the priors of George et al."""
    data = load_data() if data is None else data
    pump, names = levels(data["pump"])
    with pm.Model(coords={"row": data.index, "pump": names}) as model:
        alpha = pm.Exponential("alpha", 1)
        beta = pm.Gamma("beta", 0.1, 1)
        rate = pm.Gamma("rate", alpha, beta, dims="pump")
        pm.Poisson("failures", rate[pump] * data["hours"].to_numpy(), observed=data["failures"], dims="row")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Failures in ``n`` periods of the pumps under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
