"""Verdicts on the degenerate and regular models of the tests, recorded at several seeds and compared.

``python benchmarks/verdicts.py record FILE`` fits every case at seeds 1 to 5 and appends one line of JSON a fit; what FILE
already holds is left out, so a run that was stopped goes on where it was. ``--seeds 1 2`` and names or parts of names
(``--only mixture knot``) make a smaller run. ``python benchmarks/verdicts.py table FILE`` prints the statuses of each case,
and ``compare BEFORE AFTER`` the fits whose status, number of warnings, log-likelihood, values or standard errors changed.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1] / "tests"
SEEDS = (1, 2, 3, 4, 5)
# Nats, and shares of a value or of a standard error (whichever is larger), that two runs of one search may differ by.
NATS, SHARE = 1e-5, 1e-3


def cases():
    """The name of each case, and the function (of a seed) that fits it."""
    sys.path.insert(0, str(TESTS))
    import degenerate_models as degenerate
    import regular_models as regular

    from pp_mlekl.estimation.find_mle_map import find_map, find_mle

    # What a model compiles to is kept with it.
    built = cache(lambda build, name: build(name))

    def fit(build, name, asked):
        if asked == "mle":
            return lambda seed: find_mle(built(build, name), random_seed=seed)
        space = "natural" if asked == "map" else "unconstrained"
        return lambda seed: find_map(built(build, name), space=space, random_seed=seed)

    found = {f"degenerate/{name}": fit(degenerate.build, name, case[0]) for name, case in degenerate.CASES.items()}
    for name in regular.MODELS:
        for asked in ("mle", "map_unconstrained"):
            found[f"regular/{name}/{asked}"] = fit(regular.build, name, asked)
    return found


def expected():
    """The status that each case should have."""
    import degenerate_models as degenerate

    return defaultdict(lambda: "converged", {f"degenerate/{name}": case[1] for name, case in degenerate.CASES.items()})


def account(estimate):
    """What of an estimate is recorded; values are flat, in the order of the variables."""

    def flat(dataset):
        return np.concatenate([np.ravel(v.values) for v in dataset.data_vars.values()]).astype(float).tolist()

    return {
        "status": estimate.status,
        "log_likelihood": estimate.log_likelihood,
        "values": flat(estimate.values),
        "standard_error": flat(estimate.standard_error),
        "warnings": list(estimate.warnings),
    }


def read(path):
    """The recorded fits by case and seed; a file that is not there holds none."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {(row["case"], row["seed"]): row for row in map(json.loads, lines)}


def record(path, seeds, only):
    """Fit what is not in the file yet; each fit is written as soon as it is known."""
    known = read(path)
    for name, fit in cases().items():
        if only and not any(part in name for part in only):
            continue
        for seed in seeds:
            if (name, seed) in known:
                continue
            start = time.process_time()
            row = {"case": name, "seed": seed, **account(fit(seed)), "seconds": time.process_time() - start}
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")


def table(path):
    """One line a case: the expected status, and the statuses that the seeds gave."""
    cases()
    right, rows = expected(), defaultdict(list)
    for (name, _), row in sorted(read(path).items()):
        rows[name].append(row["status"])
    for name, found in rows.items():
        mark = " " if set(found) == {right[name]} else "*"
        counts = ", ".join(f"{status} {found.count(status)}" for status in sorted(set(found)))
        print(f"{mark} {name:66} {right[name]:15} {counts}")
    print(
        f"{sum(set(found) == {right[name]} for name, found in rows.items())} of {len(rows)} cases as expected at all seeds"
    )


def differences(before, after):
    """What of a fit changed, in words."""
    changed = []
    if before["status"] != after["status"]:
        changed.append(f"status {before['status']} -> {after['status']}")
    if len(before["warnings"]) != len(after["warnings"]):
        changed.append(f"warnings {len(before['warnings'])} -> {len(after['warnings'])}")
    first, second = before["log_likelihood"], after["log_likelihood"]
    if not np.isclose(first, second, rtol=1e-7, atol=NATS, equal_nan=True):
        changed.append(f"log-likelihood {first:.8g} -> {second:.8g}")
    error = np.nan_to_num(np.array(before["standard_error"]))
    value = np.array(before["values"])
    allowed = SHARE * np.maximum(error, np.where(np.isfinite(value), np.abs(value), 0.0)) + 1e-8
    for what, unit in (("values", "value"), ("standard_error", "error")):
        one, two = np.array(before[what]), np.array(after[what])
        with np.errstate(invalid="ignore"):
            near = (one == two) | (np.isnan(one) & np.isnan(two)) | (np.abs(one - two) <= allowed)
        if not near.all():
            k = int(np.flatnonzero(~near)[0])
            changed.append(f"{unit}[{k}] {one[k]:.6g} -> {two[k]:.6g} ({(~near).sum()} of {len(near)})")
    return changed


def compare(before, after):
    """The fits in both files that differ; the exit code is 1 where a status changed from right to wrong."""
    cases()
    right, worse = expected(), 0
    first, second = read(before), read(after)
    both = sorted(first.keys() & second.keys())
    for key in both:
        changed = differences(first[key], second[key])
        if changed:
            lost = first[key]["status"] == right[key[0]] != second[key]["status"]
            worse += lost
            print(f"{'WORSE ' if lost else ''}{key[0]}, seed {key[1]}: {'; '.join(changed)}")
    seconds = [sum(fits[key]["seconds"] for key in both) for fits in (first, second)]
    print(f"{len(both)} fits in both, {worse} worse; CPU seconds {seconds[0]:.0f} -> {seconds[1]:.0f}")
    return int(worse > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recorded = commands.add_parser("record")
    recorded.add_argument("file", type=Path)
    recorded.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    recorded.add_argument("--only", nargs="+", default=())
    commands.add_parser("table").add_argument("file", type=Path)
    compared = commands.add_parser("compare")
    compared.add_argument("before", type=Path)
    compared.add_argument("after", type=Path)
    asked = parser.parse_args()
    if asked.command == "record":
        record(asked.file, asked.seeds, asked.only)
    elif asked.command == "table":
        table(asked.file)
    else:
        sys.exit(compare(asked.before, asked.after))


if __name__ == "__main__":
    main()
