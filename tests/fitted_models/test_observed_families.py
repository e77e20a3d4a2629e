"""Every kind of observed distribution against simulation with PyMC's own log density."""

import numpy as np
import pytest
import xarray as xr
from observed_families import FAMILIES, ROWS, truth_and_model

from pp_mlekl.fitted_models.fits import collect_fits
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.model_functions import model_functions


def log_mean(functions, z, data):
    """Log of the mean density over draws, some data sets at a time."""
    size = len(data["y"])
    pieces = [
        np.logaddexp.reduce(functions.pointwise(z[:, None], data={"y": data["y"][i : i + 100]}), axis=0)
        for i in range(0, size, 100)
    ]
    return np.concatenate(pieces) - np.log(len(z))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_divergences_of_all_observed_families_agree_with_simulation(name):
    truth, model = truth_and_model(name)
    functions = model_functions(model)
    flat = functions.unconstrain(truth)
    z = flat + np.random.default_rng(1).normal(0, 0.15, size=(4, 100, functions.size))
    natural = functions.natural(z)
    posterior = {k: (("chain", "draw", *[f"{k}_{i}" for i in range(v.ndim - 2)]), v) for k, v in natural.items()}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})
    estimators = ["map", "posterior_mean", "posterior_predictive"]
    result = fitted_divergence(model, truth, idata=tree, estimators=estimators, random_seed=1)
    data = as_truth(functions, truth).sample(10_000, np.random.default_rng(5))
    log_p = functions.pointwise(flat, data=data)
    for fit in collect_fits(functions, estimators[:2], {}, tree, None, np.random.default_rng(1)):
        if fit.flat is None:
            # The mean of a von Mises has many: there is no MAP.
            assert name == "VonMises"
            continue
        ratio = (log_p - functions.pointwise(fit.flat, data=data)).sum(axis=1)
        found = result.sel(estimator=fit.name)
        error = np.hypot(ratio.std() / 100, found["kl_mcse"].item())
        assert abs(found["kl"].item() - ratio.mean()) < 4.5 * error
    few = {"y": data["y"][:1000]}
    ratio = (log_p[:1000] - log_mean(functions, z.reshape(-1, functions.size), few)).sum(axis=1)
    found = result.sel(estimator="posterior_predictive")
    error = np.hypot(ratio.std() / np.sqrt(1000), found["kl_mcse"].item())
    # The simulation has the bias of the finite number of draws, which the result is rid of.
    assert abs(found["kl"].item() + found["kl_bias"].item() - ratio.mean()) < 4.5 * error
    (variable,) = functions.observed
    scalar = variable.event_ndim == 0 and name != "CustomDist"
    known = result.sel(estimator=result["kl"].notnull())
    assert np.all(np.isfinite(known["wasserstein"]) == scalar)
    assert np.all(known["jsd"] < np.log(2))
    assert result["kl_pointwise"].shape == (3, ROWS)
