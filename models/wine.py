"""Bitterness of white wine: ratings in five ordered categories, by cumulative logits.

Nine judges rated wines made cold or warm, with or without contact of juice and skins. Shows ordered cutpoints, and how a
random effect of the judge moves every coefficient away from zero.

Data: J. H. Randall, The analysis of sensory data by generalized linear model, Biometrical Journal 31 (1989); the table as
in the R package ordinal. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
from pymc.distributions.transforms import ordered

from .tables import first_rows, levels, read_table, simulated

TERMS = ["warm", "contact"]

TRUTH = {"cutpoint": np.array([-1.3, 1.2, 3.4, 5.0]), "coefficient": np.array([2.5, 1.5])}

BUILDERS = {
    "build": {
        "tags": "regression ordinal",
        "observations": 72,
        "parameters": 6,
        "mle": "converged",
        "map": "converged",
    },
    "build_judges": {
        "tags": "hierarchical ordinal",
        "observations": 72,
        "parameters": 16,
        "mle": "not_identified",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Bottles (72): rating from 0 (least bitter) to 4, warm, contact (0 or 1), judge (9)."""
    table = read_table("wine").astype({"judge": "category"})
    return table.assign(rating=table["rating"] - 1)


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Proportional odds of temperature and contact."""
    return _model(load_data() if data is None else data, judges=False)


def build_judges(data: pd.DataFrame | None = None) -> pm.Model:
    """Judges differ in how bitter everything tastes to them."""
    return _model(load_data() if data is None else data, judges=True)


def _model(data: pd.DataFrame, *, judges: bool) -> pm.Model:
    judge, names = levels(data["judge"])
    coords = {"bottle": data.index, "judge": names, "term": TERMS, "between": ["0|1", "1|2", "2|3", "3|4"]}
    with pm.Model(coords=coords) as model:
        cutpoint = pm.Normal("cutpoint", [-2, 0, 2, 4], 3, transform=ordered, dims="between")
        coefficient = pm.Normal("coefficient", 0, 2, dims="term")
        score = data[TERMS].to_numpy(dtype=np.float64) @ coefficient
        if judges:
            tau = pm.HalfNormal("tau", 2)
            score = score + pm.Normal("judge_effect", 0, tau, dims="judge")[judge]
        pm.OrderedLogistic(
            "rating", score, cutpoint, compute_p=False, observed=data["rating"].to_numpy(), dims="bottle"
        )
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Ratings of ``n`` bottles made like those of the data under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
