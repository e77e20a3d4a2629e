"""The page of a comparison, and an index of several: self-contained HTML."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pp_mlekl.report import plots
from pp_mlekl.report.badges import badges
from pp_mlekl.report.elements import MAX_PANELS
from pp_mlekl.report.equations import latex_equations
from pp_mlekl.report.estimates import glance
from pp_mlekl.report.figures import Panel, colour_key, panels, whole
from pp_mlekl.report.formatting import with_error
from pp_mlekl.report.model_graph import model_graph
from pp_mlekl.report.protocols import ComparisonLike, VerdictLike
from pp_mlekl.report.tables import (
    audit_table,
    check_table,
    divergence_table,
    fit_table,
    loo_table,
    parameter_table,
    sampling_table,
    sensitivity_table,
    variable_table,
)
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.files import AnyPath, write_text
from pp_mlekl.utils.garbage_collection import collected_rarely
from pp_mlekl.utils.html import template

_HEADLINES = ("KL(posterior||prior)", "KL(prior||posterior)", "JSD(prior, posterior)", "dependence gap")
_EVIDENCE = ("log Z", "d log Z / d log s")
_MEANING = {
    "KL(posterior||prior)": "Information gained about all parameters jointly.",
    "KL(prior||posterior)": "The reverse direction; large if the posterior excludes most of the prior.",
    "JSD(prior, posterior)": "Symmetric; at most ln 2 ≈ 0.693.",
    "dependence gap": "Part of the joint gain that the single parameters do not show.",
}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Panels under a title, with a caption; ``missing`` gives the reason if there are none.

    ``key`` has the name and the CSS variable of each colour.
    """

    title: str
    caption: str
    panels: tuple[Panel, ...] = ()
    wide: bool = False
    missing: str = ""
    key: tuple[tuple[str, str], ...] = ()


@collected_rarely()
def write_html(comparison: ComparisonLike, path: AnyPath, about: str = "", guide: str = "", home: str = "") -> Path:
    """Write the page atomically.

    Parameters
    ----------
    comparison
        A ``Comparison``.
    path
        The file to write.
    about
        Paragraphs about the model and its data, separated by blank lines. The first one is the subtitle.
    guide
        Address of the documentation's page "How to read a page", to which each section then links.
    home
        Address of an index, to which the page then links.
    """
    return write_text(path, page(comparison, about, guide, home))


def page(comparison: ComparisonLike, about: str = "", guide: str = "", home: str = "") -> str:
    """The page as a string."""
    paragraphs = [" ".join(p.split()) for p in about.split("\n\n") if p.strip()]
    divergences = comparison.divergences()
    return template("page.html", error=with_error).render(
        c=comparison,
        guide=guide,
        home=home,
        lead=paragraphs[0] if paragraphs else "",
        about=paragraphs[1:],
        verdict=comparison.verdict(),
        badges=badges(comparison),
        chips=_chips(comparison),
        glance=glance(comparison),
        headlines=_chosen(divergences, _HEADLINES),
        evidence=_chosen(divergences, _EVIDENCE),
        divergences=divergence_table(comparison),
        meaning=_MEANING,
        fits=fit_table(comparison),
        against="the posterior predictive" if comparison.tree.attrs["truth"] == "unknown" else "the truth",
        estimates=audit_table(comparison),
        variables=variable_table(comparison),
        graph=model_graph(comparison.variables),
        loo=loo_table(comparison),
        predictive=check_table(comparison),
        sensitivity=sensitivity_table(comparison),
        sampling=sampling_table(comparison),
        checks=[*_predictive_pictures(comparison), *_pictures(comparison, _CHECKS)],
        draws=[
            replace(one, key=_chain_key(comparison)) if one.title == "Chains" else one
            for one in _pictures(comparison, _DRAWS)
        ],
        code=_code(comparison),
        equations=latex_equations(_in_order(comparison)),
        downloads=_downloads(comparison),
        versions=_versions(comparison),
    )


