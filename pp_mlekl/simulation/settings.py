"""The settings of a study, which are checked once and stored with its result."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.replicates.replicate_fits import ReplicateFits
from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.simulation.own_data import Simulate
from pp_mlekl.typing import RandomSeed
from pp_mlekl.utils.arguments import check_names
from pp_mlekl.utils.counts import check_count, check_memory, counted

# It parses a file, for 6 milliseconds.
version = cache(metadata.version)
_LIBRARIES = ("pp_mlekl", "pymc", "pytensor", "numpy", "scipy")
# Intervals that need many fits of every data set.
REFITTING = ("profile", "parametric_bootstrap", "case_bootstrap")
# Estimates that are means of posterior draws: by Laplace with importance weights, and by NUTS.
FROM_DRAWS = ("laplace", "posterior")
# Intervals that each data set gives by itself.
OWN_INTERVALS = ("estimated", "naive", "unconstrained")
# What is computed for every fit by default.
COMPUTE = ("kl", "coverage")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The arguments of ``study`` that its numbers depend on."""

    truth: Any
    sizes: Sequence[int]
    replicates: int
    estimators: Sequence[str]
    ci_prob: float
    intervals: Sequence[str]
    resamples: int
    random_seed: RandomSeed
    compute: Sequence[str]
    draws: int = 250
    tune: int = 300
    chains: int = 2
    covariates: str = "fixed"
    simulate: Simulate | None = None

    def check(self) -> None:
        """Raise ValueError where an argument is wrong."""
        values = list(self.sizes)
        if not values or not all(s >= 1 and s % 1 == 0 for s in values) or values != sorted(set(values)):
            raise ValueError(f"`sizes` must be increasing positive integers, got {values}; sort them.")
        check_count("replicates", self.replicates, at_least=2)
        check_memory(int(values[-1]), f"Data sets of {counted(values[-1], 'observation')}")
        check_memory(int(self.replicates) * len(values) * len(self.estimators), counted(self.replicates, "replicate"))
        if len(set(self.estimators)) < len(self.estimators):
            raise ValueError(f"`estimators` must be named once each, got {list(self.estimators)}.")
        check_names("estimators", self.estimators, (*ReplicateFits.COEFFICIENTS, *FROM_DRAWS))
        check_names("intervals", self.intervals, REFITTING, fewest=0)
        check_names("compute", self.compute, COMPUTE, fewest=0)
        check_covariates(self.covariates, self.simulate)
        if self.simulate is not None:
            self._check_own_data()
        if self.intervals and "coverage" not in self.compute:
            raise ValueError('`intervals` are about coverage; leave "coverage" in `compute`, or `intervals` out.')
        check_count("resamples", self.resamples, at_least=2)
        check_count("draws", self.draws, at_least=20)
        check_count("tune", self.tune)
        check_count("chains", self.chains)
        check_ci_prob(self.ci_prob)

    def _check_own_data(self) -> None:
        if "kl" in self.compute:
            raise ValueError('The divergence from the truth is not known with `simulate`; leave "kl" out of `compute`.')
        if "parametric_bootstrap" in self.intervals:
            raise ValueError(
                "`simulate` goes with the intervals profile and case_bootstrap, not with parametric_bootstrap."
            )

    def attributes(self) -> dict[str, Any]:
        """The settings as attributes of the result."""
        found = {
            "truth": str(self.truth),
            "sizes": [int(s) for s in self.sizes],
            "n_replicates": int(self.replicates),
            "estimators": list(self.estimators),
            "ci_prob": self.ci_prob,
            "random_seed": str(self.random_seed),
            "pp_mlekl_version": version("pp_mlekl"),
        }
        if self.intervals:
            found |= {"intervals": list(self.intervals), "resamples": self.resamples}
        return found | self._further()

    def identity(self) -> dict[str, Any]:
        """The settings that identify a study, in types that JSON preserves.

        For a model or a distribution as truth only its kind is included; ``study`` adds numbers computed from it.
        """
        return {
            "truth": _values(self.truth) or type(self.truth).__name__,
            "sizes": [int(s) for s in self.sizes],
            "replicates": int(self.replicates),
            "estimators": list(self.estimators),
            "ci_prob": float(self.ci_prob),
            "intervals": list(self.intervals),
            "resamples": int(self.resamples) if self.intervals else None,
            "random_seed": _seed(self.random_seed),
        } | self._further()

    @property
    def from_draws(self) -> list[str]:
        """The estimators that need posterior draws."""
        return [name for name in self.estimators if name in FROM_DRAWS]

    @property
    def interval_kinds(self) -> tuple[str, ...]:
        """The intervals whose coverage is counted."""
        if "coverage" not in self.compute:
            return ()
        # The asymptotic covariance is not known for a user's own data.
        exact = ("sandwich",) if self.simulate is None else ()
        credible = ("credible",) if self.from_draws else ()
        return (*exact, *OWN_INTERVALS, *credible, *self.intervals)

    def _further(self) -> dict[str, Any]:
        """Settings that older files do not mention, where they are not what these files have."""
        found: dict[str, Any] = {} if set(self.compute) == set(COMPUTE) else {"compute": list(self.compute)}
        if self.covariates != "fixed":
            found["covariates"] = self.covariates
        if self.simulate is not None:
            found["simulate"] = source_of(self.simulate)
        if self.from_draws:
            found |= {"draws": int(self.draws), "tune": int(self.tune), "chains": int(self.chains)}
        return found


def check_covariates(covariates: str, simulate: Simulate | None) -> None:
    """Raise ValueError where ``covariates`` is unknown, or a user's function draws them."""
    check_names("covariates", [covariates], ("fixed", "resampled"))
    if simulate is not None and covariates != "fixed":
        raise ValueError("`simulate` draws the covariates as well; leave `covariates` out.")


def source_of(function: Any) -> str:
    """The source of a user's function, or its name where there is no source; what it refers to is not part of it."""
    try:
        return inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return str(getattr(function, "__qualname__", type(function).__qualname__))


def library_versions() -> dict[str, str]:
    """Versions of what the last digits of a result depend on."""
    return {name: version(name) for name in _LIBRARIES}


def _values(truth: Any) -> dict[str, Any] | None:
    """Parameter values by name; None where the truth is given in another way."""
    if isinstance(truth, xr.Dataset):
        truth = dict(truth.data_vars)
    if not isinstance(truth, Mapping):
        return None
    try:
        return {str(name): np.asarray(value, dtype=float).tolist() for name, value in truth.items()}
    except (TypeError, ValueError):
        return None


def _seed(seed: Any) -> Any:
    if isinstance(seed, np.random.SeedSequence):
        return [np.asarray(seed.entropy).tolist(), list(seed.spawn_key)]
    return None if seed is None else int(seed)
