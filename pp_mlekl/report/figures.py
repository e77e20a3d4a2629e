"""Matplotlib figures as SVG elements of a page: in the page's colours, with the page's text, one element per panel."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from pp_mlekl.report.style import styled
from pp_mlekl.utils.html import svg

# Colours of the plots and the CSS variables that replace them; a page defines those for its light and dark scheme.
INK = "#010203"
PALETTE = {
    "#3a6ea5": "--post",
    "#c05621": "--mle",
    "#1b7f5c": "--c2",
    "#8a5a9e": "--c3",
    "#a8841a": "--map",
    "#5b6b7f": "--c5",
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=list(PALETTE)),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
# Points per inch of an SVG by matplotlib, and margin around a panel.
_DPI, _MARGIN = 72, 3.0
# Largest width of a panel on the page over its own.
_LARGEST_SCALE = 1.7
_AXES = re.compile(r'^  <g id="axes_(\d+)">\n.*?^  </g>\n', re.MULTILINE | re.DOTALL)
_TAG, _DECIMALS = re.compile(r"<[^>]+>"), re.compile(r"(\d\.\d)\d+")
# Greys of arviz-plots between black and white.
_GREY = re.compile(r"#(?!ff|00)([0-9a-f]{2})\1\1\b")
_CLIP = re.compile(r'<clipPath id="([^"]+)">.*?</clipPath>', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """An SVG element and its title, which is also its label for screen readers."""

    content: Markup
    title: str


def colour_key(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Names of a plot's lines and the CSS variables of their colours, in the order of drawing; empty for a single line.

    Examples
    --------
    >>> colour_key(["MLE", "MAP"]), colour_key(["MLE"])
    ((('MLE', '--post'), ('MAP', '--mle')), ())
    """
    return tuple(zip(names, cycle(PALETTE.values()), strict=False)) if len(names) > 1 else ()


def whole(figure: Figure, prefix: str, label: str) -> Markup:
    """A figure as one SVG element.

    Parameters
    ----------
    figure
        Of any size; the element keeps its proportions.
    prefix
        Of the ids, which are unique on a page.
    label
        For screen readers.
    """
    return svg(_themed(_written(figure, prefix), prefix), label)


def panels(figure: Figure, prefix: str, label: str) -> list[Panel]:
    """Each axes of a figure as an SVG element of its own, without its title, so that panels wrap on narrow screens.

    Parameters
    ----------
    figure, prefix
        As for ``whole``.
    label
        Stands before the title of each panel.
    """
    figure.set_dpi(_DPI)
    # Each panel is cut out by what it draws, so the places of the panels in the figure do not matter.
    figure.set_layout_engine("none")
    titles = [axis.get_title().replace(r"\$", "$") for axis in figure.get_axes()]
    for axis in figure.get_axes():
        axis.set_title("")
    text = _written(figure, prefix)
    width, height = figure.get_size_inches() * _DPI
    # Texts are as wide as where the SVG was written; the renderer of the screen rounds them to pixels.
    renderer = RendererSVG(width, height, io.StringIO(), image_dpi=_DPI)
    clips = {m[1]: m[0] for m in _CLIP.finditer(text)}
    shown = [axis for axis in figure.get_axes() if axis.get_visible() and axis.axison]
    blocks = {int(m[1]): m[0] for m in _AXES.finditer(text)}
    result = []
    # The number of ticks depends on the settings, too.
    with styled(STYLE):
        boxes = [axis.get_tightbbox(renderer) for axis in figure.get_axes()]
    for place, (axis, title, box) in enumerate(zip(figure.get_axes(), titles, boxes, strict=True), 1):
        if axis not in shown or place not in blocks or box is None:
            continue
        x, y = box.x0 - _MARGIN, height - box.y1 - _MARGIN
        w, h = box.width + 2 * _MARGIN, box.height + 2 * _MARGIN
        block = blocks[place]
        used = "".join(clip for name, clip in clips.items() if f"#{name})" in block)
        limit = f'style="max-width: {_LARGEST_SCALE * w:.0f}px"'
        view = f'<svg viewBox="{x:.0f} {y:.0f} {w:.0f} {h:.0f}" width="{w:.0f}" height="{h:.0f}" {limit}>'
        content = f"{view}{f'<defs>{used}</defs>' if used else ''}{block}</svg>"
        result.append(
            Panel(content=svg(_themed(content, prefix), f"{label}: {title}" if title else label), title=title)
        )
    return result


def _written(figure: Figure, prefix: str) -> str:
    """Matplotlib's SVG without its XML header, metadata and global style."""
    buffer, canvas = io.StringIO(), figure.canvas
    for patch in (figure.patch, *(axis.patch for axis in figure.get_axes())):
        patch.set(facecolor="none", edgecolor="none")
    with styled(STYLE | {"svg.hashsalt": prefix}):
        # ``savefig`` would lay out and draw the figure twice.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    figure.set_canvas(canvas)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)


def _themed(text: str, prefix: str) -> str:
    """Colours replaced by the page's variables, ids made unique, coordinates rounded."""
    for colour, variable in PALETTE.items():
        text = text.replace(colour, f"var({variable})")
    text = _GREY.sub("var(--soft)", text)
    text = re.sub(
        r'(id="|href="#|url\(#)', rf"\1{prefix}-", text.replace(INK, "currentColor").replace("#000000", "currentColor")
    )
    return _TAG.sub(lambda tag: _DECIMALS.sub(r"\1", tag[0]), text)
