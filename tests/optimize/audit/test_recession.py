"""Directions of recession, straight and bent, and the bounds that some of them lead to."""

from types import SimpleNamespace

import numpy as np
import pytest
from plain_objectives import analytic, kinds, line, point, without_slope

from pp_mlekl.optimize.audit.boundary import boundary
from pp_mlekl.optimize.audit.identifiability import identifiability
from pp_mlekl.optimize.audit.pipeline import judge
from pp_mlekl.optimize.audit.recession import recession
from pp_mlekl.optimize.audit.recession_paths import (
    _along_bent,
    _bends_away,
    _bent_families,
    _from_afar,
    _lasting,
    _lower_start,
    _needed,
    _to_a_supremum,
    straight_ways,
)
from pp_mlekl.optimize.audit.soft_directions import classify
from pp_mlekl.optimize.curvature import Curvature
from pp_mlekl.optimize.solvers.result import at_point
from pp_mlekl.optimize.tolerances import Tolerances


def rise(z):
    """Towards 0 at infinity, and down without end on the other side."""
    return -np.log1p(np.exp(-z))


@pytest.mark.parametrize(("logarithms", "test"), [((), recession), ((0,), recession)])
def test_a_supremum_at_infinity(logarithms, test):
    objective = analytic(lambda z: rise(z[:, 0]))
    found = test(point(objective, 40.0, space=line(1, logarithms)))
    assert kinds(found) == ["direction"]
    np.testing.assert_allclose(found[0].directions, [[1.0]])
    assert found[0].measured < found[0].threshold == 0.01
    assert boundary(point(objective, 40.0, space=line(1, logarithms))) == []


def test_a_supremum_at_a_bound():
    objective = analytic(lambda z: rise(-z[:, 0]))
    found = boundary(point(objective, -40.0, space=line(1, [0])))
    assert kinds(found) == ["limit"]
    np.testing.assert_allclose(found[0].directions, [[-1.0]])
    assert recession(point(objective, -40.0, space=line(1, [0]))) == []


@pytest.mark.parametrize(("lost", "found"), [(5e-3, True), (0.05, False)])
def test_what_a_ray_to_infinity_may_lose(lost, found):
    objective = without_slope(lambda z: np.where(z[:, 0] > 100, -lost, np.minimum(0.0, z[:, 0])))
    at = point(objective, 0.0)
    assert (kinds(recession(at)) == ["direction"]) == found


@pytest.mark.parametrize(("back", "found"), [(0.5, True), (0.03, False)])
def test_what_is_lost_on_the_way_back(back, found):
    objective = without_slope(lambda z: np.where(z[:, 0] < -5, -back, 0.0))
    assert (kinds(recession(point(objective, 0.0))) == ["direction"]) == found


@pytest.mark.parametrize(("lost", "found"), [(5e-7, True), (5e-6, False)])
def test_a_search_that_did_not_converge_lost_nothing_onwards(lost, found):
    objective = without_slope(lambda z: np.where(z[:, 0] > 25, -lost, np.minimum(0.0, z[:, 0] - 20)))
    assert bool(len(straight_ways(point(objective, 20.0, state="running")))) == found


@pytest.mark.parametrize(("origin", "ways"), [(0.0, [[1.0]]), (18.9, [[1.0]]), (19.1, []), (20.0, []), (25.0, [[1.0]])])
def test_a_way_leads_off_from_the_origin(origin, ways):
    """A way is looked at where the search has moved by more than one; on which side of the origin does not matter."""
    objective = analytic(lambda z: rise(z[:, 0]))
    found = straight_ways(point(objective, 20.0, state="running", origin=np.array([origin])))
    assert np.unique(found, axis=0).tolist() == ways


@pytest.mark.parametrize(("above", "found"), [(0.5e-6, True), (1.5e-6, False)])
@pytest.mark.parametrize("offset", [0.0, -30.0])
def test_a_way_that_ends_lower_than_the_point_leads_past_its_maximum(above, found, offset):
    # The supremum is ``offset``; the point is on a narrow peak that is this share higher.
    above *= max(1.0, abs(offset))
    peak = above + np.exp(-2.0)
    objective = analytic(
        lambda z: offset - np.exp(-z[:, 0]) + peak * np.exp(-(((z[:, 0] - 2) / 1e-2) ** 2)) - z[:, 1] ** 2 / 2, 2
    )
    assert (_along_bent(point(objective, [2.0, 0.0]), 0, 1.0) is not None) == found


