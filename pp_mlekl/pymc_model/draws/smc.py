"""The log evidence by PyMC's sequential Monte Carlo."""

from typing import Any

import numpy as np
import pymc as pm

from pp_mlekl.pymc_model.draws.sampling import quiet


def smc_log_evidence(
    model: Any, generator: np.random.Generator, draws: int = 2000, chains: int = 4
) -> tuple[float, float]:
    """Mean over independent runs of PyMC's SMC, in nats, and the standard error of that mean."""
    with model, quiet():
        tree = pm.sample_smc(
            draws=draws, chains=chains, random_seed=int(generator.integers(2**31)), progressbar=False, cores=1
        )
    values = np.asarray(tree["sample_stats"]["log_marginal_likelihood"].values, dtype=object)
    last = np.array([last_stage(chain) for chain in values])
    return float(last.mean()), float(last.std(ddof=1) / np.sqrt(len(last)))


def last_stage(stages: Any) -> float:
    """Estimate after the last stage of one chain, whose other entries are NaN; NaN where there is none."""
    flat = np.ravel(stages)
    nested = [np.ravel(v) for v in flat if v is not None]
    numbers = np.concatenate(nested).astype(np.float64) if nested else np.empty(0)
    finite = numbers[np.isfinite(numbers)]
    return float(finite[-1]) if finite.size else np.nan
