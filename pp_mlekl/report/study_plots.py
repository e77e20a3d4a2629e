"""The figures of a study: how bias, error, coverage and divergence change with the number of observations."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from scipy import stats

from pp_mlekl.report.elements import MAX_PANELS, elements, literal
from pp_mlekl.report.figures import STYLE, Panel, panels
from pp_mlekl.report.labels import INTERVALS, counted_intervals
from pp_mlekl.report.style import styled
from pp_mlekl.typing import Array

# Labels of the axis of sizes: more would touch each other.
_MOST_TICKS = 5
# Points of a Q-Q plot: more do not show.
_QUANTILES = 60
_DOTS: dict[str, Any] = {"marker": "o", "markersize": 3, "linewidth": 1.2, "capsize": 2}

Draw = Callable[[Axes], None]


def study_figures(tree: xr.DataTree) -> dict[str, list[Panel]]:
    """The panels of each figure that the study has data for, by title."""
    makers = {
        "Bias": _of_parameters(tree, "bias", "bias", 0.0),
        "Root mean squared error": _of_parameters(tree, "rmse", "RMSE", None),
        "Coverage": _coverage(tree),
        "Excess divergence": _excess(tree),
        "Estimates against the limit law": _quantiles(tree),
        "Data sets without a regular maximum": _missing(tree),
    }
    figures = {title: list(draws) for title, draws in makers.items()}
    return {title: _panels(title, draws) for title, draws in figures.items() if draws}


def mle_intervals(summary: xr.Dataset) -> list[str]:
    """The kinds of intervals of the maximum likelihood estimate whose coverage was counted."""
    return [kind for kind in counted_intervals(summary) if kind != "credible"]


def standardised_errors(tree: xr.DataTree) -> Iterator[tuple[str, Array]]:
    """Errors of the first estimator at the largest size over their standard deviation, by parameter.

    Angles differ by the shorter arc. Parameters whose estimates do not vary are left out.
    """
    replicates, pseudo_true = tree.children["replicates"].to_dataset(), tree.children["pseudo_true"].to_dataset()
    circular = json.loads(pseudo_true.attrs.get("circular", "[]"))
    largest = replicates.isel(size=-1, estimator=0)
    exists = largest["exists"].values
    for name, target in pseudo_true.data_vars.items():
        if name not in replicates or set(target.dims) - set(replicates[name].dims):
            continue
        values = largest[name].transpose("replicate", ...).values.reshape(exists.size, -1)[exists]
        errors = values - target.values.ravel()
        if name in circular:
            errors = np.angle(np.exp(1j * errors))
        for label, column in zip(elements(pseudo_true[[name]], for_tree=False), errors.T, strict=True):
            if len(column) > 1 and column.std() > 0:
                yield label, column / column.std(ddof=1)


def _panels(title: str, draws: list[Draw]) -> list[Panel]:
    with styled(STYLE | {"figure.constrained_layout.use": True}):
        figure = Figure(figsize=(3.3 * len(draws), 2.6))
        axes = figure.subplots(1, len(draws), squeeze=False)[0]
        for axis, draw in zip(axes, draws, strict=True):
            draw(axis)
        figure.draw_without_rendering()
        return panels(figure, title.lower().replace(" ", "-"), title)


def _parameters(tree: xr.DataTree) -> list[str]:
    return [str(name) for name in tree.children["summary"].to_dataset()["parameter"].values[:MAX_PANELS]]


def _of_parameters(tree: xr.DataTree, what: str, label: str, line: float | None) -> Iterator[Draw]:
    """A panel for each parameter: a quantity with its error against n, a line for each estimator."""
    summary = tree.children["summary"].to_dataset()
    for name in _parameters(tree):
        one = summary.sel(parameter=name)

        def draw(axis: Axes, one: xr.Dataset = one, name: str = name) -> None:
            for estimator in summary["estimator"].values:
                row = one.sel(estimator=estimator)
                axis.errorbar(summary["size"], row[what], 2 * row[f"{what}_mcse"], label=str(estimator), **_DOTS)
            if line is not None:
                axis.axhline(line, color="0.6", linewidth=0.8)
            elif np.all(one[what] > 0):
                axis.set_yscale("log")
            _over_sizes(axis, summary["size"].values, name, label)

        yield draw


def _coverage(tree: xr.DataTree) -> Iterator[Draw]:
    """A panel for each parameter: coverage of the MLE's intervals against n, a line for each kind."""
    summary, prob = tree.children["summary"].to_dataset(), float(tree.attrs["ci_prob"])
    kinds = mle_intervals(summary)
    if not kinds or "mle" not in summary["estimator"]:
        return
    count = summary["exists"].sel(estimator="mle") * tree.attrs["n_replicates"]
    for name in _parameters(tree):
        one = summary.sel(parameter=name, estimator="mle")

        def draw(axis: Axes, one: xr.Dataset = one, name: str = name) -> None:
            for kind in kinds:
                share = one[f"coverage_{kind}"].values
                limits = np.array([_wilson(*pair) for pair in zip(share, count.values, strict=True)]).T
                axis.errorbar(summary["size"], share, np.abs(limits - share), label=INTERVALS[kind][0], **_DOTS)
            axis.axhline(prob, color="0.6", linewidth=0.8)
            _over_sizes(axis, summary["size"].values, name, "coverage")

        yield draw


