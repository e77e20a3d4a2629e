"""Options that several commands have."""

from typing import Annotated

import typer

Draws = Annotated[int, typer.Option(help="kept draws of each chain")]
Chains = Annotated[int, typer.Option(help="number of chains")]
Seed = Annotated[int | None, typer.Option(help="seed of everything random")]
Sampler = Annotated[str, typer.Option(help="nutpie, or another nuts_sampler of PyMC")]
Potentials = Annotated[str | None, typer.Option(help="what pm.Potential terms count as: prior or likelihood")]
