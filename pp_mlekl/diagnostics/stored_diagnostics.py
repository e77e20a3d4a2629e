"""Diagnostics as groups of a tree, for trees that are stored without the draws they were computed from."""

import json
from dataclasses import asdict

import pandas as pd
import xarray as xr

from pp_mlekl.diagnostics.diagnose import Diagnostics
from pp_mlekl.diagnostics.findings import Finding

_TABLES = ("summary", "loo", "checks", "sensitivity")


def diagnostics_tree(found: Diagnostics) -> xr.DataTree:
    """A group for each table, its rows along the dimension ``row``, and the findings as an attribute."""
    groups = {"/": xr.Dataset(attrs={"findings": json.dumps([asdict(f) for f in found.findings])})}
    for name in _TABLES:
        table: pd.DataFrame = getattr(found, name)
        columns = {str(key): ("row", column.to_numpy()) for key, column in table.items() if len(table)}
        labels = {"row": list(table.index)} if len(table) else {}
        groups[name] = xr.Dataset(columns, coords=labels, attrs={"columns": json.dumps([*map(str, table.columns)])})
    return xr.DataTree.from_dict(groups)


def read_diagnostics(tree: xr.DataTree) -> Diagnostics:
    """The diagnostics from which ``diagnostics_tree`` made a tree."""
    tables = {}
    for name in _TABLES:
        group = tree[name].to_dataset()
        columns = json.loads(group.attrs["columns"])
        rows = {key: group[key].values for key in columns if key in group}
        tables[name] = pd.DataFrame(rows, columns=columns, index=list(group["row"].values) if rows else None)
    findings = tuple(Finding(**one) for one in json.loads(tree.attrs["findings"]))
    return Diagnostics(**tables, findings=findings)
