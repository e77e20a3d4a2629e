"""Attacks by names: in every page and every notebook's output they must stay text.

A page with a hostile name has the same elements, with the same attributes, as that with a harmless one.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pymc as pm
from attack import Executed, Place, attack
from given import normal_model
from markdown_it import MarkdownIt

import pp_mlekl as mk
from pp_mlekl.comparison.comparison_result import Comparison
from pp_mlekl.diagnostics.findings import Finding
from pp_mlekl.report.markdown import markdown
from pp_mlekl.report.page import index_card, page
from pp_mlekl.report.proof import render
from pp_mlekl.utils.html import template

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% set x = 1 %}",
    "<!--<script>alert(1)-->",
    "&lt;script&gt;alert(1)&lt;&#x2F;script&gt;",
    "[x](javascript:alert(1))",
    "![x](http://x/a.png)",
    "`</code><b>` **b** _i_ ~~s~~ | a | b |",
    "$\\frac{1}{2}$ $x$",
    "\u202egnp.exe",
)  # fmt: skip


def variable_name(name: str) -> str:
    """The name as a variable may bear it: without slashes."""
    return name.replace("/", "\N{DIVISION SLASH}").replace("\\", "\N{SET MINUS}")


def renamed(comparison: Comparison, name: str) -> Comparison:
    """The comparison of a model that bears the name, whose variable bears it, and whose warnings hold it."""
    variable = variable_name(name)
    tree = comparison.tree.map_over_datasets(lambda d: d.rename({"mu": variable}) if "mu" in d.variables else d)
    tree.attrs |= {"model_name": name, "var_names": [variable]}
    entries = _renamed_in(comparison.variables, variable)
    tree.attrs["variables"] = _json(entries)
    tree["audit"].attrs["warnings"] = _json({"mle": [name]})
    tree["fitted"].attrs["warnings"] = _json([name])
    for key in ("sampler", "random_seed", "pymc_version"):
        tree.attrs[key] = name
    return Comparison(tree=tree)


def _renamed_in(value: Any, variable: str) -> Any:
    """The same lists and mappings with the variable's name in the place of ``mu``."""
    if isinstance(value, dict):
        return {key: _renamed_in(one, variable) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed_in(one, variable) for one in value]
    return variable if value == "mu" else value


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


def comparison_page(given: Any, name: str) -> str:
    """The whole page, with the text about the model."""
    return page(renamed(given.comparison, name), about=f"{name}\n\n{name}")


def comparison_cell(given: Any, name: str) -> str:
    """A notebook's output."""
    return renamed(given.comparison, name)._repr_html_()


def verdict_cell(given: Any, name: str) -> str:
    """The verdict alone."""
    return renamed(given.comparison, name).verdict()._repr_html_()


def hostile_proof(given: Any, name: str) -> Any:
    """A proof with the name wherever text is."""
    steps = tuple(
        replace(
            step,
            note=name,
            checks=tuple(replace(check, what=name, source=name) for check in step.checks),
            data=step.data.assign_attrs({k: name for k in ("parameter", "what") if k in step.data.attrs}),
        )
        for step in given.proof.steps
    )
    densities = given.proof.densities.assign_attrs(variable=name)
    return replace(given.proof, name=name, truth=name, steps=steps, densities=densities)


def proof_page(given: Any, name: str) -> str:
    """The page of a proof."""
    return render(hostile_proof(given, name))


def proof_cell(given: Any, name: str) -> str:
    """A notebook's output of a proof."""
    return hostile_proof(given, name)._repr_html_()


def models_cell(given: Any, name: str) -> str:
    """A notebook's output of several models."""
    models = given.models
    names = {"one": name, "two": "two"}
    labels = [names[str(m)] for m in models.dataset["model"].values]
    dataset = models.dataset.assign_coords(model=labels, against=labels)
    return replace(models, dataset=dataset, warnings=(name,))._repr_html_()


def index_page(given: Any, name: str) -> str:
    """An index of pages."""
    card = index_card(renamed(given.comparison, name))
    entry = {"href": "a.html", "name": name, "shows": name, "findings": [("problem", name)], "card": card}
    return template("index.html").render(entries=[entry])


def estimate_cell(given: Any, name: str) -> str:
    """A notebook's output of a point estimate."""
    return replace(mk.find_mle(normal_model(variable_name(name)), random_seed=1), warnings=(name,))._repr_html_()


def derived_cell(given: Any, name: str) -> str:
    """A notebook's output of derived quantities."""
    with pm.Model() as model:
        mean = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mean, 1.0, observed=np.array([0.4, 1.2]))
        pm.Deterministic(variable_name(name), mean**2)
    return mk.delta_method(model, mk.find_mle(model, random_seed=1))._repr_html_()


def finding_cell(given: Any, name: str) -> str:
    """A verdict made of hostile findings."""
    verdict = given.comparison.verdict()
    finding = Finding(level="problem", topic=name, text=name)
    return replace(verdict, conclusion=name, findings=(finding,))._repr_html_()


SURFACES = (
    comparison_cell, verdict_cell, proof_page, proof_cell, models_cell, index_page, estimate_cell, derived_cell, finding_cell,
    comparison_page,
)  # fmt: skip


class Structure(HTMLParser):
    """Elements and the names of their attributes, in order."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.text = ""
        # A plain string: a marked one escapes what the parser has read.
        self.feed(str(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """An element, and what its attributes are called; where a long name may break (a bare ``wbr``) follows from the name."""
        if tag != "wbr" or attrs:
            self.found.append((tag, *(key for key, _ in attrs)))

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """A comment."""
        self.found.append(("comment",))


@cache
def harmless(surface: Callable, given: Any) -> list[tuple[str, ...]]:
    """The structure of the page with a harmless name."""
    return Structure(surface(given, "harmless")).found


@attack("hostile names in HTML", [(surface, name) for surface in SURFACES for name in HOSTILE])
def in_html(place: Place, surface: Callable, name: str) -> None:
    """The name is text, and nothing else."""
    structure = Structure(surface(place.given, name))
    # A picture whose letters no font has is left out, with a note.
    if surface is not comparison_page and structure.found != harmless(surface, place.given):
        raise Executed("the page has other elements than with a harmless name")
    if surface is comparison_page:
        allowed = set(harmless(surface, place.given)) | {("p", "class"), ("b",)}
        if not set(structure.found) <= allowed:
            raise Executed(f"elements {set(structure.found) - allowed}")
    if not any(text in structure.text for text in (name, variable_name(name))):
        raise Executed("the name is not printed as it is")


@attack("hostile names in Markdown", HOSTILE)
def in_markdown(place: Place, name: str) -> None:
    """The name is text to a renderer that takes HTML, tables and strikethrough."""

    def structure(called: str) -> list[str]:
        reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        tokens = reader.parse(markdown(renamed(place.given.comparison, called)))
        inner = [child.type for token in tokens for child in token.children or ()]
        return [token.type for token in tokens] + [kind for kind in inner if kind not in ("text", "text_special")]

    if structure(name) != structure("harmless"):
        raise Executed("the text has other elements than with a harmless name")
