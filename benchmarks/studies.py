"""Studies and calibrations against loops of other tools, two workers against one, and memory against the number of data sets.

Ratios of one run count, not seconds. ``python benchmarks/studies.py [fits] [workers] [memory] [calibration]`` runs
the parts that are named, or all. Time to build graphs is told apart and is part of every total.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pymc as pm
from scipy import optimize, special

from pp_mlekl.simulation.calibrate import calibrate
from pp_mlekl.simulation.study import study

COUNT = 1000
X5 = np.random.default_rng(1).normal(size=(200, 4))
X3 = np.random.default_rng(2).normal(size=(200, 2))


def normal(y=None):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=np.zeros(50) if y is None else y)
    return model


def logistic(y=None):
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=5)
        pm.Bernoulli("y", logit_p=b[0] + X5 @ b[1:], observed=np.zeros(200) if y is None else y)
    return model


def negative_binomial(y=None):
    with pm.Model() as model:
        b, alpha = pm.Normal("b", 0, 5, shape=2), pm.HalfNormal("alpha", 5)
        counts = np.zeros(200, dtype=int) if y is None else y
        pm.NegativeBinomial("y", mu=pm.math.exp(b[0] + X3[:, 0] * b[1]), alpha=alpha, observed=counts)
    return model


def regression():
    with pm.Model() as model:
        b, sigma = pm.Normal("b", 0, 2, shape=4), pm.HalfNormal("sigma", 2)
        pm.Normal("y", b[0] + X5[:100, :3] @ b[1:], sigma, observed=np.zeros(100))
    return model


# Each case: model, truth, size, negative log-likelihood with gradient of z by hand, and the data's simulator.
def normal_by_hand(z, y):
    r, precision = y - z[0], np.exp(-2 * z[1])
    value = len(y) * z[1] + 0.5 * precision * (r @ r)
    return value, np.array([-precision * r.sum(), len(y) - precision * (r @ r)])


def logistic_by_hand(z, y):
    eta = z[0] + X5 @ z[1:]
    residual = special.expit(eta) - y
    return np.logaddexp(0, eta).sum() - y @ eta, np.concatenate([[residual.sum()], X5.T @ residual])


def negative_binomial_by_hand(z, y):
    mu, alpha = np.exp(z[0] + X3[:, 0] * z[1]), np.exp(z[2])
    value = -(
        special.gammaln(y + alpha) - special.gammaln(alpha) - special.gammaln(y + 1)
        + alpha * np.log(alpha / (alpha + mu)) + y * np.log(mu / (alpha + mu))
    ).sum()  # fmt: skip
    slope = (mu - y) * alpha / (alpha + mu)
    by_alpha = (
        special.digamma(y + alpha) - special.digamma(alpha) + np.log(alpha / (alpha + mu)) + (mu - y) / (alpha + mu)
    )
    return value, np.array([slope.sum(), slope @ X3[:, 0], -alpha * by_alpha.sum()])


def mean3():
    return np.exp(0.5 + 0.3 * X3[:, 0])


B5 = np.array([0.2, 0.5, -0.5, 0.3, 0.0])
CASES = {
    "normal, n = 50": (
        normal, {"mu": 1.0, "sigma": 2.0}, 50, normal_by_hand, np.array([1.0, np.log(2.0)]),
        lambda g: g.normal(1, 2, size=50),
    ),
    "logistic, n = 200, d = 5": (
        logistic, {"b": B5}, 200, logistic_by_hand, B5,
        lambda g: (g.uniform(size=200) < special.expit(B5[0] + X5 @ B5[1:])).astype(float),
    ),
    "negative binomial, n = 200, d = 3": (
        negative_binomial, {"b": [0.5, 0.3], "alpha": 2.0}, 200, negative_binomial_by_hand,
        np.array([0.5, 0.3, np.log(2.0)]), lambda g: g.negative_binomial(2.0, 2 / (2 + mean3())),
    ),
}  # fmt: skip


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def by_scipy(by_hand, start, simulate):
    generator = np.random.default_rng(3)
    for _ in range(COUNT):
        y = simulate(generator)
        found = optimize.minimize(by_hand, start, args=(y,), jac=True, method="BFGS")
        np.sqrt(np.diagonal(found.hess_inv))


def by_statsmodels(name, simulate):
    import statsmodels.api as sm

    generator, errors = np.random.default_rng(3), []
    for _ in range(COUNT):
        y = simulate(generator)
        if name.startswith("normal"):
            model = sm.OLS(y, np.ones(50))
        elif name.startswith("logistic"):
            model = sm.Logit(y, sm.add_constant(X5))
        else:
            model = sm.NegativeBinomial(y, sm.add_constant(X3[:, :1]))
        errors.append(model.fit(**({} if name.startswith("normal") else {"disp": 0})).bse)
    return errors


def by_find_map(build_on, simulate, repeats=2):
    """Seconds for all data sets, from a few: the model is built again for each."""
    generator = np.random.default_rng(3)

    def one():
        with build_on(simulate(generator)):
            pm.find_MAP(progressbar=False, return_inferencedata=True, jitter=False)

    return seconds(lambda: [one() for _ in range(repeats)]) / repeats * COUNT


def fits():
    for name, (build, truth, size, by_hand, start, simulate) in CASES.items():
        arguments = {"sizes": [size], "replicates": COUNT, "random_seed": 1}
        model = build()
        built = seconds(lambda m=model, t=truth, a=arguments: study(m, t, **a | {"replicates": 2}))
        alone = seconds(lambda m=model, t=truth, a=arguments: study(m, t, compute=[], **a))
        everything = seconds(lambda m=model, t=truth, a=arguments: study(m, t, **a))
        loop = seconds(lambda h=by_hand, z=start, s=simulate: by_scipy(h, z, s))
        try:
            other = seconds(lambda n=name, s=simulate: by_statsmodels(n, s))
        except ImportError:
            other = np.nan
        find_map = by_find_map(build, simulate)
        print(
            f"{name}: graphs {built:.2f} s; fits {alone:.2f} s, with KL and coverage {everything:.2f} s; "
            f"SciPy loop by hand {loop:.2f} s, statsmodels {other:.2f} s; fits against SciPy {loop / alone:.1f} x, "
            f"against statsmodels {other / alone:.1f} x; graphs, fits, KL and coverage against SciPy "
            f"{loop / (built + everything):.2f} x, pm.find_MAP against them {find_map / (built + everything):.0f} x",
            flush=True,
        )


def workers():
    from pp_mlekl.simulation.dask_cluster import connected

    took, model = {}, logistic()
    for number in (1, 2):
        with connected(workers=number) as client:
            arguments = {"sizes": [200], "random_seed": 1, "client": client}
            # Every worker has its graphs.
            study(model, {"b": B5}, replicates=4096, **arguments)
            took[number] = seconds(lambda a=arguments: study(model, {"b": B5}, replicates=10_000, **a))
    print(f"10,000 data sets: one worker {took[1]:.1f} s, two {took[2]:.1f} s, {took[1] / took[2]:.2f} x")


def memory():
    peaks = {}
    for replicates in (10_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            code = (
                "import resource; from benchmarks.studies import normal, study\n"
                f"study(normal(), {{'mu': 1.0, 'sigma': 2.0}}, sizes=[50], replicates={replicates}, random_seed=1, "
                f"store={str(Path(folder) / 's.zarr')!r})\n"
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
            )
            begun = time.perf_counter()
            out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            took = time.perf_counter() - begun
            peaks[replicates] = int(out.stdout.split()[-1]) / 1024
            stored = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
        print(
            f"{replicates} data sets: peak {peaks[replicates]:.0f} MB, store {stored / 1e6:.2f} MB, {took:.0f} s",
            flush=True,
        )
    print(f"memory at 100,000 against 10,000: {peaks[100_000] / peaks[10_000]:.2f} x")


def calibration(simulations=100):
    model = regression()
    ours = seconds(lambda: calibrate(model, methods=["posterior"], simulations=simulations, random_seed=1))
    more = seconds(lambda: calibrate(model, methods=["posterior"], simulations=simulations, random_seed=2))
    print(
        f"calibration by nutpie: the first {simulations} data sets {ours:.1f} s, the next {more:.1f} s; for 1,000 "
        f"{ours + more * (1000 / simulations - 1):.0f} s",
        flush=True,
    )
    try:
        import simuk
    except ImportError:
        print("simuk is not installed; its part is left out.")
        return
    few = 4
    theirs = seconds(
        lambda: simuk.SBC(
            regression(),
            num_simulations=few,
            seed=1,
            sample_kwargs={"draws": 250, "tune": 300, "chains": 2, "nuts_sampler": "nutpie"},
        ).run_simulations()
    )
    print(
        f"simuk: {theirs / few:.1f} s a data set, {1000 * theirs / few / (ours + more * (1000 / simulations - 1)):.0f} x"
    )


PARTS = {"fits": fits, "workers": workers, "memory": memory, "calibration": calibration}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
    print(f"peak of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
