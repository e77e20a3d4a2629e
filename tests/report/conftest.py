"""A comparison with what a page can show, and its page."""

import numpy as np
import pymc as pm
import pytest

import pp_mlekl as mk
from pp_mlekl.simulation.calibrate import calibrate
from pp_mlekl.simulation.study import study

TRUTH = {"mu": 1.0, "sigma": 1.0, "theta": np.linspace(-1, 1, 25)}
ABOUT = "Twenty-five groups <of> four.\n\nSimulated data & more."


@pytest.fixture(scope="session")
def comparison():
    """Of 27 parameters with a derived quantity and a known truth."""
    generator = np.random.default_rng(1)
    with pm.Model(coords={"group": [f"g{i}" for i in range(25)]}) as model:
        mu = pm.Normal("mu", 0, 5)
        sigma = pm.HalfNormal("sigma", 2)
        theta = pm.Normal("theta", 0, 1, dims="group")
        pm.Deterministic("ratio", mu / sigma)
        covariate = np.tile([-1.5, -0.5, 0.5, 1.5], 25)
        rows = mu + theta[np.repeat(np.arange(25), 4)] * covariate
        data = 1.0 + np.repeat(TRUTH["theta"], 4) * covariate + generator.normal(size=100)
        pm.Normal("y", rows, sigma, observed=data)
    return mk.compare(model, TRUTH, draws=150, chains=2, random_seed=1, name="groups", progress=False)


@pytest.fixture(scope="session")
def page_path(comparison, tmp_path_factory):
    """The page of the comparison."""
    from pp_mlekl.report.page import write_html

    return write_html(comparison, tmp_path_factory.mktemp("page") / "page.html", ABOUT)


@pytest.fixture(scope="session")
def coins():
    """A study of coins that are thrown 5 and 20 times."""
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 2, 2), observed=np.zeros(5))
    return study(model, {"p": 0.3}, sizes=[5, 20], replicates=60, estimators=["mle", "map"], random_seed=1)


@pytest.fixture(scope="session")
def calibration():
    """Of the mean of five normal numbers."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1, observed=np.zeros(5))
    return calibrate(model, methods=["laplace", "mle"], simulations=60, random_seed=1)
