"""The golden pairs: divergences to 40 digits, rounded once."""

import json
from pathlib import Path

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family

_FILE = Path(__file__).parents[1] / "data" / "golden" / "kl_pairs.json"
CASES = {case["id"]: case for case in json.loads(_FILE.read_text())["cases"]}


def pair(case: str) -> tuple[Distribution, Distribution]:
    """P and Q of a case."""
    return _made(CASES[case]["p"]), _made(CASES[case]["q"])


def check(case: str, quantity: str, value: float) -> None:
    """Assert that a value agrees with the golden one within the case's own tolerance."""
    golden = CASES[case]
    np.testing.assert_allclose(value, float(golden[quantity]), rtol=golden["rtol"], atol=golden["atol"])


def _made(record: dict) -> Distribution:
    present = {name: np.asarray(v, dtype=float) for name, v in record["params"].items() if v is not None}
    return family(record["dist"])(**present)
