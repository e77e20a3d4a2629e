"""The point that an audit looks at, the account of a search, and what there is to say where none led anywhere."""

import numpy as np
import pytest
from plain_objectives import line, point, without_slope

from pp_mlekl.optimize.audit.pipeline import account, nothing
from pp_mlekl.optimize.audit.soft_directions import independent, profile_falls
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.optimize.tolerances import Tolerances


def quadratic(matrix, peak=0.0):
    """-(z - peak)' A (z - peak) / 2."""

    def evaluate(order, z, rows):
        moved = z - peak
        image = moved @ matrix
        hessian = np.broadcast_to(-matrix, (len(z), *matrix.shape))
        return (-np.sum(moved * image, axis=1) / 2, -image, hessian)[: order + 1]

    return Objective(size=len(matrix), evaluate=evaluate)


MATRIX = np.array([[2.0, -1.0], [-1.0, 1.0]])


def test_a_point_is_evaluated():
    found = point(quadratic(MATRIX), [3.0, -4.0])
    assert (found.value, found.gradient.tolist()) == (-29.0, [-10.0, 7.0])
    assert found.hessian.tolist() == (-MATRIX).tolist()
    assert (found.origin.tolist(), found.state, found.modes, found.large) == ([0.0, 0.0], "stationary", (), None)
    assert found.stationary
    assert found.tolerances is found.objective.tolerances
    assert point(quadratic(MATRIX), [3.0, -4.0], origin=np.ones(2)).origin.tolist() == [1.0, 1.0]
    assert not point(quadratic(MATRIX), [3.0, -4.0], state="stuck").stationary
    moved = found.moved_to(np.array([1.0, 0.0]), "stuck")
    assert (moved.value, moved.gradient.tolist(), moved.state) == (-1.0, [-2.0, 1.0], "stuck")
    assert moved.z.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("z", "size"), [([0.2, -0.3], 1.0), ([0.2, -3.0], 3.0), ([5.0, -3.0], 5.0)])
def test_places_a_little_uphill(z, size):
    found = point(quadratic(MATRIX), z)
    assert found.size == size
    way = found.gradient / np.hypot(*found.gradient)
    moves = (found.uphill - found.z) / way / size
    np.testing.assert_allclose(moves, np.repeat([[1e-10], [1e-8], [1e-6]], 2, axis=1), rtol=2e-5)
    assert np.array_equal(point(quadratic(MATRIX), [0.0, 0.0]).uphill, np.zeros((3, 2)))


def test_where_a_coordinate_is_pulled_back_the_others_follow():
    """The best second coordinate is that of the first."""
    found = point(quadratic(MATRIX), [11.0, -40.0], origin=np.array([1.0, 0.0]))
    np.testing.assert_allclose(found.pulled_back(0, 0.3), [4.0, 4.0], rtol=1e-6)
    # The best first one is half of the second.
    np.testing.assert_allclose(found.pulled_back(1, 0.1), [-2.0, -4.0], rtol=1e-6)


def test_as_many_edges_as_can_be_afforded_and_promise_something():
    size = 100
    rest = point(without_slope(lambda z: np.zeros(len(z)), size), np.zeros(size), space=line(size, range(size)))
    assert [np.flatnonzero(edge).tolist() for edge in rest.edges] == [[0], [33], [66], [99]]
    assert rest.edges.min() == -1.0
    for steep, promising in ((240.0, [33, 66, 99]), (260.0, [66, 99])):
        # A first step is 2 long: 4 times this, and the most that may be lost of a first one is 1000.
        value = without_slope(lambda z, k=steep: -k * z[:, 33] ** 2 - 300.0 * z[:, 0] ** 2, size)
        found = point(value, np.zeros(size), space=line(size, range(size)))
        assert [int(np.flatnonzero(edge)[0]) for edge in found.edges] == promising
    assert point(quadratic(MATRIX), [0.0, 0.0]).edges.shape == (0, 2)


