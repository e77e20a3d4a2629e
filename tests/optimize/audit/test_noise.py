"""Numerical noise about a point, and searches that end where numbers give out."""

from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from plain_objectives import analytic, kinds, line, point, without_slope
from scipy.special import gammaln

from pp_mlekl.optimize.audit.noise import noise
from pp_mlekl.optimize.audit.pipeline import _highest, _local
from pp_mlekl.optimize.curvature import losses_along, rays
from pp_mlekl.optimize.meaningful_ends import before_rounding, meaningful
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.numerical_noise import crosses_rounding, high_by_rounding, rounding, stairs
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.profile_paths import Climb, profile_paths
from pp_mlekl.optimize.solvers.result import Ends, at_point, joined
from pp_mlekl.optimize.tolerances import Tolerances


def rough(size, drop=0.0, beyond=0.0):
    """A level objective that from ``beyond`` on lies ``drop`` lower, with noise of about this size there."""
    return without_slope(lambda z: np.where(z[:, 0] > beyond, size * np.sin(1e12 * z[:, 0]) - drop, 0.0))


def test_third_differences_show_noise_alone():
    moves = np.random.default_rng(0).normal(size=4) * 1e-10 / 3
    objective = without_slope(lambda z: 1e30 * z[:, 0] ** 3)
    assert rounding(objective, np.zeros((1, 1)))[0] == pytest.approx(3e30 * np.abs(moves**3).max(), rel=1e-9)
    assert rounding(without_slope(lambda z: 1e9 * z[:, 0] ** 2), np.ones((1, 1)))[0] < 1e-5


@pytest.mark.parametrize(("exponent", "seen"), [(0.3, True), (0.7, False)])
def test_steps_of_rounding_do_not_grow_with_the_distance(exponent, seen):
    objective = without_slope(lambda z: np.abs(z[:, 0]) ** exponent)
    assert (stairs(objective, np.zeros((1, 1)))[0] > 0) == seen


@pytest.mark.parametrize(("height", "seen"), [(3.0, 3.0), (20.0, 0.0)])
def test_large_changes_say_nothing_of_steps(height, seen):
    objective = without_slope(lambda z: -height * (z[:, 0] != 0))
    assert stairs(objective, np.zeros((1, 1)))[0] == seen


def test_a_kink_is_no_step():
    objective = analytic(lambda z: -np.where(z[:, 0].real > 0, z[:, 0], -z[:, 0]))
    assert stairs(objective, np.zeros((1, 1)))[0] < 1e-12


def wrong_slope(share, steepness=1e3):
    """A straight line whose slope is wrong by a share of itself."""

    def evaluate(order, z, rows):
        return (steepness * z[:, 0], np.full(z.shape, (1 - share) * steepness), np.zeros((*z.shape, 1)))[: order + 1]

    return Objective(size=1, evaluate=evaluate)


@pytest.mark.parametrize(("share", "known"), [(0.2, False), (0.05, True)])
def test_of_a_value_that_its_slope_contradicts_nothing_is_known(share, known):
    assert np.isfinite(stairs(wrong_slope(share), np.zeros((1, 1)))[0]) == known


@pytest.mark.parametrize(("steepness", "known"), [(1e4, False), (1e8, True)])
def test_a_contradiction_is_one_over_three_decades(steepness, known):
    assert np.isfinite(stairs(wrong_slope(1.0, steepness), np.zeros((1, 1)))[0]) == known


@pytest.mark.parametrize(("power", "known"), [(1.0, False), (1.4, False), (1.6, True)])
def test_what_a_wrong_slope_misses_grows_with_the_distance(power, known):
    objective = without_slope(lambda z: 1e3 * np.abs(z[:, 0]) ** power)
    assert np.isfinite(stairs(objective, np.zeros((1, 1)))[0]) == known


def test_a_steep_function_of_right_slope_is_known():
    objective = analytic(lambda z: np.sin(1e4 * z[:, 0]) + 1e5 * z[:, 0])
    assert stairs(objective, np.ones((1, 1)))[0] < 1e-8


@pytest.mark.parametrize(("share", "lost"), [(1.0, False), (0.0, True)])
def test_a_loss_is_none_where_nothing_is_known_of_the_value(share, lost):
    # Beyond 1 the value falls, with a slope that says nothing of it.
    slope = wrong_slope(share, -1e3)

    def evaluate(order, z, rows):
        return tuple(
            part * (z[:, 0] > 1).reshape(-1, *[1] * (part.ndim - 1)) for part in slope.evaluate(order, z - 1, rows)
        )

    objective = Objective(size=1, evaluate=evaluate)
    _, everywhere = losses_along(objective, np.zeros(1), 0.0, np.ones((1, 1)), np.full(1, 40.0))
    assert (everywhere[0] > 1.0) == lost


