"""Divergences of values along a path, and climbs, from numbers made by hand."""

import numpy as np
import pytest

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.profile_paths import (
    DISTANCES,
    ROUGHLY,
    Climb,
    Paths,
    climb_through,
    climbs,
    divergence,
    earliest,
    largest_loss,
    profile_paths,
    seen_from,
    straight_climb,
)
from pp_mlekl.optimize.tolerances import Tolerances

T = Tolerances()
D = np.arange(1.0, 9.0)
INF = np.inf


def along(value, size=1, **fields):
    """An objective of one coordinate's value and its two derivatives, with others that fall off from 0."""

    def evaluate(order, z, rows):
        f, slope, bend = value(z[:, 0])
        rest = z[:, 1:]
        gradient = np.concatenate([slope[:, None], -rest], axis=1)
        hessian = np.zeros((len(z), size, size))
        hessian[:, range(1, size), range(1, size)] = -1.0
        hessian[:, 0, 0] = bend
        return (f - np.sum(rest**2, axis=1) / 2, gradient, hessian)[: order + 1]

    return Objective(size=size, evaluate=evaluate, **fields)


def straight(rate, size=1, **fields):
    return along(lambda x: (rate * x, np.full(len(x), rate), np.zeros(len(x))), size, **fields)


def test_distances():
    assert DISTANCES.tolist() == [0.5, 1.0, 2.0, 3.5, 5.0, 7.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0]
    assert ROUGHLY == 1e-5


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (2 * D, (2.0, 7)),
        (0.021 * D, (0.021, 7)),
        (0.019 * D, (0.0, 0)),
        (-2 * D, (0.0, 0)),
        (0 * D, (0.0, 0)),
        # Three rates in turn that differ by less than a twentieth of their mean.
        (np.cumsum([0, 1, 1, 1, 1, 1.0, 1.02, 1.04]), (1.02, 7)),
        (np.cumsum([0, 1, 1, 1, 1, 1.0, 1.02, 1.06]), (1.0 + 0.02 / 3, 6)),
        (np.cumsum([0, 5, 4, 3, 2, 1.0, 0.5, 0.25]), (0.0, 0)),
        # Undefined points at the end are not trusted, and four points are needed.
        (np.where(D > 6, -INF, 2 * D), (2.0, 5)),
        (np.where(D > 4, -INF, 2 * D), (2.0, 3)),
        (np.where(D > 3, -INF, 2 * D), (0.0, 0)),
        (np.full(8, -INF), (0.0, 0)),
    ],
)
def test_three_equal_rates_are_a_divergence(values, found):
    rate, last = divergence(D, np.asarray(values, dtype=float), T)
    assert (rate, last) == (pytest.approx(found[0]), found[1])


@pytest.mark.parametrize(("loss", "found"), [(0.9, (2.0, 6)), (1.1, (2.0, 5)), (13.0, (0.0, 0))])
def test_a_climb_that_falls_back_is_none(loss, found):
    """Over three steps 6 are won: a tenth is .6, but 1 may be lost. A step before, 2 less had been reached."""
    values = np.append(2 * D[:-1], 14.0 - loss)
    rate, last = divergence(D, values, T)
    assert (rate, last) == (pytest.approx(found[0]), found[1])


@pytest.mark.parametrize(("loss", "found"), [(11.0, (40.0, 6)), (13.0, (40.0, 5)), (270.0, (0.0, 0))])
def test_of_a_long_climb_a_tenth_may_be_lost(loss, found):
    """120 were won over the last three steps."""
    values = np.append(40 * D[:-1], 280.0 - loss)
    rate, last = divergence(D, values, T)
    assert (rate, last) == (pytest.approx(found[0]), found[1])


@pytest.mark.parametrize(("range_", "count", "diverges"), [(0.9e-4, 3, False), (1.1e-4, 3, True), (0.9e-4, 2, True)])
def test_a_climb_that_ends_on_a_plateau_has_a_supremum(range_, count, diverges):
    """Three points beyond it that are level within 1e-4 nats."""
    level = 10.0 + np.array([0.0, range_, 0.0])[:count]
    values = np.concatenate([2 * np.arange(1.0, 6.0), level])
    assert (divergence(np.arange(1.0, len(values) + 1), values, T)[0] > 0) == diverges


