"""Estimates at a glance: a row for each parameter with its densities, estimates and KL gained."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from markupsafe import Markup, escape

from pp_mlekl.report.elements import elements
from pp_mlekl.report.formatting import estimate, interval, number, percent, rounded, with_error
from pp_mlekl.report.kernel_density import is_constant, kernel_density
from pp_mlekl.report.protocols import ComparisonLike
from pp_mlekl.typing import Array

# Rows with a picture, rows in all, and rows shown before the reader asks for the rest.
MAX_PICTURES, MAX_ROWS, FIRST_ROWS = 80, 400, 20
_WIDTH, _HEIGHT, _BASE, _TOP = 320, 60, 38, 3
_POINTS = 91
# Elements of a variable share an axis unless one would take less than this fraction of it.
_SMALLEST_FRACTION = 0.12
# The axis extends beyond the posterior by this fraction of its range, and to estimates up to twice its range away.
_MARGIN, _REACH = 0.15, 2.0
_R_HAT = 1.01


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: texts, numbers to sort by, the picture and the length of the bar."""

    name: str
    derived: bool
    picture: Markup
    texts: dict[str, str]
    keys: dict[str, float]
    bar: float = 0.0
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Glance:
    """All rows, the columns present, how many parameters there are, and the percentage of the intervals."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    total: int
    first: int
    exact_priors: bool
    percent: str
    marks: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class _Curves:
    """Densities of one element, (x, density); empty arrays where there are none."""

    posterior: tuple[Array, Array]
    prior: tuple[Array, Array]


def glance(comparison: ComparisonLike) -> Glance:
    """The rows of the parameters and derived quantities of a comparison."""
    table = pd.concat([comparison.summary(), _derived(comparison)])
    bounds = [c for c in table.columns if c.startswith(("eti", "hdi"))]
    posterior = elements(
        comparison.tree["posterior"].to_dataset()[comparison.free_names + comparison.derived_names], for_tree=False
    )
    curves = _curves(comparison, posterior)
    windows = _windows(table, posterior, bounds)
    largest = float(np.nanmax(table["KL"])) if "KL" in table and np.isfinite(table["KL"]).any() else np.nan
    rows = []
    for place, (name, row) in enumerate(table.iloc[:MAX_ROWS].iterrows()):
        picture = Markup("")
        if place < MAX_PICTURES and name in windows:
            picture = _picture(str(name), row, bounds, curves[str(name)], windows[str(name)])
        rows.append(_row(str(name), row, bounds, picture, largest, comparison))
    marginal = ["marginal_MLE"] if "marginal_MLE" in table else []
    columns = (
        ["MLE", *marginal, "MAP", "mean"] + (["truth"] if "truth" in table else []) + (["KL"] if "KL" in table else [])
    )
    marks = tuple(m for m in ("MLE", "marginal_MLE", "MAP", "truth") if m in table and np.isfinite(table[m]).any())
    exact = "prior_density" in comparison.tree.children
    return Glance(
        rows=tuple(rows),
        columns=tuple(columns),
        total=len(table),
        first=FIRST_ROWS,
        exact_priors=exact,
        percent=percent(bounds),
        marks=marks,
    )


def _derived(comparison: ComparisonLike) -> pd.DataFrame:
    """Rows of the derived quantities, with the columns of ``Comparison.summary``; no MAP and no KL."""
    names = comparison.derived_names
    if not names:
        return pd.DataFrame()
    table = comparison.derived_summary()
    return table.assign(derived=True)


def _row(
    name: str, row: pd.Series, bounds: Sequence[str], picture: Markup, largest: float, comparison: ComparisonLike
) -> Row:
    derived = row.get("derived") is True
    sd, statuses = row["sd"], comparison.statuses
    texts = {
        "MLE": estimate(row["MLE"], row["SE"], statuses["mle"], sd),
        "MAP": "not defined" if derived else estimate(row["MAP"], np.nan, statuses["map"], sd),
        "mean": rounded(row["mean"], sd),
        "interval": interval(row[bounds[0]], row[bounds[1]], sd),
        "truth": number(row["truth"], 4) if "truth" in row and np.isfinite(row["truth"]) else "",
        "KL": with_error(row["KL"], row["KL_mcse"]) if "KL" in row and np.isfinite(row["KL"]) else "",
    }
    if "marginal_MLE" in row:
        known = np.isfinite(row["marginal_MLE"])
        missing = "not defined" if derived else "integrated out"
        texts["marginal_MLE"] = with_error(row["marginal_MLE"], row["marginal_SE"]) if known else missing
    keys = {c: float(row[c]) for c in ("MLE", "marginal_MLE", "MAP", "mean", "truth", "KL") if c in row}
    bar = float(np.clip(row["KL"] / largest, 0, 1)) if texts["KL"] and largest > 0 else 0.0
    note = f"R-hat {row['r_hat']:.3f}" if row["r_hat"] > _R_HAT else ""
    return Row(name=name, derived=derived, picture=picture, texts=texts, keys=keys, bar=bar, note=note)


def _curves(comparison: ComparisonLike, posterior: dict[str, xr.DataArray]) -> dict[str, _Curves]:
    tree = comparison.tree
    exact: dict[str, tuple[Array, Array]] = {}
    if "prior_density" in tree.children:
        curves = (tree[f"prior_density/{kind}"].to_dataset() for kind in ("x", "density"))
        points, values = (
            elements(curve.rename(grid="draw"), for_tree=False) if curve.sizes else {} for curve in curves
        )
        exact = {name: (points[name].values, values[name].values) for name in points}
    drawn = elements(tree["prior"].to_dataset(), for_tree=False) if "prior" in tree.children else {}
    nothing = (np.zeros(0), np.zeros(0))
    return {
        name: _Curves(
            posterior=kernel_density(draws.values),
            prior=exact.get(name) or (kernel_density(drawn[name].values) if name in drawn else nothing),
        )
        for name, draws in list(posterior.items())[:MAX_PICTURES]
    }


def _windows(
    table: pd.DataFrame, posterior: dict[str, xr.DataArray], bounds: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """The range of each row's axis; elements of one variable share it where their scales are similar."""
    own = {}
    for name, draws in list(posterior.items())[:MAX_PICTURES]:
        low, high = np.quantile(draws.values, (0.002, 0.998))
        constant = is_constant(high - low, max(abs(low), abs(high)))
        width = max(abs(low), 1.0) if constant else high - low
        row = table.loc[name]
        marks = [row["MAP"], row.get("truth", np.nan)]
        for value, error in _estimates(row):
            marks += [value, value - error, value + error]
        near = [m for m in marks if low - _REACH * width < m < high + _REACH * width]
        low, high = min([low, *near]), max([high, *near])
        margin = _MARGIN * (width if constant else high - low)
        own[name] = (float(low - margin), float(high + margin))
    shared: dict[str, list[str]] = {}
    for name in own:
        shared.setdefault(name.partition("[")[0], []).append(name)
    for names in shared.values():
        low, high = min(own[n][0] for n in names), max(own[n][1] for n in names)
        if min(own[n][1] - own[n][0] for n in names) > _SMALLEST_FRACTION * (high - low):
            own |= dict.fromkeys(names, (low, high))
    return own


