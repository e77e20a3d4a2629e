"""Survival of rat pups in 32 litters: proportions that vary from litter to litter, by beta-binomial counts.

Half of the mothers had a diet with a pesticide. Shows overdispersion as a parameter of its own, which differs between the
two groups, and the misspecified twin without it.

Data: C. S. Weil, Selection of the valid number of sampling units and a consideration of their combination in
toxicological studies involving reproduction, teratogenesis or carcinogenesis, Food and Cosmetics Toxicology 8 (1970).
Published counts, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

GROUPS = ["control", "treated"]
PUPS = "13 12 9 9 8 8 13 12 10 10 9 13 5 7 10 10 12 11 10 9 11 10 10 9 9 5 9 7 10 6 10 7"
SURVIVED = "13 12 9 9 8 8 12 11 9 9 8 11 4 5 7 7 12 11 10 9 10 9 9 8 8 4 7 4 5 3 3 0"

TRUTH = {"mean": np.array([0.9, 0.75]), "concentration": np.array([20.0, 2.5])}

BUILDERS = {
    "build": {"tags": "beta-binomial", "observations": 32, "parameters": 4, "mle": "converged", "map": "converged"},
    "build_binomial": {
        "tags": "binomial misspecified",
        "observations": 32,
        "parameters": 2,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Litters (32): treated (0 or 1), pups alive at four days, how many of them survived to 21 days."""
    pups, survived = (np.array(text.split(), dtype=int) for text in (PUPS, SURVIVED))
    return pd.DataFrame({"treated": np.repeat([0, 1], 16), "pups": pups, "survived": survived})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Mean and concentration of each group."""
    return _model(load_data() if data is None else data, overdispersed=True)


def build_binomial(data: pd.DataFrame | None = None) -> pm.Model:
    """One probability for all litters of a group."""
    return _model(load_data() if data is None else data, overdispersed=False)


def _model(data: pd.DataFrame, *, overdispersed: bool) -> pm.Model:
    group, pups = data["treated"].to_numpy(), data["pups"].to_numpy()
    with pm.Model(coords={"litter": data.index, "group": GROUPS}) as model:
        mean = pm.Beta("mean", 1, 1, dims="group")
        if overdispersed:
            concentration = pm.LogNormal("concentration", 2, 1, dims="group")
            alpha, beta = (mean * concentration)[group], ((1 - mean) * concentration)[group]
            pm.BetaBinomial("survived", alpha, beta, pups, observed=data["survived"], dims="litter")
        else:
            pm.Binomial("survived", pups, mean[group], observed=data["survived"], dims="litter")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Survivors in ``n`` litters of the data's sizes under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
