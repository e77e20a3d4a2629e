"""Record the numbers that a change of structure must not change: estimates, evidences and divergences.

    python benchmarks/record_numbers.py before.json      on one tree
    python benchmarks/record_numbers.py after.json       on the other
    python benchmarks/record_numbers.py before.json after.json     differences, largest first

Each model of the gallery is compared once with short chains and one seed. Each ordered pair of eight distributions gives
KL, Jensen-Shannon divergence and Wasserstein distance.
"""

import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

PAIRS = [
    "Normal(0, 1)",
    "StudentT(4, 0.5, 2)",
    "Laplace(0, 1)",
    "Logistic(1, 0.5)",
    "SkewNormal(0, 1, 2)",
    "Gumbel(0, 1)",
    "Cauchy(0, 1)",
]
BUILDERS = [
    "eight_schools.build",
    "eight_schools.build_noncentered",
    "linear_diabetes.build",
    "logistic_spector.build",
    "naive_bayes_iris.build",
    "normal_newcomb.build",
    "poisson_randhie.build",
]


def _numbers(dataset: Any, prefix: str) -> dict[str, float]:
    found = {}
    for name, array in dataset.data_vars.items():
        if array.dtype.kind in "fiu":
            for index, value in np.ndenumerate(array.values):
                found[f"{prefix}/{name}{list(index) or ''}"] = float(value)
    return found


def record() -> dict[str, float]:
    """Every number by a name of its own."""
    import importlib

    import pp_mlekl as mk

    numbers: dict[str, float] = {}
    for p, q in itertools.permutations(PAIRS, 2):
        for measure in (mk.kl_divergence, mk.js_divergence, mk.wasserstein_distance):
            found = measure(p, q)
            numbers[f"{measure.__name__}({p}||{q})"] = float(found.value)
    for builder in BUILDERS:
        module, function = builder.split(".")
        model = getattr(importlib.import_module(f"models.{module}"), function)()
        comparison = mk.compare(model, draws=200, chains=2, random_seed=1)
        for group in ("point_estimate", "point_estimate_se", "fitted"):
            numbers.update(_numbers(comparison.tree[group].to_dataset(), f"{builder}/{group}"))
        for node in comparison.tree["information_gain"].subtree:
            numbers.update(_numbers(node.to_dataset(), f"{builder}/{node.path}"))
    return numbers


def differences(before: dict[str, float], after: dict[str, float]) -> list[tuple[float, str]]:
    """Relative differences, largest first; a number that one side lacks, or that is NaN on one side, counts as infinite."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        a, b = before.get(name, math.nan), after.get(name, math.nan)
        if math.isnan(a) or math.isnan(b):
            gap = 0.0 if math.isnan(a) and math.isnan(b) and name in before and name in after else math.inf
        else:
            gap = 0.0 if a == b else abs(a - b) / max(abs(a), abs(b))
        found.append((gap, name))
    return sorted(found, reverse=True)


if __name__ == "__main__":
    paths = [Path(p) for p in sys.argv[1:]]
    if len(paths) == 1:
        paths[0].write_text(json.dumps(record(), indent=0))
    else:
        compared = differences(*(json.loads(p.read_text()) for p in paths))
        print(f"{len(compared)} numbers, {sum(gap == 0 for gap, _ in compared)} equal")
        for gap, name in compared[:20]:
            print(f"{gap:.2e}  {name}")