@pytest.mark.parametrize("length", [0.5, 2.0])
def test_falls_of_profiles_at_a_quarter_and_at_two_of_a_length(length):
    """Along the first coordinate the profile of the others is a parabola with one over the inverse as curvature."""
    falls = profile_falls(quadratic(MATRIX), np.zeros(2), 0.0, length * np.eye(2))
    own = 1 / np.diagonal(np.linalg.inv(MATRIX))
    np.testing.assert_allclose(falls[0], (0.25 * length) ** 2 * own / 2, rtol=1e-6)
    np.testing.assert_allclose(falls[1], (2 * length) ** 2 * own / 2, rtol=1e-6)


def test_falls_are_those_to_the_better_side():
    uneven = without_slope(lambda z: -np.where(z[:, 0] > 0, z[:, 0], -3 * z[:, 0]))
    near, far = profile_falls(uneven, np.zeros(1), 0.0, np.ones((1, 1)))
    assert (near.tolist(), far.tolist()) == ([0.25], [2.0])


def test_directions_outside_the_span_of_those_before():
    rows = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [3.0, -5.0, 0.0], [0.0, 0.0, -1.0]])
    assert independent(rows).tolist() == rows[[0, 2, 4]].tolist()
    assert independent(rows, base=np.array([[0.0, 1.0, 0.0]])).tolist() == rows[[0, 4]].tolist()
    assert independent(rows[:0]).shape == (0, 3)
    for off, kept in ((1.1e-3, 2), (0.9e-3, 1)):
        assert len(independent(np.array([[1.0, 0.0], [1.0, off]]))) == kept


def ends(**fields):
    usual = {
        "z": np.array([[1.0, 2.0], [1.0, 2.0], [5.0, 5.0], [1.0, 2.0]]),
        "value": np.array([-3.0, -3.0, -9.0, -3.0]),
        "gradient": np.array([[3.0, -4.0], [0.0, 0.0], [6.0, 8.0], [0.0, 0.0]]),
        "hessian": np.array([-np.diag([4.0, 1e-20]), -np.eye(2), np.eye(2), -np.eye(2)]),
        "decrement": np.array([0.25, 0.5, np.inf, 1.0]),
        "state": np.array(["stuck", "stationary", "stationary", "running"]),
        "iterations": 17,
        "count": np.array([3, 4, 50, 600]),
    }
    return Ends(**{**usual, **fields})


def test_the_account_of_a_search():
    mode = Mode(z=np.zeros(2), value=0.0, hessian=np.eye(2), agree=1)
    found = account(ends(), 0, [mode], Tolerances())
    assert (found.gradient_norm, found.decrement, found.iterations, found.modes) == (5.0, 0.25, 17, (mode,))
    assert (found.smallest_eigenvalue, found.largest_eigenvalue) == (1e-20, 4.0)
    assert (found.size, found.starts) == (2, 657)
    # Itself, and those that converged to the same value.
    assert found.agree == 7
    assert account(ends(), 3, [], Tolerances()).agree == 604
    assert account(ends(), 2, [], Tolerances()).largest_eigenvalue == -1.0
    assert [account(ends(), row, [], Tolerances()).rank for row in (0, 1, 2)] == [2, 2, 0]
    unknown = account(ends(hessian=np.broadcast_to(np.nan, (4, 2, 2))), 1, [], Tolerances())
    assert np.isnan([unknown.smallest_eigenvalue, unknown.largest_eigenvalue]).all()
    assert unknown.rank == 0


def test_nothing_to_report():
    space = Space.unbounded(["a", "b"], "log-posterior")
    found = nothing(2, space)
    assert found.warnings == (
        "The search failed: the log-posterior is not finite at any start; give a start of your own.",
    )
    assert nothing(2, space, ends()).warnings == ("The search failed: no search converged; give a start of your own.",)
    assert found.status == "failed"
    assert np.isnan(found.value)
    for part, shape in (("z", (2,)), ("gradient", (2,)), ("hessian", (2, 2)), ("covariance", (2, 2))):
        assert getattr(found, part).shape == shape
        assert np.isnan(getattr(found, part)).all()
    assert found.null.shape == found.run_off.shape == found.irregular.shape == (0, 2)
