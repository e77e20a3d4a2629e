"""Prussian soldiers killed by kicks of horses: Poisson counts and their conjugate gamma prior.

Ten corps in twenty years. Shows a model that fits, and a posterior, an evidence and divergences in closed form.

Data: L. von Bortkiewicz, Das Gesetz der kleinen Zahlen (1898); as in R. A. Fisher, Statistical Methods for Research Workers
(1925). Published counts, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

TRUTH = {"rate": 0.6}

BUILDERS = {
    "build": {
        "tags": "conjugate poisson",
        "observations": 200,
        "parameters": 1,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Corps and years (200): deaths in each."""
    return pd.DataFrame({"deaths": np.repeat(np.arange(5), [109, 65, 22, 3, 1])})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """A gamma prior with mean 1 for the rate."""
    data = load_data() if data is None else data
    with pm.Model(coords={"corps_year": data.index}) as model:
        rate = pm.Gamma("rate", 2, 2)
        pm.Poisson("deaths", rate, observed=data["deaths"], dims="corps_year")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Deaths in ``n`` corps and years under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
