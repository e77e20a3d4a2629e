"""Log evidence on ten problems with exact or published values: error, claimed error and time, compared with morphZ and harmonic.

``python benchmarks/evidence.py run FILE`` takes the first ``--replicates`` of 100 sets of 4 chains of 1,000 for each problem, and
appends one line of JSON for each method and set. Lines that FILE already holds are not computed again.
Every method gets the same draws, in unconstrained coordinates, and the same density. ``--methods`` and ``--only`` (parts of
names) make a smaller run. ``python benchmarks/evidence.py table FILE`` prints the table.

morphZ (bridge sampling over kernel density estimates) and harmonic (learnt harmonic mean) are needed for this comparison only:
``pip install morphZ harmonic``.
"""

import argparse
import contextlib
import io
import json
import logging
import sys
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import pp_mlekl as mk
from pp_mlekl.posterior.evidence_estimate import log_prior_mass
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.model_functions import model_functions

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from evidence_problems import PROBLEMS

SHAPE, SETS = (4, 1000), 100
# A normal interval of 95%.
HALF_WIDTH = 1.96


def ours(model, idata, seed):
    """Value and error of ``mk.log_evidence``."""
    estimate = mk.log_evidence(model, idata, random_seed=seed)
    return float(estimate), float(estimate.mcse)


def morphz(model, idata, seed):
    """Bridge sampling over a kernel density estimate of pairs of coordinates, the package's default."""
    import morphZ

    z, density, mass = problem_in_coordinates(model, idata)
    np.random.seed(seed)  # noqa: NPY002 - the package has no other seed
    with contextlib.redirect_stdout(io.StringIO()):
        kind = "2_group" if z.shape[-1] > 1 else "indep"
        flat = z.reshape(-1, z.shape[-1])
        value, error = morphZ.evidence(
            flat,
            lambda point: float(density(point[None])[0]),
            log_posterior_values=density(flat),
            n_resamples=2000,
            morph_type=kind,
            tol=1e-4,
            show_progress=False,
        )[0][:2]
    # Its second number is the relative error of Z, which is the error of log Z.
    return float(value) - mass, float(error)


def harmonic(model, idata, seed):
    """The learnt harmonic mean with the settings of the package's examples: a real NVP flow, or a spline flow in one dimension.

    Half of the chains train the flow.
    """
    import harmonic as hm
    import jax

    z, density, mass = problem_in_coordinates(model, idata)
    chains = hm.Chains(z.shape[-1])
    chains.add_chains_3d(z, density(z.reshape(-1, z.shape[-1])).reshape(z.shape[:2]))
    train, test = hm.utils.split_data(chains, training_proportion=0.5)
    flow = hm.model.RealNVPModel if z.shape[-1] > 1 else hm.model.RQSplineModel
    model = flow(z.shape[-1], standardize=True, temperature=0.8)
    model.fit(train.samples, epochs=20, key=jax.random.PRNGKey(seed))
    evidence = hm.Evidence(test.nchains, model)
    evidence.add_chains(test)
    low, high = evidence.compute_ln_inv_evidence_errors()
    return -float(evidence.ln_evidence_inv) - mass, (float(high) - float(low)) / 2


METHODS = {"pp_mlekl": ours, "morphZ": morphz, "harmonic": harmonic}


def problem_in_coordinates(model, idata):
    """Unconstrained draws, the log density as a function, and the log of the prior mass within the transforms' range."""
    functions = model_functions(model)

    def density(points):
        return functions.value(np.asarray(points, dtype=float), a=1.0, b=1.0)

    return unconstrained_draws(functions, idata), density, log_prior_mass(functions).value


@cache
def sampled(name, file):
    """All chains of a problem by nutpie, kept beside the results."""
    path = file.with_name(f"{file.stem} {name}.nc")
    if not path.exists():
        sample(
            PROBLEMS[name]().model, draws=SHAPE[1], tune=1000, chains=SHAPE[0] * SETS, random_seed=1, cores=1
        ).to_netcdf(path)
    with xr.open_datatree(path) as whole:
        return whole.load()


def draws_of(name, problem, replicate, file):
    """Four chains, independent draws from the exact posterior where the problem has them."""
    if problem.draw is not None:
        return problem.draw(np.random.default_rng(replicate), SHAPE)
    whole = sampled(name, file)
    chains = slice(SHAPE[0] * replicate, SHAPE[0] * (replicate + 1))
    return xr.DataTree.from_dict({g: whole[g].to_dataset().isel(chain=chains) for g in ("posterior", "sample_stats")})


def run(file, replicates, methods, only):
    """Append what is missing."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    done = set()
    if file.exists():
        done = {(r["problem"], r["method"], r["replicate"]) for r in map(json.loads, file.read_text().splitlines())}
    for name in (n for n in PROBLEMS if not only or any(part in n for part in only)):
        problem = PROBLEMS[name]()
        for replicate in range(replicates):
            missing = [m for m in methods if (name, m, replicate) not in done]
            idata = draws_of(name, problem, replicate, file) if missing else None
            for method in missing:
                start = time.process_time()
                try:
                    value, error = METHODS[method](problem.model, idata, 10_000 + replicate)
                except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                    value, error = np.nan, np.nan
                row = {
                    "problem": name,
                    "method": method,
                    "replicate": replicate,
                    "value": value,
                    "error": error,
                    "exact": problem.log_evidence,
                    "known_to": problem.error,
                    "seconds": time.process_time() - start,
                }
                with file.open("a") as lines:
                    lines.write(json.dumps(row) + "\n")


def table(file):
    """Print bias, root mean squared error, claimed error and coverage of each problem and method."""
    rows = pd.DataFrame(map(json.loads, file.read_text().splitlines()))
    print("| problem | log Z | method | sets | bias | RMSE | claimed | covered | without number | CPU s |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    groups = dict(list(rows.groupby(["problem", "method"])))
    for problem, method in ((p, m) for p in PROBLEMS for m in METHODS if (p, m) in groups):
        group = groups[problem, method]
        known = group[np.isfinite(group["value"])]
        off = known["value"] - known["exact"]
        covered = np.abs(off) <= HALF_WIDTH * np.hypot(known["error"], known["known_to"])
        print(
            f"| {problem} | {group['exact'].iloc[0]:.4f} | {method} | {len(group)} | {off.mean():+.4f} | {np.sqrt(np.mean(off**2)):.4f} "
            f"| {known['error'].median():.4f} | {covered.mean():.0%} | {len(group) - len(known)} | {group['seconds'].median():.2f} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "table"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--replicates", type=int, default=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--only", nargs="+", default=[])
    arguments = parser.parse_args()
    if arguments.command == "table":
        table(arguments.file)
    else:
        run(arguments.file, arguments.replicates, arguments.methods, arguments.only)