@pytest.mark.parametrize(("far", "rate"), [(15.0, 5.0), (14.9, 0.0)])
def test_far_out_rates_that_do_not_fall_are_a_divergence(far, rate):
    rates = np.array([1.0, 2.0, 3.0, 5.0])
    distances = far - np.array([4.0, 3, 2, 1, 0])
    values = np.concatenate([[0.0], np.cumsum(rates)])
    assert divergence(distances, values, T)[0] == pytest.approx(rate)
    falling = np.concatenate([[0.0], np.cumsum([1.0, 3.0, 2.0, 5.0])])
    assert divergence(distances, falling, T)[0] == 0.0
    late = np.concatenate([[0.0], np.cumsum([0.019, 2.0, 3.0, 5.0])])
    assert divergence(distances, late, T)[0] == 0.0
    # Four rates are needed for that.
    assert divergence(distances[1:], values[1:], T)[0] == 0.0


def test_climbs_are_those_of_paths_that_diverge():
    values = np.stack([2 * D - 10, -D, 3 * D], axis=1)
    points = np.arange(24.0).reshape(8, 3, 1)
    paths = Paths(distances=np.broadcast_to(D[:, None], (8, 3)), values=values, points=points, tolerances=T)
    first, second = climbs(paths, np.array([[1.0], [2.0], [3.0]]), np.array([9.0, 0.0, 0.0]))
    # It is at 6 after 8 units, 3 below where the paths begin.
    assert (first.rate, first.crossing, first.direction.tolist()) == (2.0, 8 + 3 / 2, [1.0])
    assert (second.rate, second.crossing, second.direction.tolist()) == (3.0, 8.0, [3.0])
    np.testing.assert_array_equal(first.values, values[:, 0])
    np.testing.assert_array_equal(first.points, points[:, 0])
    np.testing.assert_array_equal(first.distances, D)
    assert first.edge is None
    assert [c.crossing for c in climbs(paths, np.array([[1.0], [2.0], [3.0]]), 9.0)] == [9.5, 8.0]
    short = Paths(distances=paths.distances, values=np.where(D[:, None] > 6, -INF, values), points=points, tolerances=T)
    assert [len(c.values) for c in climbs(short, np.eye(3), 0.0)] == [6, 6]


def test_a_climb_on_a_straight_line():
    found = straight_climb(straight(2.0), np.array([1.0]), np.array([1.0]))
    assert (found.rate, found.crossing, found.edge) == (pytest.approx(2.0), 0.0, None)
    np.testing.assert_allclose(found.values, 2 * (1 + DISTANCES))
    np.testing.assert_array_equal(found.points[:, 0], 1 + DISTANCES)
    assert straight_climb(straight(2.0), np.array([1.0]), np.array([-1.0])) is None
    edge = np.array([3.0])
    short = climb_through(straight(2.0), D[:, None], D, np.array([1.0]), edge)
    assert short.edge is edge
    np.testing.assert_array_equal(short.distances, D)


def climb(crossing=0.0, **fields):
    given = {
        "direction": np.array([1.0, 0.0]), "rate": 2.0, "crossing": crossing, "distances": np.arange(4.0),
        "values": np.array([0.0, 2.0, 4.0, 6.0]), "points": np.array([[k, 0.5] for k in range(4)], dtype=float),
    }  # fmt: skip
    return Climb(**given | fields)


def test_the_earliest_climb():
    late, early, same = climb(3.0), climb(2.0004), climb(2.0001)
    assert earliest([late, early, same]) is early
    assert earliest([late, climb(2.002), same]) is same
    assert earliest([]) is None


