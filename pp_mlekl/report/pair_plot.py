"""Joint draws of several parameters, two at a time, at a third of the time that ``plot_pair`` of arviz-plots takes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pp_mlekl.report.elements import literal
from pp_mlekl.report.figures import STYLE
from pp_mlekl.report.kernel_density import kernel_density
from pp_mlekl.report.style import styled
from pp_mlekl.typing import Array

# Points of a pair plot: more draws hide each other. Divergent draws are all shown.
_MAX_DRAWS = 600
# Inches of a panel, of the margins (left, bottom, the others) for labels, and between panels.
_PANEL, _MARGINS, _BETWEEN = (2.2, 1.6), (0.85, 0.55, 0.1), 0.2
# Largest number of ticks of an axis, and the share of the range that is left free on either side.
_TICKS, _FREE = 4, 0.05


def kept_draws(diverging: Array) -> Array:
    """Indices of evenly spaced draws and of all divergent ones."""
    even = np.linspace(0, len(diverging) - 1, min(_MAX_DRAWS, len(diverging))).astype(int)
    return np.union1d(even, np.flatnonzero(diverging)[:_MAX_DRAWS])


def pair_plot(draws: Mapping[str, Array], diverging: Array) -> Figure:
    """Scatter plots of each pair, with divergent draws in another colour, and each parameter's density on the diagonal.

    Parameters
    ----------
    draws
        Draws by name of the parameter, each (n,).
    diverging
        Which of them are divergent transitions, (n,).
    """
    names, kept = list(draws), kept_draws(diverging)
    values = {name: one[kept] for name, one in draws.items()}
    limits = {name: _limits(one) for name, one in values.items()}
    count, (left, bottom, rest) = len(names), _MARGINS
    width, height = (side * count + _BETWEEN * (count - 1) for side in _PANEL)
    with styled(STYLE):
        figure = Figure(figsize=(left + width + rest, bottom + height + rest))
        full = figure.get_size_inches()
        for row, below in enumerate(names):
            for column, across in enumerate(names[: row + 1]):
                corner = (left + column * (_PANEL[0] + _BETWEEN), bottom + (count - 1 - row) * (_PANEL[1] + _BETWEEN))
                axis = figure.add_axes((*(np.array(corner) / full), *(np.array(_PANEL) / full)))
                axis.set_xlim(limits[across])
                if row == column:
                    _density(axis, values[below])
                else:
                    axis.set_ylim(limits[below])
                    _scatter(axis, values[across], values[below], diverging[kept])
                _label(
                    axis, literal(across) if row == count - 1 else "", literal(below) if column < min(row, 1) else ""
                )
    return figure


def _limits(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    free = _FREE * (high - low) or max(abs(low), 1.0)
    return low - free, high + free


def _density(axis: Any, values: Array) -> None:
    axis.plot(*kernel_density(values))
    axis.set_ylim(bottom=0)
    axis.yaxis.set_visible(False)
    axis.spines["left"].set_visible(False)


def _scatter(axis: Any, x: Array, y: Array, diverging: Array) -> None:
    axis.plot(x[~diverging], y[~diverging], "o", markersize=2.2, markeredgewidth=0, alpha=0.35)
    axis.plot(x[diverging], y[diverging], "o", markersize=4.5, markeredgewidth=0)
    axis.yaxis.set_major_locator(MaxNLocator(_TICKS))


def _label(axis: Any, x: str, y: str) -> None:
    """Names and numbers at the outer panels alone."""
    axis.xaxis.set_major_locator(MaxNLocator(_TICKS))
    axis.set(xlabel=x, ylabel=y)
    axis.tick_params(labelbottom=bool(x), labelleft=bool(y))
