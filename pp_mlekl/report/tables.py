"""Rows of the page's tables, as text."""

from typing import Any

import numpy as np

from pp_mlekl.compare.comparison import FIT_NAMES, NO_NUMBER
from pp_mlekl.report.words import estimate, number, with_error, with_precision

# More rows than this say little more: the findings count the rest.
_MOST_SENSITIVE = 12


def parameter_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of parameters."""
    table = comparison.summary()
    status = comparison.statuses
    interval = [c for c in table.columns if c.startswith(("eti", "hdi"))]
    percent = interval[0].removeprefix("eti").removeprefix("hdi").removesuffix("_lb")
    header = ["parameter", "MLE ± SE", "MAP", "mean", "sd", f"{percent}% interval", "R-hat", "ESS"]
    mcse = comparison.diagnostics.summary["mcse_mean"].astype(float)
    rows = []
    for name, row in table.iterrows():
        cells = [
            str(name),
            estimate(row["MLE"], row["SE"], status["mle"]),
            estimate(row["MAP"], np.nan, status["map"]),
            with_precision(row["mean"], mcse[name]),
            number(row["sd"], 3),
            f"{number(row[interval[0]], 3)} to {number(row[interval[1]], 3)}",
            f"{row['r_hat']:.3f}" if np.isfinite(row["r_hat"]) else "–",
            number(np.floor(min(row["ess_bulk"], row["ess_tail"])), 6),
        ]
        cells += [with_error(row["KL"], row["KL_mcse"])] if "KL" in table else []
        cells += [number(row["truth"])] if "truth" in table else []
        rows.append(cells)
    return [*header, *(["KL gained"] if "KL" in table else []), *(["truth"] if "truth" in table else [])], rows


def divergence_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of divergences: what each says, its direction, value and standard error."""
    rows = []
    for _, row in comparison.divergences().iterrows():
        value = with_error(row["value"], row["mcse"])
        if np.isnan(row["value"]):
            status = comparison.statuses.get(row["of"])
            missing = status is not None and status in NO_NUMBER
            value = f"no estimate ({status.replace('_', ' ')})" if missing else "not to be had"
        reason = f". {_sentence(row['note'])}" if row["note"] and not np.isfinite(row["value"]) else ""
        rows.append([row["direction"], value, row["quantity"] + reason])
    return ["divergence", "nats", "of"], rows


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


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
        [
            str(name),
            with_error(row["elpd"], row["se"]),
            number(row["p"], 3),
            number(row["largest_k"], 2),
            f"{row['bad_k']:.0f} of {row['n']:.0f}",
        ]
        for name, row in comparison.diagnostics.loo.iterrows()
    ]
    return ["observed", "expected log score ± SE", "effective parameters", "largest k-hat", "too large"], rows


def sensitivity_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of sensitivities to prior and likelihood; the parameters that react most."""
    table = comparison.diagnostics.sensitivity
    if not len(table):
        return [], []
    most = table.astype({"prior": float, "likelihood": float}).nlargest(_MOST_SENSITIVE, "prior")
    rows = [
        [str(name), number(row["prior"], 2), number(row["likelihood"], 2), _diagnosis(row["diagnosis"])]
        for name, row in most.iterrows()
    ]
    return ["parameter", "prior", "likelihood", "diagnosis"], rows


def _diagnosis(text: str) -> str:
    return text if text.strip("✓ ") else "none needed"


def audit_rows(comparison: Any) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the audit: each point estimate's status and what it rests on."""
    audit = comparison.tree["audit"].to_dataset()
    rows = []
    for name, status in comparison.statuses.items():
        row = audit.sel(estimator=name)
        shown = status not in NO_NUMBER
        rows.append(
            [
                FIT_NAMES.get(name, name),
                status.replace("_", " "),
                number(row["log_likelihood"], 6) if shown else "–",
                number(row["gradient_norm"], 2) if shown else "–",
                f"{number(row['smallest_eigenvalue'], 3)} to {number(row['largest_eigenvalue'], 3)}" if shown else "–",
                f"{int(row['agree'])} of {int(row['starts'])}",
            ]
        )
    return ["estimate", "status", "log-likelihood", "gradient", "Hessian's eigenvalues", "starts that agree"], rows
