"""What is no draws says so."""

import numpy as np
import pytest
import xarray as xr

import pp_mlekl as mk

DRAWS = np.random.default_rng(0).normal(size=100)


@pytest.mark.parametrize(
    "empty",
    [
        [],
        np.empty((0, 3)),
        np.empty((100, 0)),
        xr.DataArray(np.empty((4, 0)), dims=("chain", "draw")),
        xr.Dataset(),
    ],
)
def test_none_at_all(empty):
    with pytest.raises(ValueError, match=r"one (draw|variable)"):
        mk.entropy(empty)


@pytest.mark.parametrize("wrap", [np.asarray, lambda v: xr.DataArray(v, dims="draw")])
def test_numbers_that_are_not_real(wrap):
    with pytest.raises(TypeError, match="complex numbers"):
        mk.kl_divergence(wrap(DRAWS + 1j), DRAWS)
    with pytest.raises(TypeError, match="ndarray of str"):
        mk.kl_divergence(wrap(np.full(100, "a")), DRAWS)
    with pytest.raises(TypeError, match="datetime64"):
        mk.kl_divergence(wrap(np.arange(100).astype("datetime64[D]")), DRAWS)


def test_masked_draws_are_refused():
    masked = np.ma.masked_array(DRAWS, mask=DRAWS > 0)
    for measure in (mk.kl_divergence, mk.js_divergence, mk.wasserstein_distance):
        with pytest.raises(TypeError, match="masked"):
            measure(masked, DRAWS)
    assert mk.entropy(np.ma.masked_array(DRAWS), random_seed=1).value == mk.entropy(DRAWS, random_seed=1).value


@pytest.mark.parametrize("dims", [("sample",), ("draw",)])
def test_variables_of_one_vector_have_the_same_draws(dims):
    mixed = xr.Dataset({"a": (("chain", "draw"), DRAWS.reshape(4, 25)), "b": (("sample",), DRAWS)})
    if dims == ("draw",):
        mixed = xr.Dataset({"a": (("chain", "draw"), DRAWS.reshape(1, 100)), "b": (dims, DRAWS)})
    for order in (["a", "b"], ["b", "a"]):
        with pytest.raises(ValueError, match="one vector needs the same"):
            mk.entropy(mixed[order])
