"""What a user writes down: report specifications and truths in TOML."""

import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "builder": (str,),
    "name": (str,),
    "truth": (str, dict),
    "draws": (int,),
    "chains": (int,),
    "seed": (int,),
    "sampler": (str,),
    "potentials": (str,),
}


@dataclass(frozen=True, kw_only=True)
class Specification:
    """One report: which model, against which truth, with how many draws.

    Parameters
    ----------
    builder
        ``module:function`` or ``file.py:function``.
    name
        Title of the page and stem of its file.
    truth
        ``"module"`` for the gallery module's ``TRUTH``, or a table of parameter values.
    draws, chains, seed, sampler, potentials
        As in ``pp-mlekl compare``.
    """

    builder: str
    name: str
    truth: str | dict[str, Any] | None = None
    draws: int = 1000
    chains: int = 4
    seed: int = 1
    sampler: str = "nutpie"
    potentials: str | None = None


def read_specification(path: Path) -> Specification:
    """Read a report's TOML file.

    Raises
    ------
    ValueError
        Where a key is unknown (the nearest is named), missing, or of the wrong type.
    """
    content = _read_toml(path)
    known = [f.name for f in fields(Specification)]
    for key, value in content.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}."
            raise ValueError(f"{path}: unknown key {key!r}; {hint}")
        if not isinstance(value, _TYPES[key]) or isinstance(value, bool):
            wanted = " or ".join(t.__name__ for t in _TYPES[key])
            raise ValueError(f"{path}: {key} must be {wanted}, got {value!r}.")
    if "builder" not in content:
        raise ValueError(f'{path}: the key "builder" is missing, e.g. builder = "models.eight_schools:build".')
    return Specification(**{"name": path.stem, **content})


def read_truth(path: Path) -> dict[str, Any]:
    """Parameter values from a TOML file: numbers, lists, lists of lists."""
    return _read_toml(path)


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"There is no file {path}; check the path.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        # Of a syntax error, text that is not UTF-8, a number that is too long, brackets that are too deep.
        raise ValueError(f"{path} must be TOML in UTF-8: {error}") from error
