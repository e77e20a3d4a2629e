"""Checks and steps of a proof made by hand."""

import numpy as np
import pytest

from pp_mlekl.theorem.proof_result import Check, Proof, Step


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


def made(*passed):
    """A proof with one check a step; None for a step that does not apply."""
    checks = [() if ok is None else (check(1.0, 1.0 if ok else 2.0, 0.25),) for ok in passed]
    steps = tuple(Step(number=i, title=f"t{i}", claim="c", checks=c) for i, c in enumerate(checks, start=1))
    return Proof(name="n", truth="t", steps=steps, pseudo_true=None, settings={})


@pytest.mark.parametrize(
    ("passed", "holds"),
    [((True, None), True), ((True, False), False), ((False, True), False), ((None, None), True)],
)
def test_one_step_that_fails_is_a_proof_that_fails(passed, holds):
    assert made(*passed).passed is holds


def test_the_summary_has_both_sides_of_each_check():
    table = made(True, None, False).summary()
    assert list(table.index) == [1, 3]
    row = table.loc[3]
    assert (row["left"], row["relation"], row["right"], row["gap"], row["error"]) == (1.0, "=", 2.0, 1.0, 0.25)
    assert table["passed"].tolist() == [True, False]
