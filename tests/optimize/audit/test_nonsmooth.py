"""Kinks, ends of the support, steps and jumps."""

import numpy as np
import pytest
from plain_objectives import analytic, kinds, point

from pp_mlekl.optimize.audit.nonsmooth import _across_jump, _is_kink, nonsmooth, step_coordinates
from pp_mlekl.optimize.objective import Objective


def absolute(x, factor=1.0):
    return np.where(x.real > 0, x, -x * factor)


@pytest.mark.parametrize(("jump", "found"), [(5e-8, True), (2e-9, False)])
def test_the_least_jump_of_slopes_at_a_kink(jump, found):
    objective = analytic(lambda z: -jump / 2 * absolute(z[:, 0]))
    assert ("kink" in kinds(nonsmooth(point(objective, 0.0, state="stuck")))) == found


@pytest.mark.parametrize(("width", "found"), [(1e-12, True), (1e-7, False), (1e-3, False)])
def test_strong_curvature_is_no_kink(width, found):
    # Slopes jump by as much however near; those of a rounded kink by less and less.
    objective = analytic(lambda z: -np.sqrt(z[:, 0] ** 2 + width**2))
    assert ("kink" in kinds(nonsmooth(point(objective, 0.0, state="stuck")))) == found


def test_a_slope_is_no_kink():
    objective = analytic(lambda z: -absolute(z[:, 0] - 1e-3))
    assert "kink" not in kinds(nonsmooth(point(objective, 0.0, state="ran")))


def test_a_search_follows_a_kink_to_its_highest_point():
    objective = analytic(lambda z: -10 * absolute(z[:, 0] - z[:, 1]) - absolute(z[:, 1] - 2, 3.0), 2)
    found = nonsmooth(point(objective, [0.5, 0.5], state="stuck"))
    assert kinds(found) == ["kink"]
    np.testing.assert_allclose(found[0].onward.z[0], [2.0, 2.0], atol=1e-7)


@pytest.mark.parametrize(("size", "moves"), [(30, True), (31, False)])
def test_kinks_are_followed_in_moderate_sizes(size, moves):
    objective = analytic(lambda z: -10 * absolute(z[:, 0] - z[:, 1]) - np.sum((z - 1) ** 2, axis=1), size)
    found = nonsmooth(point(objective, np.zeros(size), state="stuck"))
    assert bool(found) == moves


@pytest.mark.parametrize(("size", "moves"), [(8, True), (9, False)])
def test_corners_of_the_support_are_sought_in_small_sizes(size, moves):
    # A roof: rising towards x0 = 1, beyond which there is nothing, and highest in the middle of that edge.
    objective = analytic(lambda z: np.where(z[:, 0].real <= 1, z[:, 0] - np.sum(z[:, 1:] ** 2, axis=1), -np.inf), size)
    start = np.full(size, 0.3)
    start[0] = 1.0
    found = nonsmooth(point(objective, start, state="stuck"))
    assert ("support" in kinds(found)) == moves


@pytest.mark.parametrize(("height", "found"), [(3e-6, True), (3e-7, False)])
def test_the_least_step_of_a_step_function(height, found):
    def evaluate(order, z, rows):
        return (height * (z[:, 0] > 1) - z[:, 1] ** 2, z * [0.0, -2.0], np.tile(np.diag([0.0, -2.0]), (len(z), 1, 1)))[
            : order + 1
        ]

    objective = Objective(size=2, evaluate=evaluate)
    assert step_coordinates(objective, np.array([0.5, 0.0]), 0.0, np.diag([0.0, -2.0])).tolist() == [0] * found
    assert kinds(nonsmooth(point(objective, [0.5, 0.0]))) == ["steps"] * found


@pytest.mark.parametrize(
    ("slope", "jump", "found"), [(1.0, 3e-4, True), (1.0, 3e-5, False), (1e-9, 5e-6, True), (1e-9, 5e-7, False)]
)
def test_a_jump_is_crossed_where_it_is_more_than_the_slope_makes(slope, jump, found):
    # A slope up to 0, where the value jumps down, and a higher maximum beyond.
    def value(z):
        x = z[:, 0]
        return np.where(x.real <= 0, slope * x, x**2 * (1 - x) - jump)

    objective, z = analytic(value), np.array([-1e-12])
    at = point(objective, z, state="stuck")
    assert (_across_jump(at, z, at.value, at.gradient) is not None) == found


@pytest.mark.parametrize(("bump", "found"), [(3e-13, True), (3e-12, False)])
def test_nothing_near_a_kink_is_higher(bump, found):
    def evaluate(order, z, rows):
        x = z[:, 0]
        ring = (np.abs(x) > 0.5e-6) & (np.abs(x) < 2e-6)
        return (np.where(ring, bump, -np.abs(x)), -np.sign(z), np.zeros((len(z), 1, 1)))[: order + 1]

    assert _is_kink(Objective(size=1, evaluate=evaluate), np.zeros(1), 0.0) == found


@pytest.mark.parametrize(("noise", "found"), [(2e-6, True), (1e-5, False)])
def test_noise_hides_a_kink(noise, found):
    def evaluate(order, z, rows):
        scatter = noise * np.sin(1e13 * z[:, 0]) * (z[:, 0] != 0)
        return (scatter - 1e4 * np.abs(z[:, 0]), -1e4 * np.sign(z), np.zeros((len(z), 1, 1)))[: order + 1]

    assert _is_kink(Objective(size=1, evaluate=evaluate), np.zeros(1), 0.0) == found


def test_steps_of_large_problems_are_seen_by_a_product():
    # Two step coordinates of 500, whose Hessian is not formed; the others are not looked at one by one.
    steps, asked = np.array([3, 417]), []
    free = np.isin(np.arange(500), steps, invert=True)

    def evaluate(order, z, rows):
        asked.append(len(z))
        return (np.sum(z[:, steps] > 1, axis=1) - np.sum(z[:, free] ** 2, axis=1) / 2, -z * free)[: order + 1]

    objective = Objective(size=500, evaluate=evaluate, product=lambda z, vectors: -vectors * free)
    found = step_coordinates(objective, np.zeros(500), 0.0, np.broadcast_to(np.nan, (500, 500)))
    np.testing.assert_array_equal(found, steps)
    assert sum(asked) < 100


@pytest.mark.parametrize(("noise", "found"), [(0.3, False), (1e-6, True)])
def test_a_jump_is_not_crossed_where_one_of_the_ways_leads_through_noise(noise, found):
    # Beyond the jump there is a maximum at .003, and one at .5 behind a region in which rounding is all.
    def value(z):
        x, rough = z[:, 0], 1.0 + noise * np.sin(1e13 * z[:, 0].real)
        beyond = np.where(
            x.real < 0.005, 1 - 1.001 * (x / 0.003 - 1) ** 2, np.where(x.real < 0.09, rough, 2 - (x - 0.5) ** 2)
        )
        return np.where(x.real <= 0, x, beyond)

    z = np.array([-1e-12])
    at = point(analytic(value), z, state="stuck")
    ends = _across_jump(at, z, at.value, at.gradient)
    assert (ends is not None) == found
    if found:
        np.testing.assert_allclose(ends.z[[0, 2], 0], [0.003, 0.5], rtol=1e-6)
