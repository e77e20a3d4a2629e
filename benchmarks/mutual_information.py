"""Mutual information on the 40 tasks of Czyz et al. (2023), as KL(joint||product of the margins) from draws, compared with KSG.

The tasks come from their package, which needs Python 3.11: ``pip install benchmark-mi`` there, then
``python benchmarks/mutual_information.py draw FOLDER`` writes the draws of each task, its exact value and the estimate of
Kraskov, Stoegbauer and Grassberger (2004) with 10 neighbours. ``python benchmarks/mutual_information.py run FOLDER FILE``
appends one line of JSON for each task; lines that FILE already holds are not computed again. ``table FILE`` prints errors, coverage
and silent misses.

Of n draws the first half is P, and the second half, with the y of each draw from another one, is Q: the two sides have to be
independent. KSG has all n.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

DRAWS = 10_000
HALF_WIDTH = 1.96


def draw(folder, seeds):
    """Write draws, exact value and KSG's estimate of each task and seed."""
    import bmi

    folder.mkdir(exist_ok=True)
    for identity, task in bmi.benchmark.BENCHMARK_TASKS.items():
        for seed in range(1, seeds + 1):
            path = folder / f"{identity} {seed}.npz"
            if path.exists():
                continue
            x, y = (np.asarray(v, dtype=float) for v in task.sample(DRAWS, seed))
            start = time.process_time()
            ksg = bmi.estimators.KSGEnsembleFirstEstimator(neighborhoods=(10,)).estimate(x, y)
            seconds = time.process_time() - start
            np.savez(path, x=x, y=y, exact=task.mutual_information, ksg=ksg, ksg_seconds=seconds, name=task.name)


def run(folder, file):
    """Append what is missing."""
    import pp_mlekl as mk

    done = {json.loads(line)["task"] for line in file.read_text().splitlines()} if file.exists() else set()
    for path in sorted(folder.glob("*.npz")):
        if path.stem in done:
            continue
        with np.load(path) as found:
            x, y, exact, ksg = found["x"], found["y"], float(found["exact"]), float(found["ksg"])
            name, ksg_seconds = str(found["name"]), float(found["ksg_seconds"])
        x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
        half = len(x) // 2
        joint = np.hstack([x[:half], y[:half]])
        # Shifted by one, no y stays with its x.
        product = np.hstack([x[half:], np.roll(y[half:], 1, axis=0)])
        start = time.process_time()
        estimate = mk.kl_divergence(joint, product, random_seed=1)
        row = {
            "task": path.stem,
            "name": name,
            "d": joint.shape[1],
            "exact": exact,
            "ksg": ksg,
            "value": float(estimate),
            "error": float(estimate.mcse),
            "warnings": list(estimate.warnings),
            "seconds": time.process_time() - start,
            "ksg_seconds": ksg_seconds,
        }
        with file.open("a") as lines:
            lines.write(json.dumps(row) + "\n")


def table(file):
    """Print each task and the totals."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    print("| task | d | exact | KSG | pp_mlekl | error | warned |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for r in rows:
        warned = "yes" if r["warnings"] else ""
        print(
            f"| {r['name']} | {r['d']} | {r['exact']:.3f} | {r['ksg']:.3f} | {r['value']:.3f} | {r['error']:.3f} | {warned} |"
        )
    exact, ksg, value, error = (np.array([r[k] for r in rows]) for k in ("exact", "ksg", "value", "error"))
    missed = np.abs(value - exact) > HALF_WIDTH * error
    warned = np.array([bool(r["warnings"]) for r in rows])
    print(
        f"\nMean absolute error {np.mean(np.abs(value - exact)):.3f}, of KSG {np.mean(np.abs(ksg - exact)):.3f}; covered "
        f"{1 - missed.mean():.0%}, silent misses {np.mean(missed & ~warned):.0%}, warned {warned.mean():.0%}; CPU seconds "
        f"{np.median([r['seconds'] for r in rows]):.1f}, KSG {np.median([r['ksg_seconds'] for r in rows]):.1f}."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("draw")
    command.add_argument("folder", type=Path)
    command.add_argument("--seeds", type=int, default=1)
    command = commands.add_parser("run")
    command.add_argument("folder", type=Path)
    command.add_argument("file", type=Path)
    command = commands.add_parser("table")
    command.add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "draw":
        draw(arguments.folder, arguments.seeds)
    elif arguments.command == "run":
        run(arguments.folder, arguments.file)
    else:
        table(arguments.file)
