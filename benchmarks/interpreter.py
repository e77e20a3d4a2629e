"""What each change of PyTensor's evaluation gains: CPU seconds of a fit without it over those with it.

    python benchmarks/interpreter.py

Each measurement is a process of its own. ``first`` includes building the graphs; ``later`` is the median of seven more fits.
A change stays in the package only if the ratio of the first fit or of later ones is above 1.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np


def logistic() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    rng = np.random.default_rng(1)
    x = rng.normal(size=(1000, 5))
    y = rng.random(1000) < 1 / (1 + np.exp(-x @ np.linspace(-1, 1, 5)))
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=5)
        pm.Bernoulli("y", logit_p=x @ b, observed=y.astype(int))
    return model, {}


def gaussian_process() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    rng = np.random.default_rng(2)
    x = np.sort(rng.uniform(0, 10, 40))[:, None]
    y = np.sin(x[:, 0]) + rng.normal(0, 0.3, 40)
    with pm.Model() as model:
        ell, eta, sigma = pm.Gamma("ell", 2, 1), pm.HalfNormal("eta", 2), pm.HalfNormal("sigma", 1)
        process = pm.gp.Marginal(cov_func=eta**2 * pm.gp.cov.ExpQuad(1, ls=ell))
        process.marginal_likelihood("y", X=x, y=y, sigma=sigma)
    return model, {}


def garch() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    y = np.random.default_rng(3).standard_t(5, size=100)
    with pm.Model() as model:
        omega = pm.HalfNormal("omega", 1)
        alpha, beta = pm.Beta("alpha", 2, 5), pm.Beta("beta", 5, 2)
        pm.GARCH11("y", omega=omega, alpha_1=alpha, beta_1=beta, initial_vol=1.0, observed=y)
    return model, {}


def slopes() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    rng = np.random.default_rng(4)
    group, x = np.repeat(np.arange(12), 6), np.tile(np.linspace(-1, 1, 6), 12)
    y = rng.normal(size=12)[group] + rng.normal(0.5, 0.5, 12)[group] * x + rng.normal(0, 0.5, 72)
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 5, shape=2), pm.HalfNormal("sigma", 1)
        scale, rho = pm.HalfNormal("scale", 1, shape=2), pm.Uniform("rho", -1, 1)
        covariance = pm.math.stack(
            [
                pm.math.stack([scale[0] ** 2, rho * scale[0] * scale[1]]),
                pm.math.stack([rho * scale[0] * scale[1], scale[1] ** 2]),
            ]
        )
        u = pm.MvNormal("u", mu, covariance, shape=(12, 2))
        pm.Normal("y", u[group, 0] + u[group, 1] * x, sigma, observed=y)
    return model, {"marginalize": ["u"]}


def schools() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12])
    return model, {"marginalize": ["theta"]}


def vectors() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    y = np.random.default_rng(5).multivariate_normal(np.zeros(6), np.eye(6) + 0.5, size=200)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=6)
        chol, _, _ = pm.LKJCholeskyCov("chol", n=6, eta=2.0, sd_dist=pm.HalfNormal.dist(2.0))
        pm.MvNormal("y", mu, chol=chol, observed=y)
    return model, {}


def sampled() -> tuple[Any, dict[str, Any]]:
    from models.eight_schools import build_noncentered

    return build_noncentered(), {}


def counts() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    x = np.random.default_rng(6).normal(size=200)
    with pm.Model() as model:
        b, alpha = pm.Normal("b", 0, 5, shape=2), pm.HalfNormal("alpha", 5)
        pm.NegativeBinomial("y", mu=pm.math.exp(b[0] + x * b[1]), alpha=alpha, observed=np.zeros(200, dtype=int))
    truth = {"b": [0.5, 0.3], "alpha": 2.0}
    return model, {"truth": truth, "sizes": [200], "replicates": 1000, "compute": []}


def lifetimes() -> tuple[Any, dict[str, Any]]:
    import pymc as pm

    y = np.random.default_rng(7).gamma(2.0, 3.0, size=100)
    with pm.Model() as model:
        alpha, beta = pm.Exponential("alpha", 0.5), pm.Exponential("beta", 1.0)
        pm.Censored("y", pm.Gamma.dist(alpha, beta), lower=None, upper=8.0, observed=np.minimum(y, 8.0))
    return model, {}


MODELS: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "logistic": logistic,
    "gaussian_process": gaussian_process,
    "garch": garch,
    "slopes": slopes,
    "schools": schools,
    "vectors": vectors,
    "sampled": sampled,
    "counts": counts,
    "lifetimes": lifetimes,
}


def _lazy() -> Any:
    from pp_mlekl.pymc_model.interpreter import lazy_function

    return lazy_function


def without_direct_elemwise() -> None:
    """PyTensor's own thunks of elementwise operations."""
    from pp_mlekl.pymc_model.interpreter.elemwise import DirectElemwise

    del DirectElemwise.make_py_thunk


