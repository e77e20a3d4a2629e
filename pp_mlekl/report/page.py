"""A comparison as one self-contained HTML page, and an index of several."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pp_mlekl.report import plots
from pp_mlekl.report.elements import MAX_PANELS
from pp_mlekl.report.plots import about_chains, chains
from pp_mlekl.report.style import styled
from pp_mlekl.report.tables import (
    audit_table,
    divergence_table,
    loo_table,
    parameter_table,
    sensitivity_table,
    variable_table,
)
from pp_mlekl.utils.files import AnyPath, write_text
from pp_mlekl.utils.garbage_collection import collected_rarely
from pp_mlekl.utils.html import template

_DOTS_PER_INCH = 110
About = str | Callable[[Any], str]
_FIGURES: tuple[tuple[Callable[[Any], Figure | None], str, About], ...] = (
    (
        plots.prior_posterior,
        "Prior and posterior",
        "Density of each parameter before and after the data, with the estimates marked as vertical lines; what lies "
        "outside the range shown is cut off.",
    ),
    (
        plots.gained,
        "Information gained",
        "How far the data moved each parameter: KL(posterior||prior) in nats with its 95% interval; the largest first.",
    ),
    (
        chains,
        "Chains",
        about_chains,
    ),
    (
        plots.pairs,
        "Pairs",
        "Joint posterior draws of the parameters that depend on each other most, in place (a slope) or in spread (a funnel).",
    ),
    (plots.energy, "Energy", "Marginal energy of the sampler and its transitions; the two should overlap."),
    (
        plots.predictive,
        "Posterior predictive",
        "What the posterior predicts (blue) against the data (black): distributions or, for counts, how often each occurs. "
        "For yes-or-no data, how often yes happened (CEP) against how often it was predicted.",
    ),
    (
        plots.loo_pit,
        "Calibration",
        "How often observations lie below what the others predict for them (LOO-PIT), less how often they should. Points in "
        "another colour are further off than chance explains; p is that of the test behind them.",
    ),
)


@collected_rarely()
def write_html(comparison: Any, path: AnyPath, about: str = "") -> Path:
    """Write the page, whole or not at all.

    Parameters
    ----------
    comparison
        A ``Comparison``.
    path
        Of the page.
    about
        Paragraphs about the model and its data, separated by blank lines.
    """
    return write_text(path, page(comparison, about))


def page(comparison: Any, about: str = "") -> str:
    """The page as a string."""
    return template("page.html").render(
        c=comparison,
        about=[p.strip() for p in about.split("\n\n") if p.strip()],
        verdict=comparison.verdict(),
        variables=variable_table(comparison),
        parameters=parameter_table(comparison),
        estimates=audit_table(comparison),
        divergences=divergence_table(comparison),
        loo=loo_table(comparison),
        sensitivity=sensitivity_table(comparison),
        figures=_figures(comparison),
        attributes=comparison.tree.attrs,
    )


def notebook_html(comparison: Any) -> str:
    """The verdict and the two main tables, for a notebook's output cell."""
    return template("notebook.html").render(
        name=comparison.name,
        verdict=comparison.verdict(),
        parameters=parameter_table(comparison),
        divergences=divergence_table(comparison),
    )


def verdict_html(verdict: Any) -> str:
    """A verdict's sentence and findings, for a notebook's output cell."""
    return template("verdict.html").render(verdict=verdict)


def write_index(entries: list[dict[str, Any]], path: AnyPath) -> Path:
    """Write an index page of ``entries`` with ``href`` (empty where there is no page), ``name``, ``shows`` and ``findings``."""
    return write_text(path, template("index.html").render(entries=entries))


def _figures(comparison: Any) -> list[dict[str, str]]:
    found = [picture(draw, comparison, title, about) for draw, title, about in _FIGURES]
    return [one for one in found if one is not None]


def picture(draw: Callable[[Any], Figure | None], comparison: Any, title: str, about: About) -> dict[str, str] | None:
    """A picture for a page, or in its place why it is missing; None where there is nothing to draw.

    Whatever a plot raises, the numbers beside it stay.
    """
    try:
        figure = draw(comparison)
        if figure is None:
            return None
        text = about if isinstance(about, str) else about(comparison)
        text += _left_out(comparison, draw)
        return {"title": title, "alt": text, "source": embedded(figure), "missing": ""}
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return {"title": title, "alt": "", "source": "", "missing": f"This picture could not be drawn ({reason})."}


def _left_out(comparison: Any, draw: Any) -> str:
    if draw not in (plots.prior_posterior, chains):
        return ""
    total = comparison.tree.attrs["n_parameters"]
    return f" Shown are {MAX_PANELS} of the {total} parameters." if total > MAX_PANELS else ""


def embedded(figure: Figure) -> str:
    """A figure as the address of an image that is part of the page."""
    buffer = io.BytesIO()
    # A constrained layout leaves no margins to cut off, and to look for some costs as much as the drawing.
    margins = None if figure.get_layout_engine() else "tight"
    with styled({"savefig.facecolor": "white"}):
        figure.savefig(buffer, format="webp", dpi=_DOTS_PER_INCH, bbox_inches=margins, pil_kwargs={"quality": 80})
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
