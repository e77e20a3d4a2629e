"""The way up to pages and pictures.

The report stands above this layer: it is looked up by name when a page or a picture is asked for.
"""

from importlib import import_module
from typing import Any


def report() -> Any:
    """The package that writes pages and draws pictures."""
    return import_module("pp_mlekl.report")
