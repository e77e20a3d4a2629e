"""Scalar elements of variables, and the selection shown in plots."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from pp_mlekl.typing import Array

# Maximum number of panels and of variables in a pair plot.
MAX_PANELS = 12
_MAX_IN_PAIRS = 4
# Counts with a larger range are plotted as continuous data.
_LARGEST_COUNT = 200


def elements(draws: xr.Dataset, *, for_tree: bool = True) -> dict[str, xr.DataArray]:
    """Each element of each variable as an array over chain and draw, named as in the tables.

    With ``for_tree`` a slash in a label is replaced, since the names in a tree may not contain one.
    """
    found = {}
    for name, array in draws.data_vars.items():
        dims = [d for d in array.dims if d not in ("chain", "draw")]
        for index in np.ndindex(*(array.sizes[d] for d in dims)):
            one = array.isel(dict(zip(dims, index, strict=True)))
            labels = ", ".join(
                str(one[d].values) if d in one.coords else str(i) for d, i in zip(dims, index, strict=True)
            )
            element = f"{name}[{labels}]" if dims else str(name)
            found[element.replace("/", "\N{DIVISION SLASH}") if for_tree and dims else element] = one.reset_coords(
                drop=True
            )
    return found


def literal(name: str) -> str:
    """A name for matplotlib, with dollar signs escaped so that it is not read as a formula."""
    return name.replace("$", r"\$")


def shown_elements(draws: xr.Dataset) -> xr.Dataset:
    """Up to ``MAX_PANELS`` elements: the first of each variable, then the second of each, in their original order."""
    by_variable = [list(elements(draws[[name]])) for name in draws.data_vars]
    rounds = max(len(names) for names in by_variable)
    turns = [names[turn] for turn in range(rounds) for names in by_variable if turn < len(names)]
    chosen = set(turns[:MAX_PANELS])
    return xr.Dataset({name: one for name, one in elements(draws).items() if name in chosen})


def most_dependent(found: dict[str, xr.DataArray], first: Sequence[str] = ()) -> list[str]:
    """The elements of the pairs with the strongest rank correlation of values or of absolute deviations from the median.

    The deviations reveal a funnel, in which one parameter determines the spread of another.
    """
    names = list(found)
    values = np.stack([found[n].values.ravel() for n in names])
    spread = np.abs(values - np.median(values, axis=1, keepdims=True))
    ranks = stats.rankdata(np.concatenate([values, spread]), axis=1)
    with np.errstate(invalid="ignore"):
        strength = np.nan_to_num(np.abs(np.corrcoef(ranks)))
    n = len(names)
    strength = np.maximum.reduce([strength[:n, :n], strength[n:, :n], strength[:n, n:]])
    np.fill_diagonal(strength, 0.0)
    chosen = [names.index(name) for name in first][: _MAX_IN_PAIRS - 1]
    for place in np.argsort(-np.triu(strength), axis=None, kind="stable"):
        chosen += [i for i in map(int, np.unravel_index(place, strength.shape)) if i not in chosen]
        if len(chosen) >= min(_MAX_IN_PAIRS, n):
            break
    return [names[i] for i in sorted(chosen[:_MAX_IN_PAIRS])]


def kind_of(values: Array) -> str:
    """The kind of data for predictive plots: ``real``, ``count`` or ``binary``.

    Examples
    --------
    >>> kind_of(np.array([0.5, 1.0])), kind_of(np.array([[0, 3], [2, 1]])), kind_of(np.array(1))
    ('real', 'count', 'binary')
    """
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        return "real"
    if set(np.unique(values)) <= {0, 1}:
        return "binary"
    return "count" if values.min() >= 0 and values.dtype.kind in "iu" and np.ptp(values) <= _LARGEST_COUNT else "real"


def categorical(variables: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the variables whose values are categories.

    Examples
    --------
    >>> categorical([{"name": "y", "distribution": "Categorical(p=p)"}, {"name": "n", "distribution": "Poisson(mu)"}])
    ['y']
    """
    return [v["name"] for v in variables if v["distribution"].startswith("Categorical")]


def in_one_row(tree: xr.DataTree, names: Sequence[str]) -> xr.DataTree:
    """Observed variables and their posterior predictive draws, each flattened to a single dimension.

    Parameters
    ----------
    tree
        With ``observed_data`` and ``posterior_predictive``.
    names
        Observed variables of any shape; a scalar becomes one observation.

    Examples
    --------
    >>> observed = xr.Dataset({"y": (("row", "column"), np.ones((4, 5)))})
    >>> drawn = xr.Dataset({"y": (("chain", "draw", "row", "column"), np.ones((2, 10, 4, 5)))})
    >>> flat = in_one_row(xr.DataTree.from_dict({"observed_data": observed, "posterior_predictive": drawn}), ["y"])
    >>> dict(flat["posterior_predictive/y"].sizes)
    {'chain': 2, 'draw': 10, 'y_number': 20}
    """
    data_of, draws_of = tree["observed_data"].to_dataset(), tree["posterior_predictive"].to_dataset()
    observed, drawn = {}, {}
    for name in names:
        row, data = f"{name}_number", data_of[name]
        draws = draws_of[name].transpose("chain", "draw", *data.dims)
        observed[name] = (row, data.values.ravel())
        drawn[name] = (("chain", "draw", row), draws.values.reshape(*draws.shape[:2], -1))
    return xr.DataTree.from_dict({"observed_data": xr.Dataset(observed), "posterior_predictive": xr.Dataset(drawn)})
