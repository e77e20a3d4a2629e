"""The one way to make HTML: whatever is put into it is escaped, and only what was made here counts as HTML."""

import json
import re
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup, escape

# Characters of a name that is shown as it is, and of one that may be broken where its parts meet but is not cut.
_SHORT_NAME, _LONGEST_NAME = 18, 60
# Before and after what a name may be broken.
_JOINT = re.compile(r"(?<=[^\W_]_)(?=[^\W_])|(?=\[)|(?<=[.:|/])(?=\w)")


def template(name: str, **filters: Callable[..., Any]) -> Template:
    """A page's template, in which every value is escaped; ``filters`` are its own beside those that all pages share."""
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"json": json.loads, "name": shown_name, **filters}
    return environment.get_template(name)


def shown_name(name: str) -> Markup:
    """A name for a narrow column: it may be broken where its parts meet, and a very long one is cut in the middle.

    The whole of a name that is cut is its title, which a browser shows under the pointer.

    Examples
    --------
    >>> print(shown_name("theta[<1>]"), shown_name("effect_of_treatment[group 12]"))
    theta[&lt;1&gt;] effect_<wbr>of_<wbr>treatment<wbr>[group 12]
    """
    if len(name) <= _SHORT_NAME:
        return escape(name)
    cut = len(name) > _LONGEST_NAME
    half = _LONGEST_NAME // 2
    broken = Markup("<wbr>").join(_JOINT.split(f"{name[:half]}…{name[-half:]}" if cut else name))
    return Markup('<span title="{}">{}</span>').format(name, broken) if cut else broken


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
