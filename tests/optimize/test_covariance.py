"""What a verdict reports: values, and standard errors where directions are regular."""

from dataclasses import replace

import numpy as np
import pytest
from plain_objectives import line

from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.covariance import Settled, reported, reported_values
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


def edges(status="boundary", **fields):
    """x0 is a scale whose logarithm runs off, x1 a plain number."""
    return replace(
        verdict(np.zeros((0, 2))), status=status, run_off=np.array([[-1.0, 0.0]]), z=np.array([0.5, 3.0]), **fields
    )


def test_values_at_a_bound_and_at_infinity():
    space, covariance = line(2, logarithms=(0,)), np.diag([0.0, 4.0])
    found = reported(edges(covariance=covariance), space, np.eye(2))
    assert found.values.tolist() == [0.0, 3.0]
    np.testing.assert_array_equal(found.covariance, [[np.nan, np.nan], [np.nan, 4.0]])
    np.testing.assert_array_equal(found.flat_covariance, [[np.nan, np.nan], [np.nan, 4.0]])
    up = replace(edges("at_infinity", covariance=covariance), run_off=np.array([[1.0, 0.0]]))
    assert reported(up, space, np.eye(2)).values.tolist() == [np.inf, 3.0]
    down = replace(up, run_off=np.array([[0.0, -1.0]]))
    assert reported(down, space, np.eye(2)).values.tolist() == [np.exp(0.5), -np.inf]
    assert reported_values(up, space).tolist() == [np.inf, 3.0]
    assert reported_values(down, space).tolist() == [np.exp(0.5), -np.inf]
    assert reported_values(edges(), space).tolist() == [0.0, 3.0]


@pytest.mark.parametrize("status", ["unbounded", "failed"])
def test_without_a_maximum_nothing_has_a_value(status):
    found = reported(edges(status), line(2, logarithms=(0,)), np.ones((3, 2)))
    assert found.values.shape == (3,)
    assert found.covariance.shape == (3, 3)
    assert found.flat_covariance.shape == (2, 2)
    for part in (found.values, found.covariance, found.flat_covariance, reported_values(edges(status), line(2))):
        assert np.isnan(part).all()


def test_a_singular_maximum_has_values_without_errors():
    found = reported(replace(verdict(np.zeros((0, 2))), singular=True), line(2), np.eye(2))
    assert found.values.tolist() == [0.0, 0.0]
    assert np.isnan(found.covariance).all()
    assert np.isnan(found.flat_covariance).all()


def test_what_a_direction_to_infinity_moves_without_a_limit_has_a_value_at_a_bound_only():
    """x1 + tanh(x0) moves as x0 runs off."""
    space = Space(
        natural=lambda z: np.stack([z[:, 0], z[:, 1] + np.tanh(z[:, 0] / 1e9)], axis=-1),
        names=["a", "b"],
        coordinates=["a", "b"],
        transformed=np.array([False, False]),
    )
    jacobian = np.array([[1.0, 0.0], [1e-3, 1.0]])
    infinite = replace(edges("at_infinity"), run_off=np.array([[1.0, 0.0]]))
    values = reported(infinite, space, jacobian).values
    assert values[0] == np.inf
    assert np.isnan(values[1])
    assert reported(replace(infinite, status="boundary"), space, jacobian).values[1] == pytest.approx(3.0)


@pytest.mark.parametrize(("part", "known"), [(0.9e-5, True), (1.1e-5, False)])
def test_a_hundred_thousandth_of_a_derivative_is_rounding(part, known):
    found = reported(verdict([[part, 1.0]]), line(2), np.eye(2))
    assert np.isfinite(found.covariance[0, 0]) == known


def settled(**fields):
    none = np.zeros((0, 2))
    given = {
        "covariance": np.array([[2.0, 0.5], [0.5, 1.0]]),
        "flat": none,
        "run_off": none,
        "absent": np.zeros(0, dtype=int),
    }
    return Settled(**given | fields)


def test_quantities_of_a_settled_maximum():
    jacobian = np.array([[1.0, 2.0], [0.0, 1.0]])
    np.testing.assert_allclose(settled().of(jacobian), jacobian @ [[2.0, 0.5], [0.5, 1.0]] @ jacobian.T)
    solved = settled(covariance=np.full((2, 2), np.nan), solve=lambda rows: 3.0 * rows)
    np.testing.assert_allclose(solved.of(jacobian), 3 * jacobian @ jacobian.T)
    assert settled().moved(jacobian).tolist() == [False, False]
    assert settled(flat=np.array([[1.0, 0.0]])).moved(jacobian).tolist() == [True, False]
    # In units of a billionth the first coordinate's part of the direction is as large as the second's.
    flat = np.array([[1e-9, 1.0]])
    assert settled(flat=flat).moved(np.eye(2)).tolist() == [False, True]
    assert settled(flat=flat, units=np.array([1e-9, 1.0])).moved(np.eye(2)).tolist() == [True, True]
