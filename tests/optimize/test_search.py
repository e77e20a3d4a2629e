"""Searches whose Hessians contradict their gradients, and ends that are one maximum's."""

import numpy as np
import pytest
from plain_objectives import line, without_slope

from pp_mlekl.optimize.audit.pipeline import account
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.search import _is_contradicted, search
from pp_mlekl.optimize.solvers.result import at_point, joined
from pp_mlekl.optimize.tolerances import Tolerances

SIZE = 30


def contradicting(strength, share, slope=0.0):
    """A Hessian of -strength where slopes change by a share of it."""

    def evaluate(order, z, rows):
        value = -share * strength * np.sum(z**2, axis=1) / 2
        hessian = np.broadcast_to(-strength * np.eye(SIZE), (len(z), SIZE, SIZE))
        return (value, slope - share * strength * z, hessian)[: order + 1]

    return Objective(size=SIZE, evaluate=evaluate)


@pytest.mark.parametrize(("strength", "share", "contradicted"), [(1e6, 0.3, True), (1e6, 0.7, False)])
def test_slopes_that_do_not_change_as_the_hessian_says(strength, share, contradicted):
    objective = contradicting(strength, share)
    assert _is_contradicted(objective, at_point(objective, np.zeros(SIZE), "stuck")) == contradicted


@pytest.mark.parametrize(("strength", "contradicted"), [(400.0, True), (80.0, False)])
def test_changes_of_slopes_that_are_seen(strength, contradicted):
    objective = contradicting(strength, 0.0)
    assert _is_contradicted(objective, at_point(objective, np.zeros(SIZE), "stuck")) == contradicted


@pytest.mark.parametrize(("gap", "agree"), [(3e-7, 2), (3e-6, 1)])
def test_ends_of_one_maximum(gap, agree):
    objective = without_slope(lambda z: -gap * (z[:, 0] > 0))
    ends = joined(*(at_point(objective, np.array([z]), "stationary") for z in (-1.0, 1.0)))
    assert account(ends, 0, [], Tolerances()).agree == agree


def test_a_hessian_with_holes_is_replaced_by_differences_and_a_finding_says_so():
    def evaluate(order, z, rows):
        hessian = np.where(np.sin(1e6 * z) > -0.5, np.nan, -2.0)[..., None]
        return (-((z[:, 0] - 1) ** 2), -2 * (z - 1), hessian)[: order + 1]

    start = -np.pi / 2 * 1e-6
    verdict = search(Objective(size=1, evaluate=evaluate), np.array([[start]]), line())
    assert verdict.status == "converged"
    np.testing.assert_allclose(verdict.z, [1.0], atol=1e-6)
    np.testing.assert_allclose(verdict.covariance, [[0.5]], rtol=1e-4)
    (found,) = verdict.findings
    assert (found.test, found.kind, found.directions.shape) == ("noise", "hessian", (0, 1))
    assert (found.measured, found.threshold, found.unit) == (0.0, 1.0, "defined Hessians")
