"""``pp-mlekl compare``: one model to a page."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pp_mlekl.cli.builders import build_model, load_builder
from pp_mlekl.cli.errors import one_line_errors
from pp_mlekl.cli.options import Chains, Draws, Potentials, Sampler, Seed


def compare(
    builder: Annotated[str, typer.Argument(help="a name of the gallery, module:function or file.py:function")],
    truth: Annotated[Path | None, typer.Option(help="TOML file with true parameter values")] = None,
    draws: Draws = 1000,
    chains: Chains = 4,
    seed: Seed = None,
    sampler: Sampler = "nutpie",
    potentials: Potentials = None,
    out: Annotated[Path, typer.Option(help="folder for the page, the Markdown and the NetCDF file")] = Path("."),
) -> None:
    """Fit a model in every way, compare the fits, and write a page."""
    from pp_mlekl.cli.specification import read_truth
    from pp_mlekl.writable import writable_folder

    with one_line_errors():
        folder = writable_folder(out)
        function = load_builder(builder)
        values = read_truth(truth) if truth is not None else None
        settings = {"draws": draws, "chains": chains, "random_seed": seed, "sampler": sampler, "potentials": potentials}
        result, page = fit_and_write(
            build_model(function, builder), function, builder, folder, truth=values, **settings
        )
        print(result)
        print(f"\n{page}")


def fit_and_write(
    model: Any, function: Callable[..., Any], builder: str, folder: Path, **settings: Any
) -> tuple[Any, Path]:
    """The comparison of a builder's model, and its page; the Markdown and the NetCDF file are written too."""
    from pp_mlekl.cli.progress import steps
    from pp_mlekl.compare import compare as run
    from pp_mlekl.report import write_html, write_markdown

    name = short_name(builder)
    with steps(name) as say:
        result = run(model, name=name, progress=say, **settings)
        say("writing the page")
        # What took long is kept first.
        result.save(folder / f"{name}.nc")
        write_markdown(result, folder / f"{name}.md")
        page = write_html(result, folder / f"{name}.html", about_module(function))
    return result, page


def about_module(function: object) -> str:
    """What the builder's module says of itself, without reStructuredText's marks."""
    import sys

    text = sys.modules[function.__module__].__doc__ if function.__module__ in sys.modules else ""  # type: ignore[attr-defined]
    return (text or "").replace("``", "")


def short_name(builder: str) -> str:
    """What a builder's model and files are called."""
    module, _, function = builder.partition(":")
    stem = Path(module).stem if module.endswith(".py") else module.rpartition(".")[2]
    return stem if function in ("", "build") else f"{stem}-{function.removeprefix('build_')}"
