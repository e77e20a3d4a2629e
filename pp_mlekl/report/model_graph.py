"""The graph of a model's variables as SVG: parents above children, observed variables shaded."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

_MAX_VARIABLES = 40
_WIDTH_OF_LETTER, _PADDING, _HEIGHT, _GAP, _ROW = 7.2, 14.0, 30.0, 18.0, 74.0
_LONGEST_NAME = 24


def model_graph(variables: Sequence[dict[str, Any]]) -> Markup:
    """The graph; empty for a single variable, or more than a picture can show.

    Parameters
    ----------
    variables
        Each with ``name``, ``kind``, ``size`` and ``direct``, the names of its parents.
    """
    if not 2 <= len(variables) <= _MAX_VARIABLES:
        return Markup("")
    rows = _rows(variables)
    widths = {v["name"]: _PADDING * 2 + _WIDTH_OF_LETTER * len(_label(v)) for v in variables}
    width = max(sum(widths[v["name"]] + _GAP for v in row) for row in rows) + _GAP
    places: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        x = (width - sum(widths[v["name"]] + _GAP for v in row) + _GAP) / 2
        for v in row:
            places[v["name"]] = x + widths[v["name"]] / 2, _GAP + _HEIGHT / 2 + level * _ROW
            x += widths[v["name"]] + _GAP
    height = _GAP * 2 + _HEIGHT + (len(rows) - 1) * _ROW
    parts = [
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0L8,4L0,8z"/></marker></defs>'
    ]
    for v in variables:
        x, y = places[v["name"]]
        for parent in _parents(v):
            px, py = places[parent]
            parts.append(
                f'<line x1="{px:.0f}" y1="{py + _HEIGHT / 2:.0f}" x2="{x:.0f}" y2="{y - _HEIGHT / 2:.0f}" marker-end="url(#arrow)"/>'
            )
    for v in variables:
        x, y = places[v["name"]]
        w = widths[v["name"]]
        parts.append(
            f'<g class="{escape(v["kind"])}"><rect x="{x - w / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{w:.0f}" height="{_HEIGHT:.0f}" '
            f'rx="{_HEIGHT / 2:.0f}"/><text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{escape(_label(v))}</text></g>'
        )
    says = "; ".join(f"{v['name']} depends on {', '.join(_parents(v)) or 'nothing'}" for v in variables)
    view = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return Markup(f'<svg class="graph" {view} role="img" aria-label="{escape(says)}">{"".join(parts)}</svg>')


def _parents(variable: dict[str, Any]) -> list[str]:
    return [p for p in variable.get("direct", variable["parents"]) if p != variable["name"]]


def _label(variable: dict[str, Any]) -> str:
    name = variable["name"]
    short = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return short if variable["size"] == 1 else f"{short} × {variable['size']}"


def _rows(variables: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Variables by their level: one more than that of their lowest parent; within a level below their parents."""
    known = {v["name"]: v for v in variables}
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            levels[name] = 1 + max((level(p) for p in _parents(known[name])), default=-1)
        return levels[name]

    rows: list[list[dict[str, Any]]] = [[] for _ in range(1 + max(level(name) for name in known))]
    for v in variables:
        rows[levels[v["name"]]].append(v)
    order = {v["name"]: i for row in rows for i, v in enumerate(row)}
    for row in rows[1:]:
        row.sort(key=lambda v: sum(order[p] for p in _parents(v)) / (len(_parents(v)) or 1))
        order |= {v["name"]: i for i, v in enumerate(row)}
    return rows
