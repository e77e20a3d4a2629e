"""Many searches: which are begun, which go on, and which starts are one."""

import numpy as np
import pytest

from pp_mlekl.optimize import multistart
from pp_mlekl.optimize.multistart import approached, climb_from, continued, solved
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space


def parabola(size, centre=0.0, seen=None, **fields):
    def evaluate(order, z, rows):
        if seen is not None:
            seen.append(len(z))
        shifted = z - centre
        hessian = np.broadcast_to(-np.eye(size), (len(z), size, size)) if order > 1 else None
        return (-np.sum(shifted**2, axis=1) / 2, -shifted, hessian)[: order + 1]

    return Objective(size=size, evaluate=evaluate, **fields)


def space(size):
    return Space.unbounded([f"x{i}" for i in range(size)])


def starts_of(number, size):
    return np.random.default_rng(1).normal(size=(number, size))


@pytest.mark.parametrize(("size", "searches"), [(11, 7), (12, 4)])
def test_where_hessians_are_dear_four_searches_that_agree_are_enough(size, searches):
    ends = climb_from(parabola(size), starts_of(7, size), space(size), 50, np.ones(7, dtype=int))
    assert ends.count.sum() == searches
    np.testing.assert_allclose(ends.z, 0.0, atol=1e-8)
    assert (ends.state == "stationary").all()


def two_peaks(size, gap):
    """Peaks at -3 and 3 of the first coordinate, of which the second is ``gap`` higher."""

    def evaluate(order, z, rows):
        side = np.where(z[:, 0] > 0, 1.0, -1.0)
        shifted = z.copy()
        shifted[:, 0] -= 3 * side
        value = gap * (side > 0) - np.sum(shifted**2, axis=1) / 2
        return (value, -shifted, np.broadcast_to(-np.eye(size), (len(z), size, size)))[: order + 1]

    return Objective(size=size, evaluate=evaluate)


@pytest.mark.parametrize(("gap", "searches"), [(0.9e-6, 10), (1.1e-6, 21)])
def test_searches_that_disagree_are_reason_for_the_others(gap, searches):
    starts = np.zeros((6, 12))
    starts[:, 0] = [1, -1, 1, 1, 1, 1]
    ends = climb_from(two_peaks(12, gap), starts, space(12), 50, np.arange(1, 7))
    # The starts stand for 1, 2, ... searches: 10 the first four, 21 all.
    assert ends.count.sum() == searches
    assert ends.count[ends.z[:, 0] < 0].sum() == 2


def test_searches_that_have_not_arrived_go_on_four_times_as_long():
    """A quartic needs more steps the farther the start is; one search has arrived."""

    def evaluate(order, z, rows):
        hessian = -12 * z[:, :, None] ** 2 * np.eye(12) - 1e-9 * np.eye(12)
        return (-np.sum(z**4, axis=1), -4 * z**3, hessian)[: order + 1]

    objective = Objective(size=12, evaluate=evaluate)
    starts = np.zeros((5, 12))
    starts[1:4, 0] = 50.0
    ends = climb_from(objective, starts, space(12), 8, np.ones(5, dtype=int))
    assert ends.iterations > 8
    alone = climb_from(objective, starts[1:4], space(12), 8, np.ones(3, dtype=int))
    assert (alone.state == "running").all()
    more = continued(objective, alone, space(12), 100)
    assert (more.state == "stationary").all()
    assert more.iterations > alone.iterations
    assert len(more.trail) > len(alone.trail)
    np.testing.assert_array_equal(more.trail[-1][0], more.z)
    np.testing.assert_allclose(more.trail[-1][1], more.value)
    np.testing.assert_allclose(more.gradient, -4 * more.z**3)


@pytest.mark.parametrize(("size", "first"), [(59, False), (60, True)])
def test_from_sixty_coordinates_on_gradients_go_first(size, first, monkeypatch):
    called = []
    monkeypatch.setattr(multistart, "approached", lambda o, s: (called.append(len(s)), (s[:1], np.array([7])))[1])
    ends = solved(parabola(size), starts_of(3, size), space(size), 20)
    assert called == ([3] if first else [])
    assert ends.count.sum() == (7 if first else 3)


def test_starts_that_arrive_together_are_one():
    z, count = approached(two_peaks(2, 0.0), np.array([[1.0, 0.0], [-1.0, 1.0], [2.0, 1.0], [5.0, -1.0]]))
    np.testing.assert_allclose(z, [[3, 0], [-3, 0]], atol=1e-3)
    assert count.tolist() == [3, 1]


@pytest.mark.parametrize(("gap", "number"), [(0.0005, 1), (0.003, 2)])
def test_ends_by_gradients_are_one_within_a_thousandth(gap, number, monkeypatch):
    ends = np.array([[0.0], [gap]])
    monkeypatch.setattr(multistart, "approach", lambda o, s, rows: (ends, np.ones(2, dtype=bool)))
    assert len(approached(parabola(1), ends)[0]) == number
    monkeypatch.setattr(multistart, "approach", lambda o, s, rows: (ends, np.array([True, False])))
    assert len(approached(parabola(1), ends)[0]) == 2


def test_a_large_problem_is_begun_from_four_starts_and_saddles_are_left_to_both_sides():
    size = 401
    curvature = np.ones(size)

    def evaluate(order, z, rows):
        # A saddle at 0: up along the first coordinate, to maxima at 1 and -1.
        x = z[:, 0]
        gradient = -z * curvature
        gradient[:, 0] = 4 * x * (1 - x**2)
        return (2 * x**2 - x**4 - np.sum(z[:, 1:] ** 2, axis=1) / 2, gradient)[: order + 1]

    def product(z, vectors):
        found = -vectors * curvature
        found[:, 0] = vectors[:, 0] * (4 - 12 * z[0] ** 2)
        return found

    objective = Objective(size=size, evaluate=evaluate, product=product)
    starts = 0.5 * starts_of(6, size)
    starts[0] = 0.0
    starts[1:, 0] = 0.5
    ends = solved(objective, starts, space(size), 40)
    # Two for the saddle, three for the others of the first four.
    assert len(ends.z) == 5
    assert sorted(np.sign(ends.z[:2, 0])) == [-1, 1]
    np.testing.assert_allclose(np.abs(ends.z[:, 0]), 1.0, atol=1e-4)
    np.testing.assert_allclose(ends.value, 1.0, atol=1e-6)
