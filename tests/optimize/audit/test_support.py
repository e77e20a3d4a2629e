"""Ends of the support of the data, as one parameter moves there."""

import numpy as np
import pytest
from plain_objectives import analytic, line, without_slope

from pp_mlekl.optimize.audit.support import _of_a_density, climb_to_support

START, EDGE = np.array([0.0]), np.array([1.0])


def of_distance(value):
    """An objective of the distance from an end of the support at 1."""

    def evaluated(z):
        with np.errstate(all="ignore"):
            return np.where(z[:, 0] < 1, value(1.0 - z[:, 0]), -np.inf)

    return without_slope(evaluated)


@pytest.mark.parametrize(("power", "of_a_density"), [(3e-5, True), (-3e-5, True), (3e-6, False)])
def test_the_least_power_of_a_density(power, of_a_density):
    assert _of_a_density(of_distance(lambda d: power * np.log(d)), START, 0.0, EDGE) == of_a_density


@pytest.mark.parametrize(("loss", "of_a_density"), [(3e7, True), (3e8, False)])
def test_an_overflow_is_no_density(loss, of_a_density):
    assert _of_a_density(of_distance(lambda d: -loss + np.log(d)), START, 0.0, EDGE) == of_a_density


@pytest.mark.parametrize(("level", "of_a_density"), [(3e-10, False), (2e-11, True)])
def test_how_near_a_density_is_looked_at(level, of_a_density):
    # Nearer than ``level`` the objective does not change.
    assert _of_a_density(of_distance(lambda d: np.log(np.maximum(d, level))), START, 0.0, EDGE) == of_a_density


def test_where_an_objective_merely_ceases_to_be_defined():
    assert not _of_a_density(of_distance(lambda d: d), START, 0.0, EDGE)


def test_how_near_a_profile_goes():
    def value(z):
        with np.errstate(all="ignore"):
            return np.where(z[:, 0].real < 1, -0.1 * np.log(1.0 - z[:, 0]), -np.inf)

    climb = climb_to_support(analytic(value), START, 0.0, line())
    assert 1.0 - climb.points[-1, 0] == pytest.approx(1e-13, rel=0.1, abs=0)