@pytest.mark.parametrize(("higher", "by_noise"), [(8e-3, True), (3e-2, False)])
def test_a_value_is_known_to_within_a_multiple_of_its_noise(higher, by_noise):
    found = high_by_rounding(np.array([0.0, higher]), np.array([0.0, 1e-3]), Tolerances())
    assert found[1] == by_noise


@pytest.mark.parametrize(("size", "seen"), [(5e-10, False), (5e-9, True)])
def test_noise_far_below_the_value_does_not_count(size, seen):
    assert high_by_rounding(np.array([0.0, 1e-9]), np.array([0.0, size]), Tolerances())[1] == seen


@pytest.mark.parametrize(("size", "crossed"), [(0.01, False), (0.3, True)])
def test_a_step_across_mere_noise_is_seen(size, crossed):
    assert crosses_rounding(rough(size), np.array([[-1.0]]), np.array([[5.0]]))[0] == crossed


@pytest.mark.parametrize(("multiple", "crossed"), [(15.0, True), (60.0, False)])
def test_noise_far_below_a_step_is_not_crossed(multiple, crossed):
    # A straight step across a bend of a steep ridge leads through values of which no digits matter.
    size = rounding(rough(1.0), np.linspace(-0.25, 3.5, 6)[:, None]).max()
    below = rough(1.0, drop=multiple * size)
    objective = without_slope(lambda z: np.where(z[:, 0] < 4, below.value(z), np.sin(z[:, 0])))
    assert crosses_rounding(objective, np.array([[-1.0]]), np.array([[5.0]]))[0] == crossed


def stationary(first, before, last, after, curvature=0.0):
    """Searches that went from ``first`` (b, 1) with values ``before`` (b,) in one step to ``last``, where they converged."""
    z, value, count = np.array(last), np.array(after), len(last)
    return Ends(
        z=z,
        value=value,
        gradient=np.zeros((count, 1)),
        hessian=np.full((count, 1, 1), -curvature),
        decrement=np.zeros(count),
        state=np.full(count, "stationary", dtype="<U10"),
        iterations=1,
        count=np.ones(count, dtype=int),
        trail=[(np.array(first), np.array(before)), (z, value)],
    )


@pytest.mark.parametrize(("gain", "kept"), [(8.0, False), (30.0, True)])
def test_a_search_is_taken_back_before_steps_that_noise_may_have_made(gain, kept):
    size = float(rounding(rough(1e-4), np.array([[3.0]]))[0])
    objective = rough(1e-4, drop=-gain * size)
    ends = stationary([[-1.0]], [0.0], [[3.0]], [gain * size])
    found = before_rounding(objective, ends, np.array([0]))
    assert (found.z[0, 0] == 3.0) == kept


@pytest.mark.parametrize(("before", "audited"), [(0.8, 1), (0.0, 0)])
def test_a_search_that_ran_off_into_noise_counts_from_before(before, audited):
    noisy = rough(1.0, drop=-1.0, beyond=1e5)
    objective = without_slope(lambda z: np.where(z[:, 0] > 1e5, noisy.value(z), np.where(z[:, 0] > 1, before, 0.0)))
    z, far = np.array([[0.0], [2.0]]), np.array([[0.0], [5e5]])
    ends = Ends(
        z=far,
        value=objective.value(far),
        gradient=np.zeros((2, 1)),
        hessian=-np.ones((2, 1, 1)),
        decrement=np.zeros(2),
        state=np.array(["stationary", "running"], dtype="<U10"),
        iterations=1,
        count=np.ones(2, dtype=int),
        trail=[(z, objective.value(z)), (far, objective.value(far))],
    )
    found, modes, rows = _highest(objective, ends, line())
    assert (rows.tolist(), len(modes)) == ([audited], 1)
    assert found.z[1, 0] == 2.0


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_highest_of_the_searches_that_converged_is_audited(order):
    objective = analytic(lambda z: -np.minimum(np.sum(z**2, axis=1), 1 + np.sum((z + 6) ** 2, axis=1)) / 2, 2)
    z = np.array([[-6.0, -6.0], [0.0, 0.0], [9.0, -9.0]])[order]
    ends = reduce(joined, (at_point(objective, one, "stationary" if one[0] < 9 else "running") for one in z))
    _, modes, rows = _highest(objective, ends, line(2))
    assert [mode.z.tolist() for mode in modes] == [[0.0, 0.0], [-6.0, -6.0]]
    assert rows.tolist() == [order.index(1)]


