"""``pp-mlekl kl``: divergences between distributions written as text; ``pp-mlekl rules``: the closed forms."""

from itertools import combinations, permutations
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from pp_mlekl.cli.options import FixedSeed, Traceback

if TYPE_CHECKING:
    from pp_mlekl.divergences.distribution import Distribution
    from pp_mlekl.divergences.estimate import Estimate


def kl(
    distributions: Annotated[list[str], typer.Argument(help="Two or more, e.g. 'Gamma(2, 1)' 'LogNormal(0, 0.7)'.")],
    base: Annotated[float | None, typer.Option(help="Base of the logarithm: 2 for bits.")] = None,
    rtol: Annotated[float | None, typer.Option(help="Relative standard error at which Monte Carlo stops.")] = None,
    budget: Annotated[int | None, typer.Option(help="Draws that Monte Carlo may take at the most.")] = None,
    seed: FixedSeed = 0,
    traceback: Traceback = False,
) -> None:
    """Print KL both ways and the Jensen-Shannon divergence of distributions written in PyMC's notation."""
    from pp_mlekl.inputs.text import parse_distribution

    if len(distributions) < 2:
        raise ValueError(f"Give two or more distributions, got {len(distributions)}.")
    parsed = [parse_distribution(text) for text in distributions]
    options = {"base": base, "rtol": rtol, "budget": budget, "random_seed": seed}
    rows = _estimates(distributions, parsed, options)
    console = Console()
    console.print(_table(rows))
    for label, estimate in rows:
        for warning in estimate.warnings:
            console.print(f"{label}: {warning}", style="yellow", highlight=False, markup=False)


def rules(traceback: Traceback = False) -> None:
    """List the ordered pairs of families whose KL has a closed form."""
    from pp_mlekl.divergences.rule_table import rules as closed_form_rules

    table = Table("P", "Q", box=None)
    pairs = closed_form_rules()
    for p in dict.fromkeys(pair[0] for pair in pairs):
        table.add_row(p, ", ".join(pair[1] for pair in pairs if pair[0] == p))
    console = Console()
    console.print(table)
    console.print(f"{len(pairs)} ordered pairs.", highlight=False)


def _estimates(texts: list[str], parsed: list["Distribution"], options: dict[str, Any]) -> list[tuple[str, "Estimate"]]:
    """KL of every ordered pair, and the Jensen-Shannon divergence of every pair."""
    from pp_mlekl.inputs.divergence import js_divergence, kl_divergence

    rows = []
    for i, j in permutations(range(len(parsed)), 2):
        value = kl_divergence(parsed[i], parsed[j], **options)
        rows.append((f"KL({texts[i]} || {texts[j]})", value))
    for i, j in combinations(range(len(parsed)), 2):
        rows.append((f"JSD({texts[i]}, {texts[j]})", js_divergence(parsed[i], parsed[j], **options)))
    return rows


def _table(rows: list[tuple[str, "Estimate"]]) -> Table:
    table = Table(Column("", overflow="fold"), "value", "mcse", "unit", "method", box=None)
    for label, estimate in rows:
        values, errors = np.broadcast_arrays(np.asarray(estimate.value, float), np.asarray(estimate.mcse, float))
        # Parameters given as lists make a batch of distributions: a row for each.
        for index in np.ndindex(values.shape):
            place = f"[{', '.join(map(str, index))}]" if index else ""
            cells = [f"{values[index]:.10g}", f"{errors[index]:.2g}", estimate.unit, escape(estimate.method)]
            # What a user typed may hold square brackets, which rich would take for styles.
            table.add_row(escape(label + place), *cells)
    return table
