"""Draws of two sides are paired by the names they have, and nothing else is taken for one of two sides."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import pp_mlekl as mk

CENTRES = xr.DataArray([0.0, 5.0, 10.0], dims="k", coords={"k": list("abc")})
DIVERGENCES = [mk.kl_divergence, mk.js_divergence, mk.wasserstein_distance, mk.cross_entropy]


def _draws(seed):
    noise = np.random.default_rng(seed).normal(size=(4, 200, 3))
    return (xr.DataArray(noise, dims=("chain", "draw", "k"), coords={"k": list("abc")}) + CENTRES).rename("theta")


def _kl(p, q, **kwargs):
    return mk.kl_divergence(p, q, random_seed=1, **kwargs)


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("other", [stats.norm(), np.random.default_rng(0).normal(size=100), None])
def test_none_is_refused_as_a_distribution(divergence, other):
    for sides in ((None, other), (other, None)):
        with pytest.raises(TypeError, match=r"PyMC .dist\(\)|density of q"):
            divergence(*sides)
    with pytest.raises(TypeError, match="NoneType"):
        mk.entropy(None)


def test_labels_are_paired_whatever_their_order():
    p, q = _draws(1), _draws(2)
    permuted = q.isel(k=[2, 0, 1])
    assert _kl(p, permuted).value == _kl(p, q).value
    assert _kl(p.to_dataset(), permuted.to_dataset()).value == _kl(p, q).value
    tree = xr.DataTree.from_dict({"posterior": permuted.to_dataset()})
    assert _kl(p.to_dataset(), tree).value == _kl(p, q).value
    xr.testing.assert_equal(_kl(p, permuted, event_dims=[]).value, _kl(p, q, event_dims=[]).value)


def test_dims_are_paired_whatever_their_order():
    p, q = (_draws(s).expand_dims(j=[0, 1], axis=2) * xr.DataArray([1.0, 1.1], dims="j") for s in (1, 2))
    q = q + xr.DataArray(np.random.default_rng(3).normal(size=(4, 200, 2, 3)), dims=("chain", "draw", "j", "k"))
    p = p + xr.DataArray(np.random.default_rng(4).normal(size=(4, 200, 2, 3)), dims=("chain", "draw", "j", "k"))
    assert _kl(p, q.transpose("k", "chain", "j", "draw")).value == _kl(p, q).value
    swapped = q.transpose("chain", "draw", "k", "j").to_dataset(name="theta")
    assert _kl(p.to_dataset(name="theta"), swapped).value == _kl(p, q).value


def test_labels_that_differ_are_named():
    p, q = _draws(1), _draws(2)
    for side in (lambda v: v, lambda v: v.to_dataset()):
        with pytest.raises(ValueError, match=r"'k' differ \(a, b in p alone; x, y in q alone\)"):
            _kl(side(p), side(q.assign_coords(k=["x", "c", "y"])))
        with pytest.raises(ValueError, match=r"'k' differ \(b in p alone\); select"):
            _kl(side(p), side(q.isel(k=[0, 2])))


def test_without_labels_draws_are_paired_by_position():
    p, q = _draws(1), _draws(2)
    assert _kl(p, q.drop_vars("k")).value == _kl(p, q).value == _kl(p.drop_vars("k"), q.drop_vars("k")).value


def test_variables_are_paired_by_name():
    p, q = (xr.Dataset({"a": d.isel(k=0, drop=True), "b": d.isel(k=1, drop=True)}) for d in (_draws(1), _draws(2)))
    assert _kl(p, q[["b", "a"]]).value == _kl(p, q).value
    with pytest.raises(ValueError, match=r"variables differ \(b in p alone; c in q alone\); name those"):
        _kl(p, q.rename(b="c"))
    assert _kl(p, q.rename(b="c"), var_names=["a"]).value == _kl(p["a"], q["a"]).value
    with pytest.raises(ValueError, match=r"var_names.*'b'"):
        _kl(p, q.rename(b="c"), var_names=["a", "b"])
