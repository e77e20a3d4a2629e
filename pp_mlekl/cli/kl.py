"""``pp-mlekl kl``: divergences between distributions written as text; ``pp-mlekl rules``: the closed forms."""

from itertools import combinations, permutations
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from pp_mlekl.cli.options import FixedSeed, Traceback
from pp_mlekl.cli.output import Csv, Json, Latex, console, print_as, show_table
from pp_mlekl.utils.counts import counted

if TYPE_CHECKING:
    import pandas as pd

    from pp_mlekl.divergences.distribution import Distribution
    from pp_mlekl.divergences.estimate import Estimate


def kl(
    distributions: Annotated[list[str], typer.Argument(help="Two or more, e.g. 'Gamma(2, 1)' 'LogNormal(0, 0.7)'.")],
    base: Annotated[float | None, typer.Option(help="Base of the logarithm: 2 for bits.")] = None,
    rtol: Annotated[float | None, typer.Option(help="Relative standard error at which Monte Carlo stops.")] = None,
    budget: Annotated[int | None, typer.Option(help="Draws that Monte Carlo may take at the most.")] = None,
    seed: FixedSeed = 0,
    as_json: Json = False,
    as_csv: Csv = False,
    as_latex: Latex = False,
    traceback: Traceback = False,
) -> None:
    """Print KL both ways and the Jensen-Shannon divergence of distributions written in PyMC's notation."""
    from pp_mlekl.inputs.text import parse_distribution

    if len(distributions) < 2:
        raise ValueError(f"Give two or more distributions, got {len(distributions)}.")
    parsed = [parse_distribution(text) for text in distributions]
    options = {"base": base, "rtol": rtol, "budget": budget, "random_seed": seed}
    rows = _estimates(distributions, parsed, options)
    table = _table(rows)
    if print_as(table, as_json=as_json, as_csv=as_csv, as_latex=as_latex):
        return
    texts = table.drop(columns="warnings").astype(str)
    texts["value"], texts["mcse"] = table["value"].map("{:.10g}".format), table["mcse"].map("{:.2g}".format)
    show_table(["", *texts.columns[1:]], texts.to_numpy().tolist(), words=(0, 3, 4))
    for label, estimate in rows:
        for warning in estimate.warnings:
            console().print(f"{label}: {warning}", style="yellow", markup=False)


def rules(as_json: Json = False, as_csv: Csv = False, as_latex: Latex = False, traceback: Traceback = False) -> None:
    """List the ordered pairs of families whose KL has a closed form."""
    import pandas as pd

    from pp_mlekl.divergences.rule_table import rules as closed_form_rules

    pairs = closed_form_rules()
    table = pd.DataFrame(pairs, columns=["P", "Q"])
    if print_as(table, as_json=as_json, as_csv=as_csv, as_latex=as_latex):
        return
    show_table(["P", "Q"], [[p, ", ".join(of["Q"])] for p, of in table.groupby("P", sort=False)], words=(0, 1))
    print(f"{counted(len(pairs), 'ordered pair')}.")


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


def _table(rows: list[tuple[str, "Estimate"]]) -> "pd.DataFrame":
    import pandas as pd

    found = []
    for label, estimate in rows:
        values, errors = np.broadcast_arrays(np.asarray(estimate.value, float), np.asarray(estimate.mcse, float))
        # Parameters given as lists make a batch of distributions: a row for each.
        for index in np.ndindex(values.shape):
            place = f"[{', '.join(map(str, index))}]" if index else ""
            numbers = float(values[index]), float(errors[index])
            found.append([label + place, *numbers, estimate.unit, estimate.method, " ".join(estimate.warnings)])
    return pd.DataFrame(found, columns=["quantity", "value", "mcse", "unit", "method", "warnings"])
