"""TOML files that users write: report specifications and truths."""

import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import getdoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

_JSON_TYPES = {str: "string", int: "integer", dict: "object"}


@dataclass(frozen=True, kw_only=True)
class Specification:
    """One report: which model, of which data, against which truth, with how many draws.

    Parameters
    ----------
    builder
        The model: a name of the gallery, ``module:function`` or ``file.py:function``.
    name
        Title of the page and stem of its files; the name of the TOML file if missing.
    args
        Keyword arguments of the builder.
    data
        File (.csv, .parquet, .nc) that is read and handed to the builder as ``data``; relative to the TOML file.
    truth
        ``"module"`` for the ``TRUTH`` of the builder's module, or a table of parameter values.
    draws
        Draws of each chain after tuning.
    chains
        Number of chains.
    seed
        Seed of all random numbers.
    sampler
        ``nutpie``, or another ``nuts_sampler`` of PyMC.
    potentials
        Whether potentials count as ``"prior"`` or ``"likelihood"``.
    """

    builder: str
    name: str
    args: dict[str, Any] = field(default_factory=dict)
    data: str | None = None
    truth: str | dict[str, Any] | None = None
    draws: int = 1000
    chains: int = 4
    seed: int = 1
    sampler: str = "nutpie"
    potentials: str | None = None


def _types() -> dict[str, tuple[type, ...]]:
    """The types that TOML may give each key of a specification."""
    hints = get_type_hints(Specification)
    unions = {name: get_args(hint) if isinstance(hint, UnionType) else (hint,) for name, hint in hints.items()}
    return {name: tuple(get_origin(t) or t for t in types if t is not NoneType) for name, types in unions.items()}


def specification_schema() -> dict[str, Any]:
    """The JSON schema of a report's TOML file, for editors."""
    described = dict(re.findall(r"^(\w+)\n    (.+)", getdoc(Specification) or "", re.MULTILINE))
    properties = {
        name: {"description": described[name].replace("``", ""), "type": [_JSON_TYPES[t] for t in types]}
        for name, types in _types().items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of pp-mlekl",
        "type": "object",
        "properties": properties,
        "required": ["builder"],
        "additionalProperties": False,
    }


def read_specification(path: Path) -> Specification:
    """Read a report's TOML file.

    Raises
    ------
    ValueError
        Where a key is unknown (the nearest is named), missing, or of the wrong type.
    """
    known = _types()
    content = read_toml(path, known)
    for key, value in content.items():
        if not isinstance(value, known[key]) or isinstance(value, bool):
            wanted = " or ".join(t.__name__ for t in known[key])
            raise ValueError(f"{path}: {key} must be {wanted}, got {value!r}.")
    if "builder" not in content:
        raise ValueError(f'{path}: the key "builder" is missing, e.g. builder = "models.eight_schools:build".')
    if "data" in content:
        content["data"] = str(path.parent / content["data"])
    return Specification(**{"name": path.stem, **content})


def read_truth(path: Path) -> dict[str, Any]:
    """Parameter values from a TOML file: numbers, lists, lists of lists."""
    return read_toml(path)


def read_toml(path: Path, known: Collection[str] | None = None) -> dict[str, Any]:
    """The content of a TOML file.

    Raises
    ------
    ValueError
        Where the file cannot be read, or a key is not among the known ones (the nearest is named).
    """
    if not path.is_file():
        raise ValueError(f"There is no file {path}; check the path.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        # Of a syntax error, text that is not UTF-8, a number that is too long, brackets that are too deep.
        raise ValueError(f"{path} must be TOML in UTF-8: {error}") from error
    if known is not None:
        _check_keys(path, content, known)
    return content


def _check_keys(path: Path, content: Iterable[str], known: Collection[str]) -> None:
    for key in content:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}."
            raise ValueError(f"{path}: unknown key {key!r}; {hint}")
