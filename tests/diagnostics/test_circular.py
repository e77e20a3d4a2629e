"""Draws of angles are rotated; whatever else the tree holds stays as it is."""

import numpy as np
import xarray as xr

from pp_mlekl.diagnostics.circular import in_one_turn


def test_every_other_group_stays_and_the_tree_given_is_unchanged():
    draws = np.array([[3.1, -3.1], [3.0, -3.0]])
    posterior = xr.Dataset({"angle": (("chain", "draw"), draws), "mu": (("chain", "draw"), draws)})
    loo = xr.Dataset({"elpd_i": ("row", [-1.0, -2.0])}, attrs={"repaired": 1})
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"seed": 1}), "posterior": posterior, "loo/y": loo})
    rotated = in_one_turn(tree, ["angle"])
    np.testing.assert_allclose(rotated["posterior/angle"], np.where(draws < 0, draws + 2 * np.pi, draws))
    assert rotated["posterior/mu"].identical(tree["posterior/mu"])
    assert rotated["loo/y"].identical(tree["loo/y"])
    assert rotated.attrs == tree.attrs
    np.testing.assert_array_equal(tree["posterior/angle"], draws)
