"""Profiles of functions with closed forms: limits, falls, grids, curves, and why a limit is missing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from pp_mlekl.estimation.profile_limits import ProfilePath, _advance, _begun, constrained_maxima, profile_paths
from pp_mlekl.optimize.objective import Objective

MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 3.0]])
PEAK = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.linalg.inv(MATRIX)


def quadratic(top=0.0):
    def evaluate(order, z, rows):
        r = z - PEAK
        return (top - np.sum(r @ MATRIX * r, axis=1) / 2, -r @ MATRIX, np.broadcast_to(-MATRIX, (len(z), 3, 3)))[
            : order + 1
        ]

    return Objective(size=3, evaluate=evaluate)


def one(value, slope, bend):
    """Of one coordinate."""
    return Objective(
        size=1, evaluate=lambda order, z, rows: (value(z[:, 0]), slope(z), bend(z)[:, :, None])[: order + 1]
    )


def paths(objective, z, coordinates=(0,), covariance=None, drop=2.0, **options):
    covariance = np.eye(len(z)) if covariance is None else covariance
    return profile_paths(objective, np.array(z, dtype=float), coordinates, covariance=covariance, drop=drop, **options)


@pytest.mark.parametrize("known", [True, False])
def test_profiles_of_a_parabola_are_parabolas(known):
    """Whether or not the covariance says where the maximum moves."""
    covariance = COVARIANCE if known else np.where(np.eye(3) > 0, COVARIANCE, np.nan)
    found = paths(quadratic(7.0), PEAK, [2, 0], covariance, 1.92)
    assert [path.coordinate for path in found] == [2, 0]
    for path in found:
        j = path.coordinate
        half = np.sqrt(2 * 1.92 * COVARIANCE[j, j])
        np.testing.assert_allclose(path.limits[:, j], [PEAK[j] - half, PEAK[j] + half], rtol=1e-7)
        # The others follow by linear regression.
        slope = COVARIANCE[:, j] / COVARIANCE[j, j]
        np.testing.assert_allclose(path.limits, PEAK + np.array([[-half], [half]]) * slope, rtol=1e-6)
        assert path.reasons == ("", "")
        assert (np.diff(path.points[:, j]) > 0).all()
        assert any(np.array_equal(point, PEAK) for point in path.points)
        assert all(fall >= 1.92 for fall in path.falls)
        ends = path.points[[0, -1], j] - PEAK[j]
        np.testing.assert_allclose(path.falls, ends**2 / (2 * COVARIANCE[j, j]), rtol=1e-7)


def test_a_curve_holds_the_maxima_over_the_others():
    (path,) = paths(quadratic(7.0), PEAK, [1], COVARIANCE)
    values = np.array([-3.0, -2.0, -1.5])
    points, profile = path.curve(quadratic(7.0), values)
    np.testing.assert_allclose(points[:, 1], values)
    np.testing.assert_allclose(
        points, PEAK + (values - PEAK[1])[:, None] * COVARIANCE[:, 1] / COVARIANCE[1, 1], atol=1e-8
    )
    np.testing.assert_allclose(profile, 7.0 - (values - PEAK[1]) ** 2 / (2 * COVARIANCE[1, 1]), rtol=1e-10)


@pytest.mark.parametrize(
    ("limits", "ends"),
    [
        ([-2.0, 3.0], [1 + 1.2 * -3, 1 + 1.2 * 2]),
        ([-np.inf, 3.0], [-4.0, 3.4]),
        ([-2.0, np.nan], [-2.6, 2.5]),
    ],
)
def test_a_grid_reaches_a_fifth_beyond_its_limits_or_a_width_from_the_centre(limits, ends):
    """Known are points from -9 to 2.5; the width is 5 about 1."""
    path = ProfilePath(
        coordinate=0,
        points=np.array([[-9.0], [1.0], [2.5]]),
        limits=np.array(limits)[:, None],
        falls=(1.0, 1.0),
        reasons=("", ""),
    )
    grid = path.grid(1.0, 5.0, 7)
    np.testing.assert_allclose(grid, np.linspace(*ends, 7))


def poisson(count):
    """The log-likelihood of a log rate."""
    return one(lambda z: count * z - np.exp(z), lambda z: count - np.exp(z), lambda z: -np.exp(z))


@pytest.mark.parametrize("count", [1.0, 5.0, 400.0])
@pytest.mark.parametrize("drop", [0.5, 1.92, 3.3])
def test_limits_of_a_rate_solve_the_equation_of_the_deviance(count, drop):
    top = np.log(count)
    (path,) = paths(poisson(count), [top], covariance=np.array([[1 / count]]), drop=drop)

    def fallen(z):
        return (count * top - count) - (count * z - np.exp(z)) - drop

    expected = [optimize.brentq(fallen, top - 30, top), optimize.brentq(fallen, top, top + 10)]
    np.testing.assert_allclose(path.limits[:, 0], expected, rtol=1e-8)


def test_a_profile_that_levels_off_has_no_limit():
    """It falls towards half of what is looked for on one side."""
    level = one(
        lambda z: -np.where(z > 0, z**2 / 2, 1 - np.exp(-(z**2) / 2)),
        lambda z: -np.where(z > 0, z, z * np.exp(-(z**2) / 2)),
        lambda z: -np.where(z > 0, 1.0, (1 - z**2) * np.exp(-(z**2) / 2)),
    )
    (path,) = paths(level, [0.0])
    assert path.limits[0, 0] == -np.inf
    assert path.limits[1, 0] == pytest.approx(2.0, rel=1e-8)
    assert path.reasons == ("", "")
    assert path.falls[0] == pytest.approx(1.0, abs=0.05)


def parabola_within(reach=np.inf, **options):
    wide = one(lambda z: -(z**2) / 2, lambda z: -z, lambda z: -np.ones_like(z))
    return paths(wide, [0.0], reach=reach, **options)[0]


@pytest.mark.parametrize(("reach", "infinite"), [(1.9, True), (2.1, False)])
def test_beyond_its_reach_a_profile_does_not_fall(reach, infinite):
    path = parabola_within(reach)
    assert np.isinf(path.limits[:, 0]).all() == infinite
    assert np.sign(path.limits[:, 0]).tolist() == [-1, 1]


@pytest.mark.parametrize(("variance", "found"), [(2.6e-5, True), (2.4e-5, False)])
def test_a_profile_is_followed_for_two_hundred_widths(variance, found):
    """A width is the root of 2 drop times the variance that is given; the limits are at 2."""
    path = parabola_within(covariance=np.array([[variance]]))
    assert np.isfinite(path.limits[:, 0]).all() == found


def test_an_edge_of_the_support_ends_a_profile():
    edge = one(
        lambda z: np.where(z > -1, -(z**2) / 2, -np.inf),
        lambda z: -z,
        lambda z: -np.ones_like(z),
    )
    (path,) = paths(edge, [0.0])
    assert np.isnan(path.limits[0, 0])
    assert path.limits[1, 0] == pytest.approx(2.0)
    assert path.reasons[0].startswith("the other parameters have no maximum beyond it")
    assert path.reasons[1] == ""
    assert path.falls[0] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("more", "ended"), [(-0.01, False), (0.3, True)])
def test_larger_values_end_a_profile(more, ended):
    """A parabola that rises again beyond -1, to ``more`` above the maximum."""

    def value(z):
        return np.where(z < -1, -0.5 + (0.5 + more) * (1 - (z + 1.9) ** 2 / 0.81), -(z**2) / 2)

    def slope(z):
        return np.where(z < -1, -(0.5 + more) * 2 * (z + 1.9) / 0.81, -z)

    found = paths(one(value, slope, lambda z: -np.ones_like(z)), [0.0], covariance=np.array([[0.05]]))[0]
    assert ("larger there" in found.reasons[0]) == ended


def test_maxima_with_one_coordinate_held():
    starts = np.array([[0.0, 0.0, 0.0], [5.0, 1.0, 1.0]])
    points, values, slopes = constrained_maxima(quadratic(), starts, np.array([0, 2]))
    for place, (j, held) in enumerate(((0, 0.0), (2, 1.0))):
        moved = PEAK + (held - PEAK[j]) * COVARIANCE[:, j] / COVARIANCE[j, j]
        np.testing.assert_allclose(points[place], moved, atol=1e-8)
        assert values[place] == pytest.approx(-((held - PEAK[j]) ** 2) / (2 * COVARIANCE[j, j]))
        assert slopes[place] == pytest.approx((PEAK[j] - held) / COVARIANCE[j, j])
    rising = Objective(
        size=2,
        evaluate=lambda order, z, rows: (
            z[:, 1] - z[:, 0] ** 2, np.stack([-2 * z[:, 0], np.ones(len(z))], axis=1), np.tile(np.diag([-2.0, 0.0]), (len(z), 1, 1)),
        )[: order + 1],
    )  # fmt: skip
    assert constrained_maxima(rising, np.zeros((1, 2)), np.array([0]))[1][0] == -np.inf


def test_along_kinks_there_is_a_value_without_a_slope():
    """-|x - y| - y²: over y the maximum is on the kink where |x| < 1/2."""

    def evaluate(order, z, rows):
        x, y = z.T
        side = np.sign(x - y)
        gradient = np.stack([-side, side - 2 * y], axis=1)
        return (-np.abs(x - y) - y**2, gradient, np.tile(np.diag([0.0, -2.0]), (len(z), 1, 1)))[: order + 1]

    points, values, slopes = constrained_maxima(
        Objective(size=2, evaluate=evaluate), np.array([[0.3, 0.1], [2.0, 0.4]]), np.array([0, 0])
    )
    np.testing.assert_allclose(points[0], [0.3, 0.3], atol=1e-5)
    np.testing.assert_allclose(values, [-0.09, -1.75], atol=1e-5)
    assert np.isnan(slopes).tolist() == [True, False]


def walk(top=0.0, *, side=1.0, drop=2.0, reach=np.inf, variance=1.0):
    """A walk from 0 whose first step is as long as a parabola needs to fall by ``drop``: 2."""
    return _begun(np.zeros(1), top, 0, side, np.array([[variance]]), drop, reach)


def advanced(taken, value, slope, drop=2.0):
    """The state of a walk, and its next step, after a step to a place with this value and slope."""
    _advance(taken, taken.start, value, slope, drop)
    return taken.state, pytest.approx(taken.step)


@pytest.mark.parametrize("top", [0.0, 0.5, -300.0])
@pytest.mark.parametrize(("share", "state"), [(0.9e-8, "active"), (1.1e-8, "ended")])
def test_a_profile_above_the_maximum_ends(top, share, state):
    taken = walk(top)
    _advance(taken, taken.start, top + share * max(1.0, abs(top)), 0.0, 2.0)
    assert taken.state == state
    assert ("larger there" in taken.reason) == (state == "ended")


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(("slope", "kept"), [(-0.39, False), (-0.41, True), (-1.59, True), (-1.61, False)])
def test_a_step_is_kept_where_slopes_tell_its_fall(slope, kept, side):
    """It falls by 1; half of that and a twentieth of the drop of 2 may be missed."""
    taken = walk(side=side)
    assert advanced(taken, -1.0, side * slope) == ("active", 3.2 if kept else 0.5)
    assert [float(p[0]) for p in taken.points] == [0.0, 2.0 * side][: 1 + kept]


@pytest.mark.parametrize(("value", "kept"), [(-0.91, True), (-0.89, False)])
def test_beside_a_kink_a_profile_hardly_rises(value, kept):
    taken = walk()
    advanced(taken, -1.0, -1.0)
    advanced(taken, value, np.nan)
    assert len(taken.points) == 2 + kept


@pytest.mark.parametrize(("value", "state"), [(-1.95, "active"), (-2.05, "crossed")])
def test_a_walk_ends_where_the_profile_has_fallen_far_enough(value, state):
    assert advanced(walk(), value, value)[0] == state


def test_a_walk_ends_at_its_reach():
    taken = walk(reach=3.0)
    assert advanced(taken, -0.5, -0.5) == ("active", 1.0)
    assert advanced(taken, -0.75, -0.1) == ("open", 0.0)
    assert walk(reach=0.5).step == 0.5
    assert walk(variance=1e6).step == 2e3


def test_where_there_are_no_maxima_steps_shorten_to_nothing():
    taken, count = walk(), 0
    while taken.state == "active":
        advanced(taken, np.nan, np.nan)
        count += 1
    # To a billionth of the width, each a quarter of that before.
    assert (taken.state, count) == ("ended", int(np.ceil(np.log(1e9) / np.log(4))))
    assert "no maximum beyond it" in taken.reason


@pytest.mark.parametrize(
    ("falls", "level"),
    [
        # Falls over the first and the second width; the second is at most a hundredth of the drop.
        ((0.05, 0.019), True),
        ((0.05, 0.021), False),
        # The second is at most half the first.
        ((0.02, 0.0099), True),
        ((0.02, 0.0101), False),
        # The sum of the geometric series does not reach the drop.
        ((1.96, 0.019), True),
        ((1.985, 0.019), False),
    ],
)
def test_a_profile_that_levels_off(falls, level):
    taken = walk()
    for k in (1, 2):
        taken.points.append(np.array([2.0 * k]))
        taken.values.append(taken.values[-1] - falls[k - 1])
    assert taken.levels_off(2.0) == level
    short = replace(taken, points=[p * 0.99 for p in taken.points])
    assert not short.levels_off(2.0)
