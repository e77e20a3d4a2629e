"""Fisher's iris: Gaussian naive Bayes, class probabilities and normal features given the class.

The i.i.d. example of the suite: each row is a class and four features that are independent given the class. Shows
several observed variables whose divergences add up, a simplex parameter, and an MLE in closed form.

Data: R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7 (1936); the copy that
comes with scikit-learn (from the UCI repository, CC BY 4.0).
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .tables import read_table

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
SPECIES = ["setosa", "versicolor", "virginica"]

TRUTH = {
    "p": np.array([0.4, 0.35, 0.25]),
    "mu": np.array([[5.0, 3.4, 1.5, 0.25], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.5, 2.0]]),
    "sigma": np.array([[0.35, 0.4, 0.2, 0.1], [0.5, 0.3, 0.5, 0.2], [0.6, 0.3, 0.55, 0.3]]),
}

BUILDERS = {
    "build": {
        "tags": "classification categorical normal",
        "observations": 750,
        "parameters": 27,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Features in centimetres, dims (flower: 150, feature: 4), and the species as 0, 1, 2."""
    table = read_table("iris")
    features = np.column_stack([table[name] for name in FEATURES])
    return xr.Dataset(
        {"features": (("flower", "feature"), features), "species": ("flower", table["species"].astype(int))},
        coords={"feature": FEATURES},
    )


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Class probabilities from a flat Dirichlet; class means and scales of each feature."""
    data = load_data() if data is None else data
    species = data["species"].values
    coords = {"flower": np.arange(data.sizes["flower"]), "feature": data["feature"].values, "class": SPECIES}
    with pm.Model(coords=coords) as model:
        p = pm.Dirichlet("p", np.ones(len(SPECIES)), dims="class")
        mu = pm.Normal("mu", 3, 3, dims=("class", "feature"))
        sigma = pm.HalfNormal("sigma", 1, dims=("class", "feature"))
        pm.Categorical("species", p, observed=species, dims="flower")
        pm.Normal("features", mu[species], sigma[species], observed=data["features"].values, dims=("flower", "feature"))
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """``n`` flowers under ``truth`` (``p``, ``mu``, ``sigma``)."""
    truth = TRUTH if truth is None else truth
    generator = np.random.default_rng(random_seed)
    species = generator.choice(len(SPECIES), size=n, p=np.asarray(truth["p"]))
    features = generator.normal(np.asarray(truth["mu"])[species], np.asarray(truth["sigma"])[species])
    return xr.Dataset(
        {"features": (("flower", "feature"), features), "species": ("flower", species)}, coords={"feature": FEATURES}
    )
