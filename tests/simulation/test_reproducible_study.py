"""A study's numbers depend on its arguments alone: not on the worker, on what ran before or on the number of threads."""

import sys
from functools import cache, partial

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from threadpoolctl import threadpool_limits
from tiers import slow_if

from pp_mlekl.pymc_model.interpreter import lazy_function
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.simulation.study import study

SMALL = {"sizes": [10, 20], "replicates": 40, "random_seed": 7}


def exponential():
    with pm.Model() as model:
        rate = pm.Exponential("rate", 1.0)
        pm.Exponential("y", rate, observed=[1.0, 2.0, 3.0])
    return model


@cache
def regression():
    x = np.random.default_rng(1).normal(size=(30, 3))
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 5, shape=3)
        spread = pm.HalfNormal("spread", 2)
        pm.Normal("y", pm.math.dot(x, slope), spread, observed=np.zeros(30))
    return model


@cache
def vectors():
    with pm.Model() as model:
        mean = pm.Normal("mean", 0, 5, shape=3)
        pm.MvNormal("y", mean, np.eye(3) + 0.5, observed=np.zeros((10, 3)))
    return model


CASES = {
    "exponential": (exponential, {"rate": 2.0}),
    "regression": (regression, {"slope": [1.0, 0.0, -1.0], "spread": 1.0}),
    "vectors": (vectors, {"mean": [0.0, 1.0, 2.0]}),
}


def test_earlier_compilations_change_nothing(monkeypatch):
    model = exponential()
    before = study(model, {"rate": 2.0}, **SMALL)

    def otherwise_rounded(inputs, outputs):
        function = lazy_function.interpreted(inputs, outputs)
        return lambda *arguments: [out * (1 + 1e-9) for out in function(*arguments)]

    monkeypatch.setattr(lazy_function, "COMPILATION_PRICE_SECONDS", 0.0)
    monkeypatch.setattr(lazy_function, "compiled", otherwise_rounded)
    functions = model_functions(model)
    assert functions.log_likelihood(functions.initial_point()) != functions.log_likelihood(functions.initial_point())
    after = study(model, {"rate": 2.0}, **SMALL)
    xr.testing.assert_identical(before, after)


@pytest.mark.parametrize("case", slow_if(CASES, ["regression", "vectors"]))
def test_the_number_of_blas_threads_changes_nothing(case):
    build, truth = CASES[case]
    found = []
    for limit in (1, 2):
        with threadpool_limits(limits=limit, user_api="blas"):
            found.append(study(build(), truth, **SMALL))
    xr.testing.assert_identical(*found)


def test_threads_of_one_worker_do_not_share_functions():
    distributed = pytest.importorskip("distributed")
    arguments = {"sizes": list(range(10, 26)), "replicates": 500, "random_seed": 3}
    local = study(exponential(), {"rate": 2.0}, **arguments)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with distributed.Client(processes=False, n_workers=1, threads_per_worker=4, dashboard_address=":0") as client:
            remote = study(exponential, {"rate": 2.0}, client=client, **arguments)
    finally:
        sys.setswitchinterval(before)
    xr.testing.assert_identical(local, remote)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_other_processes_compute_the_same(case):
    distributed = pytest.importorskip("distributed")
    build, truth = CASES[case]
    arguments = {"sizes": [10, 30, 100], "replicates": 20_000, "random_seed": 5}
    local = study(build(), truth, **arguments)
    with distributed.Client(processes=True, n_workers=2, threads_per_worker=2, dashboard_address=":0") as client:
        for given in (build, partial(build)):
            xr.testing.assert_identical(local, study(given, truth, client=client, **arguments))