@pytest.mark.parametrize(("ratio", "found"), [(0.7, True), (0.9, False)])
def test_gains_shrink_like_a_geometric_series(ratio, found):
    values = 1.0 - ratio ** np.arange(1.0, 9.0)
    objective = without_slope(lambda z: z[:, 0])
    assert _to_a_supremum(objective, 0.0, np.arange(8.0)[:, None], values) == found


@pytest.mark.parametrize(("falling", "found"), [(2, False), (3, True), (20, True)])
def test_some_gains_fall(falling, found):
    gains = np.concatenate([np.linspace(0.1, 0.9, 5), 0.5 ** np.arange(falling)])
    objective = without_slope(lambda z: z[:, 0])
    assert _to_a_supremum(objective, 0.0, np.arange(float(len(gains)))[:, None], np.cumsum(gains)) == found


def test_a_way_that_falls_leads_to_no_supremum():
    objective = without_slope(lambda z: z[:, 0])
    values = np.cumsum([1.0, 0.5, 0.2, -0.1, 0.05, 0.01])
    assert not _to_a_supremum(objective, 0.0, np.arange(6.0)[:, None], values)


@pytest.mark.parametrize(("later", "lasting"), [(0.4, False), (0.8, True)])
def test_what_comes_to_rest_is_not_in_the_direction(later, lasting):
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 1.0 + later]])
    assert (_lasting(points, 0, np.zeros(2, dtype=bool), Tolerances())[0, 1] != 0) == lasting


@pytest.mark.parametrize(("share", "lasting"), [(3e-4, False), (3e-3, True)])
def test_what_hardly_moves_is_not_in_the_direction(share, lasting):
    points = np.array([[0.0, 0.0], [1.0, share], [2.0, 2 * share]])
    assert (_lasting(points, 0, np.zeros(2, dtype=bool), Tolerances())[0, 1] != 0) == lasting


@pytest.mark.parametrize(
    ("logarithm", "first", "later", "apart"),
    [(True, 2.0, 2.0, True), (True, 2.0, 0.9, False), (True, 0.4, 0.4, False), (False, 2.0, 2.0, False)],
)
def test_a_logarithm_that_goes_on_with_each_doubling_diverges(logarithm, first, later, apart):
    points = np.array([[0.0, 0.0], [1e4, first], [1e8, first + later]])
    found = _lasting(points, 0, np.array([False, logarithm]), Tolerances())
    assert found.tolist() == [[1.0, 0.0], [0.0, 1.0]][: 1 + apart]


def root(z):
    """A supremum at infinity of x0 on either side, with the scale x1 following as its root."""
    size = np.sqrt(1.0 + z[:, 0] ** 2)
    return -1.0 / size - 5.0 * (z[:, 1] - 0.5 * np.log(size)) ** 2


@pytest.mark.parametrize("far", [-1e5, 1e2, 1e4, 1e6])
def test_a_bent_way_is_seen_however_far_a_search_has_come(far):
    at = point(analytic(root, 2), [far, 0.5 * np.log(abs(far))], space=line(2, [1]), state="running")
    found = recession(at)
    assert kinds(found) == ["direction", "direction"]
    np.testing.assert_allclose(np.concatenate([f.directions for f in found]), [[np.sign(far), 0.0], [0.0, 1.0]])


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6])
def test_far_along_a_bent_family_nothing_leads_on(far):
    objective = analytic(lambda z: -5.0 * (z[:, 1] - 0.25 * np.log(1.0 + z[:, 0] ** 2)) ** 2, 2)
    at = point(objective, [far, 0.5 * np.log(far)], space=line(2, [1]), state="running")
    assert recession(at) == boundary(at) == []


def bent(size=2):
    """A supremum at infinity of x0, with x1 following as its square."""

    def value(z):
        return (
            -1.0 / (1.0 + np.where(z[:, 0].real > 0, z[:, 0], 0.0))
            - (z[:, 1] - z[:, 0] ** 2) ** 2
            - 0.5 * np.sum(z[:, 2:] ** 2, axis=1)
        )

    return analytic(value, size)


