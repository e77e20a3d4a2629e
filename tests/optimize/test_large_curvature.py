"""The curvature of a large problem against the same matrix as a whole."""

import numpy as np
import pytest

from pp_mlekl.optimize.large_curvature import LargeCurvature
from pp_mlekl.optimize.objective import Objective

SIZE = 120


def at_the_peak(matrix):
    """The curvature of -z' A z / 2 by products with A only."""
    size = len(matrix)

    def evaluate(order, z, rows):
        return (-np.sum(z * (z @ matrix), axis=1) / 2, -z @ matrix)[: order + 1]

    objective = Objective(size=size, evaluate=evaluate, product=lambda z, vectors: -vectors @ matrix)
    return LargeCurvature(objective=objective, z=np.zeros(size))


def tridiagonal(size=SIZE, lowest=1.0):
    """Own curvatures from 1 to 100, of which the first is as given."""
    own = np.geomspace(1.0, 100.0, size)
    beside = 0.3 * np.sqrt(own[1:] * own[:-1])
    own[0], beside[0] = lowest, 0.0
    return np.diag(own) + np.diag(beside, 1) + np.diag(beside, -1)


def dense(size=260):
    generator = np.random.default_rng(3)
    vectors = generator.normal(size=(size, size))
    return np.eye(size) + vectors @ vectors.T / size


def test_a_matrix_of_few_entries_is_kept():
    matrix = tridiagonal()
    found = at_the_peak(matrix)
    np.testing.assert_allclose(found.matrix.toarray(), matrix, rtol=1e-14)
    assert found.matrix.nnz == 3 * SIZE - 4
    np.testing.assert_allclose(found.scale, 1 / np.sqrt(np.diagonal(matrix)), rtol=1e-14)
    assert found.positive
    rows = np.random.default_rng(1).normal(size=(3, SIZE))
    np.testing.assert_allclose(found.solve(rows), np.linalg.solve(matrix, rows.T).T, rtol=1e-10)


def test_a_matrix_of_many_entries_is_not():
    """Two products for each of which every row has 260 entries."""
    matrix = dense()
    found = at_the_peak(matrix)
    assert found.matrix is None
    # Estimates of the diagonal from products with random signs.
    assert np.corrcoef(found.scale, 1 / np.sqrt(np.diagonal(matrix)))[0, 1] > 0
    rows = np.random.default_rng(1).normal(size=(2, len(matrix)))
    np.testing.assert_allclose(found.solve(rows), np.linalg.solve(matrix, rows.T).T, rtol=1e-7, atol=1e-9)
    assert at_the_peak(dense(200)).matrix is not None
    negative = at_the_peak(-matrix).solve(rows)
    assert np.isnan(negative).all()
    zero = at_the_peak(matrix).solve(np.zeros((1, len(matrix))))
    assert not zero.any()


@pytest.mark.parametrize(("lowest", "positive"), [(1.0, True), (-1.0, False), (0.0, False)])
def test_whether_a_negative_hessian_is_positive(lowest, positive):
    found = at_the_peak(tridiagonal(lowest=lowest))
    assert found.positive == positive
    # Without own curvature a coordinate is its own unit.
    assert found.scale[0] == 1.0


def scaled(found, matrix, without=()):
    rest = np.setdiff1d(np.arange(len(matrix)), without)
    return np.linalg.eigvalsh((matrix * found.scale * found.scale[:, None])[np.ix_(rest, rest)])


@pytest.mark.parametrize("lowest", [1.0, -4.0])
@pytest.mark.parametrize("without", [None, np.array([0, 5])])
def test_the_weakest_directions(lowest, without):
    matrix = tridiagonal(lowest=lowest)
    matrix[1, 1] *= 0.2
    matrix[1, 2] = matrix[2, 1] = 0.0
    found = at_the_peak(matrix)
    weakest = found.weakest(without)
    expected = scaled(found, matrix, () if without is None else without)
    np.testing.assert_allclose(weakest.eigenvalues, expected[:8], atol=1e-6)
    np.testing.assert_allclose(weakest.largest, expected[-1], rtol=0.02)
    assert weakest.complete
    np.testing.assert_allclose(np.linalg.norm(weakest.vectors, axis=1), 1.0, rtol=1e-12)
    images = weakest.vectors @ (matrix * found.scale * found.scale[:, None])
    if without is None:
        np.testing.assert_allclose(images, weakest.eigenvalues[:, None] * weakest.vectors, atol=1e-4)
    else:
        assert np.abs(weakest.vectors[:, without]).max() < 1e-6


@pytest.mark.parametrize(("flat", "count"), [(7, 8), (8, 16), (17, 32)])
def test_as_many_weak_directions_as_are_flat_and_some_more(flat, count):
    matrix = np.diag(np.linspace(1.0, 2.0, SIZE))
    # An eigenvalue of none in each of some pairs.
    for k in range(flat):
        own = np.sqrt(matrix[2 * k, 2 * k] * matrix[2 * k + 1, 2 * k + 1])
        matrix[2 * k, 2 * k + 1] = matrix[2 * k + 1, 2 * k] = own
    found = at_the_peak(matrix).weakest()
    assert len(found.eigenvalues) == count
    assert np.sum(np.abs(found.eigenvalues) < 1e-8) == flat


def test_no_more_weak_directions_than_lanczos_finds():
    """Ten flat ones among 15, of which at most 13 are looked for."""
    matrix = np.kron(np.eye(5), np.ones((3, 3)))
    found = at_the_peak(matrix).weakest()
    assert len(found.eigenvalues) == 13
    np.testing.assert_allclose(found.eigenvalues[[0, 8, -1]], [0.0, 0.0, 3.0], atol=1e-6)
