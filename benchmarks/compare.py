"""What a comparison costs beside doing the sampling, the groups, the tables and the pictures by hand.

Each side runs in a process of its own, with empty and then with warm compilation caches, in turns. The package has its
bytecode, as pip leaves it. Printed are the ratios of wall times and of CPU times; the second depends less on what else the
machine does.
Run: ``python benchmarks/compare.py [pairs]``.
"""

import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BY_HAND = """
import warnings; warnings.simplefilter("ignore")
import arviz as az, arviz_plots as azp, pymc as pm
from pymc.stats import compute_log_likelihood, compute_log_prior
from models.eight_schools import build_noncentered
model = build_noncentered()
with model:
    tree = pm.sample(draws=1000, chains=4, nuts_sampler="nutpie", random_seed=1, progressbar=False)
    tree.update(pm.sample_prior_predictive(draws=1000, random_seed=1))
    tree.update(pm.sample_posterior_predictive(tree, random_seed=1, progressbar=False))
    compute_log_likelihood(tree, progressbar=False)
    compute_log_prior(tree, progressbar=False)
names = ["mu", "tau", "offset"]
az.summary(tree, var_names=names); az.loo(tree); az.psense_summary(tree, var_names=names)
for plot, kwargs in (
    (azp.plot_prior_posterior, {"var_names": names}), (azp.plot_rank, {"var_names": names}),
    (azp.plot_pair, {"var_names": names, "coords": {"school": ["Choate", "Deerfield"]}}),
    (azp.plot_energy, {}), (azp.plot_ppc_dist, {"num_samples": 50}),
    (azp.plot_loo_pit, {}),
):
    plot(tree, backend="matplotlib", **kwargs).savefig(f"{FOLDER}/{plot.__name__}.png")
"""
BY_COMPARE = """
import warnings; warnings.simplefilter("ignore")
import pp_mlekl as mk
from models.eight_schools import build_noncentered
mk.compare(build_noncentered(), random_seed=1).to_html(f"{FOLDER}/page.html")
"""


def seconds(code: str, cache: str) -> tuple[float, float]:
    """Wall time and CPU time of a process that runs ``code`` with compilation caches in ``cache``."""
    flags = f"base_compiledir={cache}/pytensor"
    environment = {**os.environ, "PYTENSOR_FLAGS": flags, "NUMBA_CACHE_DIR": f"{cache}/numba", "MPLBACKEND": "agg"}
    start, before = time.perf_counter(), _cpu()
    subprocess.run(
        [sys.executable, "-c", f"FOLDER = {cache!r}\n{code}"], env=environment, check=True, capture_output=True
    )
    return time.perf_counter() - start, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(pairs: int) -> None:
    """Print the ratios."""
    for folder in ("pp_mlekl", "models"):
        compileall.compile_dir(Path(__file__).parents[1] / folder, quiet=1)
    cold, warm = [], []
    for _ in range(pairs):
        with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
            cold.append((seconds(BY_COMPARE, ours), seconds(BY_HAND, theirs)))
            warm.append((seconds(BY_COMPARE, ours), seconds(BY_HAND, theirs)))
    for name, times in (("empty caches", cold), ("warm caches", warm)):
        for clock, kind in enumerate(("wall", "CPU")):
            ours_and_theirs = [(a[clock], b[clock]) for a, b in times]
            ratio = statistics.median(a / b for a, b in ours_and_theirs)
            a, b = (statistics.median(side) for side in zip(*ours_and_theirs, strict=True))
            print(f"{name}, {kind} time: compare {a:.1f} s, by hand {b:.1f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
