"""``pp-mlekl list``: the gallery."""

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path

from pp_mlekl.cli.errors import WRONG_USE, one_line_errors, stop


def list_models() -> None:
    """The gallery: name, observations, parameters, what it shows."""
    from rich.console import Console
    from rich.table import Table

    names = gallery_modules()
    if not names:
        stop("There is no gallery here; run this in a checkout of pp_mlekl (its folder models/).", WRONG_USE)
    table = Table("builder", "observations", "parameters", "shows", box=None, pad_edge=False)
    with one_line_errors():
        from pp_mlekl.pymc_model.model_functions import model_functions

        for name in names:
            module = importlib.import_module(name)
            functions = model_functions(module.build())
            shows = (module.__doc__ or "").strip().splitlines()[0]
            table.add_row(f"{name}:build", str(functions.n_observations), str(functions.size), shows)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def gallery_modules() -> list[str]:
    """Modules of the package ``models`` that have a builder."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        package = importlib.import_module("models")
    except ModuleNotFoundError:
        return []
    names = [f"models.{m.name}" for m in pkgutil.iter_modules(package.__path__) if not m.ispkg]
    return [n for n in names if _has_builder(n)]


def _has_builder(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and "\ndef build(" in Path(spec.origin).read_text("utf-8")
