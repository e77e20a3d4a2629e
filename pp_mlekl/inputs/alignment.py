"""Alignment of two sets of labelled draws: one order of variables, dims and labels."""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from pp_mlekl.inputs.draws import DRAW_DIMS, opened

# A message lists at most this number of names.
_MOST_NAMED = 3


def aligned(p: Any, q: Any, var_names: Sequence[str] | None = None) -> tuple[Any, Any]:
    """Draws of two sides, with ``q`` in the order of p's variables, dims and labels if both have them.

    Parameters
    ----------
    p, q
        Any input. Only pairs of DataArrays and pairs of Datasets or DataTrees are aligned; everything else is returned
        as it is. Dims without labels on one side keep their order.
    var_names
        The variables of Datasets to compare; all by default.

    Raises
    ------
    ValueError
        If the variables or the labels of a dim differ between the sides.

    Examples
    --------
    >>> p = xr.DataArray([[1.0, 2.0]], dims=("draw", "k"), coords={"k": ["a", "b"]})
    >>> aligned(p, p.isel(k=[1, 0]))[1].values.tolist()
    [[1.0, 2.0]]
    """
    p, q = opened(p), opened(q)
    if isinstance(p, xr.Dataset) and isinstance(q, xr.Dataset):
        return p, _variables_of(p, q, var_names)
    if isinstance(p, xr.DataArray) and isinstance(q, xr.DataArray):
        return p, _with_dims_of(p, _with_labels_of(p, q))
    return p, q


def _variables_of(p: xr.Dataset, q: xr.Dataset, var_names: Sequence[str] | None) -> xr.Dataset:
    if var_names is None:
        _check_same(
            list(p.data_vars), list(q.data_vars), "The variables", "name those in both by var_names, or rename them"
        )
    names = list(p.data_vars if var_names is None else var_names)
    if not all(n in p and n in q for n in names):
        # ``read_draws`` raises the error that names the missing variables.
        return q
    q = _with_labels_of(p[names], q[names])
    return q.assign({n: _with_dims_of(p[n], q[n]) for n in names})


def _with_labels_of(p: Any, q: Any) -> Any:
    for dim in q.dims:
        if dim in DRAW_DIMS or dim not in p.indexes or dim not in q.indexes:
            continue
        ours, theirs = p.indexes[dim], q.indexes[dim]
        if ours.equals(theirs):
            continue
        what = f"The labels of dim {dim!r}"
        _check_same(list(ours), list(theirs), what, "select those in both, or drop the coordinate to go by position")
        if not (ours.is_unique and theirs.is_unique):
            raise ValueError(f"{what} are not unique and in another order in p than in q; make them unique.")
        q = q.isel({dim: theirs.get_indexer(ours)})
    return q


def _with_dims_of(p: xr.DataArray, q: xr.DataArray) -> xr.DataArray:
    ours, theirs = ([d for d in side.dims if d not in DRAW_DIMS] for side in (p, q))
    return q.transpose(..., *ours) if ours != theirs and set(ours) == set(theirs) else q


def _check_same(ours: list[Any], theirs: list[Any], what: str, remedy: str) -> None:
    alone = {"p": [n for n in ours if n not in set(theirs)], "q": [n for n in theirs if n not in set(ours)]}
    if not any(alone.values()):
        return
    parts = [
        f"{', '.join(map(str, names[:_MOST_NAMED]))}{', ...' if len(names) > _MOST_NAMED else ''} in {side} alone"
        for side, names in alone.items()
        if names
    ]
    raise ValueError(f"{what} differ ({'; '.join(parts)}); {remedy}.")
