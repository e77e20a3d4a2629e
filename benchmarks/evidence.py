"""Log evidence: error, claimed error and time of bridge sampling, beside PyMC's sequential Monte Carlo.

Regressions with a normal prior, whose evidence is known; exact posterior draws, 4 chains of 1,000. Printed for each number of
coefficients: the largest error over seeds, how often it is within three claimed errors, time of the first and of a second call, and
how much longer SMC, which makes its own draws, would take to the same error. Run: ``python benchmarks/evidence.py [seeds]``.
"""

import sys
import time
import warnings
from functools import partial

import numpy as np
import pymc as pm
import xarray as xr
from scipy import stats

import pp_mlekl as mk

SIZES = (2, 10, 20, 50)
# SMC of more coefficients takes minutes.
LARGEST_FOR_SMC = 10


def regression(d: int, generator: np.random.Generator):
    """A model with d coefficients, the mean and Cholesky factor of its posterior, and its log evidence."""
    x = generator.normal(size=(2 * d + 10, d))
    y = x @ generator.normal(size=d) * 0.5 + generator.normal(size=len(x))
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1, shape=d)
        pm.Normal("y", x @ b, 1.0, observed=y)
    covariance = np.linalg.inv(x.T @ x + np.eye(d))
    exact = stats.multivariate_normal(np.zeros(len(x)), np.eye(len(x)) + x @ x.T).logpdf(y)
    return model, covariance @ x.T @ y, np.linalg.cholesky(covariance), float(exact)


def timed(call):
    """Result and seconds of a call."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def by_smc(model: pm.Model, exact: float, bridge_error: float, bridge_seconds: float) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smc, seconds = timed(lambda: mk.log_evidence(model, method="smc", random_seed=1))
    # The error of Monte Carlo falls with the square root of time.
    slower = seconds * (float(smc.mcse) / bridge_error) ** 2 / bridge_seconds
    return f"SMC error {abs(float(smc) - exact):.4f} (claimed {smc.mcse:.4f}) in {seconds:.1f} s: {slower:.0f} x slower"


def main(seeds: int) -> None:
    """Print one line for each number of coefficients."""
    for d in SIZES:
        model, mean, chol, exact = regression(d, np.random.default_rng(d))
        errors, claimed, seconds = [], [], []
        for seed in range(seeds):
            z = mean + np.random.default_rng(seed).normal(size=(4, 1000, d)) @ chol.T
            tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"b": (("chain", "draw", "k"), z)})})
            estimate, took = timed(partial(mk.log_evidence, model, tree, random_seed=10_000 + seed))
            errors.append(abs(float(estimate) - exact))
            claimed.append(float(estimate.mcse))
            seconds.append(took)
        within = np.mean(np.array(errors) < 3 * np.array(claimed))
        typical = float(np.median(seconds[1:]))
        line = (
            f"d = {d}: largest error {max(errors):.4f} nats, claimed {np.median(claimed):.4f}, within 3 errors {within:.0%}, "
            f"first call {seconds[0]:.2f} s, second {typical:.2f} s"
        )
        smc = by_smc(model, exact, float(np.median(claimed)), typical) if d <= LARGEST_FOR_SMC else "SMC not run"
        print(f"{line}; {smc}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
