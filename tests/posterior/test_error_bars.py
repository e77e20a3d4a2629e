"""Error bars of a posterior's divergences against the spread over seeds: neither too narrow nor too wide."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pp_mlekl as mk

SEEDS = 40
# The spread of SEEDS values is known to 11%; errors themselves vary from seed to seed.
NARROWEST, WIDEST = 0.65, 1.6


@pytest.fixture(scope="module")
def rate():
    """A model of a rate, and independent draws from its exact posterior by seed."""
    y = np.random.default_rng(0).gamma(2.0, 1.0, size=30)
    with pm.Model() as model:
        pm.Exponential("y", pm.Gamma("rate", 2.0, 1.0), observed=y)

    def draws(seed):
        values = np.random.default_rng(seed).gamma(32.0, 1 / (1 + y.sum()), size=(4, 500))
        return xr.DataTree.from_dict({"posterior": xr.Dataset({"rate": (("chain", "draw"), values)})})

    return model, draws


def assert_errors_are_the_spread(found):
    """``found``: value and error of every number by its name, one for each seed."""
    for name, pairs in found.items():
        values, errors = np.array(pairs).T
        ratio = np.sqrt(np.mean(errors**2)) / values.std(ddof=1)
        assert NARROWEST < ratio < WIDEST, f"{name}: error over spread {ratio:.2f}"


@pytest.mark.slow
def test_information_gain(rate):
    model, draws = rate
    names = [
        "kl_posterior_prior",
        "jsd",
        "hellinger_squared",
        "total_variation",
        "log_evidence",
        "model_dimensionality",
    ]
    found = {name: [] for name in names}
    for seed in range(SEEDS):
        joint = mk.information_gain(model, draws(seed), random_seed=seed)["joint"]
        for name in names:
            found[name].append((float(joint[name]), float(joint[f"{name}_mcse"])))
    assert_errors_are_the_spread(found)


@pytest.mark.slow
def test_fitted_divergence(rate):
    model, draws = rate
    names = ["kl", "kl_mean", "kl_reverse", "jsd", "wasserstein"]
    found = {name: [] for name in names}
    for seed in range(SEEDS):
        result = mk.fitted_divergence(model, {"rate": 0.7}, idata=draws(seed), random_seed=seed)
        fit = result.sel(estimator="posterior_predictive")
        for name in names:
            found[name].append((float(fit[name]), float(fit[f"{name}_mcse"])))
    assert_errors_are_the_spread(found)
