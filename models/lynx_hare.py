"""Lynxes and hares of the Hudson Bay Company: predator and prey, by the equations of Lotka and Volterra.

Pelts of twenty-one years. Shows a likelihood whose mean is the solution of differential equations over a year from
what was seen at its beginning, and rates with units of very different size.

Data: C. S. Elton and M. Nicholson, Journal of Animal Ecology 11 (1942); as in P. Howard, Modeling basics (2009), and
B. Carpenter's case study for Stan (2018). Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from .tables import simulated

HARES = [
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6,
    16.2, 24.7,
]  # fmt: skip
LYNXES = [
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6,
]  # fmt: skip
SPECIES = ["hare", "lynx"]
STEPS_A_YEAR = 4

TRUTH = {"rate": np.array([0.55, 0.028, 0.8, 0.024]), "sigma": np.array([0.25, 0.25])}

BUILDERS = {
    "build": {
        "tags": "differential-equation time-series lognormal",
        "observations": 40,
        "parameters": 6,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> xr.Dataset:
    """Thousands of pelts, dims (year: 1901 to 1920, species: 2), and those of the year before."""
    pelts = np.column_stack([HARES, LYNXES])
    dims = ("year", "species")
    return xr.Dataset(
        {"before": (dims, pelts[:-1]), "pelts": (dims, pelts[1:])},
        coords={"year": range(1901, 1921), "species": SPECIES},
    )


def build(data: xr.Dataset | None = None) -> pm.Model:
    """Each year from the year before: growth and capture of the prey, death and conversion of the predator."""
    data = load_data() if data is None else data
    rates = ["growth", "capture", "death", "conversion"]
    with pm.Model(coords={"year": data["year"].values, "species": SPECIES, "process": rates}) as model:
        rate = pm.LogNormal("rate", np.log([0.6, 0.03, 0.8, 0.03]), 0.5, dims="process")
        sigma = pm.LogNormal("sigma", -1, 1, dims="species")
        state = np.log(data["before"].values)
        for _ in range(STEPS_A_YEAR):
            state = runge_kutta(state, rate)
        pm.LogNormal("pelts", state, sigma, observed=data["pelts"].values, dims=("year", "species"))
    return model


def runge_kutta(state: Any, rate: Any) -> Any:
    """One step of the classical method for the logarithms of both numbers, shape (years, 2)."""

    def slope(at: Any) -> Any:
        return np.array([1, -1]) * (rate[::2] - rate[1::2] * pm.math.exp(at[:, ::-1]))

    h = 1 / STEPS_A_YEAR
    first = slope(state)
    second = slope(state + h / 2 * first)
    third = slope(state + h / 2 * second)
    return state + h / 6 * (first + 2 * second + 2 * third + slope(state + h * third))


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> xr.Dataset:
    """Pelts of ``n`` years, each after one of the years of the data, under ``truth``."""
    data = load_data()
    data = data.isel(year=np.arange(n) % data.sizes["year"])
    return simulated(build, data, TRUTH if truth is None else truth, random_seed)
