"""Ends of searches: chosen, joined, made by hand."""

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.result import Ends, at_point, joined


def ends(numbers, trail=1, unknown=False, iterations=3):
    count = len(numbers)
    z = np.array(numbers, dtype=float)[:, None]
    return Ends(
        z=z,
        value=-z[:, 0],
        gradient=2 * z,
        hessian=np.broadcast_to(np.nan, (count, 1, 1)) if unknown else -z[:, :, None],
        decrement=z[:, 0] / 10,
        state=np.array([f"s{n}" for n in numbers]),
        iterations=iterations,
        count=np.array(numbers),
        trail=[(z + k, -z[:, 0] - k) for k in range(trail)],
    )


def test_some_searches_are_chosen_with_all_that_belongs_to_them():
    for rows in (np.array([2, 0]), np.array([True, False, True])):
        found = ends([1, 2, 3], 2).chosen(rows)
        order = [3, 1] if rows.dtype == int else [1, 3]
        assert found.z[:, 0].tolist() == found.count.tolist() == order
        assert found.state.tolist() == [f"s{n}" for n in order]
        assert (-found.hessian[:, 0, 0]).tolist() == order
        assert [z[:, 0].tolist() for z, _ in found.trail] == [order, [n + 1 for n in order]]
        assert [value.tolist() for _, value in found.trail] == [[-n for n in order], [-n - 1 for n in order]]
        assert found.iterations == 3


def test_without_more_there_is_no_trail():
    given = {
        name: getattr(ends([1]), name) for name in ("z", "value", "gradient", "hessian", "decrement", "state", "count")
    }
    assert Ends(**given, iterations=0).trail == []


def test_unknown_hessians_stay_views_of_one_number():
    assert ends([1, 2], unknown=True).unknown
    assert not ends([1, 2]).unknown
    for found in (ends([1, 2], unknown=True).chosen(np.array([0])), joined(*[ends([1, 2], unknown=True)] * 2)):
        assert found.unknown
        assert found.hessian.shape == (len(found.z), 1, 1)


def test_the_shorter_trail_stays_at_its_end():
    found = joined(ends([1], 3, iterations=5), ends([2, 4], 1, iterations=2))
    assert found.z[:, 0].tolist() == found.count.tolist() == [1, 2, 4]
    assert found.iterations == 5
    assert [z[:, 0].tolist() for z, _ in found.trail] == [[1, 2, 4], [2, 2, 4], [3, 2, 4]]
    assert [value.tolist() for _, value in found.trail] == [[-1, -2, -4], [-2, -2, -4], [-3, -2, -4]]
    assert (-found.hessian[:, 0, 0]).tolist() == [1, 2, 4]


def test_a_search_that_ended_where_it_is_said():
    def evaluate(order, z, rows):
        return (-np.sum(z**2, axis=1), -2 * z, np.broadcast_to(-2 * np.eye(2), (len(z), 2, 2)))[: order + 1]

    found = at_point(Objective(size=2, evaluate=evaluate), np.array([1.0, 2.0]), "stuck")
    assert (found.value[0], found.state[0], found.iterations, found.count.tolist()) == (-5.0, "stuck", 0, [1])
    assert np.isinf(found.decrement[0])
    np.testing.assert_array_equal(found.gradient, [[-2.0, -4.0]])
    np.testing.assert_array_equal(found.hessian, [-2 * np.eye(2)])
    (z, value), *more = found.trail
    assert (z.tolist(), value.tolist(), more) == ([[1.0, 2.0]], [-5.0], [])
    size = 401
    large = Objective(size=size, evaluate=lambda order, z, rows: (z[:, 0], 0 * z)[: order + 1], product=lambda z, v: v)
    assert at_point(large, np.zeros(size), "running").unknown
