"""How long an estimate takes: find_mle with its audit against pm.find_MAP, pymc_extras' find_MAP and statsmodels.

A logistic regression with 5 coefficients and 1,000 rows. Each tool runs in a process of its own, once with an empty
compile cache and once with the cache that run left; within a process the first fit, later ones (the median of seven), and
fits in a loop over new data sets are timed. Run as ``python benchmarks/point_estimates.py``; a tool that is not installed
is left out.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

ROWS, COEFFICIENTS, DATA_SETS, AGAIN = 1000, 5, 200, 7


def data_sets(count):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(ROWS, COEFFICIENTS))
    p = 1 / (1 + np.exp(-x @ np.linspace(-1, 1, COEFFICIENTS)))
    return x, (generator.random((count, ROWS)) < p).astype(int)


def build(x, y):
    import pymc as pm

    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=COEFFICIENTS)
        data = pm.Data("data", y)
        pm.Bernoulli("y", logit_p=pm.math.dot(x, b), observed=data)
    return model


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def again(function):
    return float(np.median([timed(function) for _ in range(AGAIN)]))


def ours():
    import pymc  # noqa: F401  (its import is not what is compared)

    from pp_mlekl.estimation.bootstrap_replicates import refit
    from pp_mlekl.estimation.find_mle_map import find_mle
    from pp_mlekl.estimation.problem import Problem
    from pp_mlekl.pymc_model.model_functions import model_functions

    x, y = data_sets(DATA_SETS)
    model = build(x, y[0])
    times = {"first": timed(lambda: find_mle(model, random_seed=1))}
    times["again"] = again(lambda: find_mle(model, random_seed=1))
    best = find_mle(model, random_seed=1)
    problem = Problem(functions=model_functions(model), kind="mle")
    refit(problem, best, (None, {"y": y[:2]}, 2))
    times["each of many data sets"] = timed(lambda: refit(problem, best, (None, {"y": y}, DATA_SETS))) / DATA_SETS
    return times


def pymc_find_map():
    import pymc as pm

    x, y = data_sets(4)
    model = build(x, y[0])
    times = {"first": timed(lambda: pm.find_MAP(model=model, progressbar=False))}
    times["again"] = again(lambda: pm.find_MAP(model=model, progressbar=False))

    def loop():
        for row in y:
            pm.set_data({"data": row}, model=model)
            pm.find_MAP(model=model, progressbar=False)

    times["each of many data sets"] = timed(loop) / len(y)
    return times


def pymc_extras_find_map():
    import pymc_extras as pmx

    x, y = data_sets(1)
    model = build(x, y[0])

    def fit():
        with model:
            pmx.find_MAP(method="BFGS", progressbar=False)

    return {"first": timed(fit), "again": again(fit)}


def statsmodels():
    import statsmodels.api as sm

    x, y = data_sets(DATA_SETS)
    times = {"first": timed(lambda: sm.Logit(y[0], x).fit(disp=0))}
    times["again"] = again(lambda: sm.Logit(y[0], x).fit(disp=0))
    times["each of many data sets"] = timed(lambda: [sm.Logit(row, x).fit(disp=0) for row in y]) / DATA_SETS
    return times


TOOLS = {
    "find_mle": ours,
    "pm.find_MAP": pymc_find_map,
    "pmx.find_MAP": pymc_extras_find_map,
    "statsmodels": statsmodels,
}


def run(tool, cache):
    environment = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={cache}", "NUMBA_CACHE_DIR": f"{cache}/numba"}
    result = subprocess.run(
        [sys.executable, __file__, tool], env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        print(f"{tool}: left out ({result.stderr.strip().splitlines()[-1]})")
        return {}
    return json.loads(result.stdout.splitlines()[-1])


def main():
    if len(sys.argv) > 1:
        print(json.dumps(TOOLS[sys.argv[1]]()))
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            label: {tool: run(tool, f"{folder}/{tool}") for tool in TOOLS} for label in ("empty cache", "warm cache")
        }
    for label, tools in runs.items():
        mine = tools["find_mle"]
        print(f"\n{label}: seconds (times what find_mle takes)")
        for tool, times in tools.items():
            shown = ", ".join(f"{what} {seconds:.4f} ({seconds / mine[what]:.1f} x)" for what, seconds in times.items())
            print(f"  {tool:14} {shown}")


if __name__ == "__main__":
    main()
