"""Sphinx configuration; ``make docs`` builds the site into ``docs/_build/html``."""

import re
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

project = "pp_mlekl"
author = "The pp_mlekl developers"
version = release = installed_version("pp_mlekl")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_design",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "tutorials/*.ipynb", "**/.ipynb_checkpoints"]
html_theme = "pydata_sphinx_theme"
html_title = "pp_mlekl"
html_static_path = ["_static"]
html_css_files = ["site.css"]
# `make docs` writes pages of the gallery to _build/extra before it calls Sphinx.
html_extra_path = [
    "../reports/sample",
    *(["_build/extra"] if (Path(__file__).parent / "_build" / "extra").is_dir() else []),
]
html_show_sourcelink = False
# These pages have no others below them.
html_sidebars: dict[str, list[str]] = {page: [] for page in ("why", "install", "gallery")}
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
copyright = "the pp_mlekl developers, Apache-2.0"

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

# Notebooks are run once for each change of their code.
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / "notebooks")
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autosummary_generate = True
add_module_names = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = False

nitpicky = True
nitpick_ignore_regex = [
    # The inventories of other projects would have to be downloaded.
    (r"py:.*", r"(?!pp_mlekl\.).*"),
    # Parts of results and arguments that have no page of their own.
    (r"py:class", r"pp_mlekl\.(optimize|divergences\.distribution|inputs|estimation\.asymptotics)\..*"),
]


def _mathml(formula: str, display: str = "inline") -> str:
    """MathML in which names of functions are no operators, with a thin space before an argument without brackets."""
    found = re.sub(r"<mo[^>]*>([A-Za-z]{2,})</mo>", r"<mi>\1</mi>", convert(formula, display=display))
    return re.sub(r"(<mi>[A-Za-z]{2,}</mi>)(?=<m(?!o|space))", r'\1<mspace width="0.17em" />', found)


def _inline_formula(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node.astext()))
    raise nodes.SkipNode


def _displayed_formula(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Formulas are MathML, which browsers show without a script from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_displayed_formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
