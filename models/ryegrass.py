"""Roots of ryegrass under ferulic acid: a dose-response curve with four parameters.

Twenty-four measurements at seven concentrations. Shows a sigmoid curve between two asymptotes and the dose that halves
the response.

Data: Inderjit, J. C. Streibig and M. Olofsdotter, Joint action of phenolic acid mixtures and its significance in
allelopathy research, Physiologia Plantarum 114 (2002); the table as in the R package drc. Published measurements, free of
rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

LENGTHS = [
    7.58, 8.0, 8.328571, 7.25, 7.375, 7.9625, 8.355556, 6.914286, 7.75, 6.871429, 6.45, 5.922222, 1.925, 2.885714,
    4.233333, 1.1875, 0.857143, 1.057143, 0.6875, 0.525, 0.825, 0.25, 0.22, 0.44,
]  # fmt: skip
DOSES = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])

TRUTH = {"lower": 0.5, "upper": 7.8, "slope": 3.0, "halving_dose": 3.0, "sigma": 0.5}

BUILDERS = {
    "build": {
        "tags": "nonlinear dose-response normal",
        "observations": 24,
        "parameters": 5,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Measurements (24): concentration of the acid in mM, length of the roots in cm."""
    return pd.DataFrame({"dose": DOSES, "length": LENGTHS})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Log-logistic curve from the upper to the lower asymptote."""
    data = load_data() if data is None else data
    dose = data["dose"].to_numpy()
    with pm.Model(coords={"measurement": data.index}) as model:
        lower = pm.HalfNormal("lower", 2)
        upper = pm.Normal("upper", 8, 3)
        slope = pm.LogNormal("slope", 1, 0.7)
        halving_dose = pm.LogNormal("halving_dose", 1, 1)
        sigma = pm.HalfNormal("sigma", 2)
        untreated = dose == 0
        logit = slope * (pm.math.log(halving_dose) - np.log(np.where(untreated, 1, dose)))
        share = pm.math.where(untreated, 1, pm.math.sigmoid(logit))
        pm.Normal("length", lower + (upper - lower) * share, sigma, observed=data["length"], dims="measurement")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Lengths of ``n`` roots at the doses of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
