"""A comparison as Markdown."""

import re
from collections.abc import Iterable
from pathlib import Path

from pp_mlekl.report.protocols import ComparisonLike
from pp_mlekl.report.tables import (
    Table,
    audit_table,
    check_table,
    divergence_table,
    loo_table,
    parameter_table,
    sensitivity_table,
    variable_table,
)
from pp_mlekl.utils.files import AnyPath, write_text

# Emphasis, code, formulas, cells and links; an underscore within a word is plain text.
_SPECIAL = re.compile(r"[\\`*|~$]|(?<!\w)_|_(?!\w)|(?<=\])[(\[:]")


def write_markdown(comparison: ComparisonLike, path: AnyPath) -> Path:
    """Write the tables and the verdict atomically."""
    return write_text(path, markdown(comparison))


def markdown(comparison: ComparisonLike) -> str:
    """The tables and the verdict as one text."""
    verdict = comparison.verdict()
    mark = {"ok": "✓", "caution": "!", "problem": "✗"}
    parts = [f"# {escaped(comparison.name)}", "", escaped(verdict.sentence), ""]
    parts += [f"- {mark[f.level]} **{escaped(f.topic)}**: {escaped(f.text)}" for f in verdict.findings]
    for title, table in (
        ("Model", variable_table(comparison)),
        ("Parameters", parameter_table(comparison)),
        ("Optimization", audit_table(comparison)),
        ("Divergences", divergence_table(comparison)),
        ("Predictive checks", check_table(comparison)),
        ("Leave-one-out", loo_table(comparison)),
        ("Prior sensitivity", sensitivity_table(comparison)),
    ):
        if table.rows:
            parts += ["", f"## {title}", "", *_lines(table)]
    return "\n".join(parts) + "\n"


def escaped(text: str) -> str:
    r"""Escape text for Markdown, in one line.

    Examples
    --------
    >>> print(escaped("<b> *a* [x](y) mu_0 [1]"))
    &lt;b> \*a\* [x]\(y) mu_0 [1]
    """
    text = _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _lines(table: Table) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(map(escaped, cells)) + " |"

    rule = ["---" if table.is_words(i) else "---:" for i in range(len(table.header))]
    return [line(table.header), line(rule), *(line(row) for row in table.rows)]
