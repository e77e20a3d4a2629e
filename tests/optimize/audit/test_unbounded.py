"""Divergence along profiles: singular scales, ends of the support, and paths that only look like one."""

from types import SimpleNamespace

import numpy as np
import pytest
from plain_objectives import analytic, kinds, line, point, without_slope

from pp_mlekl.optimize.audit.support import climb_to_support
from pp_mlekl.optimize.audit.unbounded import (
    _from_the_middle,
    _goes_on,
    _hidden,
    _is_still_rising,
    _leads,
    unbounded,
)
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.profile_paths import (
    DISTANCES,
    Climb,
    climb_through,
    divergence,
    largest_loss,
    profile_paths,
    straight_climb,
)
from pp_mlekl.optimize.search import search
from pp_mlekl.optimize.tolerances import Tolerances


def rate(values, distances=DISTANCES):
    return divergence(distances, values, Tolerances())[0]


@pytest.mark.parametrize(("slope", "diverges"), [(0.03, True), (0.012, False), (-0.03, False)])
def test_a_divergence_gains_some_nats_for_each_unit(slope, diverges):
    assert (rate(slope * DISTANCES) > 0) == diverges


@pytest.mark.parametrize(("bend", "diverges"), [(0.03, True), (0.08, False)])
def test_rates_of_a_divergence_agree(bend, diverges):
    # Over the last three of four steps the rate falls by the given share.
    rates = np.array([2.0, 1.0, 1.0 - bend / 2, 1.0 - bend])
    assert (rate(np.cumsum(np.append(0.5, rates)), np.arange(5.0)) > 0) == diverges


@pytest.mark.parametrize(("end", "diverges"), [(16.0, True), (10.0, False)])
def test_far_out_growing_rates_are_a_divergence(end, diverges):
    distances = np.linspace(0.0, end, 5)
    assert (rate(np.exp(0.3 * np.arange(5)), distances) > 0) == diverges


@pytest.mark.parametrize(("ripple", "diverges"), [(3e-5, False), (4e-4, True)])
def test_a_climb_that_ends_on_a_level_has_a_limit(ripple, diverges):
    distances = np.arange(9.0)
    values = np.append(np.arange(6.0), 5.0 + ripple * np.array([0.5, 1.0, 0.0]))
    assert (rate(values, distances) > 0) == diverges


@pytest.mark.parametrize(("level", "diverges"), [(2, True), (3, False), (25, False)])
def test_level_points_beyond_a_climb(level, diverges):
    values = np.append(np.arange(6.0), np.full(level, 5.5))
    assert (rate(values, np.arange(6.0 + level)) > 0) == diverges


@pytest.mark.parametrize(("terms", "most"), [(1, 300.0), (100, 500.0)])
def test_what_a_path_may_lose(terms, most):
    objective = without_slope(lambda z: z[:, 0], terms=terms)
    assert largest_loss(objective, Tolerances().climb_loss) == most


@pytest.mark.parametrize(("loss", "followed"), [(250.0, True), (1500.0, False)])
def test_paths_that_have_lost_too_much_are_given_up(loss, followed):
    # A wall at half a unit of z, and level ground beyond.
    objective = analytic(lambda z: -loss * (np.tanh(20 * (z[:, 0] - 0.3)) + 1) / 2)
    paths = profile_paths(objective, np.array([[-1.0]]), np.array([[1.0]]), np.arange(1.0, 8.0))
    assert np.isfinite(paths.values[-1, 0]) == followed


@pytest.mark.parametrize(("shape", "followed"), [(0.6, True), (1.0, False)])
def test_paths_that_lose_at_a_steady_rate_are_given_up(shape, followed):
    # With many terms much may be lost, if ever less: losses of each step are ``shape`` times those of the step before.
    objective = analytic(lambda z: -400 * (1 - shape ** z[:, 0]) if shape < 1 else -160 * z[:, 0], terms=1000)
    paths = profile_paths(objective, np.array([[0.0]]), np.array([[1.0]]), np.arange(1.0, 9.0))
    assert np.isfinite(paths.values[-1, 0]) == followed


