"""Trees of models with very many observations, whose log-likelihoods are kept for some of the draws."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from pp_mlekl.diagnostics.diagnose import diagnose
from pp_mlekl.pymc_model.draws import sampling
from pp_mlekl.pymc_model.draws.sampling import ensure_groups
from pp_mlekl.pymc_model.model_functions import model_functions

Y = np.random.default_rng(3).normal(size=50)
DRAWS = xr.Dataset({"mu": (("chain", "draw"), np.random.default_rng(4).normal(Y.mean(), 0.14, size=(2, 200)))})


def groups():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 5), 1.0, observed=Y)
    tree = xr.DataTree.from_dict({"posterior": DRAWS})
    return ensure_groups(model, tree, random_seed=1, functions=model_functions(model))


@pytest.fixture
def whole():
    return groups()


@pytest.fixture
def few(whole, monkeypatch):
    monkeypatch.setattr(sampling, "_MAX_NUMBERS", 5000)
    return groups()


def test_groups_hold_some_of_the_draws_under_their_labels(few, whole):
    assert few["posterior"].sizes["draw"] == whole["log_likelihood"].sizes["draw"] == 200
    for group in ("log_likelihood", "posterior_predictive"):
        assert few[group]["draw"].values.tolist() == list(range(0, 200, 4))
    xr.testing.assert_allclose(few["log_likelihood/y"], whole["log_likelihood/y"].isel(draw=slice(None, None, 4)))


def test_diagnostics_use_the_existing_draws(few, whole):
    found, other = diagnose(few, ["mu"]), diagnose(whole, ["mu"])
    # Convergence is judged by all draws.
    np.testing.assert_allclose(found.summary["ess_bulk"].astype(float), other.summary["ess_bulk"].astype(float))
    assert found.loo.loc["y", "elpd"] == pytest.approx(other.loo.loc["y", "elpd"], abs=0.2)
    assert len(found.checks) == len(other.checks) > 0
    assert len(found.sensitivity) == len(other.sensitivity) == 1
