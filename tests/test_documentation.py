"""Every block of code in the README and the documentation runs, every command exists, and every public name has a page."""

import ast
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import latex2mathml.converter
import numpy as np
import pandas as pd
import pymc as pm
import pytest

import pp_mlekl as mk
from pp_mlekl.cli.app import app
from pp_mlekl.gallery import endometrial

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ *pp-mlekl ([\w-]+)|`pp-mlekl ([\w-]+)", re.MULTILINE)


def regression(terms: int = 3) -> pm.Model:
    x = np.random.default_rng(1).normal(size=(60, 3))
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=terms)
        pm.Normal("y", x[:, :terms] @ b, 1.0, observed=x @ [1.0, -0.5, 0.2] + np.random.default_rng(2).normal(size=60))
    return model


def a_model_with_draws() -> dict[str, Any]:
    model = regression()
    return {"model": model, "idata": mk.laplace(model, random_seed=1).tree, "truth": {"b": [1.0, -0.5, 0.2]}}


def nested_models() -> dict[str, Any]:
    return {"model": regression(), "mle": mk.find_mle(regression()), "small": regression(2), "large": regression()}


# What the blocks of a page take as given.
GIVEN: dict[str, Callable[[], dict[str, Any]]] = {
    "existence.md": lambda: {"model": endometrial.build()},
    "intervals.md": nested_models,
    "why.md": a_model_with_draws,
}
FOLDER = Path(__file__).parents[1]
TEXTS = [FOLDER / "README.md", FOLDER / "CONTRIBUTING.md", *sorted((FOLDER / "docs").glob("*.md"))]
WITH_CODE = [path for path in TEXTS if BLOCK.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.name)
def test_blocks_name_public_functions_and_their_arguments(path):
    for block in BLOCK.findall(path.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mk":
                assert node.attr in mk.__all__


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.name)
def test_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"mk": mk, "np": np, "pd": pd, "pm": pm, **GIVEN.get(path.name, dict)()}
    for block in BLOCK.findall(path.read_text(encoding="utf-8")):
        exec(compile(block, path.name, "exec"), names)


def test_commands_exist():
    known = {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands}
    for path in TEXTS:
        for found in COMMAND.findall(path.read_text(encoding="utf-8")):
            assert "".join(found) in known, path.name


@pytest.mark.parametrize(
    "path", [p for p in TEXTS if "$$" in p.read_text(encoding="utf-8")], ids=lambda path: path.name
)
def test_formulas_are_in_the_latex_that_the_site_converts(path):
    for formula in re.findall(r"\$\$(.*?)\$\$", path.read_text(encoding="utf-8"), re.DOTALL):
        shown = html.unescape(re.sub("<[^>]*>", "", latex2mathml.converter.convert(formula)))
        assert not re.search(r"[&\\]", shown), formula


def test_every_public_name_has_a_page():
    listed = re.findall(r"^   (\w+)$", (FOLDER / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(mk.__all__)


def test_every_page_is_in_a_table_of_contents():
    listed = set()
    for path in TEXTS:
        for toctree in re.findall(
            r"^```\{toctree\}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            listed |= set(re.findall(r"^[\w/]+$", toctree, re.MULTILINE))
    pages = {path.relative_to(FOLDER / "docs").with_suffix("").as_posix() for path in (FOLDER / "docs").rglob("*.md")}
    assert {page for page in pages if not page.startswith("_")} - {"index"} == listed