@pytest.mark.parametrize(("origin", "found"), [(1.0, True), (6.0, False)])
def test_a_coordinate_far_from_the_origin_is_followed_along_a_bent_way(origin, found):
    at = point(bent(), [60.0, 3600.0], origin=np.array([origin, 3600.0]))
    assert (_from_afar(at, np.zeros((0, 2))) is not None) == found


@pytest.mark.parametrize(("size", "found"), [(40, True), (41, False)])
def test_bent_ways_are_for_moderate_sizes(size, found):
    z = np.zeros(size)
    z[:2] = 60.0, 3600.0
    origin = np.zeros(size)
    origin[1] = 3600.0
    assert (_from_afar(point(bent(size), z, origin=origin), np.zeros((0, size))) is not None) == found


@pytest.mark.parametrize(("part", "needed"), [(6e-3, [True, False]), (6e-4, [False, True])])
def test_a_direction_that_others_make_needless_is_none(part, needed):
    # Both lose on the way back; with the second at its end the first adds but ``part``.
    def value(z):
        first, second = np.exp(-np.logaddexp(0, z)).T
        return -first * second - part * first

    objective = without_slope(value, 2)
    at = point(objective, [0.0, 0.0], space=line(2, [0, 1]))
    assert _needed(at, np.eye(2)).tolist() == needed


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_what_falls_alike_on_either_side_is_no_direction_of_recession(way):
    # A flat direction, but for rounding: far off both sides lose 0.3 nats.
    objective = analytic(lambda z: -((z[:, 0] + z[:, 1]) ** 2) - 3e-13 * z[:, 0] ** 2, 2)
    at = point(objective, [0.0, 0.0], origin=np.array([way, 0.0]))
    assert recession(at) == boundary(at) == []
    assert kinds(identifiability(at)) == ["flat"]


@pytest.mark.parametrize(("gain", "status"), [(0.0, "not_identified"), (1e-6, "boundary")])
def test_along_a_family_that_ends_on_one_side_something_is_gained_if_it_leads_to_a_bound(gain, status):
    # The sum of two variances is 1; as the first tends to 0 a very little is gained, or nothing.
    objective = analytic(
        lambda z: -((np.exp(2 * z[:, 0]) + np.exp(2 * z[:, 1]) - 1) ** 2) * 5 - gain * np.exp(z[:, 0]), 2
    )
    start = np.log(np.sqrt([0.5, 0.5]))
    verdict = judge(objective, at_point(objective, start, "stationary"), line(2, [0, 1]), np.ones(2))
    assert verdict.status == status


LOSSES = {
    "square": lambda z: np.where(z.real < 1.5, z - 1.5, 0.0) ** 2,
    "fourth power": lambda z: np.where(z.real < 1.5, z - 1.5, 0.0) ** 4,
    "exponential": lambda z: 10.0 * np.exp(-3.0 * z),
    "double exponential": lambda z: np.exp(-np.exp(z)),
}


@pytest.mark.parametrize("far", [3.2, 3.8, 4.6])
@pytest.mark.parametrize(
    ("loss", "status"),
    [
        ("square", "not_identified"),
        ("fourth power", "not_identified"),
        ("exponential", "at_infinity"),
        ("double exponential", "at_infinity"),
    ],
)
def test_a_way_to_infinity_is_one_however_little_is_left_to_gain(loss, status, far):
    # The second follows as one over the first, which leads into a flat family or to infinity.
    objective = analytic(lambda z: -LOSSES[loss](z[:, 0]) - 50 * (z[:, 1] * np.exp(z[:, 0]) - 1) ** 2, 2)
    ends = at_point(objective, np.array([far, np.exp(-far)]), "stationary")
    assert judge(objective, ends, line(2, [0]), np.array([0.5, 0.5])).status == status


@pytest.mark.parametrize(("end", "found"), [(20.0, True), (10.0, False)])
def test_some_points_of_a_bent_way_are_defined(end, found):
    # Doublings from near the origin lead to 1, 3, 7, 15, ..., of which those before ``end`` are defined.
    def value(z):
        return np.where(z[:, 0].real < end, -1.0 / (1.0 + np.abs(z[:, 0].real)) - z[:, 1] ** 2 / 2, -np.inf)

    limit = _along_bent(point(analytic(value, 2), [2.0, 0.0]), 0, 1.0)
    assert (limit is not None) == found