def _wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's 95% interval of a probability, which stays between 0 and 1; NaN without a share."""
    if not np.isfinite(share) or count < 1:
        return np.nan, np.nan
    interval = stats.binomtest(round(share * count), round(count)).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _excess(tree: xr.DataTree) -> Iterator[Draw]:
    summary = tree.children["summary"].to_dataset()
    if "excess" not in summary:
        return

    def draw(axis: Axes) -> None:
        size = summary["size"]
        for estimator in summary["estimator"].values:
            row = summary.sel(estimator=estimator)
            axis.errorbar(size, size * row["excess"], 2 * size * row["kl_mcse"], label=str(estimator), **_DOTS)
        axis.axhline(tree.children["pseudo_true"]["trace"].item() / 2, color="0.6", linewidth=0.8)
        _over_sizes(axis, summary["size"].values, "", "n × excess KL, nats")

    yield draw


def _quantiles(tree: xr.DataTree) -> Iterator[Draw]:
    """A panel for each parameter: standardised errors of the largest size against the standard normal."""
    for name, scores in islice(standardised_errors(tree), MAX_PANELS):
        yield _quantile_panel(name, scores)


def _quantile_panel(name: str, scores: Array) -> Draw:
    levels = (np.arange(_QUANTILES) + 0.5) / _QUANTILES

    def draw(axis: Axes) -> None:
        normal = stats.norm.ppf(levels)
        axis.plot(normal, normal, color="0.6", linewidth=0.8)
        axis.plot(normal, np.quantile(scores, levels), ".", markersize=3)
        axis.set(title=literal(name), xlabel="normal quantile", ylabel="(estimate − limit) / sd")

    return draw


def _missing(tree: xr.DataTree) -> Iterator[Draw]:
    summary = tree.children["summary"].to_dataset()
    if bool((summary["exists"] == 1).all()):
        return

    def draw(axis: Axes) -> None:
        for estimator in summary["estimator"].values:
            axis.plot(summary["size"], 1 - summary["exists"].sel(estimator=estimator), "o-", markersize=3)
        _over_sizes(axis, summary["size"].values, "", "share of data sets")

    yield draw


def _over_sizes(axis: Axes, sizes: Array, title: str, label: str) -> None:
    """Finish a panel over the number of observations: ticks at the sizes, as plain numbers."""
    axis.set_xscale("log")
    shown = sizes[np.unique(np.linspace(0, len(sizes) - 1, min(len(sizes), _MOST_TICKS)).round().astype(int))]
    axis.set_xticks(shown, [f"{int(n)}" for n in shown])
    axis.set_xticks([], minor=True)
    if axis.get_yscale() == "log":
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    axis.set(title=literal(title), xlabel="n", ylabel=label)
