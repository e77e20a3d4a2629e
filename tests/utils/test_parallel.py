"""Functions that share their tasks among the workers of a Dask cluster."""

import numpy as np
import pymc as pm
import pytest

import pp_mlekl as mk
from pp_mlekl.utils.parallel import map_tasks, shares

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    """Two workers in threads of this process, with their own copies of what they are given."""
    options = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.Client(**options) as client:
        yield client


@pytest.fixture(scope="module")
def model():
    x = np.linspace(-1, 1, 12)
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 5)
        sigma = pm.HalfNormal("sigma", 3)
        pm.Normal("y", slope * x, sigma, observed=2 * x + np.random.default_rng(1).normal(size=12))
    return model


@pytest.fixture(scope="module")
def fit(model):
    return mk.find_mle(model, random_seed=1)


def test_results_come_in_the_order_of_the_tasks(client):
    assert map_tasks(abs, range(-5, 5), client) == map_tasks(abs, range(-5, 5)) == [abs(k) for k in range(-5, 5)]


def test_every_number_is_in_one_share(client):
    assert [part.tolist() for part in shares(5, client)] == [[0, 1, 2], [3, 4]]
    assert [part.tolist() for part in shares(1, client)] == [[0]]


def test_the_first_error_is_raised(client):
    with pytest.raises(ZeroDivisionError):
        map_tasks(lambda task: 1 / task, [1, 0], client)


@pytest.mark.parametrize("kind", ["case", "parametric"])
def test_bootstrap_does_not_depend_on_the_workers(client, model, fit, kind):
    here = mk.bootstrap(model, fit, kind=kind, replicates=51, random_seed=2)
    there = fit.bootstrap(kind=kind, replicates=51, random_seed=2, client=client)
    np.testing.assert_allclose(there.draws.to_array(), here.draws.to_array(), rtol=1e-9)
    assert there.failed == here.failed


def test_profiles_do_not_depend_on_the_workers(client, model, fit):
    here = mk.profile(model, fit)
    there = mk.profile(model, fit, client=client)
    np.testing.assert_allclose(there.interval, here.interval, rtol=1e-9)
    np.testing.assert_allclose(there.curve["log_likelihood"], here.curve["log_likelihood"], rtol=1e-9)
    assert there.interval["parameter"].equals(here.interval["parameter"])


def test_compared_models_do_not_depend_on_the_workers(client, model):
    models = {name: (model, mk.laplace(model, draws=400, random_seed=seed).tree) for seed, name in enumerate("ab")}
    here = mk.compare_models(models, random_seed=3)
    there = mk.compare_models(models, random_seed=3, client=client)
    np.testing.assert_allclose(there.dataset["log_evidence"], here.dataset["log_evidence"], rtol=1e-9)
    assert here.dataset["log_evidence"].values[0] != here.dataset["log_evidence"].values[1]