@pytest.mark.parametrize(("share", "found"), [(0.5, True), (0.1, False)])
def test_coordinates_with_a_small_part_in_irregular_directions_are_not_followed(share, found):
    # The second coordinate leads to infinity, the first nowhere.
    objective = analytic(lambda z: -(z[:, 0] ** 2) / 2 - np.exp(-z[:, 1]), 2)
    at = point(objective, [0.0, 4.0], space=line(2, [0, 1]))
    irregular = np.array([False, True])
    directions = Curvature(
        eigenvalues=np.array([0.0, 1.0]), directions=np.array([[1.0, share], [-share, 1.0]]), scale=np.ones(2)
    )
    at.__dict__.update(_spectrum=(directions, ~irregular), soft=SimpleNamespace(regular=irregular, singular=True))
    assert (_bends_away(at) is not None) == found


@pytest.mark.parametrize(("end", "start"), [(1.0, 0.5), (0.2, None)])
def test_a_bent_way_begins_near_the_origin(end, start):
    # Much is lost nearer to the origin than ``end``.
    objective = without_slope(lambda z: -1.0 * (z[:, 0] < end))
    near = _lower_start(point(objective, 50.0), 0)
    assert near == (None if start is None else pytest.approx([start]))


def test_the_family_in_which_a_sum_of_squares_is_known():
    z = np.array([0.6, 0.8])
    objective = analytic(lambda z: -((np.sum(z**2, axis=1) - 1) ** 2), 2)
    found = _bent_families(objective, z, 0.0, -8 * np.outer(z, z), np.zeros((0, 2)))
    np.testing.assert_allclose(np.abs(found), [[0.8, 0.6]], rtol=1e-6)


@pytest.mark.parametrize(("bend", "found"), [(1.0, True), (0.0, False)])
def test_a_coordinate_is_followed_if_it_is_on_no_straight_way(bend, found):
    objective = analytic(lambda z: -1.0 / (1.0 + z[:, 0] ** 2) - bend * (z[:, 1] - z[:, 0] ** 2) ** 2, 2)
    at = point(objective, [60.0, 3600.0], origin=np.array([1.0, 3600.0]))
    assert (_from_afar(at, np.eye(2)[:1]) is not None) == found


@pytest.mark.parametrize(("part", "known"), [(1e-4, True), (1e-1, False)])
def test_what_still_follows_a_bent_way_has_no_variance(part, known):
    # The second coordinate tends to 0 with a root of the first.
    objective = analytic(
        lambda z: -1.0 / (1.0 + z[:, 0] ** 2) - (z[:, 1] - part * (1.0 + z[:, 0] ** 2) ** -0.125) ** 2 / 2, 2
    )
    limit = _along_bent(point(objective, [20.0, 0.0]), 0, 1.0)
    np.testing.assert_allclose(limit.directions, [[1.0, 0.0]])
    assert (limit.covariance is not None) == known


def test_a_way_on_which_probabilities_keep_their_ratio_has_all_its_digits():
    # Counts of three kinds, none of the first; a direction is known to six digits.
    def value(z):
        logits = np.stack([z[:, 0], z[:, 1], -z[:, 0] - z[:, 1]], axis=-1)
        return 35 * logits[:, 1] + 65 * logits[:, 2] - 100 * np.log(np.sum(np.exp(logits), axis=1))

    ratio = np.log(35 / 65)
    z = np.array([-24.0, (24.0 + ratio) / 2])
    objective = analytic(value, 2)
    rough = np.array([[-2.000002, 1.0]])
    found = Curvature(eigenvalues=np.zeros(1), directions=rough, scale=np.ones(2))
    space = line(2, logarithms=(0, 1))
    soft = classify(objective, z, float(objective.value(z[None])[0]), found, np.array([True]), space, rough)
    np.testing.assert_allclose(soft.run_off, np.array([[-2.0, 1.0]]) / np.sqrt(5), rtol=1e-14)
