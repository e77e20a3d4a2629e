"""Sandwich errors and degrees of freedom of influences, and parameters with a coordinate of their own."""

import numpy as np
import pytest
from scipy import stats

from pp_mlekl.optimize.sandwich import RobustError, one_to_one, robust_error


def test_the_error_is_the_root_of_the_sum_of_squares_and_its_freedom_satterthwaites():
    influence = np.array([[1.0, 2.0], [-3.0, 2.0], [0.5, -2.0]])
    found = robust_error(influence, np.ones(3))
    np.testing.assert_allclose(found.standard_error, np.sqrt([10.25, 12.0]))
    square = influence[:, 0] ** 2
    np.testing.assert_allclose(found.degrees_of_freedom, [2 * 10.25**2 / np.sum((square - square.mean()) ** 2), np.inf])


def test_weights_count_observations():
    influence = np.array([[1.0], [-3.0], [0.5]])
    repeated = robust_error(np.repeat(influence, [2, 1, 3], axis=0), np.ones(6))
    weighted = robust_error(influence, np.array([2, 1, 3]))
    np.testing.assert_allclose(weighted.standard_error, repeated.standard_error)
    np.testing.assert_allclose(weighted.degrees_of_freedom, repeated.degrees_of_freedom)
    batch = robust_error(np.stack([influence, 2 * influence]), np.array([[2, 1, 3], [1, 1, 1]]))
    np.testing.assert_allclose(batch.standard_error[0], weighted.standard_error)
    np.testing.assert_allclose(batch.standard_error[1], 2 * np.sqrt([10.25]))


def test_what_is_not_known_is_infinitely_free():
    assert np.isinf(robust_error(np.zeros((3, 1)), np.ones(3)).degrees_of_freedom)


@pytest.mark.parametrize("prob", [0.5, 0.95])
def test_half_widths_are_those_of_students_t(prob):
    error = RobustError(standard_error=np.array([2.0, 3.0]), degrees_of_freedom=np.array([4.0, np.inf]))
    expected = [2 * stats.t(4).ppf(0.5 + prob / 2), 3 * stats.norm.ppf(0.5 + prob / 2)]
    np.testing.assert_allclose(error.half_width(prob), expected)


def test_parameters_that_have_a_coordinate_to_themselves():
    jacobian = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, -3.0], [0.0, 0.0, 0.0]])
    assert [part.tolist() for part in one_to_one(jacobian)] == [[0], [1]]
    assert [part.tolist() for part in one_to_one(np.diag([1.0, -1.0])[::-1])] == [[0, 1], [1, 0]]
    assert [part.tolist() for part in one_to_one(np.array([[1.0], [2.0]]))] == [[], []]
