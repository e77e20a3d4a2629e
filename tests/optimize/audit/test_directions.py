"""Directions in words, and combinations that are identified."""

import numpy as np
import pytest

from pp_mlekl.optimize.audit.directions import (
    combination,
    identified_combinations,
    involved,
    reduced_rows,
    simplest,
)

NAMES = list("abcdefgh")


@pytest.mark.parametrize(
    ("coefficients", "text"),
    [
        ([0.6, 0.0, -1.8], "a - 3 c"),
        ([0.0, -2.0, 1.0], "b - 0.5 c"),
        ([1.0, 1.0], "a + b"),
        ([3.0, -3.001], "a - b"),
        ([3.0, -3.1], "a - 1.03 b"),
        ([1.0, 1.1e-5], "a + 1.1e-05 b"),
        ([1.0, 0.9e-5], "a"),
        ([0.9e-5, 1.0], "b"),
        ([1.0] * 6, "a + b + c + d + e + f"),
        ([1.0] * 7, "a + b + c + d + e + f + 1 more"),
        ([1.0] * 8, "a + b + c + d + e + f + 2 more"),
    ],
)
def test_a_combination_begins_with_its_first_coefficient_1(coefficients, text):
    assert combination(np.array(coefficients), NAMES) == text


def test_a_combination_names_as_many_as_wanted():
    assert combination(np.ones(4), NAMES, 2) == "a + b + 2 more"


@pytest.mark.parametrize(("size", "places"), [(1.1e-5, [0, 1, 2]), (0.9e-5, [0, 2])])
def test_what_takes_part_in_a_null_space(size, places):
    null = np.array([[1.0, -size, 0.0, 0.0], [0.0, size / 2, -1.0, 0.0]])
    assert involved(null).tolist() == places


def test_what_is_identified_of_a_null_space():
    assert identified_combinations(np.array([[1.0, -1.0, 0.0]]) / np.sqrt(2), ["b[0]", "b[1]", "c"]) == ["b[0] + b[1]"]
    # The coefficients of (1, -1, 0, ...) and (0, 1, -1, ...) leave the sum of the three.
    null = np.linalg.qr(np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]]).T)[0].T
    assert identified_combinations(null, NAMES) == ["a + b + c"]
    # A sum of six that is not seen leaves five differences from the last; four are named.
    six = -np.ones((1, 6)) / np.sqrt(6)
    assert identified_combinations(six, NAMES) == ["a - f", "b - f", "c - f", "d - f"]
    assert identified_combinations(six, NAMES, 2) == ["a - f", "b - f"]
    assert identified_combinations(np.eye(2), NAMES) == []


@pytest.mark.parametrize(
    ("matrix", "reduced"),
    [
        ([[2.0, 4.0], [1.0, 3.0]], [[1, 0], [0, 1]]),
        ([[0.0, 2.0, 4.0], [0.0, 1.0, 2.0]], [[0, 1, 2], [0, 0, 0]]),
        ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1, 0, -1], [0, 1, 2]]),
        ([[0.0, 1.0], [1.0, 0.0]], [[1, 0], [0, 1]]),
        # A column of rounding has no pivot.
        ([[0.9e-8, 1.0]], [[0.9e-8, 1]]),
        ([[1.1e-8, 1.0]], [[1, 1 / 1.1e-8]]),
        ([[1.0, 0.9e-10]], [[1, 0]]),
        ([[1.0, 1.1e-10]], [[1, 1.1e-10]]),
    ],
)
def test_reduced_rows(matrix, reduced):
    given = np.array(matrix)
    np.testing.assert_allclose(reduced_rows(given), reduced, atol=1e-14)
    np.testing.assert_array_equal(given, matrix)


def unit(*numbers):
    return np.array(numbers) / np.linalg.norm(numbers)


@pytest.mark.parametrize(
    ("direction", "near", "expected"),
    [
        ((1.0, -0.50003), 1e-4, (2, -1)),
        ((1.0, -0.5003), 1e-4, None),
        ((1.0, -0.5003), 1e-2, (2, -1)),
        ((1.0, 0.00009), 1e-4, (1, 0)),
        ((1.0, 0.00011), 1e-4, None),
        ((1.0, 5 / 6), 1e-4, (6, 5)),
        ((7.0, 6.0003), 1e-4, None),
        # 2/3 of the largest, off by 1.9e-4, times 3.
        ((3.0, 2.00028), 1e-4, (3, 2)),
        ((3.0, 2.00032), 1e-4, None),
        ((-1.0, 1.0), 1e-4, (-1, 1)),
    ],
)
def test_ratios_near_small_whole_numbers_are_these(direction, near, expected):
    given = unit(*direction)
    np.testing.assert_allclose(
        simplest(given[None], near)[0], given if expected is None else unit(*expected), rtol=1e-12
    )


def test_ratios_are_looked_at_to_four_digits():
    np.testing.assert_array_equal(simplest(unit(1.0, -0.50003)[None])[0], unit(2, -1))
    np.testing.assert_array_equal(simplest(unit(1.0, -0.5003)[None])[0], unit(1.0, -0.5003))
