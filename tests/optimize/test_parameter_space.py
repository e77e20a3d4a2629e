"""Edges, limits and distinct directions of parameters with and without bounds."""

import numpy as np
import pytest
from plain_objectives import line

from pp_mlekl.optimize.parameter_space import REACH, TO_THE_LIMIT, Space, axes


def logistic(size=1, transformed=None):
    """Probabilities by the logit."""
    with np.errstate(over="ignore"):
        return Space(
            natural=lambda z: 1 / (1 + np.exp(-z)),
            names=[f"p{i}" for i in range(size)],
            coordinates=[f"logit(p{i})" for i in range(size)],
            transformed=np.ones(size, dtype=bool) if transformed is None else np.array(transformed),
        )


def test_parameters_without_bounds():
    space = Space.unbounded(["a", "b"])
    z = np.array([[1.0, -2.0]])
    assert space.natural(z) is z
    assert (list(space.names), list(space.coordinates), space.what) == (["a", "b"], ["a", "b"], "log-likelihood")
    assert not space.transformed.any()
    assert np.isinf(space.reach).all()
    assert space.edges(z[0]).shape == (0, 2)
    assert Space.unbounded(["a"], "x").what == "x"
    assert np.isinf(space.period)


def test_a_scale_reaches_forty_e_foldings():
    assert line(3, logarithms=(1,)).reach.tolist() == [np.inf, 40.0, np.inf]
    assert (REACH, TO_THE_LIMIT) == (40.0, 800.0)


def test_edges_of_scales_and_probabilities():
    np.testing.assert_array_equal(line(2, logarithms=(1,)).edges(np.zeros(2)), [[0.0, -1.0]])
    np.testing.assert_array_equal(logistic(2, [False, True]).edges(np.zeros(2)), [[0.0, 1.0], [0.0, -1.0]])
    # At an edge a coordinate moves nothing any more.
    assert logistic().edges(np.array([100.0])).tolist() == [[-1.0]]


@pytest.mark.parametrize(("speed", "arrives"), [(0.07, True), (0.06, False)])
def test_an_edge_is_where_the_second_half_of_the_way_changes_nothing(speed, arrives):
    """exp(-400 speed) is 7e-13 or 4e-11."""
    space = Space(
        natural=lambda z: np.exp(-speed * np.abs(z)), names=["a"], coordinates=["z"], transformed=np.array([True])
    )
    assert len(space.edges(np.zeros(1))) == (2 if arrives else 0)


@pytest.mark.parametrize(("size", "count"), [(400, 400), (401, 50)])
def test_of_many_bounded_coordinates_some_are_examined(size, count):
    found = line(size, logarithms=range(size)).edges(np.zeros(size))
    assert len(found) == count
    assert (found[0, 0], found[-1, -1]) == (-1.0, -1.0)


def test_axes():
    np.testing.assert_array_equal(axes(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


def limits(space, z, direction):
    found = space.limit(np.array(z), np.array(direction))
    return found.value.tolist(), found.runs_off.tolist(), found.at_edge.tolist(), found.sign.tolist()


def test_limits_of_a_scale_beside_a_free_parameter():
    space = line(2, logarithms=(0,))
    value, runs, edge, sign = limits(space, [0.0, 3.0], [-1.0, 0.0])
    assert (value, runs, edge, sign) == ([0.0, 3.0], [False, False], [True, False], [-1, 0])
    value, runs, edge, sign = limits(space, [0.0, 3.0], [1.0, 0.0])
    assert (value, runs, edge, sign) == ([np.inf, 3.0], [True, False], [False, False], [1, 0])
    value, runs, edge, sign = limits(space, [0.0, 3.0], [0.0, -1.0])
    assert (value, runs, edge, sign) == ([1.0, -797.0], [False, True], [False, False], [0, -1])
    # What has no bound goes on by as much as it has come.
    assert limits(space, [0.0, 3000.0], [0.0, 1.0])[0] == [1.0, 6000.0]


@pytest.mark.parametrize(("part", "arrives"), [(1.1e-6, True), (0.9e-6, False)])
def test_the_length_of_a_way_is_that_of_its_bounded_part(part, arrives):
    """A direction is followed until its bounded coordinate has moved by 800, unless that is a millionth of the others."""
    space = line(2, logarithms=(0,))
    value, _, edge, _ = limits(space, [0.0, 0.0], [-part, 1.0])
    assert (value[0] == 0.0) == arrives == edge[0]
    assert value[1] == pytest.approx(800 / part if arrives else 800.0)


@pytest.mark.parametrize(("power", "runs"), [(0.5, True), (0.3, False)])
def test_what_still_moves_by_a_quarter_of_its_way_has_no_limit(power, runs):
    """On the second half of the way z to the power moves by 1 - 2^-power of the whole: .29 or .19."""
    space = Space(
        natural=lambda z: np.maximum(z, 0.0) ** power, names=["a"], coordinates=["z"], transformed=np.array([False])
    )
    assert limits(space, [0.0], [1.0])[1] == [runs]


@pytest.mark.parametrize(("here", "factor"), [(0.0, 1.0), (9.0, 10.0)])
@pytest.mark.parametrize(("size", "runs"), [(2.1e-6, True), (1.2e-6, False)])
def test_moves_by_a_millionth_are_none(here, factor, size, runs):
    """A straight line that ends ``size`` times ``factor`` away moves by half of that on the second half: a quarter is allowed."""
    space = Space(
        natural=lambda z: here + z * factor * 2 * size / 800,
        names=["a"],
        coordinates=["z"],
        transformed=np.array([False]),
    )
    # 1/2 of 2 size is more than 1/4 of 2 size and a millionth where size / 2 > 1e-6.
    assert limits(space, [0.0], [1.0])[1] == [runs]


def test_what_a_nudge_moves_is_not_at_its_edge():
    value, runs, edge, _ = limits(logistic(2), [0.0, 0.5], [1.0, 0.0])
    assert (value[0], runs, edge) == (1.0, [False, False], [True, False])


def test_directions_that_take_different_parameters_to_their_limits():
    space = line(3, logarithms=(0, 1, 2))
    both, first, second, third = (np.array(d) for d in ([-1.0, -1, 0], [-1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]))
    np.testing.assert_array_equal(
        space.distinct(np.zeros(3), np.array([both, first, second, third])), [first, second, third]
    )
    np.testing.assert_array_equal(space.distinct(np.zeros(3), np.array([both, third])), [third, both])
    np.testing.assert_array_equal(space.distinct(np.zeros(3), np.array([both, first])), [first])
    # One that moves nothing is kept only where it is the first.
    none = np.array([1e-300, 0, 0])
    still = Space(natural=lambda z: 0 * z, names="abc", coordinates="abc", transformed=np.zeros(3, dtype=bool))
    assert len(still.distinct(np.zeros(3), np.array([none, first]))) == 1
