"""Linear programmes against certificates in rational arithmetic, and against data whose separation is known."""

import csv
from fractions import Fraction

import numpy as np
import pytest
from shared import shared_path

from pp_mlekl.optimize.audit.linear_existence import LinearTolerances, UndecidedError, linear_existence


def eliminated(matrix, columns):
    """Reduced row echelon form of rows of fractions, and its pivots, which are chosen among ``columns``."""
    rows, pivots = [list(row) for row in matrix], []
    for column in columns:
        at = len(pivots)
        pivot = next((i for i in range(at, len(rows)) if rows[i][column] != 0), None)
        if pivot is None:
            continue
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [value / rows[at][column] for value in rows[at]]
        for i, row in enumerate(rows):
            if i != at and row[column] != 0:
                rows[i] = [value - row[column] * first for value, first in zip(row, rows[at], strict=True)]
        pivots.append(column)
    return rows, pivots


def exactly(values):
    return [Fraction(float(v)) for v in values]


def solution_near(matrix, guess):
    """An exact solution x of ``matrix @ x = 0`` whose coordinates that may be chosen are those of the guess."""
    size = len(guess)
    # Pivots on the largest coordinates, which change the least relative to their size.
    rows, pivots = eliminated(matrix, sorted(range(size), key=lambda j: -abs(guess[j])))
    x = exactly(guess)
    for row, pivot in zip(rows, pivots, strict=False):
        x[pivot] = -sum((row[j] * x[j] for j in range(size) if j != pivot and row[j] != 0), Fraction(0))
    return x


def dot(row, x):
    return sum((a * b for a, b in zip(row, x, strict=True) if a and b), Fraction(0))


def assert_certified(rows, found, equal=None):
    """Prove in rational arithmetic that the separated rows are separated, and that no other can be."""
    exact = [exactly(row) for row in rows]
    equal = np.zeros(len(rows), dtype=bool) if equal is None else equal
    others = [row for row, s in zip(exact, found.separated, strict=True) if not s]
    direction = solution_near(others, found.direction)
    assert all((dot(row, direction) > 0) == s for row, s in zip(exact, found.separated, strict=True))
    left = np.flatnonzero(~found.separated & np.any(rows != 0, axis=1))
    columns = [[exact[i][j] for i in left] for j in range(rows.shape[1])]
    multipliers = solution_near(columns, found.multipliers[left])
    assert all(m > 0 for m, i in zip(multipliers, left, strict=True) if not equal[i])


def logistic(x, y):
    return np.where(y == 1, 1.0, -1.0)[:, None] * x


def multinomial(x, y, categories):
    """The first category is the reference; rows say that the linear predictor of the response exceeds another."""
    rows = []
    for xi, yi in zip(x, y, strict=True):
        predictors = np.kron(np.eye(categories)[:, 1:], xi)
        rows.extend(predictors[yi] - predictors[k] for k in range(categories) if k != yi)
    return np.array(rows)


def ordinal(x, y, categories):
    """Cumulative model: parameters are the cutpoints and the slopes."""
    cut = np.eye(categories - 1)
    rows = [np.append(cut[yi], -xi) for xi, yi in zip(x, y, strict=True) if yi < categories - 1]
    rows += [-np.append(cut[yi - 1], -xi) for xi, yi in zip(x, y, strict=True) if yi > 0]
    slopes = x.shape[1]
    order = [np.append(cut[k + 1] - cut[k], np.zeros(slopes)) for k in range(categories - 2)]
    return np.array(rows + order)


def poisson(x, y):
    return np.where((y > 0)[:, None], x, -x), y > 0


def design(name):
    with shared_path(f"separation/{name}").open() as file:
        data = list(csv.DictReader(file))
    columns = {key: np.array([float(row[key]) for row in data]) for key in data[0]}
    x = [np.ones(len(data)), *(v for k, v in columns.items() if k.startswith("x"))]
    for key, value in columns.items():
        if key.startswith("id"):
            x.extend((value == level).astype(float) for level in np.unique(value)[1:])
    return np.stack(x, axis=1), columns["y"], columns.get("separated")