@pytest.mark.parametrize(("curved", "noise", "found"), [(1.0, 0.0, True), (0.0, 0.0, False), (1.0, 0.5, False)])
def test_a_local_maximum_is_regular_and_has_its_digits(curved, noise, found):
    objective = without_slope(
        lambda z: -(z[:, 0] ** 2) / 2 - curved * z[:, 1] ** 2 / 2 + noise * np.sin(1e13 * z[:, 0]), 2
    )
    ends = joined(
        *(replace(at_point(objective, np.full(2, k), "stationary"), hessian=-np.eye(2)[None]) for k in (3.0, 0.0))
    )
    mode = Mode(z=np.zeros(2), value=0.0, hessian=-np.eye(2), agree=1)
    way = Climb(
        direction=np.array([1.0, 0.0]), rate=1.0, crossing=9.0, distances=np.arange(3.0), values=np.arange(3.0),
        points=np.array([[10.0 + k, 0.0] for k in range(3)]),
    )  # fmt: skip
    local = _local(point(objective, [9.0, 0.0], modes=[mode], state="ran"), ends, way)
    assert (local is not None) == found
    if found:
        assert (local.status, local.z.tolist(), local.value) == ("converged", [0.0, 0.0], 0.0)
        np.testing.assert_allclose(local.covariance, np.eye(2))


def test_a_loss_is_known_to_within_three_times_its_noise():
    objective, ahead, reach = rough(1e-3, drop=0.5), np.ones((1, 1)), np.array([np.inf])
    points = rays(np.zeros(1), ahead, reach)[:, 0]
    known = -objective.value(points) - 3.0 * rounding(objective, points)
    _, everywhere = losses_along(objective, np.zeros(1), 0.0, ahead, reach)
    assert everywhere[0] == pytest.approx(known.max(), abs=1e-12)


@pytest.mark.parametrize(("drop", "corrected"), [(5e-7, False), (5e-6, True)])
def test_losses_that_are_looked_at_for_noise(drop, corrected):
    objective = rough(drop / 50, drop=drop)
    near, _ = losses_along(objective, np.zeros(1), 0.0, np.ones((1, 1)), np.array([np.inf]))
    assert (near[0] < 0.99 * drop) == corrected


@pytest.mark.parametrize(("multiple", "seen"), [(15.0, False), (60.0, True)])
def test_where_there_is_but_noise_a_loss_many_times_as_large_is_one(multiple, seen):
    size = rounding(rough(1.0, beyond=1e5), np.full((1, 1), 5e5))[0]
    objective = rough(1.0, drop=multiple * size, beyond=1e5)
    _, everywhere = losses_along(objective, np.zeros(1), 0.0, np.ones((1, 1)), np.array([np.inf]))
    assert (everywhere[0] > 1.0) == seen


def test_a_search_that_converged_has_no_finding():
    assert noise(point(analytic(lambda z: -(z[:, 0] ** 2)), 0.0)) == []


@pytest.mark.parametrize(("end", "kind"), [(np.inf, "unfinished"), (2.0 + 1e-9, "undefined")])
def test_searches_that_did_not_converge(end, kind):
    def value(z):
        return np.where(z[:, 0].real < end, z[:, 0], np.nan)

    found = noise(point(analytic(value), 2.0, space=line(), state="stuck"))
    assert kinds(found) == [kind]


@pytest.mark.parametrize(("height", "crosses"), [(0.15, True), (0.01, False)])
def test_a_region_in_which_noise_is_all(height, crosses):
    objective = without_slope(lambda z: height * np.sin(1e13 * z[:, 0]))
    assert crosses_rounding(objective, np.zeros((1, 1)), np.ones((1, 1))).tolist() == [crosses]


@pytest.mark.parametrize(("loss", "corrected"), [(3e-6, True), (3e-7, False)])
def test_small_losses_are_not_corrected_for_noise(loss, corrected):
    # Noise of about a third of the loss: what is looked at again is none.
    objective = without_slope(lambda z: -loss * (z[:, 0] > 0) * (1 + 0.3 * np.sin(1e13 * z[:, 0])))
    near, _ = losses_along(objective, np.zeros(1), 0.0, np.ones((1, 1)), np.full(1, np.inf))
    assert (near[0] < 0.9 * loss) == corrected


