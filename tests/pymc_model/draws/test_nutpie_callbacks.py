"""The callbacks that are quicker to compile: the same numbers and the same codes as nutpie's own."""

import ctypes
from functools import cache

import numpy as np
import nutpie
import pymc as pm
import pytest
from nutpie import compile_pymc

from models.eight_schools import build_noncentered
from pp_mlekl.pymc_model.draws.nutpie_callbacks import light_callbacks


def with_data_and_shapes():
    with pm.Model(coords={"group": ["a", "b"]}) as model:
        x = pm.Data("x", np.linspace(-1, 1, 12))
        slope = pm.Normal("slope", 0, 1, dims="group")
        p = pm.Dirichlet("p", np.ones(3))
        pm.Deterministic("table", p[:, None] * slope)
        pm.Deterministic("two", pm.math.stack([slope.sum(), p[0]]))
        pm.Normal("y", slope[0] * x + slope[1], p[1], observed=np.sin(np.arange(12)))
    return model


def with_one_parameter():
    with pm.Model() as model:
        pm.Poisson("y", pm.Exponential("rate", 1), observed=[1, 4, 2])
    return model


def not_finite():
    """Beyond +-1 the density is 0 (-inf), its gradient finite; at 0 the gradient is not finite."""
    with pm.Model() as model:
        z = pm.Normal("z", 0, 1, shape=2)
        pm.Potential("root", pm.Data("scale", 1.0) * pm.math.sqrt(pm.math.abs(z[0])))
        pm.Potential("wall", pm.math.switch(pm.math.lt(z[1], 1.0), 0.0, -np.inf))
    return model


@cache
def compiled(build, *, light):
    if not light:
        return nutpie.compile_pymc_model(build())
    with light_callbacks():
        return nutpie.compile_pymc_model(build())


def density(found, z, size=None):
    """Code, value and gradient by the callback."""
    value, slope, z = np.zeros(1), np.zeros(len(z)), np.ascontiguousarray(z, dtype=float)
    double = ctypes.POINTER(ctypes.c_double)
    places = [a.ctypes.data_as(double) for a in (z, slope, value)]
    size = len(z) if size is None else size
    return found.compiled_logp_func.ctypes(size, *places, found.user_data.ctypes.data), value, slope


def expansion(found, z, size=None):
    """Code and natural values by the callback."""
    out, z = np.zeros(found.n_expanded), np.ascontiguousarray(z, dtype=float)
    places = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in (z, out)]
    size = found.n_expanded if size is None else size
    return found.compiled_expand_func.ctypes(len(z), size, *places, found.user_data.ctypes.data), out


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(with_data_and_shapes, marks=pytest.mark.slow),
        not_finite,
        pytest.param(build_noncentered, marks=pytest.mark.slow),
        pytest.param(with_one_parameter, marks=pytest.mark.slow),
    ],
)
def test_numbers_are_nutpies_own_to_the_last_digit(build):
    ours, theirs = compiled(build, light=True), compiled(build, light=False)
    for z in np.random.default_rng(1).normal(size=(20, ours.n_dim)):
        for one, other in zip(density(ours, z), density(theirs, z), strict=True):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(expansion(ours, z), expansion(theirs, z), strict=True):
            np.testing.assert_array_equal(one, other)


def test_codes_are_nutpies_own():
    ours, theirs = compiled(not_finite, light=True), compiled(not_finite, light=False)
    for z, code in (([0.5, 0.0], 0), ([0.5, 2.0], 4), ([0.0, 0.0], 3)):
        assert density(ours, z)[0] == density(theirs, z)[0] == code
    wrong = [density(found, [0.5, 0.0], 3)[0] for found in (ours, theirs)]
    wrong += [expansion(found, [0.5, 0.0], 7)[0] for found in (ours, theirs)]
    assert wrong == [-1] * 4


@pytest.mark.parametrize(
    ("build", "moved"),
    [
        pytest.param(with_data_and_shapes, {"x": np.linspace(0, 3, 12)}, marks=pytest.mark.slow),
        (not_finite, {"scale": np.array(2.0)}),
    ],
)
def test_data_may_be_exchanged(build, moved):
    ours, theirs = (compiled(build, light=light) for light in (True, False))
    z = np.full(ours.n_dim, 0.3)
    for one, other in zip(density(ours.with_data(**moved), z), density(theirs.with_data(**moved), z), strict=True):
        np.testing.assert_array_equal(one, other)
    assert density(ours, z)[1] != density(ours.with_data(**moved), z)[1]


def test_the_installed_nutpie_takes_them_and_has_its_own_afterwards():
    own = compile_pymc._make_c_logp_func
    with light_callbacks():
        assert compile_pymc._make_c_logp_func is not own
    assert compile_pymc._make_c_logp_func is own

    def interrupted():
        with light_callbacks():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert compile_pymc._make_c_logp_func is own


def test_a_nutpie_with_other_callbacks_keeps_its_own(monkeypatch):
    def other(model):
        raise NotImplementedError

    monkeypatch.setattr(compile_pymc, "_make_c_expand_func", other)
    own = compile_pymc._make_c_logp_func
    with light_callbacks():
        assert compile_pymc._make_c_logp_func is own
        assert compile_pymc._make_c_expand_func is other