@pytest.mark.parametrize("name", [f"{k:02d}.csv" for k in (1, 2, 3, 4, 5, 7, 8, 10, 11, 13, 15, 17)])
def test_published_separated_rows(name):
    x, y, separated = design(name)
    rows, equal = poisson(x, y)
    found = linear_existence(rows, equal)
    np.testing.assert_array_equal(found.separated, separated == 1)
    assert_certified(rows, found, equal)


def test_first_example_of_the_guide():
    x, y, _ = design("example1.csv")
    rows, equal = poisson(x, y)
    found = linear_existence(rows, equal)
    assert found.signs.tolist() == [0, -1, 1, 0, 0]
    assert_certified(rows, found, equal)


@pytest.mark.parametrize(("n", "p"), [(85, 65), (390, 100), (100, 390), (30, 2)])
def test_complete_separation_of_any_size(n, p):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, p))
    rows = logistic(x, (x @ rng.normal(size=p) > 0).astype(int))
    found = linear_existence(rows)
    assert found.separated.all()
    assert not found.exists
    assert len(found.undetermined) == p
    assert len(found.null) == max(0, p - n)
    assert np.all(rows @ found.direction > 0)


def test_one_row_short_of_separation():
    x = np.stack([np.ones(6), np.arange(6.0)], axis=1)
    separated = linear_existence(logistic(x, np.array([0, 0, 0, 1, 1, 1])))
    overlapping = linear_existence(logistic(x, np.array([0, 0, 1, 0, 1, 1])))
    assert separated.separated.all()
    assert separated.signs.tolist() == [-1, 1]
    assert overlapping.exists
    assert overlapping.identified
    assert overlapping.signs.tolist() == [0, 0]
    assert_certified(logistic(x, np.array([0, 0, 1, 0, 1, 1])), overlapping)


def test_quasi_complete_separation_by_a_dummy():
    dummy = np.append(np.zeros(30), 1.0)
    x, y = np.stack([np.ones(31), dummy], axis=1), np.append(np.tile([0, 1, 1], 10), 1)
    found = linear_existence(logistic(x, y))
    assert np.flatnonzero(found.separated).tolist() == [30]
    assert found.signs.tolist() == [0, 1]
    assert found.direction.tolist() == [0, 1]


def test_aliased_columns_and_empty_columns():
    x = np.stack([np.ones(8), np.arange(8.0), 2 * np.arange(8.0) + 1, np.zeros(8)], axis=1)
    rows = logistic(x, np.array([0, 1, 0, 1, 0, 1, 0, 1]))
    found = linear_existence(rows)
    assert found.exists
    assert not found.identified
    assert len(found.null) == 2
    np.testing.assert_allclose(rows @ found.null.T, 0, atol=1e-12)
    assert np.isnan(found.signs).tolist() == [True, True, True, True]


def test_aliased_columns_within_a_separation():
    x = np.stack([np.ones(8), np.arange(8.0), np.arange(8.0)], axis=1)
    found = linear_existence(logistic(x, (np.arange(8) > 3).astype(int)))
    assert not found.exists
    assert len(found.null) == 1
    assert len(found.undetermined) == 3
    assert found.signs[0] == -1
    assert np.isnan(found.signs[1:]).all()


def test_ordered_logit_whose_second_cutpoint_follows_the_slope():
    rows = ordinal(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 1, 2]), 3)
    found = linear_existence(rows)
    assert found.signs.tolist() == [0, 1, 1]
    assert_certified(rows, found)


def test_ordered_logit_of_an_empty_last_category():
    rows = ordinal(np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([0, 1, 1, 0]), 3)
    assert linear_existence(rows).signs.tolist() == [0, 1, 0]


def test_multinomial_logit_names_the_intercept():
    x = np.stack([np.ones(10), np.repeat([0.0, 1.0], 5)], axis=1)
    found = linear_existence(multinomial(x, np.array([2] * 5 + [0, 0, 0, 1, 1]), 3))
    # Parameters: intercept and slope of the second category, then of the third.
    assert found.signs[2:].tolist() == [1, -1]
    assert np.isnan(found.signs[:2]).all()


def test_units_of_columns_and_of_rows_do_not_matter():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 3))
    rows = logistic(x, (x[:, 0] + 0.3 * rng.normal(size=40) > 0).astype(int))
    units, order = np.array([1e-12, 1.0, 1e12]), rng.permutation(40)
    plain = linear_existence(rows)
    scaled = linear_existence((rows * units * rng.uniform(1e-6, 1e6, size=(40, 1)))[order])
    np.testing.assert_array_equal(scaled.separated, plain.separated[order])
    np.testing.assert_array_equal(scaled.signs, plain.signs)