@pytest.mark.parametrize(("start", "kind"), [(25.0, "divergence"), (90.0, "elsewhere")])
def test_where_a_singularity_passes_the_maximum(start, kind):
    # The singularity passes the height of the maximum at z = -start.
    objective = analytic(lambda z: np.log(np.exp(-z[:, 0] - start) + np.exp(-(z[:, 0] ** 2) / 2)))
    found = unbounded(point(objective, 0.0, space=line(1, [0])))
    assert kinds(found) == [kind]
    assert found[0].climb.rate == pytest.approx(1.0, rel=1e-3)
    np.testing.assert_allclose(found[0].directions, [[-1.0]])


def test_a_regular_scale_has_no_divergence():
    objective = analytic(lambda z: -10 * (z[:, 0] + np.exp(-2 * z[:, 0]) / 2))
    assert unbounded(point(objective, 0.0, space=line(1, [0]))) == []


@pytest.mark.parametrize(("origin", "found"), [(-3.0, True), (-9.0, False)])
def test_from_far_out_a_divergence_is_seen_from_halfway(origin, found):
    # The objective grows by a nat for each unit of -z; at z = -10 a search has not converged. What lies near is no evidence.
    objective = analytic(lambda z: -z[:, 0])
    at = point(objective, -10.0, origin=np.array([origin]), state="stuck")
    assert bool(_from_the_middle(at)) == found


def power(exponent):
    """A density with an end of its support at z = 1, where it goes as a power of the distance."""

    def value(z):
        with np.errstate(all="ignore"):
            logs = np.log(1.0 - z[:, 0])
        return np.where(z[:, 0].real < 1, exponent * logs - (z[:, 0] - 0.5) ** 2, -np.inf)

    return analytic(value)


@pytest.mark.parametrize(("exponent", "diverges"), [(-0.1, True), (-0.01, False), (0.5, False)])
def test_densities_at_the_end_of_the_support(exponent, diverges):
    climb = climb_to_support(power(exponent), np.array([0.0]), 0.0, Space.unbounded(["x0"]))
    assert (climb is not None) == diverges
    if diverges:
        np.testing.assert_allclose(climb.edge, [1.0], rtol=1e-9)
        assert climb.rate == pytest.approx(-exponent, rel=0.05)


@pytest.mark.parametrize(("size", "found"), [(40, True), (41, False)])
def test_profiles_to_the_support_are_for_moderate_sizes(size, found):
    def value(z):
        with np.errstate(all="ignore"):
            logs = np.log(1.0 - z[:, 0])
        return np.where(z[:, 0].real < 1, -logs - np.sum((z - 0.5) ** 2, axis=1), -np.inf)

    objective = analytic(value, size)
    climb = climb_to_support(objective, np.zeros(size), float(objective.value(np.zeros((1, size)))[0]), line(size))
    assert (climb is not None) == found


@pytest.mark.parametrize(("depth", "local"), [(25.0, True), (0.5, False)])
def test_the_local_maximum_beside_a_divergence(depth, local):
    # The singularity passes the height of the maximum at z = -depth; where that is near there is no maximum.
    objective = analytic(lambda z: np.log(np.exp(-z[:, 0] - depth) + np.exp(-(z[:, 0] ** 2) / 2)))
    verdict = search(objective, np.array([[0.0], [1.0], [-30.0]]), line(1, [0]))
    assert verdict.status == "unbounded"
    assert (verdict.local is not None) == local
    if local:
        assert verdict.local.status == "converged"
        np.testing.assert_allclose(verdict.local.z, 0.0, atol=1e-6)
        np.testing.assert_allclose(verdict.local.covariance, 1.0, rtol=1e-6)
        assert verdict.local.findings[0].kind == "elsewhere"
        # Measured from the maximum, not from where the path began.
        assert verdict.local.findings[0].measured == pytest.approx(depth, abs=0.5)


