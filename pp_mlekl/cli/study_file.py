"""Grids of studies in TOML: which builders, with which arguments and truths, and the settings that they share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from pp_mlekl.cli.load_model import load_builder
from pp_mlekl.cli.report_file import read_toml
from pp_mlekl.cli.truths import read

# Settings of ``study``, by their types in the file.
_SETTINGS: dict[str, tuple[type, type | None]] = {
    "sizes": (list, int),
    "replicates": (int, None),
    "estimators": (list, str),
    "intervals": (list, str),
    "compute": (list, str),
    "ci_prob": (float, None),
    "resamples": (int, None),
    "random_seed": (int, None),
    "draws": (int, None),
    "tune": (int, None),
    "chains": (int, None),
    "covariates": (str, None),
    "simulate": (bool, None),
}
_CROSSED = ("builder", "arguments", "truth")


@dataclass(frozen=True, kw_only=True)
class OneStudy:
    """A builder, its arguments, a truth, and the settings.

    Parameters
    ----------
    builder
        ``module:function`` or ``file.py:function``.
    arguments
        Of the function: the scale of a prior, say.
    truth
        Parameter values, or the text of a distribution; None for the module's ``TRUTH``.
    settings
        Of ``study``; ``simulate`` tells whether the module's function of that name draws the data.
    """

    builder: str
    arguments: dict[str, Any]
    truth: dict[str, Any] | str | None
    settings: dict[str, Any]

    def load(self) -> tuple[Any, Any, dict[str, Any]]:
        """The model, the truth and the settings.

        Raises
        ------
        ValueError
            Where neither the file nor the module has a truth.
        """
        loaded = load_builder(self.builder)
        truth = loaded.truth if self.truth is None else self.truth
        if truth is None:
            raise ValueError(f"The module of {self.builder} has no TRUTH; add truth to the file.")
        truth = read(truth) if isinstance(truth, str) else truth
        settings = {name: value for name, value in self.settings.items() if name != "simulate"}
        if not self.settings.get("simulate", False):
            return loaded.build(**self.arguments), truth, settings
        model, simulate = loaded.own_data(**self.arguments)
        return model, truth, settings | {"simulate": simulate}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """All combinations of builders, arguments and truths.

    Parameters
    ----------
    name
        Stands before the names of the studies.
    builder, arguments, truth
        As of ``OneStudy``, any number of each.
    settings
        That all studies share.
    """

    name: str
    builder: list[str]
    arguments: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    truth: list[dict[str, Any] | str | None] = field(default_factory=lambda: [None])
    settings: dict[str, Any] = field(default_factory=dict)

    def studies(self) -> Iterator[tuple[str, OneStudy]]:
        """Every combination, with a name that shows what differs."""
        for builder, arguments, truth in product(self.builder, self.arguments, self.truth):
            varied = [(len(self.builder) > 1, builder), (len(self.arguments) > 1, _arguments_text(arguments))]
            varied += [(len(self.truth) > 1, truth if isinstance(truth, str) else _arguments_text(truth or {}))]
            name = ", ".join([self.name, *(text for varies, text in varied if varies)])
            yield name, OneStudy(builder=builder, arguments=arguments, truth=truth, settings=self.settings)


def read_grid(path: Path) -> Grid:
    """Read the grid in a TOML file.

    Raises
    ------
    ValueError
        Where the file cannot be read, or a key is unknown (the nearest is named), missing or of the wrong type.
    """
    content = read_toml(path, known=["name", *_CROSSED, *_SETTINGS])
    crossed = {key: _listed(content[key]) for key in _CROSSED if key in content}
    kinds: dict[str, tuple[type, ...]] = {"builder": (str,), "arguments": (dict,), "truth": (dict, str)}
    for key, values in crossed.items():
        if not values or not all(isinstance(value, kinds[key]) for value in values):
            wanted = " or ".join(kind.__name__ for kind in kinds[key])
            raise ValueError(f"{path}: {key} must be a {wanted}, or a list of such, got {content[key]!r}.")
    if "builder" not in crossed:
        raise ValueError(f'{path}: the key "builder" is missing; add builder = "models.radon:build", say.')
    settings = {key: _setting(path, key, content[key]) for key in _SETTINGS if key in content}
    name = str(content.get("name", path.stem))
    return Grid(name=name, settings={"random_seed": 1} | settings, **crossed)


def _setting(path: Path, key: str, value: Any) -> Any:
    kind, inner = _SETTINGS[key]
    right = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    if not right or (inner is not None and not all(isinstance(v, inner) and not isinstance(v, bool) for v in value)):
        wanted = f"list of {inner.__name__}" if inner is not None else kind.__name__
        raise ValueError(f"{path}: {key} must be a {wanted}, got {value!r}.")
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _arguments_text(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items()) or "defaults"
