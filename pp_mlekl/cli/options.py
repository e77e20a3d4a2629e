"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from pp_mlekl.cli.errors import WRONG_USE, show_tracebacks, stop


def _not_negative(seed: int | None) -> int | None:
    if seed is not None and seed < 0:
        stop(f"--seed must be a whole number of at least 0, got {seed}.", WRONG_USE)
    return seed


Draws = Annotated[int, typer.Option(help="kept draws of each chain")]
Chains = Annotated[int, typer.Option(help="number of chains")]
SeedOption = typer.Option(help="seed of everything random", callback=_not_negative)
Seed = Annotated[int | None, SeedOption]
FixedSeed = Annotated[int, SeedOption]
Data = Annotated[
    Path | None, typer.Option(help="file (.csv, .parquet, .nc) that is read and handed to the builder as data")
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
