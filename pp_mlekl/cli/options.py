"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pp_mlekl import typing
from pp_mlekl.cli.errors import WRONG_USE, show_tracebacks, stop


def _not_negative(seed: int | None) -> int | None:
    if seed is not None and seed < 0:
        stop(f"--seed must be a whole number of at least 0, got {seed}.", WRONG_USE)
    return seed


def ending(*kinds: str) -> Callable[[typer.CallbackParam, Path | None], Path | None]:
    """A callback for an option that names a file of one of these kinds, such as ``.html``."""

    def checked(param: typer.CallbackParam, path: Path | None) -> Path | None:
        if path is not None and path.suffix not in kinds:
            stop(f"{param.opts[0]} writes a file that ends in {' or '.join(kinds)}, got {path}.", WRONG_USE)
        return path

    return checked


# A folder that does not exist yet and is named like these was meant as a file.
_FILES = ".csv .htm .html .json .md .nc .parquet .pdf .png .svg .tex .toml .txt .xlsx .zarr".split()


def _folder(path: Path) -> Path:
    if path.suffix.lower() in _FILES and not path.is_dir():
        stop(
            f"--out names a folder, whose files get names of their own, got {path}; leave {path.suffix} out.", WRONG_USE
        )
    return path


def folder_option(holds: str) -> Any:
    """The option for a folder; ``holds`` says for what."""
    return typer.Option(help=f"folder for {holds}", callback=_folder)


Draws = Annotated[int, typer.Option(help="kept draws of each chain")]
Chains = Annotated[int, typer.Option(help="number of chains")]
SeedOption = typer.Option(help="seed of everything random", callback=_not_negative)
Seed = Annotated[int | None, SeedOption]
FixedSeed = Annotated[int, SeedOption]
Data = Annotated[
    Path | None, typer.Option(help="file (.csv, .parquet, .nc) that is read and handed to the builder as data")
]
Potentials = Annotated[
    typing.Potentials,
    typer.Option(help="whether pm.Potential terms count as prior or likelihood; must be said where there are some"),
]
Sampler = Annotated[str, typer.Option(help="nutpie, or another nuts_sampler of PyMC")]


def _positive(workers: int | None) -> int | None:
    if workers is not None and workers < 1:
        stop(f"--workers must be a positive integer, got {workers}.", WRONG_USE)
    return workers


Workers = Annotated[int | None, typer.Option(help="worker processes on this machine, by Dask", callback=_positive)]
Scheduler = Annotated[str | None, typer.Option(help="address of a Dask scheduler, such as tcp://HOST:8786")]
Traceback = Annotated[
    bool, typer.Option("--traceback", callback=show_tracebacks, help="show where in the code a failure arose")
]
