"""Log evidence: error, claimed error and time of bridge sampling, beside PyMC's sequential Monte Carlo.

Two parts. Regressions with a normal prior, whose evidence is known, with exact posterior draws, 4 chains of 1,000: for each number
of coefficients the largest error over seeds, how often it is within three claimed errors, and the time of the first and of a
second call. Then models whose posteriors are not normal, with draws of nutpie: the root mean squared error over repeats of
bridge sampling and of ``pm.sample_smc`` about a common reference (a bridge over many draws), and how much longer SMC takes to
the same error, against bridge sampling with draws at hand and against sampling and bridge together.
Run: ``python benchmarks/evidence.py [seeds] [repeats]``.
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
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.draws.smc import smc_log_evidence
from pp_mlekl.pymc_model.model_functions import model_functions

SIZES = (2, 10, 20, 50)


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


def logistic():
    """Few yes-or-no observations on four covariates: a skewed posterior."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(40, 4))
    y = generator.uniform(size=40) < 1 / (1 + np.exp(-(x @ [2.0, -1.0, 0.5, 0.0]) + 1.5))
    with pm.Model() as model:
        eta = pm.Normal("a", 0, 5) + x @ pm.Normal("b", 0, 2.5, shape=4)
        pm.Bernoulli("y", logit_p=eta, observed=y.astype(int))
    return model


def poisson_with_groups():
    """Counts of eight groups with random intercepts, whose scale has a skewed posterior."""
    generator = np.random.default_rng(2)
    group = np.repeat(np.arange(8), 4)
    y = generator.poisson(np.exp(0.5 + 0.4 * generator.normal(size=8))[group])
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1)
        offset = pm.Normal("offset", 0, 1, shape=8)
        pm.Poisson("y", pm.math.exp(pm.Normal("mu", 0, 2) + tau * offset[group]), observed=y)
    return model


def eight_schools():
    """The non-centred eight schools, with a heavy tail in tau."""
    y, s = [28, 8, -3, 7, -1, 1, 18, 12], np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        pm.Normal("y", mu + tau * pm.Normal("theta", 0, 1, shape=8), s, observed=y)
    return model


def timed(call):
    """Result and CPU seconds of a call."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def known_evidence(seeds: int) -> None:
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
        print(
            f"d = {d}: largest error {max(errors):.4f} nats, claimed {np.median(claimed):.4f}, within 3 errors {within:.0%}, "
            f"CPU seconds: first call {seconds[0]:.2f}, second {np.median(seconds[1:]):.3f}",
            flush=True,
        )


def against_smc(build, repeats: int) -> None:
    """Print the errors and times of both methods on one model."""
    model = build()
    draw = partial(sample, model, draws=1000, chains=4, cores=1)
    # What is compiled or built on a first call is kept by either method's caches.
    mk.log_evidence(model, draw(random_seed=0), random_seed=0)
    smc_log_evidence(model_functions(model), np.random.default_rng(0), draws=200)
    long = mk.log_evidence(model, sample(model, draws=20_000, chains=4, random_seed=1), random_seed=2)
    bridge, smc = [], []
    times = {"sampling": [], "bridge": [], "smc": []}
    for seed in range(100, 100 + repeats):
        tree, took = timed(partial(draw, random_seed=seed))
        times["sampling"].append(took)
        estimate, took = timed(partial(mk.log_evidence, model, tree, random_seed=seed))
        times["bridge"].append(took)
        bridge.append((float(estimate) - float(long), estimate.mcse))
        value, took = timed(partial(smc_log_evidence, model_functions(model), np.random.default_rng(seed), draws=1000))
        times["smc"].append(took)
        smc.append((value[0] - float(long), value[1]))
    errors = {name: np.sqrt(np.mean(np.array(rows)[:, 0] ** 2)) for name, rows in (("bridge", bridge), ("smc", smc))}
    seconds = {name: float(np.median(values)) for name, values in times.items()}
    # The error of Monte Carlo falls with the square root of time.
    needed = seconds["smc"] * (errors["smc"] / errors["bridge"]) ** 2
    print(
        f"{build.__name__}: log Z {float(long):.4f} +- {long.mcse:.4f} ({long.method}); RMSE of bridge {errors['bridge']:.4f} (claimed "
        f"{np.median([b[1] for b in bridge]):.4f}), of SMC {errors['smc']:.4f} (claimed {np.median([s[1] for s in smc]):.4f}, mean "
        f"{np.mean([s[0] for s in smc]):+.4f}); CPU seconds: sampling {seconds['sampling']:.2f}, bridge {seconds['bridge']:.3f}, SMC "
        f"{seconds['smc']:.2f}; to the same error SMC takes {needed / seconds['bridge']:.0f} x bridge with draws at hand, "
        f"{needed / (seconds['bridge'] + seconds['sampling']):.1f} x sampling and bridge",
        flush=True,
    )


def main(seeds: int, repeats: int) -> None:
    """Run both parts."""
    known_evidence(seeds)
    warnings.simplefilter("ignore")
    for build in (logistic, poisson_with_groups, eight_schools):
        against_smc(build, repeats)


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:]]
    main(*(arguments + [20, 20][len(arguments) :]))
