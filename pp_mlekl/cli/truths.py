"""Models with a truth, by their names on the command line."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pp_mlekl.cli.errors import WRONG_USE, stop

if TYPE_CHECKING:
    from pp_mlekl.cli.load_model import Builder


def model_and_truth(name: str, truth: str | None, data: Path | None = None) -> tuple[Any, Any]:
    """The model of a shipped case or a builder, and its truth; parameters as for ``builder_and_truth``.

    ``data`` is a file for the builder's argument of that name.
    """
    from pp_mlekl.cli.data_files import read_data
    from pp_mlekl.pymc_model.examples import CASES

    if name in CASES:
        if data is not None:
            stop(f"The shipped case {name} takes no --data; name a builder.", WRONG_USE)
        model, own = CASES[name]()
        return model, own if truth is None else read(truth)
    builder, values = builder_and_truth(name, truth)
    return builder.build(read_data(data)), values


def builder_and_truth(name: str, truth: str | None) -> "tuple[Builder, Any]":
    """A builder and its truth.

    Parameters
    ----------
    name
        A shipped case such as ``student_t_by_normal``, a model of the gallery such as ``naive_bayes_iris``, or
        ``module:function`` or ``file.py:function``.
    truth
        A TOML file of parameter values or a distribution such as ``"Gamma(2, 1)"``; by default the case's own, or the
        ``TRUTH`` of the builder's module.
    """
    from pp_mlekl.cli.gallery import gallery_modules
    from pp_mlekl.cli.load_model import load_builder
    from pp_mlekl.pymc_model.examples import CASES

    if name in CASES:
        stop(
            f"The shipped case {name} has no function simulate; --simulate is for builders, as module:function.",
            WRONG_USE,
        )
    gallery = gallery_modules()
    if ":" not in name and not name.endswith(".py") and name not in gallery:
        near = get_close_matches(name, [*CASES, *gallery], n=1)
        hint = f"did you mean {near[0]}?" if near else f"the cases are {', '.join([*CASES, *gallery])}."
        stop(f"{name!r} is neither a shipped case nor module:function; {hint}", WRONG_USE)
    builder = load_builder(name)
    if truth is None and builder.truth is None:
        stop(f"The module of {name} has no TRUTH; pass --truth FILE.toml or --truth 'Gamma(2, 1)'.", WRONG_USE)
    return builder, builder.truth if truth is None else read(truth)


def read(truth: str) -> Any:
    """Parameter values from a TOML file, or a distribution from its text."""
    from pp_mlekl.cli.report_file import read_truth
    from pp_mlekl.inputs.text import parse_distribution

    return read_truth(Path(truth)) if truth.endswith(".toml") else parse_distribution(truth)


def read_sizes(text: str) -> list[int]:
    """Sizes from ``10,100,1000``."""
    try:
        return [int(part) for part in text.replace("_", "").split(",")]
    except ValueError:
        stop(f"--sizes must be numbers with commas, such as 10,100,1000, got {text!r}.", WRONG_USE)
