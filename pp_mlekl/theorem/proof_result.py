"""The result of ``proof``: steps with checks, each with both sides, their difference and the allowed error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from pp_mlekl.estimation.pseudo_true.pseudo_true_result import PseudoTrue
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.html import table_html


@dataclass(frozen=True, kw_only=True)
class Check:
    """One comparison of two computed numbers.

    Parameters
    ----------
    what
        What is compared.
    left, right
        Both sides.
    error
        The allowed difference, derived from theory or from the accuracy of the computation.
    source
        Where that error comes from.
    bound
        True if the claim is ``left <= right``, False if it is ``left = right``.
    """

    what: str
    left: float
    right: float
    error: float
    source: str
    bound: bool = False

    @property
    def gap(self) -> float:
        """``left - right``; its absolute value for an equality."""
        if self.left == self.right:
            return 0.0
        difference = self.left - self.right
        return difference if self.bound else abs(difference)

    @property
    def passed(self) -> bool:
        """Whether the gap is within its error."""
        return bool(self.gap <= self.error)


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One step of the argument.

    Parameters
    ----------
    number, title, claim
        Position in the argument, a short title, and the claim in one sentence.
    checks
        The comparisons that check the claim; empty if the step does not apply to the model.
    data
        What the step's plot shows.
    note
        A remark, such as why a step does not apply.
    """

    number: int
    title: str
    claim: str
    checks: tuple[Check, ...]
    data: xr.Dataset = field(default_factory=xr.Dataset)
    note: str = ""

    @property
    def status(self) -> str:
        """``pass``, ``fail``, or ``not applicable`` without checks."""
        if not self.checks:
            return "not applicable"
        return "pass" if all(check.passed for check in self.checks) else "fail"


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof:
    """The seven steps for one model and one truth.

    Parameters
    ----------
    name
        Title of the page.
    truth
        Description of the truth.
    steps
        The seven steps, in order.
    pseudo_true
        The parameter that minimises KL(true||model).
    settings
        Seed, sizes, replicates, versions.
    densities
        ``truth`` and ``fitted``: densities (or probabilities) over ``y`` of the first row, under the truth and under the
        model at the pseudo-true parameter; empty for vectors.
    """

    name: str
    truth: str
    steps: tuple[Step, ...]
    pseudo_true: PseudoTrue
    settings: Mapping[str, Any]
    densities: xr.Dataset = field(default_factory=xr.Dataset)

    @property
    def passed(self) -> bool:
        """Whether no step fails."""
        return all(step.status != "fail" for step in self.steps)

    def summary(self) -> pd.DataFrame:
        """One row for each check: both sides, their difference, the allowed error and whether the check passes."""
        rows = [
            {
                "step": step.number,
                "title": step.title,
                "check": check.what,
                "left": check.left,
                "relation": "<=" if check.bound else "=",
                "right": check.right,
                "gap": check.gap,
                "error": check.error,
                "passed": check.passed,
            }
            for step in self.steps
            for check in step.checks
        ]
        return pd.DataFrame(rows).set_index("step")

    @checked_arguments
    def to_html(self, path: str | Path) -> Path:
        """Write the proof as one self-contained page.

        Parameters
        ----------
        path
            The file to write.

        Returns
        -------
        Path
            The path of the page.
        """
        from pp_mlekl.report.proof import write_page

        return write_page(self, path)

    @checked_arguments
    def plot(self, number: int) -> Any:
        """The matplotlib figure of one step.

        Raises
        ------
        ValueError
            If there is no such step.
        """
        from pp_mlekl.report.proof_plots import figure

        for step in self.steps:
            if step.number == number:
                return figure(step)
        raise ValueError(f"There is no step {number}; choose from 1 to {len(self.steps)}.")

    def __repr__(self) -> str:
        lines = [f"{self.name}; truth: {self.truth}"]
        lines += [f"  {step.number}. {step.title}: {step.status}" for step in self.steps]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return table_html([f"{self.name}; truth: {self.truth}"], self.summary(), "{:.6g}")