def notebook_html(comparison: ComparisonLike) -> str:
    """The verdict and the two main tables, for a notebook's output cell."""
    return template("notebook.html").render(
        name=comparison.name,
        verdict=comparison.verdict(),
        parameters=parameter_table(comparison),
        divergences=divergence_table(comparison),
    )


def verdict_html(verdict: VerdictLike) -> str:
    """A verdict's sentence and findings, for a notebook's output cell."""
    return template("verdict.html").render(verdict=verdict)


def write_index(entries: list[dict[str, Any]], path: AnyPath) -> Path:
    """Write an index page, a card for each entry.

    Parameters
    ----------
    entries
        Each with ``href`` (empty without a page), ``name``, ``shows`` and ``findings`` (pairs of level and text) and, if
        known, ``card`` (see ``index_card``).
    path
        The file to write.
    """
    return write_text(path, template("index.html").render(entries=[{"card": None, **entry} for entry in entries]))


def index_card(comparison: ComparisonLike) -> dict[str, Any]:
    """What an index shows of a comparison: its badges and the first rows of its estimates."""
    found = glance(comparison)
    return {
        "badges": badges(comparison),
        "rows": [(row.name, row.picture) for row in found.rows[:3] if row.picture],
        "facts": ", ".join(_sizes(comparison)),
    }


def _sizes(comparison: ComparisonLike) -> list[str]:
    attributes = comparison.tree.attrs
    return [counted(attributes["n_observations"], "observation"), counted(attributes["n_parameters"], "parameter")]


def _chips(comparison: ComparisonLike) -> list[str]:
    attributes, sizes = comparison.tree.attrs, comparison.tree["posterior"].sizes
    chips = [
        *_sizes(comparison),
        f"{sizes['chain']} × {counted(sizes['draw'], 'draw')}, {attributes['sampler']}",
        f"seed {attributes['random_seed']}",
    ]
    if "run_time_seconds" in attributes:
        chips.append(f"{attributes['run_time_seconds']:.3g} s")
    return chips


def _chosen(divergences: pd.DataFrame, directions: Iterable[str]) -> list[dict[str, Any]]:
    """Rows of the divergences in a given order; those that are not there are left out."""
    rows = {row["direction"]: row for row in divergences.to_dict("records") if row["of"] == "joint"}
    return [rows[d] for d in directions if d in rows]


def _pictures(comparison: ComparisonLike, wanted: Iterable[tuple[Callable[..., Any], str, Any, bool]]) -> list[Picture]:
    found = (picture(draw, comparison, title, caption, wide=wide) for draw, title, caption, wide in wanted)
    return [one for one in found if one is not None]


def picture(
    draw: Callable[[Any], Figure | None],
    comparison: Any,
    title: str,
    caption: str | Callable[[Any], str],
    wide: bool = False,
) -> Picture | None:
    """A plot for a page, or the reason why it is missing; None if there is nothing to plot.

    An error of a plot does not stop the page.
    """
    prefix = "".join(c for c in title.lower() if c.isalnum())
    try:
        figure = draw(comparison)
        if figure is None:
            return None
        text = caption if isinstance(caption, str) else caption(comparison)
        found = [Panel(content=whole(figure, prefix, title), title="")] if wide else panels(figure, prefix, title)
        return Picture(title=title, caption=f"{text}{_left_out(comparison, draw)}", panels=tuple(found), wide=wide)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Picture(title=title, caption="", missing=f"This plot could not be drawn ({reason}).")


def _predictive_pictures(comparison: ComparisonLike) -> list[Picture]:
    """A picture for each kind of observed data."""
    found, by_kind = [], plots.predicted_by_kind(comparison)
    for kind, names in by_kind.items():
        title = "Posterior predictive check" + (f" ({kind} data)" if len(by_kind) > 1 else "")
        caption = plots.ABOUT_PREDICTIVE[kind] + _others(len(names), "observed variable", "plot_predictive")
        found.append(picture(partial(plots.predictive, var_names=names[:MAX_PANELS]), comparison, title, caption))
    return [one for one in found if one is not None]


