"""The log evidence by PyMC's sequential Monte Carlo."""

from typing import Any

import numpy as np
import pymc as pm

from pp_mlekl.pymc_model.draws.normalized_prior import prior_within_transforms
from pp_mlekl.pymc_model.draws.sampling import quiet
from pp_mlekl.pymc_model.model_functions import ModelFunctions


def smc_log_evidence(
    functions: ModelFunctions, generator: np.random.Generator, draws: int = 2000, runs: int = 4
) -> tuple[float, float]:
    """Mean over independent runs of PyMC's SMC, in nats, and the standard error of that mean.

    The particles start from the prior. PyMC itself would start variables with an ``initval`` there. All particles would then
    have the same weight, and every run would return the likelihood of that point.

    Parameters
    ----------
    functions
        Of a model with a proper prior.
    generator
        Source of the particles and of PyMC's seed.
    draws, runs
        Particles of each run, and the number of runs.

    Returns
    -------
    log_evidence, standard_error
        Log of the mean likelihood over the prior within the transforms' range, and its error; NaN where the runs do not
        differ or one of them has no estimate.
    """
    starts = []
    for _ in range(runs):
        z = prior_within_transforms(functions, draws, generator)
        # There are fewer draws where few are within the transforms' range; some then start several particles.
        z = z[np.arange(draws) % len(z)]
        starts.append({v.value_name: z[:, v.flat].reshape(draws, *v.value_shape) for v in functions.free})
    with functions.model, quiet():
        tree = pm.sample_smc(
            draws=draws,
            start=starts,
            chains=runs,
            random_seed=int(generator.integers(2**31)),
            progressbar=False,
            cores=1,
        )
    values = np.asarray(tree["sample_stats"]["log_marginal_likelihood"].values, dtype=object)
    last = np.array([last_stage(chain) for chain in values])
    if np.ptp(last) == 0:
        return np.nan, np.nan
    return float(last.mean()), float(last.std(ddof=1) / np.sqrt(len(last)))


def last_stage(stages: Any) -> float:
    """Estimate after the last stage of one chain, whose other entries are NaN; NaN where there is none."""
    flat = np.ravel(stages)
    nested = [np.ravel(v) for v in flat if v is not None]
    numbers = np.concatenate(nested).astype(np.float64) if nested else np.empty(0)
    finite = numbers[np.isfinite(numbers)]
    return float(finite[-1]) if finite.size else np.nan