@pytest.mark.parametrize(("share", "goes_on"), [(0.7, True), (0.3, False)])
def test_a_climb_without_a_transform_goes_on_far_beyond_its_end(share, goes_on):
    objective = without_slope(lambda z: np.where(z[:, 0] < 24, z[:, 0], 24 + share * (z[:, 0] - 24)))
    climb = straight_climb(objective, np.zeros(1), np.ones(1))
    assert climb.points[-1, 0] == 24
    assert _goes_on(point(objective, 30.0, state="running"), climb) == goes_on


@pytest.mark.parametrize(("share", "rising"), [(0.7, True), (0.3, False)])
def test_a_climb_on_which_others_still_gain_as_much(share, rising):
    # The last step of the path, of three units, gains three nats; x1 gains a share of it when it is set free.
    objective = analytic(lambda z: z[:, 0] - 3 * share * (1 - z[:, 1]) ** 2, 2)
    points = np.stack([DISTANCES, np.zeros(len(DISTANCES))], axis=-1)
    climb = climb_through(objective, points, DISTANCES, np.array([1.0, 0.0]))
    assert _is_still_rising(objective, climb) == rising


@pytest.mark.parametrize(("nearest", "found"), [(-5.0, True), (-11.0, False)])
def test_profiles_of_what_lies_far_out_begin_halfway(nearest, found):
    # The objective is defined from -16 to ``nearest``; halfway from the origin to the point is -10.
    objective = without_slope(lambda z: np.where((z[:, 0] > -16) & (z[:, 0] < nearest), -z[:, 0], -np.inf))
    at = point(objective, -20.0, state="stuck")
    assert bool(_from_the_middle(at)) == found


@pytest.mark.parametrize(("loss", "found"), [(400.0, 1), (4000.0, 0)])
def test_bounds_behind_a_large_loss_are_given_up(loss, found):
    objective = without_slope(lambda z: -loss * (z[:, 0] < -1.0))
    assert len(point(objective, 0.0, space=line(1, [0])).edges) == found


@pytest.mark.parametrize("place", [0, 300])
def test_a_scale_is_followed_although_locations_lie_farther_out(place):
    # Each of five observations has its own location, in a unit in which they are hundreds; all share the scale exp(x0).
    y = place * np.arange(1.0, 6.0)
    objective = analytic(lambda z: -5 * z[:, 0] - np.sum((y - z[:, 1:]) ** 2, axis=1) / (2 * np.exp(2 * z[:, 0])), 6)
    at = point(objective, np.append(-20.0, y), space=line(6, logarithms=[0]), origin=np.zeros(6), state="stuck")
    found = _from_the_middle(at)
    assert found.direction.tolist() == [-1, 0, 0, 0, 0, 0]
    assert found.rate == pytest.approx(5, rel=1e-3)


@pytest.mark.parametrize(("moved", "found"), [(8.0, True), (-8.0, True), (3.0, False)])
def test_what_has_run_off_on_a_profile_is_held(moved, found):
    # The profile towards the bound has followed the second coordinate ``moved`` far, where nothing is gained any more.
    objective = analytic(lambda z: -z[:, 0], 2)
    at = point(objective, [0.0, 0.0], space=line(2, [0]))
    points = np.stack([-DISTANCES, np.linspace(0.0, moved, len(DISTANCES))], axis=-1)[:, None]
    at.__dict__["edge_profiles"] = SimpleNamespace(points=points)
    climb = _hidden(at)
    assert (climb is not None) == found
    if found:
        assert climb.rate == pytest.approx(1.0)


@pytest.mark.parametrize(("place", "leads"), [(0, False), (1, True)])
@pytest.mark.parametrize("start", [0.0, 1e3, -1e3])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_coordinate_that_moves_farthest_leads(place, leads, start, sign):
    """It does not matter where a climb begins, nor in which sense coordinates move."""
    points = np.array([[start, 0.0, 0.0], [start - 2.0, 3.0, 0.0], [start + 5.0, -8.0, 0.0]])
    climb = Climb(
        direction=sign * np.eye(3)[place],
        rate=1.0,
        crossing=0.0,
        distances=np.arange(3.0),
        values=np.arange(3.0),
        points=points,
    )
    assert _leads(climb) == leads
