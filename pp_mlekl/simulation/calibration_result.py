"""The result of a calibration: ranks, tests and coverages."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.simulation.uniform_ranks import joint_p_value, uniformity, wilson
from pp_mlekl.typing import Array, Names
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.display import Display, Displayed
from pp_mlekl.utils.files import AnyPath

_NOMINAL = (0.5, 0.8, 0.95)
_LEVELS = ("problem", "caution", "ok")
_MEANING = {
    "calibrated": "calibrated",
    "biased low": "biased low: the draws lie below the true values too often",
    "biased high": "biased high: the draws lie above the true values too often",
    "over-confident": "over-confident: the intervals are too narrow",
    "under-confident": "under-confident: the intervals are too wide",
    "not tested": "not tested: too few ranks",
}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Calibration(Displayed):
    """Ranks of the true parameters among the draws from each posterior, which are uniform if the computation is right.

    Parameters
    ----------
    tree
        ``simulations``: ``rank`` in (0, 1) over (method, simulation, quantity), ``status`` and ``exists`` of the fits,
        ``pit_error_bar``, diagnostics of the sampling.
    level
        Probability that a calibrated method is rejected for at least one of its quantities.
    """

    tree: xr.DataTree
    level: float

    @property
    def simulations(self) -> xr.Dataset:
        """The results of each data set."""
        return self.tree.children["simulations"].to_dataset()

    @property
    def methods(self) -> list[str]:
        """The methods that were tested."""
        return [str(m) for m in self.simulations["method"].values]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each method and quantity: p value, verdict, and the coverage of central intervals with its Wilson interval."""
        ranks = self.simulations["rank"]
        bars = self.simulations["pit_error_bar"].rename(error_bar="quantity")
        bars = bars.assign_coords(quantity=[f"error bar of {name}" for name in bars["quantity"].values])
        rows = []
        for method in self.methods:
            found = [
                (str(q), array.sel(quantity=q).values)
                for array in (ranks.sel({"method": method}), bars.sel({"method": method}))
                for q in array["quantity"].values
            ]
            tested = [(q, values) for q, values in found if np.sum(~np.isnan(values)) > 1]
            # A method without ranks, as where no data set has a fit, is shown as not tested.
            for quantity, values in tested or found:
                rows.append({"method": method, "quantity": quantity} | self._row(values, max(len(tested), 1)))
        return pd.DataFrame(rows).set_index(["method", "quantity"])

    def _row(self, values: Array, quantities: int) -> dict[str, Any]:
        test = uniformity(values)
        row: dict[str, Any] = {
            "ranks": test.count,
            "p_value": test.p_value,
            "verdict": test.kind(self.level / quantities),
        }
        known = values[~np.isnan(values)]
        for prob in _NOMINAL:
            inside = np.count_nonzero(np.abs(known - 0.5) < prob / 2)
            low, high = wilson(np.array(inside), np.array(len(known)))
            percent = f"{100 * prob:.0f}%"
            row |= {
                f"covered {percent}": inside / len(known) if len(known) else np.nan,
                f"low {percent}": low,
                f"high {percent}": high,
            }
        return row

    @property
    def p_values(self) -> dict[str, float]:
        """For each method the p value of the hypothesis that all of its quantities are calibrated."""
        return {m: joint_p_value(self.table.loc[m, "p_value"].to_numpy(dtype=float)) for m in self.methods}

    @property
    def statuses(self) -> pd.DataFrame:
        """Number of data sets with each status, by method."""
        codes = self.simulations["status"]
        counts = {m: [int(np.sum(codes.sel({"method": m}) == i)) for i in range(len(STATUSES))] for m in self.methods}
        return pd.DataFrame(counts, index=pd.Index(STATUSES, name="status")).T.rename_axis("method")

    def sentences(self) -> list[str]:
        """One sentence for each quantity: verdict, p value and coverage."""
        result = []
        for key, row in self.table.iterrows():
            method, quantity = key
            if np.isnan(row["p_value"]):
                result.append(f"{method}, {quantity}: {_MEANING[row['verdict']]}.")
                continue
            covered = f"{100 * row['covered 95%']:.1f}% ({100 * row['low 95%']:.1f}-{100 * row['high 95%']:.1f}%)"
            result.append(
                f"{method}, {quantity}: {_MEANING[row['verdict']]} (p = {row['p_value']:.2g}); 95% intervals cover {covered}."
            )
        return result

    def findings(self) -> list[tuple[str, str]]:
        """Level (``ok``, ``caution``, ``problem``) and sentence for each method and verdict, the worst first."""
        found = []
        for method in self.methods:
            verdicts = self.table.loc[method, "verdict"]
            for verdict in dict.fromkeys(verdicts):
                names = [str(quantity) for quantity in verdicts.index[verdicts == verdict]]
                which = (
                    f"all {counted(len(names), 'quantity', 'quantities')}"
                    if len(names) == len(verdicts)
                    else ", ".join(names)
                )
                level = {"calibrated": "ok", "not tested": "caution"}.get(verdict, "problem")
                found.append((level, f"{method}: {_MEANING[verdict]} ({which})."))
        return sorted(found, key=lambda one: _LEVELS.index(one[0]))

    def summary(self) -> pd.DataFrame:
        """The table without the limits of the coverages."""
        return self.table[[c for c in self.table.columns if not c.startswith(("low", "high"))]]

    @checked_arguments
    def plot_ecdf(self, method: str | None = None, var_names: Names | None = None) -> Any:
        """The empirical distribution function of the ranks minus the uniform one, with simultaneous limits by arviz-stats.

        Parameters
        ----------
        method
            By default the first one.
        var_names
            Quantities; by default all.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from pp_mlekl.report.calibration_page import plot_ranks

        check_names("method", self.methods if method is None else [method], self.methods)
        quantities = [str(name) for name in self.simulations["quantity"].values]
        check_names("var_names", quantities if var_names is None else var_names, quantities)
        return plot_ranks(self, self.methods[0] if method is None else method, var_names)

    @checked_arguments
    def to_html(self, path: AnyPath, name: str = "Calibration") -> Path:
        """Write a page with the findings, tables and plots; ``name`` is its title."""
        from pp_mlekl.report.calibration_page import write_calibration

        return write_calibration(self, path, name)

    def _badge(self, wrong: Sequence[str], unknown: Sequence[str]) -> str:
        if wrong:
            return f"{', '.join(wrong)} not calibrated"
        return f"{', '.join(unknown)} not tested" if unknown else "calibrated"

    def _display(self) -> Display:
        p_values = self.p_values
        wrong = [m for m, p in p_values.items() if p < self.level]
        unknown = [m for m, p in p_values.items() if np.isnan(p)]
        lines = [f"{m}: overall p = {p:.2g}" for m, p in p_values.items()]
        lines.append(f"A calibrated method is rejected with probability at most {self.level:g}.")
        return Display(
            title=f"Calibration, {counted(self.tree.attrs['simulations'], 'simulated data set')}",
            badge=self._badge(wrong, unknown),
            level="bad" if wrong else "caution" if unknown else "good",
            lines=lines,
            table=self.summary(),
            details={"Fits": self.statuses},
        )
