"""Write comparisons to files, and read files that ``Comparison.save`` has written."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import xarray as xr

from pp_mlekl.utils.files import AnyPath
from pp_mlekl.utils.tree_storage import check_tree_target, read_tree, write_tree
from pp_mlekl.utils.warning_attributes import read_warnings

_CONTENT = "comparison"
_ESTIMATORS = ["mle", "map", "map_unconstrained"]
_GROUPS = {"posterior", "point_estimate", "point_estimate_se", "audit", "information_gain", "fitted"}
_ATTRIBUTES = {"model_name": str, "truth": str, "units": str, "n_observations": int, "n_parameters": int}
_DEFINITION = {"name": str, "kind": str, "distribution": str}
_VARIABLE = {"name": str, "kind": str, "distribution": str, "dims": list, "size": int, "parents": list}


def load_tree(path: AnyPath) -> xr.DataTree:
    """Read the tree of a comparison that ``save_tree`` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds no comparison, is damaged, or contains links, references to other files, compiled filters or
        objects.
    """
    tree = read_tree(path, _CONTENT)
    if missing := next(_missing(tree), ""):
        raise ValueError(f"{path} is not a complete comparison: {missing}. Write it with Comparison.save.")
    return tree


def save_tree(tree: xr.DataTree, path: AnyPath) -> None:
    """Write a comparison's tree to NetCDF, or to Zarr if the path ends in ``.zarr``."""
    write_tree(tree, path, _CONTENT)


def check_saving(path: AnyPath) -> None:
    """Raise as ``save_tree`` would, before anything is computed."""
    check_tree_target(path, _CONTENT)


def _missing(tree: xr.DataTree) -> Iterator[str]:
    """What the tree lacks, one short sentence each."""
    for group in _GROUPS - set(tree.children):
        yield f"there is no group {group!r}"
    for name, kind in _ATTRIBUTES.items():
        if not isinstance(tree.attrs.get(name), kind):
            yield f"its attribute {name!r} is missing"
    audit = tree["audit"].to_dataset()
    if "status" not in audit or audit.get("estimator", xr.DataArray([])).values.tolist() != _ESTIMATORS:
        yield "its group 'audit' has no status for each estimate"
    variables = _from_json(tree.attrs.get("variables"), list)
    definitions = _from_json(tree.attrs.get("definitions", "[]"), list)
    if not variables or not _are_entries(variables, _VARIABLE) or not _are_entries(definitions, _DEFINITION):
        yield "its attributes 'variables' and 'definitions' are no lists of variables"
    if not _is_text_by_name(_from_json(audit.attrs.get("warnings"), dict)):
        yield "its group 'audit' has no warnings for each estimate"
    for group in [g for g in ("fitted", "information_gain") if not _has_warnings(tree[g].attrs)]:
        yield f"its group {group!r} has warnings that are no list of texts"
    for name in [v["name"] for v in variables or () if v["kind"] == "free"]:
        if not all(name in tree[group] for group in ("posterior", "point_estimate", "point_estimate_se")):
            yield f"the variable {name!r} has no draws or no estimate"


def _has_warnings(attributes: dict[Any, Any]) -> bool:
    try:
        return all(isinstance(text, str) for text in read_warnings(attributes))
    except (TypeError, ValueError, RecursionError):
        return False


def _from_json(text: Any, kind: type) -> Any:
    """The object in a JSON text; None if it is not of the given type."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return found if isinstance(found, kind) else None


def _are_entries(entries: Any, kinds: Mapping[str, type]) -> bool:
    return entries is not None and all(
        isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())
        for entry in entries
    )


def _is_text_by_name(entry: Any) -> bool:
    return entry is not None and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in entry.values()
    )
