"""Lip cancer in 56 districts of Scotland: counts on a map, with neighbours alike.

Shows an intrinsic conditional autoregression: differences between neighbours have one scale, and the share of men who
work outdoors explains part of the map.

Data: D. G. Clayton and J. Kaldor, Empirical Bayes estimates of age-standardized relative risks for use in disease mapping,
Biometrics 43 (1987); neighbours, three of them across the sea, as in M. Morris et al., Spatial and Spatio-temporal
Epidemiology 31 (2019). Published counts, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, levels, normal_scores, read_table, simulated

DISTRICTS = 56

TRUTH = {"intercept": -0.2, "slope": 0.4, "sigma": 0.5, "component": 0.5 * normal_scores(DISTRICTS - 1)}

BUILDERS = {
    "build": {
        "tags": "spatial hierarchical poisson",
        "observations": 56,
        "parameters": 58,
        "mle": "at_infinity",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Districts (56): cases, cases expected for the men's ages, percentage of men who work outdoors."""
    return read_table("scottish_lip").astype({"district": "category"})


def map_components() -> np.ndarray:
    """Patterns on the map, shape (districts, districts - 1), whose sum with independent normal weights is an ICAR.

    They span the square root of the pseudo-inverse of the graph's Laplacian; each sums to zero.
    """
    neighbours = np.zeros((DISTRICTS, DISTRICTS))
    pairs = read_table("scottish_lip_neighbours").to_numpy() - 1
    neighbours[pairs[:, 0], pairs[:, 1]] = neighbours[pairs[:, 1], pairs[:, 0]] = 1
    values, vectors = np.linalg.eigh(np.diag(neighbours.sum(axis=1)) - neighbours)
    # The first eigenvalue of a connected map is zero.
    return vectors[:, 1:] / np.sqrt(values[1:])


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Log relative risk: a slope for ten percent more men outdoors, and a map effect."""
    data = load_data() if data is None else data
    district, names = levels(data["district"])
    outdoors, expected = data["outdoors"].to_numpy() / 10, data["expected"].to_numpy()
    with pm.Model(coords={"row": data.index, "district": names, "pattern": range(1, DISTRICTS)}) as model:
        intercept = pm.Normal("intercept", 0, 1)
        slope = pm.Normal("slope", 0, 1)
        sigma = pm.HalfNormal("sigma", 1)
        component = pm.Normal("component", 0, sigma, dims="pattern")
        effect = pm.Deterministic("map_effect", map_components() @ component, dims="district")
        risk = pm.math.exp(intercept + slope * outdoors + effect[district])
        pm.Poisson("cases", expected * risk, observed=data["cases"], dims="row")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Cases in ``n`` districts of the map under ``truth``."""
    return simulated(build, first_rows(load_data(), n), TRUTH if truth is None else truth, random_seed)
