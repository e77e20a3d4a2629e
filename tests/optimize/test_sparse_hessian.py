"""Hessians from few products: the same as whole ones, whatever their zeros."""

import numpy as np
import pytest

from pp_mlekl.optimize.sparse_hessian import SparseEvaluation, grouped

SIZE = 24


def quadratics(matrix):
    """Products with the Hessian diag(z) M diag(z), and how many probes each call was given."""
    counted = []

    def products(z, probes):
        counted.append(len(probes))
        hessian = z[:, :, None] * matrix * z[:, None, :]
        return np.zeros(len(z)), np.zeros_like(z), probes @ hessian

    return products, counted


def pattern(kind):
    rng = np.random.default_rng(3)
    place = np.arange(SIZE)
    apart = np.abs(place[:, None] - place)
    nonzero = {
        "diagonal": apart == 0,
        "blocks": place[:, None] // 3 == place // 3,
        "band": apart <= 2,
        "arrow": (apart == 0) | (place < 2) | (place[:, None] < 2),
        "dense": apart >= 0,
    }[kind]
    matrix = np.where(nonzero, rng.normal(size=(SIZE, SIZE)), 0.0)
    return matrix + matrix.T


@pytest.mark.parametrize(("kind", "probes"), [("diagonal", 1), ("blocks", 3), ("band", 5), ("arrow", 3), ("dense", 24)])
def test_matrix_is_recovered_from_its_groups(kind, probes):
    matrix = pattern(kind)
    groups = grouped(matrix != 0)
    assert len(groups.probes) == probes
    np.testing.assert_array_equal(groups.matrix(groups.probes @ matrix), matrix)


@pytest.mark.parametrize("kind", ["diagonal", "blocks", "band", "arrow", "dense"])
def test_evaluation_is_exact(kind):
    matrix = pattern(kind)
    products, counted = quadratics(matrix)
    evaluate = SparseEvaluation(SIZE, products)
    z = np.random.default_rng(1).normal(size=(4, SIZE))
    for points in (z[:2], z[2:], z):
        hessian = evaluate(points)[2]
        np.testing.assert_allclose(hessian, points[:, :, None] * matrix * points[:, None, :], rtol=1e-12, atol=1e-14)
    assert counted[0] == SIZE
    assert counted[-1] == (SIZE if kind == "dense" else len(grouped(matrix != 0).probes) + 1)


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e4])
def test_entries_that_were_zero_at_first_are_found(size):
    matrix = pattern("blocks")
    matrix[0, -1] = matrix[-1, 0] = 0.01
    scale = np.where(np.arange(SIZE) == 0, size, 1.0)
    matrix = matrix * scale[:, None] * scale
    products, counted = quadratics(matrix)
    evaluate = SparseEvaluation(SIZE, products)
    first = np.ones((1, SIZE))
    first[0, 0] = 0.0
    evaluate(first)
    later = np.random.default_rng(2).normal(size=(3, SIZE))
    for _ in range(2):
        np.testing.assert_allclose(
            evaluate(later)[2], later[:, :, None] * matrix * later[:, None, :], rtol=1e-11, atol=1e-13 * size
        )
    assert counted[2] == SIZE
    assert counted[-1] < SIZE / 2