def _picture(name: str, row: pd.Series, bounds: Sequence[str], curves: _Curves, window: tuple[float, float]) -> Markup:
    low, high = window

    def at(value: float) -> float:
        return (value - low) / (high - low) * _WIDTH

    x = np.linspace(low, high, _POINTS)
    posterior, prior = (_on(x, *curve) for curve in (curves.posterior, curves.prior))
    top = posterior.max() or prior.max() or 1.0
    parts = [f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_BASE}" y2="{_BASE}"/>']
    for tick, text in ticks(low, high):
        parts.append(f'<line class="axis" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="{_BASE}" y2="{_BASE + 3}"/>')
        anchor = "start" if at(tick) < 14 else "end" if at(tick) > _WIDTH - 14 else "middle"
        parts.append(f'<text x="{at(tick):.1f}" y="{_HEIGHT - 2}" text-anchor="{anchor}">{escape(text)}</text>')
    parts += [_area(x, prior, top, "prior"), _area(x, posterior, top, "post")]
    parts.append(_segment(at(row[bounds[0]]), at(row[bounds[1]]), _BASE + 4.5, "ci", "posterior interval"))
    truth, mode = row.get("truth", np.nan), row["MAP"]
    if low <= truth <= high:
        parts.append(f'<line class="truth" x1="{at(truth):.1f}" x2="{at(truth):.1f}" y1="0" y2="{_BASE}"/>')
    for (value, error), kind, title in zip(_estimates(row), ("mle", "marginal"), ("MLE", "marginal MLE"), strict=True):
        if low <= value <= high:
            if np.isfinite(error):
                parts.append(_segment(at(value - error), at(value + error), 11, "se", f"{title} ± SE"))
            parts.append(f'<path class="{kind}" d="M{at(value):.1f},6l5,5l-5,5l-5,-5z"><title>{title}</title></path>')
    if low <= mode <= high:
        parts.append(f'<path class="map" d="M{at(mode):.1f},20l4.6,8h-9.2z"><title>MAP</title></path>')
    label = escape(f"{name}: prior and posterior density with the estimates of this row")
    view = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    return Markup(f'<svg class="row" {view} role="img" aria-label="{label}">{"".join(parts)}</svg>')


