"""Girls among births with placenta previa: a binomial count and its conjugate beta prior.

980 births, 437 girls. Shows a posterior, an evidence and divergences in closed form: every number of a comparison can be
checked by hand.

Data: A. Gelman et al., Bayesian Data Analysis (3rd ed. 2013), section 2.4, from an early study in Germany. Published
counts, free of rights.
"""

from typing import Any

import pandas as pd
import pymc as pm

from .tables import first_rows, simulated

TRUTH = {"p": 0.485}

BUILDERS = {
    "build": {"tags": "conjugate binomial", "observations": 1, "parameters": 1, "mle": "converged", "map": "converged"},
}


def load_data() -> pd.DataFrame:
    """One row: births and girls among them."""
    return pd.DataFrame({"births": [980], "girls": [437]})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """A uniform prior for the proportion of girls."""
    data = load_data() if data is None else data
    with pm.Model(coords={"study": data.index}) as model:
        p = pm.Beta("p", 1, 1)
        pm.Binomial("girls", data["births"].to_numpy(), p, observed=data["girls"], dims="study")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Girls in ``n`` studies of 980 births under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
