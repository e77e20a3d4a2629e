"""MLE, standard errors and MAP against the reference values of posteriordb's models."""

import re

import numpy as np
import posteriordb_models as posteriordb
import pymc as pm
import pytest
from tiers import slow_if

from pp_mlekl.estimation.find_mle_map import find_map, find_mle

WITH_ESTIMATES = ["arK", "glm_poisson", "kidscore_interaction", "logearn_interaction", "wells_dist100"]
WITH_ESTIMATES += ["logmesquite_logvas", "low_dim_gauss_mix", "nes1996"]


def numbers(dataset):
    return np.sort(np.concatenate([np.ravel(v.values) for v in dataset.data_vars.values()]))


def listed(values):
    return np.sort(list(values.values()) if isinstance(values, dict) else values)


@pytest.mark.parametrize(
    "name",
    slow_if(
        WITH_ESTIMATES, ["glm_poisson", "kidscore_interaction", "logmesquite_logvas", "low_dim_gauss_mix", "nes1996"]
    ),
)
def test_reference_estimates(name):
    data, expected, _ = posteriordb.reference(name)
    with pm.Model() as model:
        posteriordb.MODELS[name](data)
    likelihood = find_mle(model, random_seed=1)
    assert likelihood.status == "converged"
    if name == "low_dim_gauss_mix":
        (warning,) = likelihood.warnings
        assert "local maximum" in warning
        # Either component may collapse: the other then takes all data but one, whichever it is.
        assert re.search(r"sigma\[[01]\] -> 0", warning)
    else:
        assert likelihood.warnings == ()
    np.testing.assert_allclose(numbers(likelihood.values), listed(expected["mle"]["estimate"]), rtol=1e-7)
    np.testing.assert_allclose(numbers(likelihood.standard_error), listed(expected["mle"]["se"]), rtol=1e-5)
    posterior = find_map(model, random_seed=1)
    assert posterior.status == "converged"
    np.testing.assert_allclose(numbers(posterior.values), listed(expected["map"]["estimate"]), rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", slow_if(["eight_schools_centered", "eight_schools_noncentered"], ["eight_schools_noncentered"])
)
def test_hierarchies_have_no_interior_mode(name):
    data, expected, _ = posteriordb.reference(name)
    with pm.Model() as model:
        posteriordb.MODELS[name](data)
    assert not expected["map"]["exists"]
    assert find_map(model, random_seed=1).status in ("unbounded", "boundary")
