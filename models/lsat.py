"""Five questions of the Law School Admission Test: item response models, abilities integrated out.

A thousand students, right or wrong on each item. Shows the marginal likelihood of latent abilities by Gauss-Hermite
quadrature: patterns of answers are one categorical variable. One and two parameters an item are compared.

Data: R. D. Bock and M. Lieberman, Fitting a response model for n dichotomously scored items, Psychometrika 35 (1970),
section 6 of the test. Published counts, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

# Students by pattern of answers, from 00000 to 11111, the first item's answer in front.
COUNTS = [
    3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15, 10, 29, 14, 81, 3, 28, 15, 80, 16, 56, 21, 173, 11, 61, 28, 298,
]  # fmt: skip
ITEMS = [1, 2, 3, 4, 5]
ANSWERS = (np.arange(32)[:, None] >> np.arange(4, -1, -1)) & 1
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(31)

TRUTH = {"easiness": np.array([2.7, 1.0, 0.25, 1.3, 2.1]), "discrimination": 0.75}

BUILDERS = {
    "build": {
        "tags": "item-response categorical",
        "observations": 1000,
        "parameters": 6,
        "mle": "converged",
        "map": "converged",
    },
    "build_2pl": {
        "tags": "item-response categorical",
        "observations": 1000,
        "parameters": 10,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Students (1,000): the pattern of answers as a binary number, 0 to 31."""
    return pd.DataFrame({"pattern": np.repeat(np.arange(32), COUNTS)})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """One discrimination for all items (1PL)."""
    return _model(load_data() if data is None else data, None)


def build_2pl(data: pd.DataFrame | None = None) -> pm.Model:
    """A discrimination for each item (2PL), which the data do not ask for."""
    return _model(load_data() if data is None else data, "item")


def _model(data: pd.DataFrame, discriminations: str | None) -> pm.Model:
    with pm.Model(coords={"student": data.index, "item": ITEMS}) as model:
        easiness = pm.Normal("easiness", 0, 2, dims="item")
        discrimination = pm.LogNormal("discrimination", 0, 0.5, dims=discriminations)
        logit = easiness + NODES[:, None] * discrimination  # nodes, items
        log_p = -pm.math.log1pexp(-logit) @ ANSWERS.T - pm.math.log1pexp(logit) @ (1 - ANSWERS.T)  # nodes, patterns
        p = (WEIGHTS / WEIGHTS.sum()) @ pm.math.exp(log_p)
        pm.Categorical("pattern", p, observed=data["pattern"], dims="student")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Patterns of ``n`` students under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
