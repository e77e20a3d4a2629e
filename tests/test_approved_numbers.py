"""Numbers of public functions have not changed."""

import json
import math

import approved_numbers
import pytest
from tiers import slow_if

# The numbers of another machine's libraries of linear algebra differ by more than rounding where an algorithm iterates.
_RELATIVE, _ABSOLUTE = 2e-5, 1e-8


def differences(old, new, path=""):
    """Places at which two nested values differ by more than rounding."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(k for k in new if k not in old)]
        return [d for k in keys for d in differences(old.get(k), new.get(k), f"{path}/{k}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [d for i, pair in enumerate(zip(old, new, strict=True)) for d in differences(*pair, f"{path}/{i}")]
    numbers = isinstance(old, float) and isinstance(new, float)
    same = math.isclose(old, new, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE) if numbers else old == new
    return [] if same else [f"{path}: {old} -> {new}"]


KNOWN = json.loads(approved_numbers.FILE.read_text(encoding="utf-8"))


# Others of these have tests with oracles, or are of one variable.
@pytest.mark.parametrize(
    "name", slow_if(approved_numbers.CASES, ("costly_families", "draws_of_groups", "marginal_estimates"))
)
def test_numbers_are_those_approved(name):
    """After a change that is meant: ``python tests/approved_numbers.py``, with the reason in the commit."""
    new = json.loads(json.dumps(approved_numbers.plain(approved_numbers.CASES[name]())))
    found = differences(KNOWN.get(name), new)
    assert not found, "\n".join(found[:20])


def test_differences_are_seen():
    assert differences({"a": [1.0, 2.0]}, {"a": [1.0, 2.0 + 1e-9]}) == []
    assert differences({"a": [1.0, 2.0]}, {"a": [1.0, 2.1]}) == ["/a/1: 2.0 -> 2.1"]
    assert differences({"a": 1.0}, {"a": 1.0, "b": "x"}) == ["/b: None -> x"]
    assert differences([1.0], [1.0, 2.0]) == [": [1.0] -> [1.0, 2.0]"]
