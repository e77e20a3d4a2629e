"""What alligators eat: multinomial counts of five foods, by baseline-category logits.

219 alligators of four lakes, small or large. Shows a multinomial regression with a matrix of coefficients; some of its
cells rest on few animals, and the prior holds them.

Data: A. Agresti, Categorical Data Analysis (2nd ed. 2002), table 7.1; the table as in the R package vcdExtra. Published
counts, free of rights.
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .tables import read_table, simulated

FOODS = ["fish", "invert", "reptile", "bird", "other"]
TERMS = ["intercept", "Hancock", "Oklawaha", "Trafford", "small"]

TRUTH = {
    "coefficient": np.array([
        [-1.5, -3.3, -2.1, -1.9], [-1.6, 1.2, 0.7, 0.8], [0.9, 2.5, -0.6, 0.0], [1.1, 2.9, 1.1, 1.5], [1.4, -0.3, -0.6, 0.3]
    ])
}  # fmt: skip

BUILDERS = {
    "build": {
        "tags": "regression multinomial",
        "observations": 16,
        "parameters": 20,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Numbers of alligators, dims (group: 16, food: 5), and their lake, sex and size, dim group."""
    table = read_table("alligators").set_index(["lake", "sex", "size", "food"])["count"].unstack("food")[FOODS]
    groups = {name: ("group", table.index.get_level_values(name).astype(str)) for name in table.index.names}
    return xr.Dataset({"count": (("group", "food"), table.to_numpy()), **groups}, coords={"food": FOODS})


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Logits of each food against fish: lake (against George) and size (against large)."""
    data = load_data() if data is None else data
    lakes = [data["lake"].values == lake for lake in TERMS[1:4]]
    x = np.column_stack([np.ones(data.sizes["group"]), *lakes, data["size"].values == "small"])
    counts = data["count"].values
    coords = {"group": np.arange(len(x)), "food": FOODS, "term": TERMS, "other_food": FOODS[1:]}
    with pm.Model(coords=coords) as model:
        coefficient = pm.Normal("coefficient", 0, 2, dims=("term", "other_food"))
        logits = pm.math.concatenate([np.zeros((len(x), 1)), x @ coefficient], axis=1)
        p = pm.math.softmax(logits, axis=1)
        pm.Multinomial("count", counts.sum(axis=1), p, observed=counts, dims=("group", "food"))
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """Foods in ``n`` groups like those of the data under ``truth``."""
    data = load_data()
    data = data.isel(group=np.arange(n) % data.sizes["group"])
    return simulated(build, data, TRUTH if truth is None else truth, random_seed)
