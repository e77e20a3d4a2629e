"""Germination of seeds on 21 plates: binomial counts with more spread than binomial sampling allows.

Two kinds of seed and two root extracts. Shows a logistic regression with a random effect for each plate, and its
misspecified twin without one, whose standard errors are too small.

Data: M. J. Crowder, Beta-binomial anova for proportions, Applied Statistics 27 (1978), table 3. Published counts, free
of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, levels, normal_scores, read_table, simulated

TERMS = ["intercept", "seed_O73", "cucumber", "seed_O73:cucumber"]

TRUTH = {"coefficient": np.array([-0.55, 0.1, 1.3, -0.8]), "sigma": 0.3, "plate_effect": 0.3 * normal_scores(21)}

BUILDERS = {
    "build": {
        "tags": "hierarchical binomial",
        "observations": 21,
        "parameters": 26,
        "mle": "at_infinity",
        "map": "unbounded",
    },
    "build_binomial": {
        "tags": "regression binomial misspecified",
        "observations": 21,
        "parameters": 4,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Plates (21): kind of seed, root extract, seeds, how many germinated."""
    table = read_table("seeds")
    return table.assign(plate=range(1, len(table) + 1)).astype({"plate": "category"})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """A random effect for each plate."""
    data = load_data() if data is None else data
    plate, names = levels(data["plate"])
    with pm.Model(coords={"row": data.index, "plate": names, "term": TERMS}) as model:
        coefficient = pm.Normal("coefficient", 0, 1.5, dims="term")
        sigma = pm.HalfNormal("sigma", 1)
        effect = pm.Normal("plate_effect", 0, sigma, dims="plate")
        logit = design(data) @ coefficient + effect[plate]
        pm.Binomial("germinated", data["seeds"], logit_p=logit, observed=data["germinated"], dims="row")
    return model


def build_binomial(data: pd.DataFrame | None = None) -> pm.Model:
    """No effect of the plate: the counts are overdispersed for it."""
    data = load_data() if data is None else data
    with pm.Model(coords={"row": data.index, "term": TERMS}) as model:
        coefficient = pm.Normal("coefficient", 0, 1.5, dims="term")
        logit = design(data) @ coefficient
        pm.Binomial("germinated", data["seeds"], logit_p=logit, observed=data["germinated"], dims="row")
    return model


def design(data: pd.DataFrame) -> np.ndarray:
    """Intercept, kind of seed, extract and their product, shape (plates, 4)."""
    kind, extract = data["seed"].to_numpy() == "O73", data["extract"].to_numpy() == "cucumber"
    return np.column_stack([np.ones(len(data)), kind, extract, kind & extract])


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Germinated seeds on ``n`` plates like those of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
