"""What is refused before a sampler starts, and from where a sampler starts."""

import importlib.util

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.comparison.compare import compare
from pp_mlekl.pymc_model.draws.before_sampling import check_settings, initial_values
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.model_functions import model_functions


def normal(data, slope=1.0):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu") * np.asarray(slope), 1, observed=data)
    return model


def counts(family, data):
    with pm.Model() as model:
        family("y", pm.Beta("p", 2, 2), observed=data)
    return model


@pytest.mark.parametrize(
    ("model", "observation"),
    [
        (lambda: normal([np.inf, 1.0]), r"y\[0\] = inf \(density zero\)"),
        (lambda: normal([0.0, 1e308]), r"y\[1\] = 1.e\+308 \(density zero\)"),
        (lambda: normal([0.0, 1.0], [np.inf, 1.0]), r"y\[0\] = 0"),
        (lambda: normal([0.0, 1.0], [1.0, np.nan]), r"y\[1\] = 1. \(log density NaN\)"),
        (lambda: counts(pm.Poisson, [1, -1]), r"y\[1\] = -1 \(density zero\)"),
        (lambda: counts(pm.Bernoulli, [3, 1]), r"y\[0\] = 3 \(density zero\)"),
    ],
)
def test_impossible_data_are_named_before_anything_is_computed(model, observation):
    steps = []
    with pytest.raises(ValueError, match=observation):
        compare(model(), progress=steps.append)
    assert steps == []
    with pytest.raises(ValueError, match=observation):
        sample(model())


def test_no_data_are_refused():
    for make in (lambda: normal(np.empty(0)), lambda: normal(np.empty((0, 2)))):
        with pytest.raises(ValueError, match="no observations of y"):
            model_functions(make())


def test_a_density_that_is_nowhere_finite_asks_for_an_initial_value():
    model = normal([0.0])
    with model:
        pm.Potential("undefined", pm.math.log(model["mu"]) + pm.math.log(-model["mu"]))
    with pytest.raises(ValueError, match="start; give the free variables an initval"):
        sample(model, potentials="prior")


def test_a_sampler_starts_where_the_data_are_possible():
    with pm.Model() as model:
        pm.Uniform("y", 0, pm.HalfCauchy("top", 1), observed=[2.0, 9.0, 5.0])
    functions = model_functions(model)
    start = initial_values(functions)
    assert start["top"] > 9
    assert initial_values(model_functions(normal([0.0]))) is None
    for sampler in ("nutpie", "pymc"):
        tree = sample(model, draws=50, chains=1, random_seed=1, nuts_sampler=sampler, tune=100, cores=1)
        assert float(tree["posterior"]["top"].min()) > 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": 0}, "draws must be a positive integer, got 0"),
        ({"draws": -5}, "draws must be"),
        ({"draws": 10.0}, "draws must be"),
        ({"draws": True}, "draws must be"),
        ({"draws": "many"}, "draws must be"),
        ({"chains": 0}, "chains must be"),
        ({"draws": 999_999_999_999_999}, "GiB of memory"),
        ({"chains": 10**30}, "GiB of memory"),
        ({"nuts_sampler": "nupie"}, "nuts_sampler must be"),
        ({"nuts_sampler": ""}, "nuts_sampler must be"),
    ],
)
def test_settings_are_refused_before_anything_is_computed(settings, message):
    steps = []
    with pytest.raises(ValueError, match=message):
        compare(normal([0.0, 1.0]), progress=steps.append, **settings)
    assert steps == []
    with pytest.raises(ValueError, match=message):
        sample(normal([0.0, 1.0]), **settings)


@pytest.mark.skipif(importlib.util.find_spec("jax") is not None, reason="JAX is installed")
@pytest.mark.parametrize("sampler", ["numpyro", "blackjax"])
def test_a_sampler_that_is_not_installed_is_named(sampler):
    with pytest.raises(ImportError, match="pip install jax"):
        check_settings(model_functions(normal([0.0])), draws=10, chains=1, nuts_sampler=sampler)
