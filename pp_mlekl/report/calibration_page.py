"""The page of a calibration, and its plot."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from arviz_stats.ecdf_utils import compute_ecdf, ecdf_pit
from matplotlib.figure import Figure

from pp_mlekl.report.elements import MAX_PANELS, literal
from pp_mlekl.report.figures import STYLE, panels
from pp_mlekl.report.labels import fit_name
from pp_mlekl.report.page import Picture
from pp_mlekl.report.protocols import CalibrationLike
from pp_mlekl.report.style import styled
from pp_mlekl.report.tables import Table, table_of
from pp_mlekl.typing import Array
from pp_mlekl.utils.files import AnyPath, write_text
from pp_mlekl.utils.html import template
from pp_mlekl.utils.p_values import p_value

_SIMULATIONS = 1000
_CAPTION = (
    "Difference between the distribution function of the ranks and that of the uniform distribution, and where it stays in all "
    "places with the probability {:g}. A bulge up on the left and down on the right: the draws are too narrow; the reverse: too "
    "wide; up everywhere: the draws lie too high."
)


def plot_ranks(calibration: CalibrationLike, method: str, var_names: Sequence[str] | None = None) -> Figure:
    """The ranks' distribution functions less the uniform one, with simultaneous limits (see ``Calibration.plot_ecdf``)."""
    ranks = calibration.simulations["rank"].sel({"method": method})
    names = [str(q) for q in ranks["quantity"].values] if var_names is None else list(var_names)
    arrays = {n: ranks.sel({"quantity": n}).dropna("simulation").values for n in names}
    shown = {n: values for n, values in arrays.items() if len(values) > 1}
    if not shown:
        raise ValueError(f"The method {method!r} has no ranks to plot; choose another of {calibration.methods}.")
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    limits = {count: _limits(count, calibration.level) for count in {len(values) for values in shown.values()}}
    with styled(STYLE | {"figure.constrained_layout.use": True}):
        figure = Figure(figsize=(2.8 * columns, 2.3 * rows))
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axis, (name, values) in zip(axes, shown.items(), strict=False):
            points, lower, upper = limits[len(values)]
            axis.fill_between(points, lower - points, upper - points, step="post", alpha=0.25, linewidth=0)
            axis.step(points, compute_ecdf(values, points) - points, where="post", linewidth=1.2)
            axis.set(title=literal(name), xlabel="rank", ylabel="Δ ECDF")
            # On a page each panel stands alone.
            axis.tick_params(labelleft=True)
        for axis in axes[len(shown) :]:
            axis.set_visible(False)
        figure.draw_without_rendering()
    return figure


def _limits(count: int, level: float) -> tuple[Array, Array, Array]:
    """Points, and where the distribution function of uniform ranks is at all of them with probability 1 - level."""
    uniform = (np.arange(count) + 0.5) / count
    points, _, lower, upper = ecdf_pit(uniform, 1 - level, _SIMULATIONS, rng=np.random.default_rng(1))
    return points, lower, upper


def write_calibration(calibration: CalibrationLike, path: AnyPath, name: str = "Calibration") -> Path:
    """Write the page atomically."""
    text = template("calibration.html").render(
        c=calibration,
        name=name,
        findings=calibration.findings(),
        sentences=calibration.sentences(),
        coverage=coverage_table(calibration),
        figures=[_picture(calibration, method) for method in calibration.methods],
        statuses=_statuses(calibration),
    )
    return write_text(path, text)


def coverage_table(calibration: CalibrationLike) -> Table:
    """A row for each method and quantity."""
    levels = [c.removeprefix("covered ") for c in calibration.table.columns if c.startswith("covered ")]
    rows = []
    for key, row in calibration.table.iterrows():
        method, quantity = key
        cells = [f"{row[f'covered {p}']:.3f} ({row[f'low {p}']:.3f}\N{EN DASH}{row[f'high {p}']:.3f})" for p in levels]
        cells.append(p_value(row["p_value"]).removeprefix("p ").removeprefix("= "))
        if np.isnan(row["p_value"]):
            cells = ["\N{EN DASH}"] * len(cells)
        rows.append([str(quantity), fit_name(str(method)), *cells, str(row["verdict"])])
    return table_of(["quantity", "method", *levels, "p", "verdict"], rows, "method", "verdict")


def _statuses(calibration: CalibrationLike) -> Table:
    counts = calibration.statuses
    rows = [
        [fit_name(str(method)), *(str(n) for n in row)]
        for method, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    return table_of(["method", *(str(c).replace("_", " ") for c in counts.columns)], rows)


def _picture(calibration: CalibrationLike, method: str) -> Picture:
    title = f"Ranks by {fit_name(method)}"
    ranks = set(calibration.simulations["quantity"].values)
    # The least uniform ones where there is no room for all.
    table = calibration.table.loc[method].dropna(subset="p_value").sort_values("p_value")
    names = [str(q) for q in table.index if q in ranks][:MAX_PANELS]
    if not names:
        return Picture(title=title, caption="", missing="There are no ranks.")
    with styled(STYLE):
        found = panels(plot_ranks(calibration, method, names), f"ranks-{method}", title)
    return Picture(title=title, caption=_CAPTION.format(1 - calibration.level), panels=tuple(found))