def test_rotated_columns_have_the_same_separated_rows():
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(31), rng.normal(size=(31, 3)), np.append(np.zeros(30), 1.0)])
    rows = logistic(x, rng.integers(0, 2, size=31))
    turned = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    plain, rotated = linear_existence(rows), linear_existence(rows @ turned)
    assert plain.separated.sum() == 1
    np.testing.assert_array_equal(rotated.separated, plain.separated)


def test_programme_and_newton_agree_on_overlapping_rows():
    rng = np.random.default_rng(2)
    for _ in range(50):
        x = rng.normal(size=(24, 6))
        rows = logistic(x, rng.integers(0, 2, size=24))
        by_newton = linear_existence(rows)
        by_programme = linear_existence(rows, tolerances=LinearTolerances(newton_steps=0))
        np.testing.assert_array_equal(by_newton.separated, by_programme.separated)
        for found in (by_newton, by_programme):
            np.testing.assert_allclose(found.multipliers @ rows, 0, atol=1e-8 * np.abs(found.multipliers).max())
            assert np.all(found.multipliers[~found.separated] > 0)
            assert np.all(found.multipliers[found.separated] == 0)


@pytest.mark.parametrize(("shift", "exists"), [(1e-6, False), (0.0, False), (-1e-6, True)])
def test_either_side_of_separation(shift, exists):
    # The classes are apart by the shift, touch in one point (where only the others are separated), or overlap.
    x = np.array([-2.0, -1.0, 0.0, shift, 1.0, 2.0])
    rows = logistic(np.stack([np.ones(6), x], axis=1), np.array([0, 0, 0, 1, 1, 1]))
    found = linear_existence(rows)
    assert found.exists == exists
    assert found.separated.sum() == (0 if exists else 6 if shift else 4)
    assert_certified(rows, found)


def test_a_difference_of_columns_in_the_last_bits_does_not_separate():
    noise = 1e-15 * np.array([1, -1, 1, -1, 1, -1])
    x = np.stack([np.ones(6), np.arange(6.0), np.arange(6.0) * (1 + noise)], axis=1)
    found = linear_existence(logistic(x, np.array([1, 0, 1, 0, 1, 0])))
    assert found.exists
    assert len(found.null) == 1


def test_a_direction_that_moves_other_rows_is_refused():
    x = np.stack([np.ones(8), np.arange(8.0), np.append(np.zeros(7), 1.0)], axis=1)
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    rows = logistic(x @ turned, np.array([1, 0, 1, 0, 1, 0, 1, 1]))
    assert linear_existence(rows).separated.sum() == 1
    with pytest.raises(UndecidedError):
        # Nothing is then taken to be determined by the other rows.
        linear_existence(rows, tolerances=LinearTolerances(rank=1.0))


def draws(kind, rng):
    """A random data set near the threshold of existence, as rows, and which of them must be equalities."""
    n, p = (
        24,
        int(rng.integers(*{"logistic": (6, 18), "poisson": (8, 18), "multinomial": (4, 12), "ordinal": (6, 18)}[kind])),
    )
    # Short fractions keep rational arithmetic fast.
    x = np.column_stack([np.ones(n), rng.integers(-64, 65, size=(n, p - 1)) / 64])
    if kind == "logistic":
        return logistic(x, rng.integers(0, 2, size=n)), None
    if kind == "poisson":
        return poisson(x, rng.poisson(0.4, size=n).astype(float))
    y = np.append(np.arange(3), rng.integers(0, 3, size=n - 3))
    return (multinomial(x, y, 3) if kind == "multinomial" else ordinal(x[:, 1:], y, 3)), None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["logistic", "poisson", "multinomial", "ordinal"])
def test_a_thousand_data_sets_near_the_threshold_in_rational_arithmetic(kind):
    rng = np.random.default_rng(20)
    existing = 0
    for _ in range(1000):
        rows, equal = draws(kind, rng)
        found = linear_existence(rows, equal)
        assert_certified(rows, found, equal)
        existing += found.exists
    assert 100 < existing < 900
