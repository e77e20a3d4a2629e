"""Checks that samplers, tables and files keep names of variables and dims, and labels, unchanged."""

import re
from typing import Any

import pandas as pd
import pymc as pm

# Kinds of labels, by pandas' names, that NetCDF, Zarr and samplers can hold.
_KINDS = {
    "string",
    "integer",
    "floating",
    "boolean",
    "datetime64",
    "datetime",
    "timedelta64",
    "timedelta",
    "categorical",
}
# In characters: names become parts of paths, labels parts of names in tables.
_LONGEST = 200
# Names that results use themselves.
_TAKEN_DIMS = ("chain", "draw", "sample", "estimator", "variable")
_TAKEN_NAMES = ("chain", "draw", "estimator")
_WRONG = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]")


def check_labels(model: pm.Model) -> None:
    """Raise ValueError where a name or a label would be lost or changed in a result or a file.

    Parameters
    ----------
    model
        A PyMC model.
    """
    dims = {str(dim) for names in model.named_vars_to_dims.values() for dim in names or () if dim is not None}
    for name in model.named_vars:
        _check_name(name, "variable", _TAKEN_NAMES)
    for dim in sorted(dims | set(model.coords)):
        _check_name(dim, "dim", _TAKEN_DIMS)
    for dim, labels in model.coords.items():
        if labels is not None:
            _check(dim, labels)
    for rv in model.free_RVs:
        for dim in model.named_vars_to_dims.get(rv.name) or ():
            _check_distinct(rv.name, dim, model.coords.get(dim))


def _check_name(name: str, what: str, taken: tuple[str, ...]) -> None:
    if name in taken:
        raise ValueError(f"The {what} {name!r} has the name of a dim of the results; call it otherwise.")
    if name.strip() in ("", ".", "..") or len(name) > _LONGEST or _WRONG.search(name):
        raise ValueError(
            f"{name[:40]!a} cannot be the name of a {what}: give at most {_LONGEST} characters, without slashes, "
            "backslashes and control characters."
        )


def _check(dim: str, labels: tuple[Any, ...]) -> None:
    remedy = f"give text or numbers, such as [str(label) for label in {dim}]"
    if any(isinstance(label, tuple | list) for label in labels):
        raise ValueError(f"The labels of {dim!r} are tuples, as of a MultiIndex; {remedy}.")
    wrong = [v for v in labels if isinstance(v, str) and (len(v) > _LONGEST or re.search(r"[\x00\ud800-\udfff]", v))]
    if wrong:
        raise ValueError(
            f"{wrong[0][:40]!a} cannot be a label of {dim!r}: give at most {_LONGEST} characters of Unicode text."
        )
    index = pd.Index(list(labels))
    kind = pd.api.types.infer_dtype(index, skipna=False)
    if isinstance(index.dtype, pd.DatetimeTZDtype):
        raise ValueError(f"The labels of {dim!r} have a time zone; give tz_convert('UTC').tz_localize(None) of them.")
    if index.hasnans:
        raise ValueError(f"A label of {dim!r} is missing; {remedy}.")
    if len(index) and (kind not in _KINDS or (index.dtype == object and kind != "string")):
        raise ValueError(f"The labels of {dim!r} are of kind {kind}; {remedy}.")


def _check_distinct(name: str, dim: str | None, labels: tuple[Any, ...] | None) -> None:
    if labels is None:
        return
    index = pd.Index(list(labels))
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise ValueError(f"Elements of {name!r} have the same label {twice!r} along {dim!r}; give each its own.")
