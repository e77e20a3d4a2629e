"""``pp-mlekl list``: the gallery's builders, read from the source of its modules."""

import ast
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pp_mlekl.cli.options import Traceback
from pp_mlekl.cli.output import Csv, Json, Latex, print_as, show_lines


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One builder of the gallery.

    Parameters
    ----------
    module, function
        Where the builder is, such as ``radon`` and ``build_noncentered``.
    tags
        The families of the model.
    observations, parameters
        Their numbers.
    mle, map
        The expected status of the maximum likelihood and of the maximum a posteriori estimate (natural scale).
    data
        What the data are: the module's title up to its colon.
    shows
        What the model teaches: the rest of the title, or the first line of a builder other than ``build``.
    describes
        The first line of the builder's docstring.
    about
        The module's docstring.
    """

    module: str
    function: str
    tags: tuple[str, ...]
    observations: int
    parameters: int
    mle: str
    map: str
    data: str
    shows: str
    describes: str
    about: str

    @property
    def name(self) -> str:
        """The builder's name on the command line."""
        return self.module if self.function == "build" else f"{self.module}:{self.function}"


def list_models(
    as_json: Json = False, as_csv: Csv = False, as_latex: Latex = False, traceback: Traceback = False
) -> None:
    """The gallery: builder, observations (data), parameters (par.), family, what it shows."""
    import pandas as pd

    header = ["builder", "family", "observations", "parameters", "data", "shows"]
    rows = [[e.name, ", ".join(e.tags), e.observations, e.parameters, e.data, e.shows] for e in entries()]
    table = pd.DataFrame(rows, columns=header)
    if not print_as(table, as_json=as_json, as_csv=as_csv, as_latex=as_latex):
        lines = [[e.name, str(e.observations), str(e.parameters), ", ".join(e.tags), e.shows] for e in entries()]
        show_lines(["builder", "data", "par.", "family", "shows"], lines, flexible=2)


def entries() -> list[Entry]:
    """All builders of the gallery, by module; no module is imported and no model built."""
    return [entry for path in _sources() for entry in _read(path)]


def gallery_modules() -> list[str]:
    """Names of the gallery's modules, such as ``radon``."""
    return list(dict.fromkeys(entry.module for entry in entries()))


def _sources() -> list[Path]:
    package = importlib.import_module("pp_mlekl.gallery")
    return sorted(path for folder in package.__path__ for path in Path(folder).glob("*.py"))


def _read(path: Path) -> list[Entry]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    about = ast.get_docstring(tree) or ""
    data, _, shows = about.partition("\n\n")[0].replace("\n", " ").partition(": ")
    first_lines = {
        node.name: (ast.get_docstring(node) or "").partition("\n")[0]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    return [
        Entry(
            module=path.stem,
            function=function,
            data=data,
            shows=shows[:1].upper() + shows[1:] if function == "build" else first_lines[function],
            describes=first_lines[function],
            about=about,
            **{**facts, "tags": tuple(facts["tags"].split())},
        )
        for function, facts in _builders(tree).items()
    ]


def _builders(tree: ast.Module) -> dict[str, dict[str, Any]]:
    """The value of ``BUILDERS``, which is a literal; empty in a module without builders."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BUILDERS":
            return ast.literal_eval(node.value)
    return {}