def without_ufuncs() -> None:
    """Softplus and the like element by element, as PyTensor has them."""
    from pp_mlekl.pymc_model.rewrites import bessel

    _lazy()._UFUNCS = dict(bessel.UFUNCS)


def without_batched_blockwise() -> None:
    """LAPACK for one matrix after another."""
    _lazy().batched_blockwise = lambda node, inputs: None


def without_static_shapes() -> None:
    """Lengths by rewriting graphs."""
    _lazy().static_shapes_from_types = nullcontext


def without_fewer_functions() -> None:
    """Two softplus functions, range checks, a sigmoid for each axis and a choice for each check."""
    from pytensor.graph.rewriting.basic import EquilibriumGraphRewriter

    from pp_mlekl.pymc_model.rewrites import pipeline

    pipeline.ONE_FUNCTION = EquilibriumGraphRewriter([], max_use_ratio=10)
    _lazy()._LAST = _lazy().INLINE


def without_count_tables() -> None:
    """Log-gamma functions of every observation."""
    _lazy().of_counts_node = lambda node, memo: None


def without_scalar_loops() -> None:
    """Series of incomplete functions element by element."""
    _lazy().array_loop_node = lambda node, inputs: None


def without_diagonals() -> None:
    """PyTensor's diagonals, row by row of a batch."""
    from pp_mlekl.pymc_model import log_density_graphs
    from pp_mlekl.pymc_model.rewrites.diagonals import with_elementwise_diagonals

    log_density_graphs.ON_DENSITIES = tuple(
        rewrite for rewrite in log_density_graphs.ON_DENSITIES if rewrite is not with_elementwise_diagonals
    )


def without_small_matrices() -> None:
    """Linear algebra of two rows by LAPACK."""
    from pp_mlekl.pymc_model import integrand_derivatives

    integrand_derivatives.without_small_linalg = list


def without_batched_loops() -> None:
    """A loop over time for each element of a batch."""
    from pytensor.graph.replace import vectorize_graph

    from pp_mlekl.pymc_model import weighted_objective
    from pp_mlekl.pymc_model.interpreter import batched_function

    for module in (weighted_objective, batched_function):
        module.vectorized = lambda outputs, replace: vectorize_graph(list(outputs), replace=replace)


def without_light_callbacks() -> None:
    """The callbacks that nutpie itself compiles."""
    from pp_mlekl.pymc_model.draws import sampling

    sampling.light_callbacks = nullcontext


CHANGES: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "elemwise.py": (without_direct_elemwise, ("logistic", "schools", "gaussian_process")),
    "ufuncs.py": (without_ufuncs, ("logistic",)),
    "linalg.py": (without_batched_blockwise, ("gaussian_process", "vectors")),
    "static_shapes.py": (without_static_shapes, ("gaussian_process",)),
    "fewer_functions.py": (without_fewer_functions, ("logistic", "counts")),
    "count_tables.py": (without_count_tables, ("counts",)),
    "scalar_loops.py": (without_scalar_loops, ("lifetimes",)),
    "diagonals.py": (without_diagonals, ("gaussian_process",)),
    "small_matrices.py": (without_small_matrices, ("slopes",)),
    "vectorize.py": (without_batched_loops, ("garch",)),
    "nutpie_callbacks.py": (without_light_callbacks, ("sampled",)),
}


def measure(model: str, change: str) -> dict[str, float]:
    """CPU seconds of the first fit and of later ones in this process."""
    if change:
        CHANGES[change][0]()
    import pp_mlekl as mk
    from pp_mlekl.pymc_model.draws import sampling

    run: Any = {"sampled": sampling.sample, "counts": mk.study}.get(model, mk.find_mle)
    built, arguments = MODELS[model]()
    seconds = []
    for seed in range(8 if model == "logistic" else 3):
        start = time.process_time()
        run(built, random_seed=seed, **arguments)
        seconds.append(time.process_time() - start)
    return {"first": seconds[0], "later": float(np.median(seconds[1:]))}


def _in_own_process(model: str, change: str) -> dict[str, float]:
    command = [sys.executable, __file__, model, change]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        print(f"{'change':20s} {'model':18s} {'first':>7s} {'later':>7s}   CPU seconds without over with")
        for change, (_, models) in CHANGES.items():
            for model in models:
                plain, less = _in_own_process(model, ""), _in_own_process(model, change)
                ratios = {key: less[key] / plain[key] for key in plain}
                print(f"{change:20s} {model:18s} {ratios['first']:7.2f} {ratios['later']:7.2f}", flush=True)
