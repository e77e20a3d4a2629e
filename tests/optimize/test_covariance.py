"""What a verdict reports: values, and standard errors where directions are regular."""

from dataclasses import replace

import numpy as np
import pytest
from plain_objectives import line

from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.covariance import reported, reported_values
from pp_mlekl.optimize.parameter_space import Space


def verdict(irregular):
    none = np.zeros((0, 2))
    return Verdict(
        status="boundary",
        z=np.zeros(2),
        value=0.0,
        gradient=np.zeros(2),
        hessian=-np.eye(2),
        warnings=(),
        null=none,
        run_off=none,
        covariance=np.diag([4.0, 0.0]),
        irregular=np.array(irregular),
    )


@pytest.mark.parametrize("unit", 10.0 ** np.arange(-12, 13, 6))
@pytest.mark.parametrize("length", [1e-6, 1.0, 1e6])
def test_what_an_irregular_direction_moves_has_no_standard_error_in_any_unit(unit, length):
    # The other parameter is moved by rounding alone.
    found = reported(verdict([[1e-9 * length, length]]), line(2), unit * np.eye(2))
    np.testing.assert_allclose(found.covariance[0, 0], 4.0 * unit**2, rtol=1e-12)
    assert np.isnan(found.covariance[1]).all()
    assert np.isnan(found.covariance[:, 1]).all()


@pytest.mark.parametrize("unit", 10.0 ** np.arange(-12, 13, 6))
def test_values_without_a_jacobian_are_moved_in_any_unit(unit):
    # The direction moves the second value, which has no limit, and the first by rounding alone.
    space = Space(
        natural=lambda z: unit * np.stack([3.0 + z[:, 0], 2.0 + np.arcsinh(z[:, 1])], axis=-1),
        names=["a", "b"],
        coordinates=["a", "b"],
        transformed=np.array([False, False]),
    )
    at = replace(verdict([[0.0, 1.0]]), status="at_infinity", run_off=np.array([[1e-9, 1.0]]))
    values = reported_values(at, space)
    assert values[0] == 3.0 * unit
    assert np.isnan(values[1])


def test_parts_of_a_direction_are_compared_in_the_coordinates_units():
    units = np.array([1.0, 1e-10])
    found = reported(replace(verdict([[1.0, 1e-10]]), units=units), line(2), np.eye(2))
    assert np.isnan(found.covariance).all()
    found = reported(replace(verdict([[1.0, 1e-18]]), units=units), line(2), np.eye(2))
    assert np.isnan(np.diagonal(found.covariance)).tolist() == [True, False]
