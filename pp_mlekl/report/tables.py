"""The page's tables, as text."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pp_mlekl.report.formatting import estimate, number, with_error, with_precision
from pp_mlekl.report.labels import FIT_NAMES, NO_NUMBER

# More rows than this say little more: the findings count the rest.
_MOST_SENSITIVE = 12
# In posterior standard deviations: what differs by less is printed alike anyway.
SAME = 1e-4


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under a header; ``words`` are the columns that are read as words, the others as numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[str]

    def is_words(self, column: int) -> bool:
        """Whether a column is read as words: set from the left, and broken over lines."""
        return column == 0 or self.header[column] in self.words


def table_of(header: list[str], rows: list[list[str]], *words: str) -> Table:
    """A table from lists; ``words`` names the columns that are read as words."""
    return Table(header=tuple(header), rows=tuple(tuple(row) for row in rows), words=frozenset(words))


def parameter_table(comparison: Any) -> Table:
    """The table of parameters."""
    table = comparison.summary()
    interval = [c for c in table.columns if c.startswith(("eti", "hdi"))]
    percent = interval[0].removeprefix("eti").removeprefix("hdi").removesuffix("_lb")
    both = _scales_differ(table)
    header = ["parameter", "MLE ± SE", "MAP", *(["MAP, unconstrained"] if both else [])]
    header += ["mean", "sd", f"{percent}% interval", "R-hat", "ESS"]
    header += [title for title, column in (("KL gained", "KL"), ("truth", "truth")) if column in table]
    mcse = comparison.diagnostics.summary["mcse_mean"].astype(float)
    rows = []
    for name, row in table.iterrows():
        cells = [str(name), *_estimates(row, comparison.statuses, both)]
        cells += _posterior(row, mcse[name], interval)
        cells += [with_error(row["KL"], row["KL_mcse"])] if "KL" in table else []
        cells += [number(row["truth"])] if "truth" in table else []
        rows.append(cells)
    return table_of(header, rows)


def _scales_differ(table: pd.DataFrame) -> bool:
    """Whether the two MAPs would be printed differently anywhere."""
    one_is_missing = table["MAP"].isna() != table["MAP_unconstrained"].isna()
    return bool(one_is_missing.any() or (scale_gaps(table).abs() > SAME).any())


def _estimates(row: pd.Series, statuses: dict[str, str], both: bool) -> list[str]:
    cells = [estimate(row["MLE"], row["SE"], statuses["mle"], row["sd"])]
    cells.append(estimate(row["MAP"], np.nan, statuses["map"], row["sd"]))
    if both:
        cells.append(estimate(row["MAP_unconstrained"], np.nan, statuses["map_unconstrained"], row["sd"]))
    return cells


def _posterior(row: pd.Series, mcse: float, interval: list[str]) -> list[str]:
    return [
        with_precision(row["mean"], mcse),
        number(row["sd"], 3),
        f"{number(row[interval[0]], 3)} to {number(row[interval[1]], 3)}",
        f"{row['r_hat']:.3f}" if np.isfinite(row["r_hat"]) else "–",
        number(np.floor(min(row["ess_bulk"], row["ess_tail"])), 6),
    ]


def divergence_table(comparison: Any) -> Table:
    """The table of divergences: what each says, its direction, value and standard error."""
    rows = []
    for _, row in comparison.divergences().iterrows():
        status = comparison.statuses.get(row["of"], "")
        value, reason = with_error(row["value"], row["mcse"]), row["note"] if not np.isfinite(row["value"]) else ""
        if np.isnan(row["value"]):
            missing = status in NO_NUMBER
            value = f"no estimate ({status.replace('_', ' ')})" if missing else "not to be had"
            reason = "" if missing else reason
        rows.append([row["direction"], value, row["quantity"] + (f". {_sentence(reason)}" if reason else "")])
    return table_of(["divergence", "nats", "of"], rows, "of")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def variable_table(comparison: Any) -> Table:
    """The table of variables."""
    rows = [
        [v["name"], v["kind"], v["distribution"], " × ".join(v["dims"]) or "–", str(v["size"])]
        for v in comparison.variables
    ]
    return table_of(["variable", "kind", "distribution", "dims", "elements"], rows, "kind", "distribution", "dims")


def loo_table(comparison: Any) -> Table:
    """The table of leave-one-out scores."""
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
    return table_of(["observed", "expected log score ± SE", "effective parameters", "largest k-hat", "too large"], rows)


def sensitivity_table(comparison: Any) -> Table:
    """The table of sensitivities to prior and likelihood; the parameters that react most."""
    table = comparison.diagnostics.sensitivity
    if not len(table):
        return table_of([], [])
    most = table.astype({"prior": float, "likelihood": float}).nlargest(_MOST_SENSITIVE, "prior")
    rows = [
        [str(name), number(row["prior"], 2), number(row["likelihood"], 2), _diagnosis(row["diagnosis"])]
        for name, row in most.iterrows()
    ]
    return table_of(["parameter", "prior", "likelihood", "diagnosis"], rows, "diagnosis")


def _diagnosis(text: str) -> str:
    return text if text.strip("✓ ") else "none needed"


def audit_table(comparison: Any) -> Table:
    """The audit: each point estimate's status and what it rests on."""
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
                number(row["aic"], 6) if shown else "–",
                number(row["bic"], 6) if shown else "–",
                number(row["gradient_norm"], 2) if shown else "–",
                f"{number(row['smallest_eigenvalue'], 3)} to {number(row['largest_eigenvalue'], 3)}" if shown else "–",
                f"{int(row['agree'])} of {int(row['starts'])}",
            ]
        )
    header = ["estimate", "status", "log-likelihood", "AIC", "BIC", "gradient"]
    return table_of([*header, "Hessian's eigenvalues", "starts that agree"], rows, "status")


def scale_gaps(summary: pd.DataFrame) -> pd.Series:
    """MAP on the unconstrained less MAP on the natural scale, in posterior standard deviations; NaN where one is missing.

    Parameters
    ----------
    summary
        As ``Comparison.summary`` gives it: one row for each parameter.

    Examples
    --------
    >>> table = pd.DataFrame({"MAP": [1.0], "MAP_unconstrained": [1.5], "sd": [2.0]}, index=["sigma"])
    >>> scale_gaps(table).to_dict()
    {'sigma': 0.25}
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return (summary["MAP_unconstrained"] - summary["MAP"]) / summary["sd"]
