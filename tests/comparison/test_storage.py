"""What a file must hold to be a comparison: each part left out in turn."""

import json

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.comparison.storage import load_tree, save_tree

VARIABLE = {"name": "mu", "kind": "free", "distribution": "Normal(0, 1)", "dims": [], "size": 1, "parents": []}


def whole():
    """A smallest tree that is one."""
    estimators = {"estimator": ["mle", "map", "map_unconstrained"]}
    numbers = xr.Dataset({"mu": ("estimator", np.arange(3.0))}, coords=estimators)
    audit = xr.Dataset({"status": ("estimator", ["converged"] * 3)}, coords=estimators)
    audit.attrs["warnings"] = json.dumps({name: [] for name in estimators["estimator"]})
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"mu": (("chain", "draw"), np.zeros((2, 3)))}),
            "point_estimate": numbers,
            "point_estimate_se": numbers,
            "audit": audit,
            "information_gain": xr.Dataset(),
            "fitted": xr.Dataset(coords={"estimator": ["mle"]}),
        }
    )
    tree.attrs.update(
        model_name="n",
        truth="unknown",
        units="nats",
        n_observations=3,
        n_parameters=1,
        variables=json.dumps([VARIABLE]),
    )
    return tree


def without_variable(tree, group):
    tree[group] = xr.DataTree(tree[group].to_dataset().drop_vars("mu"))


def with_attribute(tree, group, name, value):
    tree[group] = xr.DataTree(tree[group].to_dataset().assign_attrs({name: value}))


DAMAGES = {
    **{
        f"no {g}": lambda t, g=g: t.__delitem__(g)
        for g in ("posterior", "point_estimate", "point_estimate_se", "fitted")
    },
    **{
        f"no {a}": lambda t, a=a: t.attrs.pop(a)
        for a in ("model_name", "truth", "units", "n_observations", "n_parameters")
    },
    "text for a number": lambda t: t.attrs.update(n_observations="3"),
    "no variables": lambda t: t.attrs.pop("variables"),
    "no list of variables": lambda t: t.attrs.update(variables="[]"),
    "a variable without a kind": lambda t: t.attrs.update(
        variables=json.dumps([{k: v for k, v in VARIABLE.items() if k != "kind"}])
    ),
    "definitions that are no list": lambda t: t.attrs.update(definitions="{}"),
    "a definition without a text": lambda t: t.attrs.update(definitions=json.dumps([{"name": "a", "kind": "b"}])),
    "warnings that are no texts": lambda t: with_attribute(t, "audit", "warnings", '{"mle": [1]}'),
    "no warnings": lambda t: with_attribute(t, "audit", "warnings", "not JSON"),
    "other estimators": lambda t: t.__setitem__(
        "audit", xr.DataTree(t["audit"].to_dataset().isel(estimator=[1, 0, 2]))
    ),
    "wrong warnings of fits": lambda t: with_attribute(t, "fitted", "warnings", "[1]"),
    **{
        f"no mu in {g}": lambda t, g=g: without_variable(t, g)
        for g in ("posterior", "point_estimate", "point_estimate_se")
    },
}


def test_a_whole_tree_comes_back(tmp_path):
    save_tree(whole(), tmp_path / "c.nc")
    assert load_tree(tmp_path / "c.nc").identical(whole())


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_incomplete_tree_is_refused(tmp_path, damage):
    tree = whole()
    DAMAGES[damage](tree)
    save_tree(tree, tmp_path / "c.nc")
    with pytest.raises(ValueError, match=r"c\.nc is not a complete comparison"):
        load_tree(tmp_path / "c.nc")
