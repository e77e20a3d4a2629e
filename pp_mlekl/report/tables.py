"""The tables of a page, as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import pandas as pd

from pp_mlekl.report.formatting import UNAVAILABLE, estimate, interval, number, percent, rounded, with_error
from pp_mlekl.report.labels import FIT_NAMES, NO_NUMBER
from pp_mlekl.report.protocols import ComparisonLike
from pp_mlekl.utils.p_values import p_value

# Maximum number of rows; the findings report how many more parameters are sensitive.
_MAX_SENSITIVE = 12
_MAX_SAMPLING = 30
_MAX_CHECKS = 24
# Differences below this number of posterior standard deviations do not show in the table.
SAME = 1e-4


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under a header; ``words`` are the columns of text, all others hold numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[str]

    def is_words(self, column: int) -> bool:
        """Whether a column holds text, which is left-aligned and may wrap."""
        return column == 0 or self.header[column] in self.words


def table_of(header: list[str], rows: list[list[str]], *words: str) -> Table:
    """A table from lists; ``words`` names the columns of text."""
    return Table(header=tuple(header), rows=tuple(tuple(row) for row in rows), words=frozenset(words))


def parameter_table(comparison: ComparisonLike) -> Table:
    """The table of parameters."""
    table = comparison.summary()
    bounds = [c for c in table.columns if c.startswith(("eti", "hdi"))]
    both = _scales_differ(table)
    marginal = "marginal_MLE" in table
    header = [
        "parameter",
        "MLE ± SE",
        *(["marginal MLE ± SE"] if marginal else []),
        "MAP",
        *(["MAP, unconstrained"] if both else []),
    ]
    header += ["mean", "sd", f"{percent(bounds)}% interval", "R-hat", "ESS"]
    header += [title for title, column in (("KL gained", "KL"), ("truth", "truth")) if column in table]
    rows = []
    for name, row in table.iterrows():
        cells = [str(name), *_estimates(row, comparison.statuses, both)]
        if marginal:
            known = np.isfinite(row["marginal_MLE"])
            cells.insert(2, with_error(row["marginal_MLE"], row["marginal_SE"]) if known else "integrated out")
        cells += _posterior(row, bounds)
        cells += [with_error(row["KL"], row["KL_mcse"])] if "KL" in table else []
        cells += [number(row["truth"], 4)] if "truth" in table else []
        rows.append(cells)
    return table_of(header, rows)


def _scales_differ(table: pd.DataFrame) -> bool:
    """Whether the two MAPs differ visibly in any parameter."""
    one_is_missing = table["MAP"].isna() != table["MAP_unconstrained"].isna()
    return bool(one_is_missing.any() or (scale_gaps(table).abs() > SAME).any())


def _estimates(row: pd.Series, statuses: Mapping[str, str], both: bool) -> list[str]:
    cells = [estimate(row["MLE"], row["SE"], statuses["mle"], row["sd"])]
    cells.append(estimate(row["MAP"], np.nan, statuses["map"], row["sd"]))
    if both:
        cells.append(estimate(row["MAP_unconstrained"], np.nan, statuses["map_unconstrained"], row["sd"]))
    return cells


def _posterior(row: pd.Series, bounds: list[str]) -> list[str]:
    return [
        rounded(row["mean"], row["sd"]),
        rounded(row["sd"], row["sd"]),
        interval(row[bounds[0]], row[bounds[1]], row["sd"]),
        f"{row['r_hat']:.3f}" if np.isfinite(row["r_hat"]) else UNAVAILABLE,
        number(np.floor(min(row["ess_bulk"], row["ess_tail"])), 1),
    ]


def divergence_table(comparison: ComparisonLike) -> Table:
    """The table of divergences: direction, value with standard error, description."""
    rows = []
    for _, row in comparison.divergences().iterrows():
        status = comparison.statuses.get(row["of"], "")
        value, reason = with_error(row["value"], row["mcse"]), row["note"] if not np.isfinite(row["value"]) else ""
        if np.isnan(row["value"]):
            missing = status in NO_NUMBER
            value = f"no estimate ({status.replace('_', ' ')})" if missing else UNAVAILABLE
            reason = "" if missing else reason
        rows.append([row["direction"], value, row["quantity"] + (f". {_sentence(reason)}" if reason else "")])
    return table_of(["divergence", "nats", "description"], rows, "description")


def fit_table(comparison: ComparisonLike) -> Table:
    """Divergences of the fits: a row for each fit, a column for each divergence that is known."""
    fitted = comparison.tree["fitted"].to_dataset()
    source = "predictive" if comparison.tree.attrs["truth"] == "unknown" else "truth"
    known = [(key, title.format(source)) for key, title in _OF_FITS if key in fitted and fitted[key].notnull().any()]
    rows = []
    for estimator in fitted["estimator"].values if known else ():
        cell = fitted.sel(estimator=estimator)
        status = comparison.statuses.get(str(estimator), "")
        missing = status.replace("_", " ") if status in NO_NUMBER else UNAVAILABLE
        cells = [FIT_NAMES.get(str(estimator), str(estimator))]
        for key, _ in known:
            error = float(cell[f"{key}_mcse"]) if f"{key}_mcse" in cell else 0.0
            cells.append(missing if np.isnan(cell[key]) else with_error(float(cell[key]), error))
        rows.append(cells)
    return table_of(["fit", *(title for _, title in known)], rows)


_OF_FITS = (
    ("kl", "KL({0}‖fit), sum"),
    ("kl_theory", "expected by theory"),
    ("kl_reverse", "KL(fit‖{0}), sum"),
    ("jsd", "Jensen-Shannon, mean"),
    ("log_score", "log score, sum"),
)


def sampling_table(comparison: ComparisonLike) -> Table:
    """Convergence diagnostics of each parameter, the worst R-hat first."""
    table = comparison.diagnostics.summary
    columns = table[["r_hat", "ess_bulk", "ess_tail", "mcse_mean", "sd"]].astype(float)
    worst = columns.sort_values("r_hat", ascending=False, kind="stable").head(_MAX_SAMPLING)
    rows = [
        [
            str(name),
            f"{row['r_hat']:.3f}" if np.isfinite(row["r_hat"]) else UNAVAILABLE,
            number(np.floor(row["ess_bulk"]), 1),
            number(np.floor(row["ess_tail"]), 1),
            number(row["mcse_mean"], 2),
            rounded(row["sd"], row["sd"]),
        ]
        for name, row in worst.iterrows()
    ]
    return table_of(["parameter", "R-hat", "ESS bulk", "ESS tail", "MCSE of the mean", "sd"], rows)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def variable_table(comparison: ComparisonLike) -> Table:
    """The table of variables."""
    rows = [
        [v["name"], v["kind"], v["distribution"], " × ".join(v["dims"]) or "–", str(v["size"])]
        for v in comparison.variables
    ]
    return table_of(["variable", "kind", "distribution", "dims", "elements"], rows, "kind", "distribution", "dims")


def loo_table(comparison: ComparisonLike) -> Table:
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
    return table_of(["observed", "elpd ± SE", "effective parameters", "largest Pareto k", "k too large"], rows)


def check_table(comparison: ComparisonLike) -> Table:
    """Posterior predictive checks, the smallest p value first."""
    checks = comparison.diagnostics.checks.sort_values("p_adjusted", kind="stable").head(_MAX_CHECKS)
    rows = [
        [
            f"{row['check']} of {row['observed']}",
            number(row["data"], 3),
            f"{number(row['low'], 3)} to {number(row['high'], 3)}",
            p_value(row["p_adjusted"]).removeprefix("p ").removeprefix("= "),
        ]
        for _, row in checks.iterrows()
    ]
    return table_of(["statistic", "data", "replicated data, central 95%", "adjusted p"], rows)


def sensitivity_table(comparison: ComparisonLike) -> Table:
    """Power-scaling sensitivity to prior and likelihood of the most sensitive parameters."""
    table = comparison.diagnostics.sensitivity
    if not len(table):
        return table_of([], [])
    most = table.astype({"prior": float, "likelihood": float}).nlargest(_MAX_SENSITIVE, "prior")
    rows = [
        [str(name), number(row["prior"], 2), number(row["likelihood"], 2), _diagnosis(row["diagnosis"])]
        for name, row in most.iterrows()
    ]
    return table_of(["parameter", "prior", "likelihood", "diagnosis"], rows, "diagnosis")


def _diagnosis(text: str) -> str:
    return text if text.strip("✓ ") else "not sensitive"


def audit_table(comparison: ComparisonLike) -> Table:
    """Status of each point estimate, with the evidence for it."""
    audit = comparison.tree["audit"].to_dataset()
    rows = []
    for name, status in comparison.statuses.items():
        row = audit.sel(estimator=name)
        shown = status not in NO_NUMBER
        rows.append(
            [
                FIT_NAMES.get(name, name),
                status.replace("_", " "),
                number(row["log_likelihood"], 5) if shown else UNAVAILABLE,
                _criterion(row["aic"], shown),
                _criterion(row["bic"], shown),
                number(row["gradient_norm"], 2) if shown else UNAVAILABLE,
                f"{number(row['smallest_eigenvalue'], 3)} to {number(row['largest_eigenvalue'], 3)}"
                if shown
                else UNAVAILABLE,
                f"{int(row['agree'])} of {int(row['starts'])}",
            ]
        )
    header = ["estimate", "status", "log-likelihood", "AIC", "BIC", "gradient"]
    return table_of([*header, "Hessian eigenvalues", "agreeing starts"], rows, "status")


def _criterion(value: SupportsFloat, shown: bool) -> str:
    """AIC and BIC are those of a maximum of the likelihood."""
    return number(value, 5) if shown and np.isfinite(float(value)) else "not defined" if shown else UNAVAILABLE


def scale_gaps(summary: pd.DataFrame) -> pd.Series:
    """MAP on the unconstrained minus MAP on the natural scale, in posterior standard deviations; NaN if one is missing.

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
