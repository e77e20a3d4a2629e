"""The log evidence by PyMC's sequential Monte Carlo."""

from typing import Any

import numpy as np
import pymc as pm


def smc_log_evidence(
    model: Any, generator: np.random.Generator, draws: int = 2000, chains: int = 4
) -> tuple[float, float]:
    """Mean over independent runs of PyMC's SMC, in nats, and the standard error of that mean."""
    with model:
        tree = pm.sample_smc(
            draws=draws, chains=chains, random_seed=int(generator.integers(2**31)), progressbar=False, cores=1
        )
    values = np.asarray(tree["sample_stats"]["log_marginal_likelihood"].values, dtype=object)
    last = np.array([_last(chain) for chain in values])
    return float(last.mean()), float(last.std(ddof=1) / np.sqrt(len(last)))


def _last(stages: Any) -> float:
    """The final stage; shorter chains are padded with NaN."""
    numbers = np.asarray(np.ravel(stages)[-1] if np.ndim(np.ravel(stages)[-1]) else stages, dtype=np.float64)
    return float(numbers[np.isfinite(numbers)][-1])
