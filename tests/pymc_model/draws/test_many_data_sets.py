"""One compiled density for many data sets: its values are those of the model's functions, whatever is exchanged."""

import ctypes

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from pp_mlekl.pymc_model.draws.many_data_sets import ManyDataSets
from pp_mlekl.pymc_model.model_functions import model_functions

X = np.linspace(-1, 1, 6)


class Doubled(Op):
    """An operation that Numba does not know."""

    def make_node(self, x):
        return Apply(self, [pt.as_tensor(x)], [pt.as_tensor(x).type()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = np.asarray(2 * inputs[0])

    def pullback(self, inputs, outputs, cotangents):
        return [2 * cotangents[0]]


def counts_and_measurements():
    with pm.Model() as model:
        x = pm.Data("x", X)
        b, sigma = pm.Normal("b", 0, 1, shape=2), pm.HalfNormal("sigma", 1)
        pm.Poisson("counts", pm.math.exp(b[0] + b[1] * x), observed=[0, 1, 2, 1, 0, 3])
        pm.Normal("measured", b[0] * x, sigma, observed=np.cos(X))
    return model


def with_a_loop():
    with pm.Model() as model:
        decay = pm.Beta("decay", 2, 2)
        first = {"outputs_info": [pt.ones(())], "non_sequences": [decay], "n_steps": 6}
        path = pytensor.scan(lambda before, rate: rate * before + 1, **first, return_updates=False)
        pm.Normal("y", path, 1, observed=X)
    return model


def with_an_operation_in_python():
    with pm.Model() as model:
        pm.Normal("y", Doubled()(pm.Normal("mu", 0, 1)), 1, observed=X)
    return model


def with_unnamed_shared_values():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1) * pytensor.shared(X) + pytensor.shared(np.ones(6)), 1, observed=X)
    return model


def callback(model, z):
    """Code, value and gradient of what nutpie calls."""
    value, slope, double = np.zeros(1), np.zeros(len(z)), ctypes.POINTER(ctypes.c_double)
    places = [a.ctypes.data_as(double) for a in (np.ascontiguousarray(z), slope, value)]
    return model.compiled_logp_func.ctypes(len(z), *places, model.user_data.ctypes.data), value[0], slope


def passed_to_nutpie(monkeypatch, sampler, weights, data, start):
    """The model that ``nutpie.sample`` gets, and the chains."""
    import nutpie

    passed, own = [], nutpie.sample
    monkeypatch.setattr(nutpie, "sample", lambda model, **k: passed.append(model) or own(model, **k))
    chains = sampler.sample(weights, data, start, draws=5, tune=10, chains=1, seed=1)
    monkeypatch.undo()
    return passed[0], chains


@pytest.mark.parametrize(
    "build",
    [
        counts_and_measurements,
        pytest.param(with_a_loop, marks=pytest.mark.slow),
        with_an_operation_in_python,
        pytest.param(with_unnamed_shared_values, marks=pytest.mark.slow),
    ],
)
def test_the_density_is_that_of_the_functions_for_any_copies_and_shared_values(build, monkeypatch):
    model, generator = build(), np.random.default_rng(1)
    functions = model_functions(model)
    sampler = ManyDataSets(functions)
    for copies in (1, 3):
        weights = generator.uniform(size=(copies, functions.n_observations))
        data = {
            n: generator.poisson(2, (copies, *v.shape)).astype(v.dtype) for n, v in functions.observed_data().items()
        }
        z = generator.normal(size=functions.size)
        found, chains = passed_to_nutpie(monkeypatch, sampler, weights, data, z)
        values, slopes = functions.value_gradient(z, weights=weights, data=data, a=0.0, b=0.0)
        prior, prior_slope = functions.value_gradient(z, weights=np.zeros(functions.n_observations), a=1.0, b=1.0)
        code, value, slope = callback(found, z)
        assert code == 0
        np.testing.assert_allclose(value, values.sum() + prior, rtol=1e-10)
        np.testing.assert_allclose(slope, slopes.sum(axis=0) + prior_slope, rtol=1e-8, atol=1e-10)
        assert np.isfinite(chains.z).all()
        if "x" in model.named_vars:
            pm.set_data({"x": X**2}, model=model)
