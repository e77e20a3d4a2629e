"""A comparison as Markdown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pp_mlekl.report.tables import (
    Table,
    audit_table,
    divergence_table,
    loo_table,
    parameter_table,
    sensitivity_table,
    variable_table,
)
from pp_mlekl.utils.files import AnyPath, write_text


def write_markdown(comparison: Any, path: AnyPath) -> Path:
    """Write the tables and the verdict, whole or not at all."""
    return write_text(path, markdown(comparison))


def markdown(comparison: Any) -> str:
    """The tables and the verdict as one text."""
    verdict = comparison.verdict()
    mark = {"ok": "✓", "caution": "!", "problem": "✗"}
    parts = [f"# {comparison.name}", "", verdict.sentence, ""]
    parts += [f"- {mark[f.level]} **{f.topic}**: {f.text}" for f in verdict.findings]
    for title, table in (
        ("Model", variable_table(comparison)),
        ("Parameters", parameter_table(comparison)),
        ("Estimates", audit_table(comparison)),
        ("Divergences", divergence_table(comparison)),
        ("Predictions", loo_table(comparison)),
        ("Sensitivity", sensitivity_table(comparison)),
    ):
        if table.rows:
            parts += ["", f"## {title}", "", *_lines(table)]
    return "\n".join(parts) + "\n"


def _lines(table: Table) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"

    rule = ["---" if table.is_words(i) else "---:" for i in range(len(table.header))]
    return [line(table.header), line(rule), *(line(row) for row in table.rows)]