def _estimates(row: pd.Series) -> list[tuple[float, float]]:
    """MLE and marginal MLE with their standard errors; NaN where there is none."""
    return [(row["MLE"], row["SE"]), (row.get("marginal_MLE", np.nan), row.get("marginal_SE", np.nan))]


def _on(x: Array, grid: Array, density: Array) -> Array:
    """A density interpolated to points; 0 outside its grid and where it is not finite."""
    if not len(grid):
        return np.zeros_like(x)
    order = np.argsort(grid)
    finite = np.where(np.isfinite(density), density, np.nanmax(np.where(np.isfinite(density), density, 0.0)))
    return np.interp(x, grid[order], finite[order], left=0.0, right=0.0)


def _area(x: Array, density: Array, top: float, kind: str) -> str:
    if not density.any():
        return ""
    # A prior that is higher than the posterior is cut off at the top of the row.
    y = _BASE - (_BASE - _TOP) * np.minimum(density / top, 1.08)
    step = _WIDTH / (len(x) - 1)
    points = "L".join(f"{i * step:.1f},{v:.1f}" for i, v in enumerate(y))
    return f'<path class="{kind}" d="M0,{_BASE}L{points}L{_WIDTH},{_BASE}z"><title>{ {"post": "posterior"}.get(kind, kind) }</title></path>'


def _segment(left: float, right: float, y: float, kind: str, title: str) -> str:
    left, right = max(left, 0.0), min(right, float(_WIDTH))
    return f'<line class="{kind}" x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"><title>{title}</title></line>'


def ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """A few round numbers in a range, and their texts.

    Examples
    --------
    >>> ticks(-1.3, 2.2)
    [(-1.0, '−1'), (0.0, '0'), (1.0, '1'), (2.0, '2')]
    """
    raw = (high - low) / most
    scale = 10.0 ** np.floor(np.log10(raw))
    step = next(s * scale for s in (1, 2, 2.5, 5, 10) if s * scale >= raw)
    places = max(0, -int(np.floor(np.log10(step) + 1e-9)) + (step / scale == 2.5))
    found = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    found = np.clip(np.round(found, max(places, 0) + 2), low, high)
    if max(abs(low), abs(high)) >= 1e5 or places > 4:
        return [(float(t), number(t + 0.0)) for t in found]
    return [(float(t), f"{t + 0.0:.{places}f}".replace("-", "−")) for t in found]
