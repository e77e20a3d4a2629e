"""Which ends of searches are one maximum, from either side of each limit."""

import numpy as np
import pytest

from pp_mlekl.optimize.modes import distinct_modes, is_label_switch, lowest_between
from pp_mlekl.optimize.objective import Objective


def agreeing(first, second, hessian=-1.0, values=(0.0, -1.0), **options):
    """How many searches agree on the best maximum."""
    z = np.array([np.atleast_1d(first), np.atleast_1d(second)], dtype=float)
    size = z.shape[1]
    hessians = np.broadcast_to(np.nan if np.isnan(hessian) else hessian * np.eye(size), (2, size, size))
    return [mode.agree for mode in distinct_modes(z, np.array(values), hessians, **options)]


@pytest.mark.parametrize(("gap", "one"), [(0.9e-3, True), (1.1e-3, False)])
@pytest.mark.parametrize("curvature", [1.0, 100.0])
def test_a_thousandth_of_a_standard_error(gap, one, curvature):
    assert (agreeing(0.0, gap / np.sqrt(curvature), -curvature) == [2]) == one


@pytest.mark.parametrize(("gap", "one"), [(0.9e-7, True), (1.1e-7, False)])
@pytest.mark.parametrize("at", [0.5, 50.0])
def test_a_ten_millionth_of_the_size_whatever_the_curvature(gap, one, at):
    assert (agreeing(at, at + gap * max(1.0, at), -1e12) == [2]) == one


@pytest.mark.parametrize(("gap", "one"), [(0.9e-5, True), (1.1e-5, False)])
@pytest.mark.parametrize("at", [0.5, 50.0])
def test_without_a_curvature_ends_are_one_within_a_hundred_thousandth(gap, one, at):
    assert (agreeing(at, at + gap * max(1.0, at), np.nan) == [2]) == one


@pytest.mark.parametrize(("gap", "one"), [(0.9e-2, True), (1.1e-2, False)])
@pytest.mark.parametrize("at", [0.0, 10.0])
def test_where_there_is_hardly_a_curvature_the_plain_distance_counts(gap, one, at):
    assert (agreeing(at, at + gap * max(1.0, at), -1e-9) == [2]) == one


def test_a_saddle_is_no_reason_to_merge():
    assert agreeing(0.0, 1e-4, 1.0) == [1, 1]


def test_angles_go_round():
    turn = 2 * np.pi
    assert agreeing(0.1, 0.1 + turn, period=np.array([turn])) == [2]
    assert agreeing(0.1, 0.1 + 3 * turn, period=turn) == [2]
    assert agreeing(0.1, 0.1 + turn / 2, period=turn) == [1, 1]
    assert agreeing(0.1, 0.1 + turn) == [1, 1]
    assert agreeing([0.1, 0.0], [0.1 + turn, turn], period=np.array([turn, np.inf])) == [1, 1]


def test_an_end_counts_as_often_as_is_said_and_the_best_comes_first():
    z = np.array([[3.0], [1.0], [1.0 + 1e-9], [2.0]])
    found = distinct_modes(z, np.array([-5.0, 0.0, 0.0, -1.0]), np.full((4, 1, 1), -1.0), np.array([7, 2, 3, 4]))
    assert [(round(m.z[0], 3), m.value, m.agree) for m in found] == [(1.0, 0.0, 5), (2.0, -1.0, 4), (3.0, -5.0, 7)]
    assert found[0].hessian.tolist() == [[-1.0]]
    assert distinct_modes(np.zeros((0, 1)), np.zeros(0), np.zeros((0, 1, 1))) == []


@pytest.mark.parametrize("height", [0.0, 100.0])
@pytest.mark.parametrize(("gap", "first"), [(0.9e-10, 1.0), (1.1e-10, 3.0)])
def test_of_equal_ones_the_central_one_comes_first(height, gap, first):
    values = np.array([height, height - gap * max(1.0, height)])
    found = distinct_modes(np.array([[3.0], [1.0]]), values, np.full((2, 1, 1), -1.0))
    assert found[0].z[0] == first


def test_the_lowest_point_between_two():
    valley = Objective(size=1, evaluate=lambda order, z, rows: (np.abs(z[:, 0]),))
    found = lowest_between(valley, np.array([-1.0]), np.array([[1.0], [3.0], [-2.0], [0.05]]))
    # At the tenths from .1 to .9 of each way; -1 + .3 * 4 is .2 from 0, and -1 + .9 * 1.05 is .055.
    np.testing.assert_allclose(found, [0.0, 0.2, 1.1, 0.055], atol=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "switch"),
    [
        ([1.0, 2.0], [2.0, 1.0], True),
        ([1.0, 2.0], [1.0, 2.0], False),
        ([1.0, 2.0], [2.0, 1.1], False),
        ([1.0, 2.0], [2.0 * (1 + 0.9e-5), 1.0], True),
        ([1.0, 2.0], [2.0 * (1 + 1.2e-5), 1.0], False),
        ([0.0, 2.0], [2.0, 0.9e-6], True),
        ([0.0, 2.0], [2.0, 1.1e-6], False),
        ([1.0, 1.0 + 0.5e-5], [1.0 + 0.5e-5, 1.0], False),
        ([0.0, 0.9e-6], [0.9e-6, 0.0], False),
    ],
)
def test_the_same_numbers_in_another_order(first, second, switch):
    assert is_label_switch(np.array(first), np.array(second)) is switch
