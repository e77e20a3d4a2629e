"""The page that compares several models, and its plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pp_mlekl.report.elements import literal
from pp_mlekl.report.figures import STYLE
from pp_mlekl.report.formatting import UNAVAILABLE, number, with_error
from pp_mlekl.report.page import picture
from pp_mlekl.report.protocols import ModelComparisonLike
from pp_mlekl.report.style import styled
from pp_mlekl.report.tables import Table, table_of
from pp_mlekl.utils.files import AnyPath, write_text
from pp_mlekl.utils.html import template

# Half the width of a normal's central 95%, in standard deviations.
_NORMAL_95 = 1.96
_COLUMNS = (
    ("log evidence", "log_evidence", "log_evidence_mcse"),
    ("probability", "probability", "probability_mcse"),
    ("d log Z / d log scale of the priors", "prior_sensitivity", "prior_sensitivity_mcse"),
    ("elpd (LOO)", "elpd_loo", "elpd_loo_se"),
    ("KL(truth‖predictive)", "kl_truth", "kl_truth_mcse"),
)
_ALT = "Log evidence and leave-one-out of each model with 95% intervals, the best evidence on top."


def write_models(comparison: ModelComparisonLike, path: AnyPath, pages: Mapping[str, str] | None = None) -> Path:
    """Write the page of a ``ModelComparison`` atomically.

    ``pages`` maps names of models to the addresses of their own pages.
    """
    text = template("models.html").render(
        **_content(comparison),
        picture=picture(models, comparison, "Evidence and leave-one-out", _ALT),
        pages=pages or {},
    )
    return write_text(path, text)


def models(comparison: ModelComparisonLike) -> Figure:
    """Log evidence and leave-one-out of each model with 95% intervals, best evidence first."""
    table = comparison.summary()
    places = np.arange(len(table))[::-1]
    panels = (("log evidence", "log_evidence", "log_evidence_mcse"), ("elpd (LOO)", "elpd_loo", "elpd_loo_se"))
    with styled(STYLE):
        figure = Figure(figsize=(7.0, 1.2 + 0.35 * len(table)), layout="constrained")
        for axis, (title, value, error) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
            axis.errorbar(table[value], places, xerr=_NORMAL_95 * table[error], fmt="o", color="C0", capsize=3)
            axis.set(title=title, xlabel="nats")
            axis.set_yticks(places, [literal(str(name)) for name in table.index])
            axis.set_ylim(-0.5, len(table) - 0.5)
            axis.tick_params(labelleft=True)
    return figure


def models_html(comparison: ModelComparisonLike) -> str:
    """The page without the plot, for a notebook's output cell."""
    return template("models_notebook.html").render(**_content(comparison))


def models_table(comparison: ModelComparisonLike) -> Table:
    """A row for each model with its ranks, the best evidence first."""
    summary = comparison.summary()
    shown = [c for c in _COLUMNS if np.any(np.isfinite(summary[c[1]]))]
    header = ["model", "rank", "rank (LOO)", *(title for title, _, _ in shown), "LOO weight"]
    rows = []
    for name, row in summary.iterrows():
        cells = [str(name), _rank(row, "rank_evidence", "log_evidence"), _rank(row, "rank_loo", "elpd_loo")]
        cells += [with_error(row[value], row[error]) for _, value, error in shown]
        rows.append([*cells, number(round(row["loo_weight"], 3), 3)])
    return table_of(header, rows)


def bayes_factor_table(comparison: ModelComparisonLike) -> Table:
    """log10 of the Bayes factor of each model against each other, the best evidence first."""
    order = [str(name) for name in comparison.summary().index]
    rows = []
    for name in order:
        cells = [comparison.dataset.sel(model=name, against=other) for other in order]
        nats = [(float(c["log_bayes_factor"]), float(c["log_bayes_factor_mcse"])) for c in cells]
        rows.append([name, *(with_error(value / np.log(10), error / np.log(10)) for value, error in nats)])
    return table_of(["log₁₀ Bayes factor of … against", *order], rows)


def _rank(row: Any, rank: str, value: str) -> str:
    return f"{int(row[rank])}" if np.isfinite(row[value]) else UNAVAILABLE


def _content(comparison: ModelComparisonLike) -> dict[str, Any]:
    return {
        "names": [str(name) for name in comparison.summary().index],
        "findings": comparison.graded_findings(),
        "warnings": comparison.warnings,
        "models": models_table(comparison),
        "factors": bayes_factor_table(comparison),
    }
