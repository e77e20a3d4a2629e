"""Posterior draws of angles, rotated so that summaries do not depend on where the circle is cut."""

from collections.abc import Sequence

import numpy as np
import xarray as xr


def in_one_turn(tree: xr.DataTree, names: Sequence[str]) -> xr.DataTree:
    """The tree with draws of some variables shifted to within half a turn of their mean direction; they may exceed pi.

    Parameters
    ----------
    tree
        With a ``posterior``.
    names
        Variables that are angles, in radians.

    Examples
    --------
    >>> draws = xr.DataArray([[3.1, -3.1]], dims=("chain", "draw"))
    >>> tree = in_one_turn(xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": draws})}), ["mu"])
    >>> tree["posterior/mu"].values.round(2).tolist()
    [[3.1, 3.18]]
    """
    if not names:
        return tree
    rotated = tree.copy()
    for name in names:
        draws = tree["posterior"][name]
        sine, cosine = (xr.apply_ufunc(f, draws).mean(["chain", "draw"]) for f in (np.sin, np.cos))
        centre = xr.apply_ufunc(np.arctan2, sine, cosine)
        rotated["posterior"][name] = draws - 2 * np.pi * np.round((draws - centre) / (2 * np.pi))
    return rotated
