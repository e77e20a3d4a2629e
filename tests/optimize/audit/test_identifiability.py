"""Directions that are flat, singular or weak, and those that fall off as a regular maximum does."""

from types import SimpleNamespace

import numpy as np
import pytest
from plain_objectives import analytic, kinds, line, point, without_slope

from pp_mlekl.optimize.audit.identifiability import _singular as singular_findings
from pp_mlekl.optimize.audit.identifiability import identifiability
from pp_mlekl.optimize.audit.pipeline import judge
from pp_mlekl.optimize.audit.soft_directions import (
    _all_tangent,
    _leads_on,
    _level_where_defined,
    _plateau,
    _singular,
    _visible,
    classify,
    curved_nearby,
    curved_null,
    family_loss,
    idle_coordinates,
)
from pp_mlekl.optimize.curvature import Curvature, suspicious_directions
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.search import search
from pp_mlekl.optimize.solvers.result import at_point
from pp_mlekl.optimize.tolerances import Tolerances

ONE = np.ones((1, 1))


def suspicious(objective, size=1, reach=np.inf):
    value, _, hessian = objective.hessian(np.zeros((1, size)))
    return suspicious_directions(objective, np.zeros(size), float(value[0]), hessian[0], np.full(size, reach))[1]


@pytest.mark.parametrize(("most", "found"), [(0.05, True), (0.3, False)])
def test_the_least_fall_at_two_standard_errors(most, found):
    objective = analytic(lambda z: -most * (1 - np.exp(-(z[:, 0] ** 2) / (2 * most))))
    assert suspicious(objective).tolist() == [found]


@pytest.mark.parametrize(("quartic", "found"), [(3.0, False), (50.0, True)])
def test_the_largest_fall_at_one_standard_error(quartic, found):
    objective = analytic(lambda z: -(z[:, 0] ** 2) / 2 - quartic * z[:, 0] ** 4)
    assert suspicious(objective).tolist() == [found]


@pytest.mark.parametrize(("error", "found"), [(100.0, False), (500.0, True)])
def test_a_standard_error_lies_within_the_reach(error, found):
    objective = analytic(lambda z: -(z[:, 0] ** 2) / (2 * error**2) - 8e-8 * z[:, 0] ** 4)
    assert suspicious(objective, reach=40.0).tolist() == [found]


@pytest.mark.parametrize(("eigenvalue", "found"), [(3e-12, True), (5e-11, False)])
def test_eigenvalues_that_rounding_makes(eigenvalue, found):
    across, along = np.array([1.0, 1.0]) / np.sqrt(2), np.array([1.0, -1.0]) / np.sqrt(2)

    def value(z):
        return -((z @ across) ** 2) * (2 - eigenvalue) / 2 - (z @ along) ** 2 * eigenvalue / 2

    hessian = -np.array([[1.0, 1.0 - eigenvalue], [1.0 - eigenvalue, 1.0]])
    objective = without_slope(value, 2)
    found_there = suspicious_directions(objective, np.zeros(2), 0.0, hessian, np.full(2, np.inf))[1]
    assert found_there.any() == found


def family(power, height, far=0.0):
    """A surface of equal value, x1 = x0^power, which straight along x0 has lost ``height`` nats at 1/4 of its first visible step."""
    grid = np.geomspace(1e-4, 1e3, 22)

    def visible(factor):
        return grid[np.argmax(factor * grid ** (2 * power) > 0.1)]

    factors = np.geomspace(1e-3, 1e6, 4000)
    heights = np.array([f * (visible(f) / 4) ** (2 * power) for f in factors])
    factor = factors[np.argmin(np.abs(np.log(heights / height)))]
    step = visible(factor)

    def value(z):
        loss = far * (1 - np.exp(-((z[:, 0] / step) ** 20))) if far else 0.0
        return -factor * (z[:, 1] - z[:, 0] ** power) ** 2 - loss

    return analytic(value, 2)


@pytest.mark.parametrize(("lost", "flat"), [(5e-5, True), (5e-4, False)])
def test_what_a_flat_family_may_lose(lost, flat):
    objective = family(2, 4.5e-4, far=lost / (1 - np.exp(-1)))
    assert curved_null(objective, np.zeros(2), 0.0, np.eye(2)[:1]).tolist() == [flat]


@pytest.mark.parametrize(("height", "flat"), [(1e-3, True), (2e-4, False)])
def test_a_family_that_ends_not_far_off_is_level_near_by(height, flat):
    objective = family(3, height, far=0.05)
    assert curved_null(objective, np.zeros(2), 0.0, np.eye(2)[:1]).tolist() == [flat]


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("place", [-1.0, -0.999, 0.0, 0.7, 1.0])
@pytest.mark.parametrize(("width", "level"), [(0.15, True), (0.06, False)])
def test_a_plateau_is_most_of_where_no_fall_is_seen_from_anywhere_on_it(width, level, place, unit):
    # Beyond its ends a tenth of a nat is lost within another 0.1.
    objective = without_slope(lambda z: -np.maximum(np.abs(z[:, 0] / unit) - width, 0.0))
    assert _plateau(objective, np.array([place * width * unit]), 0.0, ONE).tolist() == [level]


