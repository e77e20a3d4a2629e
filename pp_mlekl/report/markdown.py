"""A comparison as Markdown."""

from pathlib import Path
from typing import Any

from pp_mlekl.compare.storage import atomic_path
from pp_mlekl.report.tables import divergence_rows, loo_rows, parameter_rows, variable_rows


def write_markdown(comparison: Any, path: Path) -> Path:
    """Write the tables and the verdict."""
    with atomic_path(path) as temporary:
        temporary.write_text(markdown(comparison), encoding="utf-8")
    return path


def markdown(comparison: Any) -> str:
    """The tables and the verdict as one text."""
    verdict = comparison.verdict()
    mark = {"ok": "✓", "caution": "!", "problem": "✗"}
    parts = [f"# {comparison.name}", "", verdict.sentence, ""]
    parts += [f"- {mark[f.level]} **{f.topic}**: {f.text}" for f in verdict.findings]
    for title, rows in (
        ("Model", variable_rows),
        ("Parameters", parameter_rows),
        ("Divergences", divergence_rows),
        ("Predictions", loo_rows),
    ):
        header, body = rows(comparison)
        if body:
            parts += ["", f"## {title}", "", *_table(header, body)]
    return "\n".join(parts) + "\n"


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"

    return [line(header), line(["---", *["---:"] * (len(header) - 1)]), *(line(r) for r in rows)]
