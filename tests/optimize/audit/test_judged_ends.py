"""The whole verdict on ends of searches on functions whose maxima are known."""

from dataclasses import replace

import numpy as np
import pytest
from plain_objectives import analytic, line

from pp_mlekl.optimize.audit.pipeline import judge
from pp_mlekl.optimize.solvers.result import at_point, joined


def judged(value, z, *, logarithms=(), state="stationary", origin=None, **changes):
    z = np.atleast_1d(np.asarray(z, dtype=float))
    objective = analytic(value, len(z))
    ends = replace(at_point(objective, z, state), **changes)
    return judge(objective, ends, line(len(z), logarithms), np.zeros(len(z)) if origin is None else origin)


def test_a_regular_maximum():
    found = judged(lambda z: -2 * (z[:, 0] - 1) ** 2 - z[:, 0] * z[:, 1] - z[:, 1] ** 2 / 2 + z[:, 1], [1.0, 0.0])
    matrix = np.array([[4.0, 1.0], [1.0, 1.0]])
    assert (found.status, found.value, found.singular, found.warnings) == ("converged", 0.0, False, ())
    np.testing.assert_allclose(found.covariance, np.linalg.inv(matrix), rtol=1e-6)
    np.testing.assert_allclose(found.hessian, -matrix, atol=1e-6)
    assert found.null.shape == found.run_off.shape == found.irregular.shape == (0, 2)
    assert (found.audit.rank, found.audit.starts, found.audit.agree) == (2, 1, 1)
    assert found.findings == ()


@pytest.mark.parametrize("offset", [0.0, -1e4])
def test_of_a_straight_family_the_member_next_to_the_origin(offset):
    found = judged(lambda z: offset - (z[:, 0] + z[:, 1] - 1) ** 2 - z[:, 2] ** 2 / 2, [3.5, -2.5, 0.0])
    assert found.status == "not_identified"
    np.testing.assert_allclose(found.z, [0.5, 0.5, 0.0], atol=1e-9)
    assert found.value == offset
    np.testing.assert_allclose(np.abs(found.null), [[np.sqrt(0.5), np.sqrt(0.5), 0.0]], atol=1e-6)
    assert found.null[0, 0] * found.null[0, 1] < 0
    np.testing.assert_allclose(found.covariance, [[0.125, 0.125, 0.0], [0.125, 0.125, 0.0], [0.0, 0.0, 1.0]], atol=1e-4)
    # The coordinates by themselves are not regular, what is not among them is.
    assert not np.any(np.abs(found.irregular) @ np.eye(3)[2] > 0.1)
    (finding,) = found.findings
    assert (finding.test, finding.kind) == ("identifiability", "flat")
    assert set(finding.parameters) == {"x0", "x1"}


def test_of_a_bent_family_the_member_that_was_found():
    end = [2 * np.cos(1.0), 2 * np.sin(1.0)]
    found = judged(lambda z: -((z[:, 0] ** 2 + z[:, 1] ** 2 - 4) ** 2), end)
    assert found.status == "not_identified"
    np.testing.assert_allclose(found.z, end, rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.null @ end), 0.0, atol=1e-5)


def test_a_limit_at_infinity():
    found = judged(lambda z: -np.exp(-z[:, 0]) - (z[:, 1] - 2) ** 2, [40.0, 2.0])
    assert found.status == "at_infinity"
    np.testing.assert_allclose(found.run_off, [[1.0, 0.0]], atol=1e-9)
    np.testing.assert_allclose(found.covariance[1, 1], 0.5, rtol=1e-5)
    (finding,) = found.findings
    assert (finding.threshold, finding.unit) == (1e-2, "nats lost along the direction")
    assert abs(finding.measured) < 1e-9
    assert finding.parameters == ("x0",)
    assert any("x0" in warning for warning in found.warnings)


@pytest.mark.parametrize("rate", [0.3, 2.0])
def test_a_divergence(rate):
    found = judged(lambda z: -rate * z[:, 0] - np.exp(z[:, 0]), -20.0, logarithms=[0], state="stuck")
    assert (found.status, found.value, found.local) == ("unbounded", np.inf, None)
    finding = found.findings[-1]
    assert (finding.test, finding.kind, finding.directions.tolist()) == ("unbounded", "divergence", [[-1.0]])
    assert finding.measured == pytest.approx(rate, rel=1e-3)
    assert (finding.threshold, finding.unit) == (0.02, "nats per unit of z")
    assert found.z[0] < -20.0


@pytest.mark.parametrize(
    ("best", "above", "audited"),
    [(0.0, 0.9e-6, False), (0.0, 1.2e-6, True), (-100.0, 0.9e-4, False), (-100.0, 1.2e-4, True), (0.01, 0.9e-6, False)],
)
def test_a_search_that_did_not_converge_counts_where_it_is_higher(best, above, audited):
    objective = analytic(lambda z: best - z[:, 0] ** 2)
    regular = at_point(objective, np.zeros(1), "stationary")
    ends = joined(regular, replace(at_point(objective, np.array([3.0]), "running"), value=np.array([best + above])))
    found = judge(objective, ends, line(1), np.zeros(1))
    assert (found.z[0] == 3.0) == audited
    assert (found.status == "converged") != audited


def test_the_highest_maximum_is_judged():
    """Two of equal width, 1 and 3 nats high; the lower one was found more often."""
    objective = analytic(lambda z: np.log(np.exp(1 - (z[:, 0] - 9) ** 2) + np.exp(3 - (z[:, 0] + 9) ** 2)))
    ends = joined(
        replace(at_point(objective, np.array([9.0]), "stationary"), count=np.array([5])),
        replace(at_point(objective, np.array([-9.0]), "stationary"), count=np.array([2])),
    )
    found = judge(objective, ends, line(1), np.zeros(1))
    assert (found.status, found.z.tolist()) == ("converged", [-9.0])
    assert (found.audit.agree, found.audit.starts) == (2, 7)
    assert [round(mode.value, 9) for mode in found.audit.modes] == [3.0, 1.0]