def _left_out(comparison: ComparisonLike, draw: Callable[..., Any]) -> str:
    if draw is plots.chains:
        return _others(comparison.tree.attrs["n_parameters"], "parameter", "plot_trace")
    if draw is plots.loo_pit:
        return _others(len(comparison.tree["observed_data"].data_vars), "observed variable", "plot_loo_pit")
    return ""


def _others(total: int, what: str, by: str) -> str:
    shown = f" {MAX_PANELS} of {counted(total, what)} shown; the others by {by}(var_names=...)."
    return shown if total > MAX_PANELS else ""


_CHECKS = (
    (
        plots.loo_pit,
        "Calibration (LOO-PIT)",
        "Empirical distribution of the leave-one-out probability integral transform minus the uniform one. Highlighted points "
        "deviate by more than chance.",
        False,
    ),
)
_DRAWS = (
    (plots.chains, "Chains", plots.about_chains, False),
    (
        plots.pairs,
        "Pairs",
        "Joint posterior draws of the parameters with the strongest dependence, with the scale parameters; divergent "
        "transitions in orange.",
        True,
    ),
    (
        plots.energy,
        "Energy",
        "Marginal energy (blue) and energy transitions (orange), which should overlap; BFMI of each chain.",
        False,
    ),
)


def _chain_key(comparison: ComparisonLike) -> tuple[tuple[str, str], ...]:
    return colour_key([f"chain {c}" for c in comparison.tree["posterior"].to_dataset()["chain"].values])


def _code(comparison: ComparisonLike) -> str:
    attributes, sizes = comparison.tree.attrs, comparison.tree["posterior"].sizes
    truth = "" if attributes["truth"] == "unknown" else " truth,"
    return (
        "import pp_mlekl as mk\n\n"
        f"c = mk.compare(model,{truth} draws={sizes['draw']}, chains={sizes['chain']}, "
        f'nuts_sampler="{attributes["sampler"]}",\n               random_seed={attributes["random_seed"]})\n'
        'c.to_html("page.html")\n'
        'c.save("comparison.nc")  # mk.load("comparison.nc") reads it'
    )


def _in_order(comparison: ComparisonLike) -> list[dict[str, Any]]:
    """Variables and deterministics, those that are observed last."""
    free = [v for v in comparison.variables if v["kind"] == "free"]
    others = [v for v in comparison.variables if v["kind"] != "free"]
    return [*free, *comparison.definitions, *others]


def _downloads(comparison: ComparisonLike) -> list[dict[str, str]]:
    """Links to the tables as CSV, JSON and LaTeX, each the whole file as an address."""
    stem = "".join(c if c.isalnum() else "_" for c in comparison.name) or "comparison"
    found = []
    for title, table in (("estimates", comparison.summary()), ("divergences", comparison.divergences())):
        frame = table.reset_index(names="parameter") if title == "estimates" else table
        for kind, mime, text in (
            ("CSV", "text/csv", frame.to_csv(index=False)),
            ("JSON", "application/json", frame.to_json(orient="records", double_precision=12)),
            ("LaTeX", "application/x-tex", frame.to_latex(index=False, escape=True, float_format="%.4g")),
        ):
            address = f"data:{mime};base64,{base64.b64encode(text.encode()).decode()}"
            ending = {"CSV": "csv", "JSON": "json", "LaTeX": "tex"}[kind]
            found.append({"label": f"{title} ({kind})", "href": address, "file": f"{stem}_{title}.{ending}"})
    return found


def _versions(comparison: ComparisonLike) -> str:
    attributes = comparison.tree.attrs
    names = {"pp_mlekl": "pp_mlekl", "pymc": "PyMC", "pytensor": "PyTensor", "arviz": "ArviZ", "nutpie": "nutpie"}
    names |= {"numpy": "NumPy", "scipy": "SciPy", "xarray": "xarray"}
    return ", ".join(
        f"{label} {attributes[f'{n}_version']}" for n, label in names.items() if f"{n}_version" in attributes
    )
