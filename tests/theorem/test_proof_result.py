"""Checks and steps of a proof made by hand."""

import numpy as np
import pytest

from pp_mlekl.theorem.proof_result import Check, Step


def check(left, right, error, bound=False):
    return Check(what="a = b", left=left, right=right, error=error, source="theory", bound=bound)


@pytest.mark.parametrize(
    ("left", "right", "error", "bound", "passed"),
    [
        (1.0, 1.05, 0.1, False, True),
        (1.0, 1.15, 0.1, False, False),
        (1.15, 1.0, 0.1, False, False),
        (1.0, 5.0, 0.1, True, True),
        (1.05, 1.0, 0.1, True, True),
        (1.15, 1.0, 0.1, True, False),
        (np.inf, np.inf, 0.0, False, True),
        (np.nan, 1.0, 0.1, False, False),
        (1.0, 1.0, np.nan, False, False),
    ],
)
def test_equalities_and_bounds_within_their_error(left, right, error, bound, passed):
    assert check(left, right, error, bound).passed == passed


def test_a_gap_has_a_sign_for_a_bound_only():
    assert check(1.0, 3.0, 0.1).gap == 2.0
    assert check(1.0, 3.0, 0.1, bound=True).gap == -2.0


def test_a_step_needs_all_of_its_checks():
    good, bad = check(1, 1, 0.1), check(1, 2, 0.1)
    statuses = [Step(number=1, title="t", claim="c", checks=c).status for c in [(), (good,), (good, bad), (bad,)]]
    assert statuses == ["not applicable", "pass", "fail", "fail"]