@pytest.mark.parametrize(("largest", "crossed"), [(20.0, False), (np.inf, True)])
def test_a_long_step_over_a_narrow_region_of_noise_is_seen(largest, crossed):
    # The logarithm of a ratio of gamma functions, less its limit, loses its digits and is 0 a little farther on.
    def value(z):
        shape = np.minimum(z[:, 0], largest)
        lost = gammaln(np.exp(shape) + 3.7) - gammaln(np.exp(shape)) - 3.7 * shape
        return np.where(z[:, 0] > 37.0, 0.0, lost)

    assert crosses_rounding(without_slope(value), np.array([[22.0]]), np.array([[222.0]]))[0] == crossed


@pytest.mark.parametrize(("end", "crossed"), [(222.1, False), (223.0, True)])
def test_all_digits_are_lost_where_a_thousandth_aside_nothing_changes(end, crossed):
    def value(z):
        lost = gammaln(np.exp(z[:, 0]) + 3.7) - gammaln(np.exp(z[:, 0])) - 3.7 * z[:, 0]
        return np.where(z[:, 0] > 37.0, np.maximum(z[:, 0] - end, 0.0), lost)

    assert crosses_rounding(without_slope(value), np.array([[22.0]]), np.array([[222.0]]))[0] == crossed


@pytest.mark.parametrize(("end", "lost"), [(5.0, True), (-20.0, False)])
def test_what_is_lost_before_a_density_is_undefined_counts(end, lost):
    # The rays double: between the last two places it falls from nothing to minus infinity.
    objective = analytic(lambda z: np.where(z[:, 0].real > end, -np.inf, -np.exp(z[:, 0])))
    start = np.array([-33.8])
    _, everywhere = losses_along(objective, start, 0.0, np.ones((1, 1)), np.full(1, 40.0))
    assert (everywhere[0] > 100.0) == lost


@pytest.mark.parametrize("z", [-26.0, -25.75, -25.5, -24.75, -24.25])
def test_steps_of_lost_digits_are_no_fall(z):
    """One less a probability of almost one is constant between wide steps: log((1 - exp(-t)) / t) tends to 0 with t = exp(z)."""

    def evaluate(order, z, rows):
        t = np.exp(z[:, 0])
        with np.errstate(divide="ignore", invalid="ignore"):
            lost = 1.0 - np.exp(-t)
            return (60 * np.log(lost / t), 60 * (t * np.exp(-t) / lost - 1)[:, None])[: order + 1]

    objective, start = Objective(size=1, evaluate=evaluate, derivatives=1), np.array([z])
    value = float(objective.value(start[None])[0])
    near, everywhere = losses_along(objective, start, value, np.array([[-1.0], [1.0]]), np.array([40.0]))
    # The steps are .01 to .03 nats high.
    assert near[0] < 1e-3
    assert everywhere[1] > 100


@pytest.mark.parametrize(("size", "seen"), [(1e-3, True), (1.0, False)])
def test_a_loss_in_moderate_noise_is_one(size, seen):
    scatter = rounding(rough(size, beyond=1e5), np.full((1, 1), 5e5))[0]
    objective = rough(size, drop=15 * scatter, beyond=1e5)
    _, everywhere = losses_along(objective, np.zeros(1), 0.0, np.ones((1, 1)), np.array([np.inf]))
    assert (everywhere[0] > 5 * scatter) == seen


@pytest.mark.parametrize(("size", "kept"), [(0.01, [-1.0, 3.0]), (1.0, [-1.0])])
def test_a_search_that_came_to_rest_in_mere_noise_is_left_out(size, kept):
    # It is higher by far more than the noise.
    objective = rough(size, drop=-100.0)
    ends = stationary([[-2.0], [2.9]], [0.0, 100.0], [[-1.0], [3.0]], [0.0, 100.0], curvature=1.0)
    assert meaningful(objective, ends).z[:, 0].tolist() == kept


@pytest.mark.parametrize(("curvature", "end"), [(0.0, -1.0), (1.0, 3.0)])
def test_a_search_is_taken_back_from_where_nothing_is_curved(curvature, end):
    size = float(rounding(rough(1e-4), np.array([[3.0]]))[0])
    ends = stationary([[-1.0]], [0.0], [[3.0]], [8 * size], curvature)
    assert meaningful(rough(1e-4, drop=-8 * size), ends).z.tolist() == [[end]]


@pytest.mark.parametrize(("slope", "followed"), [(10.0, False), (-10.0, True)])
def test_a_path_that_rises_into_mere_noise_is_lost(slope, followed):
    noisy = rough(1.0, beyond=2.5)
    objective = without_slope(lambda z: slope * z[:, 0] + noisy.value(z))
    paths = profile_paths(objective, np.zeros((1, 1)), np.ones((1, 1)), np.arange(1.0, 6.0))
    assert np.isfinite(paths.values[:2]).all()
    assert np.isfinite(paths.values[-1, 0]) == followed
