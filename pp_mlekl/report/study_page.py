"""The page of a study, and the index of a grid of studies."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.report.figures import colour_key
from pp_mlekl.report.formatting import number, with_error
from pp_mlekl.report.labels import INTERVALS, counted_intervals, fit_name
from pp_mlekl.report.page import Picture, write_index
from pp_mlekl.report.study_plots import mle_intervals, study_figures
from pp_mlekl.report.tables import Table, table_of
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.files import AnyPath, write_text
from pp_mlekl.utils.html import template

_CAPTIONS = {
    "Bias": "Mean error of the estimates, with two Monte Carlo standard errors.",
    "Root mean squared error": "With two Monte Carlo standard errors; both axes are logarithmic.",
    "Coverage": "Share of data sets whose interval holds the pseudo-true parameter, with Wilson's 95% interval, and the nominal share.",
    "Excess divergence": (
        "KL above the minimum, with two Monte Carlo standard errors. By theory it tends to trace(J⁻¹K)/2 (grey line): half "
        "the number of parameters where the model is right."
    ),
    "Estimates against the limit law": "Standardised errors at the largest n; on the line where the estimates are normal.",
    "Data sets without a regular maximum": "Their likelihood flattens towards infinity or the boundary, or its search did not end.",
}


def write_study_page(tree: xr.DataTree, path: AnyPath, name: str = "Simulation study") -> Path:
    """Write the page of a study atomically.

    Parameters
    ----------
    tree
        What ``study`` returned.
    path
        The file to write.
    name
        Its title.
    """
    return write_text(path, study_page(tree, name))


def study_page(tree: xr.DataTree, name: str = "Simulation study") -> str:
    """The page as a string."""
    attributes = tree.attrs
    sizes = ", ".join(str(int(n)) for n in tree.children["summary"].to_dataset()["size"].values)
    chips = [
        f"{counted(attributes['n_replicates'], 'data set')} of each size",
        f"n = {sizes}",
        f"seed {attributes['random_seed']}",
    ]
    summary = tree.children["summary"].to_dataset()
    kinds = counted_intervals(summary)
    estimators = colour_key([fit_name(str(name)) for name in summary["estimator"].values])
    keys = {"Coverage": colour_key([INTERVALS[kind][0] for kind in mle_intervals(summary)])}
    keys["Estimates against the limit law"] = ()
    figures = {
        title: Picture(title=title, caption=_CAPTIONS[title], panels=tuple(found), key=keys.get(title, estimators))
        for title, found in study_figures(tree).items()
    }
    prob = float(attributes["ci_prob"])
    return template("study.html").render(
        name=name,
        lead=f"Truth: {_truth(attributes['truth'])}",
        chips=chips,
        divergences=_divergences(tree),
        estimates=_estimates(tree),
        coverage=_coverage(tree),
        intervals=[INTERVALS[kind] for kind in kinds],
        percent=f"{100 * prob:g}%",
        chance=number(np.sqrt(prob * (1 - prob) / attributes["n_replicates"]), 1),
        figures=figures,
    )


def write_study_index(studies: Mapping[str, tuple[str, xr.DataTree]], path: AnyPath) -> Path:
    """Write an index of studies: name to the address of its page and its result."""
    entries = []
    for name, (address, tree) in studies.items():
        exists = tree.children["summary"]["exists"]
        missing = int((1 - exists).sum() * tree.attrs["n_replicates"])
        finding = (
            ("caution", f"{counted(missing, 'data set')} without a regular maximum")
            if missing
            else ("ok", "all fits exist")
        )
        shows = f"{counted(tree.attrs['n_replicates'], 'data set')} of each of {counted(exists.sizes['size'], 'size')}"
        entries.append({"href": address, "name": name, "shows": shows, "findings": [finding]})
    return write_index(entries, path)


def _rows(summary: xr.Dataset) -> list[tuple[list[str], xr.Dataset]]:
    return [
        ([fit_name(str(estimator)), str(int(size))], summary.sel(estimator=estimator, size=size))
        for estimator in summary["estimator"].values
        for size in summary["size"].values
    ]


def _divergences(tree: xr.DataTree) -> Table:
    summary = tree.children["summary"].to_dataset()
    with_kl = "kl" in summary
    statuses = [str(s) for s in summary["status"].values[1:]]
    header = ["estimator", "n", *(["mean KL", "theory"] if with_kl else []), *(s.replace("_", " ") for s in statuses)]
    rows = []
    for names, row in _rows(summary):
        kl = [with_error(row["kl"].item(), row["kl_mcse"].item()), number(row["kl_theory"].item())] if with_kl else []
        rows.append([*names, *kl, *(str(int(row["status_count"].sel(status=s))) for s in statuses)])
    return table_of(header, rows)


def _estimates(tree: xr.DataTree) -> Table:
    summary, rows = tree.children["summary"].to_dataset(), []
    for parameter in summary["parameter"].values:
        for names, one in _rows(summary.sel(parameter=parameter)):
            cells = [with_error(one[k].item(), one[f"{k}_mcse"].item()) for k in ("bias", "rmse")]
            rows.append([str(parameter), *names, *cells])
    return table_of(["parameter", "estimator", "n", "bias", "RMSE"], rows, "estimator")


def _coverage(tree: xr.DataTree) -> Table:
    summary = tree.children["summary"].to_dataset()
    kinds = counted_intervals(summary)
    rows: list[list[Any]] = []
    for parameter in summary["parameter"].values if kinds else []:
        for names, row in _rows(summary.sel(parameter=parameter)):
            shares = [row[f"coverage_{kind}"].item() for kind in kinds]
            cells = ["\N{EN DASH}" if np.isnan(share) else f"{share:.3f}" for share in shares]
            rows.append([str(parameter), *names, *cells])
    return table_of(["parameter", "estimator", "n", *(INTERVALS[kind][0] for kind in kinds)], rows, "estimator")


def _truth(text: str) -> str:
    """The attribute of a study as a sentence's end: a mapping without the marks of Python.

    Examples
    --------
    >>> _truth("{'mu': 1.0, 'theta': array([1., 2.])}"), _truth("Gamma(2, 1)")
    ('mu = 1.0, theta = [1, 2]', 'Gamma(2, 1)')
    """
    if not text.startswith("{"):
        return text
    plain = re.sub(r"array\((.*?)\)", r"\1", text[1:-1].replace("'", "").replace(": ", " = "), flags=re.DOTALL)
    # NumPy pads numbers and leaves the point at the end of whole ones.
    return re.sub(r"(?<=\d)\.(?=[,\s\]]|$)", "", re.sub(r"\s+(?=[\],])|(?<=\[)\s+", "", plain)).replace("-", "−")
