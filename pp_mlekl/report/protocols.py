"""What pages, tables and plots need of a comparison; the layers above provide it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd
import xarray as xr


class FindingLike(Protocol):
    """One observation about a result."""

    @property
    def level(self) -> str:
        """``ok``, ``caution`` or ``problem``."""

    @property
    def topic(self) -> str:
        """What it is about."""

    @property
    def text(self) -> str:
        """In sentences."""

    @property
    def judged(self) -> bool:
        """False if it says that something could not be judged."""


class VerdictLike(Protocol):
    """A conclusion and the findings that support it."""

    @property
    def conclusion(self) -> str:
        """Which results can be used."""

    @property
    def scope(self) -> str:
        """What cannot be shown without a known truth."""

    @property
    def sentence(self) -> str:
        """Conclusion and scope."""

    @property
    def level(self) -> str:
        """The worst level of the findings."""

    @property
    def findings(self) -> Sequence[FindingLike]:
        """All findings."""


class DiagnosticsLike(Protocol):
    """Tables about the draws."""

    @property
    def summary(self) -> pd.DataFrame:
        """A row for each parameter."""

    @property
    def loo(self) -> pd.DataFrame:
        """A row for each observed variable."""

    @property
    def checks(self) -> pd.DataFrame:
        """A row for each posterior predictive check."""

    @property
    def sensitivity(self) -> pd.DataFrame:
        """A row for each parameter."""


class MarginalLike(Protocol):
    """An estimate with latent variables integrated out."""

    @property
    def status(self) -> str:
        """As of a point estimate."""

    @property
    def latents(self) -> Sequence[str]:
        """Names of the variables that are integrated out."""


class ComparisonLike(Protocol):
    """The fits of one model, compared."""

    @property
    def tree(self) -> xr.DataTree:
        """All draws, estimates and divergences."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def variables(self) -> list[dict[str, Any]]:
        """Name, kind, distribution, dims, size and parents of each variable."""

    @property
    def definitions(self) -> list[dict[str, str]]:
        """Name, kind and definition of each deterministic."""

    @property
    def diagnostics(self) -> DiagnosticsLike:
        """Diagnostics of the posterior."""

    @property
    def free_names(self) -> list[str]:
        """The free variables that are reported."""

    @property
    def derived_names(self) -> list[str]:
        """The deterministics with an estimate."""

    @property
    def statuses(self) -> Mapping[str, str]:
        """Status of each point estimate."""

    @property
    def marginal(self) -> MarginalLike | None:
        """The marginal MLE, if there is one."""

    def warnings(self) -> dict[str, list[str]]:
        """The warnings of each part."""

    def summary(self) -> pd.DataFrame:
        """A row for each parameter."""

    def derived_summary(self) -> pd.DataFrame:
        """A row for each derived quantity."""

    def divergences(self) -> pd.DataFrame:
        """A row for each divergence."""

    def verdict(self) -> VerdictLike:
        """Which results can be used, and why."""


class ModelComparisonLike(Protocol):
    """Several models of the same data, compared."""

    @property
    def dataset(self) -> xr.Dataset:
        """Evidence and leave-one-out by ``model``, Bayes factors by ``model`` and ``against``."""

    @property
    def warnings(self) -> Sequence[str]:
        """What to know before the numbers are used."""

    def summary(self) -> pd.DataFrame:
        """A row for each model."""

    def graded_findings(self) -> Sequence[FindingLike]:
        """Bayes factors in sentences."""


class CalibrationLike(Protocol):
    """Where the true parameters lie among the draws of each method."""

    @property
    def simulations(self) -> xr.Dataset:
        """``rank`` by method, simulation and quantity."""

    @property
    def methods(self) -> list[str]:
        """What was calibrated."""

    @property
    def level(self) -> float:
        """The probability that a method that is right is found wrong."""

    @property
    def table(self) -> pd.DataFrame:
        """A row for each method and quantity."""

    @property
    def statuses(self) -> pd.DataFrame:
        """How often each fit ended in each status."""

    def findings(self) -> list[tuple[str, str]]:
        """Level and sentence for each method and verdict, the worst first."""

    def sentences(self) -> list[str]:
        """One for each row of the table."""