def test_what_is_level_everywhere_is_a_plateau():
    assert _plateau(without_slope(lambda z: 0.0 * z[:, 0]), np.zeros(1), 0.0, ONE).tolist() == [True]


def laplace(y):
    """Location and log scale of a Laplace sample."""

    def evaluate(order, z, rows):
        residuals, inverse = y - z[:, :1], np.exp(-z[:, 1])
        size, signs = np.abs(residuals).sum(axis=1) * inverse, np.sign(residuals).sum(axis=1) * inverse
        hessian = np.stack([0 * signs, -signs, -signs, -size], axis=-1).reshape(-1, 2, 2)
        gradient = np.stack([signs, size - len(y)], axis=-1)
        return (-len(y) * z[:, 1] - size, gradient, hessian)[: order + 1]

    return Objective(size=2, evaluate=evaluate)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("y", "status"), [([1.0, 2.0, 3.0, 7.0], "not_identified"), ([1.0, 2.0, 2.1, 7.0], "converged")]
)
def test_a_median_between_two_observations_has_one_verdict_from_all_starts(y, status, seed):
    starts = np.concatenate([np.zeros((1, 2)), np.random.default_rng(seed).normal(size=(5, 2))])
    assert search(laplace(np.array(y)), starts, line(2, [1])).status == status


@pytest.mark.parametrize(("width", "idle"), [(0.1, True), (0.01, False)])
def test_a_coordinate_that_says_nothing_is_tried_a_little_off(width, idle):
    objective = without_slope(lambda z: -np.maximum(np.abs(z[:, 0]) - width, 0.0))
    assert len(idle_coordinates(objective, np.zeros(1), 0.0, [])) == idle


@pytest.mark.parametrize("value", [0.0, 1e8, -1e8])
@pytest.mark.parametrize(("share", "idle"), [(0.5, True), (3.0, False)])
def test_a_coordinate_says_nothing_to_within_the_rounding_of_the_value(value, share, idle):
    # At a twentieth of the unit, where it is tried, the value is this share of its last digit lower.
    digit = 1e-14 * max(1.0, abs(value))
    objective = without_slope(lambda z: value - share * digit * (z[:, 0] / 0.05) ** 2)
    assert len(idle_coordinates(objective, np.zeros(1), value, [])) == idle


@pytest.mark.parametrize(
    ("shape", "singular"),
    [
        (lambda x: 0.5 * x**2, False),
        (lambda x: 2.0 * (np.sqrt(1 + 16 * x**2) - 1), True),
        (lambda x: 0.2 * (np.sqrt(1 + 16 * x**2) - 1), False),
        (lambda x: 0.002 * x**2, True),
        (lambda x: 0.05 * x**2, False),
        (lambda x: 500.0 * (x / 2) ** 8, True),
        (lambda x: 30.0 * (x / 2) ** 8, False),
    ],
)
def test_falls_of_a_singular_maximum(shape, singular):
    # By the curvature half a nat is lost at one standard error, which is taken to be 1.
    objective = analytic(lambda z: -shape(z[:, 0]))
    assert _singular(objective, np.zeros(1), 0.0, ONE).tolist() == [singular]


@pytest.mark.parametrize(("quartic", "nearby"), [(5.0, True), (500.0, False)])
def test_a_weakly_curved_maximum_is_a_parabola_near_by(quartic, nearby):
    # A tenth of a standard error off, 2 * 0.1^2 * quartic of the curvature is added; half as far, a quarter of that.
    objective = analytic(lambda z: -(z[:, 0] ** 2) / 2 - quartic * z[:, 0] ** 4)
    assert curved_nearby(objective, np.zeros(1), 0.0, ONE).tolist() == [nearby]


@pytest.mark.parametrize(("share", "nearby"), [(0.1, True), (0.6, False)])
def test_what_may_be_missing_of_the_curvature(share, nearby):
    objective = analytic(lambda z: -(1 - share) * (z[:, 0] ** 2) / 2)
    assert curved_nearby(objective, np.zeros(1), 0.0, ONE).tolist() == [nearby]


def test_a_flat_direction_is_found_whatever_the_way_there():
    objective = analytic(lambda z: -((z[:, 0] + z[:, 1] - 1.0) ** 2), 2)
    for start in ([0.5, 0.5], [3.0, -2.0], [-10.0, 11.0]):
        found = identifiability(point(objective, start))
        assert kinds(found) == ["flat"]
        np.testing.assert_allclose(np.abs(found[0].directions[0]), np.sqrt([0.5, 0.5]), rtol=1e-6)
        assert found[0].measured < found[0].threshold == 1e-4


def test_a_singular_maximum_says_what_it_loses():
    # Half a nat at one of the curvature's standard errors, and as much as that a quarter off.
    objective = analytic(lambda z: -(z[:, 0] ** 4) - z[:, 1] ** 2, 2)
    found = identifiability(point(objective, [1e-4, 0.0]))
    assert kinds(found) == ["singular"]
    assert not found[0].measured < found[0].threshold


