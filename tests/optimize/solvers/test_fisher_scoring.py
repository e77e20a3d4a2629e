"""Fisher scoring on functions whose maximum is known: where it stops, and why."""

import numpy as np
import pytest

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.fisher_scoring import score_upwards

PEAK = np.array([1.0, -2.0])


def peak(information=None, sign=1.0):
    def evaluate(order, z, rows):
        return (-np.sum(np.cosh(z - PEAK), axis=1), -sign * np.sinh(z - PEAK))[: order + 1]

    return Objective(size=2, evaluate=evaluate, derivatives=1, information=information or (lambda z: 1.5 * np.eye(2)))


def test_the_maximum_is_found_and_the_trail_leads_up_to_it():
    end = score_upwards(peak(), np.zeros(2))
    assert end.state == "stationary"
    np.testing.assert_allclose(end.z, PEAK, atol=1e-6)
    np.testing.assert_allclose(end.gradient, 0.0, atol=1e-6)
    assert end.value == pytest.approx(-2.0)
    values = [value for _, value in end.trail]
    assert all(np.diff(values) >= 0)
    assert end.trail[0][0].tolist() == [0.0, 0.0]
    assert end.trail[-1][1] == end.value


@pytest.mark.parametrize("direction", [[1.0, 0.0], [0.6, 0.8]])
def test_along_a_held_direction_nothing_moves(direction):
    held = np.array(direction)
    end = score_upwards(peak(), np.zeros(2), held=held)
    assert end.state == "stationary"
    assert end.z @ held == pytest.approx(0.0, abs=1e-12)
    # On the line that is left the gradient has no component.
    across = np.array([-held[1], held[0]])
    assert -np.sinh(end.z - PEAK) @ across == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("reach", "state"), [(1.5, "ran"), (5.0, "stationary")])
def test_beyond_its_reach_the_search_is_given_up(reach, state):
    end = score_upwards(peak(), np.zeros(2), reach=np.full(2, reach))
    assert end.state == state
    assert (np.abs(end.z).max() > reach) == (state == "ran")


def test_without_an_information_the_search_is_stuck():
    end = score_upwards(peak(lambda z: np.full((2, 2), np.nan)), np.zeros(2))
    assert end.state == "stuck"
    assert end.z.tolist() == [0.0, 0.0]


def test_a_gradient_that_leads_downhill_is_no_way_up():
    end = score_upwards(peak(sign=-1.0), np.zeros(2))
    assert end.state == "stuck"
    np.testing.assert_allclose(end.z, 0.0, atol=1e-6)


def test_a_wrong_scale_of_the_information_costs_steps_alone():
    small, right = (score_upwards(peak(lambda z, s=s: s * np.eye(2)), np.zeros(2)) for s in (0.05, 1.5))
    assert small.state == right.state == "stationary"
    np.testing.assert_allclose(small.z, right.z, atol=1e-5)
    assert small.iterations > right.iterations


def test_a_decrement_that_grows_on_the_way_is_no_stall():
    """Far from the peak of -log(1 + z²) slopes rise towards it for dozens of steps."""
    objective = Objective(
        size=1,
        evaluate=lambda order, z, rows: (-np.log1p(z[:, 0] ** 2), -2 * z / (1 + z**2))[: order + 1],
        derivatives=1,
        information=lambda z: np.full((1, 1), 0.05 if abs(z[0]) > 2 else 2.0),
    )
    end = score_upwards(objective, np.array([20.0]))
    assert end.state == "stationary"
    np.testing.assert_allclose(end.z, 0.0, atol=1e-5)
    assert len(end.trail) > 20


def test_short_steps_are_taken_to_the_end():
    """An information three times too large leaves two thirds of the way at each step, also where values no longer change."""
    end = score_upwards(peak(lambda z: 3 * np.eye(2)), np.zeros(2))
    assert end.state == "stationary"
    assert end.decrement <= 1e-20
    np.testing.assert_allclose(end.z, PEAK, atol=1e-9)
