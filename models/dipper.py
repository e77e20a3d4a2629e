"""European dippers: survival and recapture of marked birds, by the Cormack-Jolly-Seber model.

Birds released in six years, by the year in which they were caught again. Shows a multinomial whose cells are products of
two probabilities, and the twin in which a flood changes the survival of two years.

Data: J.-D. Lebreton, K. P. Burnham, J. Clobert and D. R. Anderson, Modeling survival and testing biological hypotheses
using marked animals, Ecological Monographs 62 (1992), from G. Marzolin. Published counts, free of rights.
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .tables import simulated

RELEASED = [22, 60, 78, 80, 88, 98]
# Caught again for the first time one, two, ... years later.
CAUGHT = [[11, 2, 0, 0, 0, 0], [24, 1, 0, 0, 0], [34, 2, 0, 0], [45, 1, 2], [51, 0], [52]]
YEARS = 6

TRUTH = {"survival": 0.56, "capture": 0.9}

BUILDERS = {
    "build": {
        "tags": "capture-recapture multinomial",
        "observations": 6,
        "parameters": 2,
        "mle": "converged",
        "map": "converged",
    },
    "build_flood": {
        "tags": "capture-recapture multinomial",
        "observations": 6,
        "parameters": 3,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Birds, dims (release: 1981 to 1986, fate: caught again in 1982 to 1987, or never)."""
    birds = np.zeros((YEARS, YEARS + 1), dtype=int)
    for i, caught in enumerate(CAUGHT):
        birds[i, i:YEARS] = caught
    birds[:, YEARS] = np.array(RELEASED) - birds.sum(axis=1)
    fates = [*map(str, range(1982, 1988)), "never"]
    return xr.Dataset({"birds": (("release", "fate"), birds)}, coords={"release": range(1981, 1987), "fate": fates})


def build(data: xr.Dataset | None = None) -> pm.Model:
    """One probability to survive a year, one to be caught."""
    return _model(load_data() if data is None else data, np.zeros(YEARS, dtype=int), None)


def build_flood(data: xr.Dataset | None = None) -> pm.Model:
    """Another survival from 1982 to 1984, the years of the flood."""
    return _model(load_data() if data is None else data, np.array([0, 1, 1, 0, 0, 0]), "period")


def _model(data: xr.Dataset, period: np.ndarray, dims: str | None) -> pm.Model:
    years, birds = data["release"].values - 1981, data["birds"].values
    coords = {"release": data["release"].values, "fate": data["fate"].values, "period": ["usual", "flood"]}
    with pm.Model(coords=coords) as model:
        survival = pm.Beta("survival", 1, 1, dims=dims)
        capture = pm.Beta("capture", 1, 1)
        yearly = survival * np.ones(YEARS) if dims is None else survival[period]
        # The sum of the logarithms of the survivals from the year of release to that of capture.
        passed = (np.arange(YEARS) >= years[:, None, None]) & (np.arange(YEARS) <= np.arange(YEARS)[:, None])
        missed = np.arange(YEARS) - years[:, None]
        alive = pm.math.exp(passed @ pm.math.log(yearly))
        caught = np.where(missed >= 0, 1, 0) * alive * capture * (1 - capture) ** np.maximum(missed, 0)
        p = pm.math.concatenate([caught, 1 - caught.sum(axis=1, keepdims=True)], axis=1)
        pm.Multinomial("birds", birds.sum(axis=1), p, observed=birds, dims=("release", "fate"))
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """Fates of the birds of ``n`` releases like those of the data under ``truth``."""
    data = load_data()
    data = data.isel(release=np.arange(n) % YEARS)
    return simulated(build, data, TRUTH if truth is None else truth, random_seed)