def test_a_regular_maximum_has_no_finding():
    objective = analytic(lambda z: -np.sum(z**2, axis=1) - z[:, 0] ** 4, 2)
    assert identifiability(point(objective, [0.0, 0.0])) == []


@pytest.mark.parametrize(("bend", "known"), [(3e-3, True), (0.05, False)])
def test_a_variance_that_changes_along_a_family_is_none(bend, known):
    # x0 + x1 is identified, x2 with a variance that depends on where along the family the point lies.
    objective = analytic(
        lambda z: -((z[:, 0] + z[:, 1] - 1.0) ** 2) - z[:, 2] ** 2 / 2 * (1 + bend * (z[:, 0] - z[:, 1]) / 6), 3
    )
    ends = at_point(objective, np.array([3.5, -2.5, 0.0]), "stationary")
    verdict = judge(objective, ends, line(3), np.zeros(3))
    assert verdict.status == "not_identified"
    assert np.any(np.abs(verdict.irregular) @ np.eye(3)[2] > 0.9) != known


@pytest.mark.parametrize(("fall", "seen"), [(0.3, True), (0.03, False)])
def test_a_fall_that_is_seen_along_a_straight_line(fall, seen):
    objective = without_slope(lambda z: -fall * (np.abs(z[:, 0]) > 1))
    _, _, lost = _visible(objective, np.zeros(1), 0.0, np.ones((1, 1)))
    np.testing.assert_allclose(lost, fall if seen else 0.0)


@pytest.mark.parametrize(("defined", "level"), [(8, True), (7, False)])
def test_rays_that_overflow_far_off_are_level_near_by(defined, level):
    # The points that count double up to 100 times the size of the point.
    end = 100 * 2.0 ** (defined - 11) * 1.5
    objective = without_slope(lambda z: np.where(np.abs(z[:, 0]) < end, 0.0, -np.inf))
    found = _level_where_defined(objective, np.zeros(1), 0.0, np.ones((1, 1)), np.full(1, np.inf))
    assert found.tolist() == [level]


@pytest.mark.parametrize(
    ("shape", "distance", "measured", "threshold"),
    [
        (lambda x: 2.0 * (np.sqrt(1 + 16 * x**2) - 1), "a quarter of a standard error", 2 * (np.sqrt(2) - 1), 0.5),
        (lambda x: 0.002 * x**2, "two standard errors", 0.008, 0.05),
        (lambda x: 500.0 * (x / 2) ** 8, "two standard errors", 500.0, 100.0),
    ],
)
def test_a_singular_maximum_says_where_it_is_none(shape, distance, measured, threshold):
    objective = analytic(lambda z: -shape(z[:, 0]))
    soft = SimpleNamespace(singular=True, regular=np.array([False]))
    at = point(objective, 0.0)
    at.__dict__.update(soft=soft, _spectrum=(SimpleNamespace(directions=ONE), None))
    (found,) = singular_findings(at)
    assert found.unit == f"nats lost at {distance}"
    assert found.measured == pytest.approx(measured)
    assert found.threshold == threshold


@pytest.mark.parametrize(("fall", "ahead"), [([0.0, 0.0], None), ([0.5, 0.0], -1.0), ([0.0, 0.5], 1.0)])
def test_a_direction_is_flat_or_leads_on_whichever_way_it_runs(fall, ahead):
    # Beyond 5 on either side this much is lost.
    right, left = fall
    objective = without_slope(lambda z: -right * (z[:, 0] > 5) - left * (z[:, 0] < -5))
    found = Curvature(eigenvalues=np.zeros(1), directions=ONE, scale=np.ones(1))
    soft = classify(objective, np.zeros(1), 0.0, found, np.array([True]), line(), np.zeros((0, 1)))
    assert soft.run_off.tolist() == ([] if ahead is None else [[ahead]])
    assert soft.null.tolist() == ([[1.0]] if ahead is None else [])


@pytest.mark.parametrize(("other", "leads"), [(5e-3, True), (0.05, False)])
def test_a_ray_that_overflows_leads_on_if_the_way_back_falls_only_far_off(other, leads):
    assert _leads_on(np.array([np.inf]), np.array([other]), np.array([1.0]), Tolerances()).tolist() == [leads]


@pytest.mark.parametrize("tangent", [True, False])
def test_many_directions_are_tangent_together(tangent):
    size = 10
    objective = analytic(lambda z: -((np.sum(z**2, axis=1) - 1) ** 2) - (not tangent) * z[:, 1] ** 2, size)
    assert _all_tangent(objective, np.eye(size)[0], 0.0, np.eye(size)[1:]) == tangent


def test_a_bent_family_loses_nothing_though_the_straight_line_does():
    objective = analytic(lambda z: -((np.sum(z**2, axis=1) - 1) ** 2), 2)
    assert family_loss(objective, np.array([0.6, 0.8]), 0.0, np.array([[0.8, -0.6]]), np.full(2, np.inf)) < 1e-6