@pytest.mark.parametrize(
    ("value", "z", "crossing"),
    [
        # The first point above 3 is the third: 4 units from -2, less half a nat of two for each unit.
        (3.0, -2.0, 4.0 - 0.5),
        # Beyond the last point the climb goes on at its rate.
        (10.0, -2.0, 5.0 + 2.0),
        (6.0, -2.0, 5.0),
        (-1.0, 3.0, 0.0),
    ],
)
def test_a_climb_seen_from_elsewhere(value, z, crossing):
    assert seen_from(climb(), np.array([z, 7.0]), value).crossing == pytest.approx(crossing)


def test_distances_from_an_edge_are_e_foldings():
    edge = np.array([4.0, 0.5])
    # From 8 away to 2 away, and back by half a nat's worth.
    found = seen_from(climb(edge=edge), np.array([-4.0, 7.0]), 3.0)
    assert found.crossing == pytest.approx(np.log(8 / 2) - 0.5)
    assert found.edge is edge


@pytest.mark.parametrize(("terms", "loss"), [(0, 300.0), (60, 300.0), (61, 305.0)])
def test_more_may_be_lost_on_a_way_of_more_terms(terms, loss):
    assert largest_loss(straight(1.0, terms=terms), 300.0) == loss


def test_paths_maximise_over_the_rest():
    """x falls off, and the other coordinate is best at x / 2."""

    def evaluate(order, z, rows):
        x, y = z.T
        value = -0.01 * x**2 - (y - x / 2) ** 2
        gradient = np.stack([-0.02 * x + (y - x / 2), -2 * (y - x / 2)], axis=1)
        hessian = np.broadcast_to([[-0.52, 1.0], [1.0, -2.0]], (len(z), 2, 2))
        return (value, gradient, hessian)[: order + 1]

    paths = profile_paths(Objective(size=2, evaluate=evaluate), np.zeros((2, 2)), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    np.testing.assert_array_equal(paths.distances, np.stack([DISTANCES] * 2, axis=1))
    np.testing.assert_allclose(paths.values, -0.01 * np.stack([DISTANCES] * 2, axis=1) ** 2, atol=1e-12)
    np.testing.assert_allclose(paths.points[:, 0], np.stack([DISTANCES, DISTANCES / 2], axis=1), atol=1e-7)
    np.testing.assert_allclose(paths.points[:, 1], -paths.points[:, 0], atol=1e-7)


def test_paths_that_begin_nowhere_or_lose_too_much_end():
    values = profile_paths(straight(-299.0), np.zeros((1, 1)), np.ones((1, 1)), np.array([1.0, 2.0, 3.0])).values
    assert np.isfinite(values[:, 0]).tolist() == [True, True, False]
    nowhere = profile_paths(straight(1.0), np.array([[np.nan], [0.0]]), np.ones((2, 1)), np.array([1.0, 2.0]))
    assert np.isfinite(nowhere.values).tolist() == [[False, True], [False, True]]
    # More may be lost by more terms, until the losses are steady.
    many = profile_paths(straight(-299.0, terms=1000), np.zeros((1, 1)), np.ones((1, 1)), np.arange(1.0, 7.0)).values
    assert np.isfinite(many[:, 0]).tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize(("close", "followed"), [(0.0, 6), (1e-5, 3)])
def test_rough_paths_end_where_they_are_level_for_two_long_steps(close, followed):
    flat = straight(0.4e-4)
    distances = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = profile_paths(flat, np.zeros((1, 1)), np.ones((1, 1)), distances, close=close).values
    assert np.isfinite(found).sum() == followed
    short = profile_paths(flat, np.zeros((1, 1)), np.ones((1, 1)), 0.9 * distances, close=close).values
    assert np.isfinite(short).all()


def test_paths_keep_to_their_distances_each():
    distances = np.array([[1.0, 2.0], [3.0, 5.0]])
    found = profile_paths(straight(2.0), np.zeros((2, 1)), np.ones((2, 1)), distances)
    np.testing.assert_allclose(found.values, 2 * distances)
    np.testing.assert_array_equal(found.distances, distances)
