"""The one way to make HTML: whatever is put into it is escaped, and only what was made here counts as HTML."""

import json
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup


def template(name: str, **filters: Callable[..., Any]) -> Template:
    """A page's template, in which every value is escaped; ``filters`` are its own beside those that all pages share."""
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"json": json.loads, **filters}
    return environment.get_template(name)


def table_html(lines: Iterable[str], table: pd.DataFrame, float_format: str = "{:.5g}") -> str:
    """Lines of text above a table, for a notebook's output cell."""
    # Pandas escapes its cells and labels.
    cells = Markup(table.to_html(float_format=float_format.format))
    return str(Markup("<p>{}</p>{}").format(Markup("<br>").join(lines), cells))


def svg(content: str, label: str) -> Markup:
    """A picture that matplotlib wrote as SVG, whose text is escaped in there, with a label for screen readers."""
    return Markup(content.replace("<svg ", Markup('<svg role="img" aria-label="{}" ').format(label), 1))


def _source(name: str) -> str:
    return files("pp_mlekl").joinpath("report", "templates", name).read_text(encoding="utf-8")
