"""Rows of the page's tables, as text."""

from typing import Any

import numpy as np

from pp_mlekl.report.words import estimate, number, with_error


def parameter_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of parameters."""
    table = comparison.summary()
    status = comparison.statuses
    interval = [c for c in table.columns if c.startswith(("eti", "hdi"))]
    percent = interval[0].removeprefix("eti").removeprefix("hdi").removesuffix("_lb") if interval else ""
    header = ["parameter", "MLE ± SE", "MAP", "mean", "sd", f"{percent}% interval", "R-hat", "ESS"]
    gained = "KL" in table
    rows = []
    for name, row in table.iterrows():
        cells = [
            str(name),
            estimate(row["MLE"], row["SE"], status["mle"]),
            estimate(row["MAP"], np.nan, status["map"]),
            number(row["mean"]),
            number(row["sd"], 3),
            f"{number(row[interval[0]], 3)} to {number(row[interval[1]], 3)}",
            f"{row['r_hat']:.3f}" if np.isfinite(row["r_hat"]) else "–",
            f"{min(row['ess_bulk'], row['ess_tail']):.0f}",
        ]
        rows.append([*cells, with_error(row["KL"], row["KL_mcse"])] if gained else cells)
    return [*header, "KL gained"] if gained else header, rows


def divergence_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of divergences."""
    rows = []
    for _, row in comparison.divergences().iterrows():
        value = with_error(row["value"], row["mcse"])
        if np.isnan(row["value"]):
            status = comparison.statuses.get(row["of"])
            value = f"no estimate ({status.replace('_', ' ')})" if status else "not available"
        rows.append([row["direction"], value, row["quantity"]])
    return ["divergence", "nats", "of"], rows


def variable_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of variables."""
    rows = [
        [v["name"], v["kind"], v["distribution"], " × ".join(v["dims"]) or "–", str(v["size"])]
        for v in comparison.variables
    ]
    return ["variable", "kind", "distribution", "dims", "elements"], rows


def loo_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of leave-one-out scores."""
    rows = [
        [str(name), with_error(row["elpd"], row["se"]), number(row["p"], 3), f"{row['bad_k']:.0f} of {row['n']:.0f}"]
        for name, row in comparison.diagnostics.loo.iterrows()
    ]
    return ["observed", "expected log score (LOO)", "effective parameters", "k-hat above 0.7"], rows
