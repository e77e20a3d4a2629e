"""Small matrices written out: the same values and gradients as linear algebra."""

import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor import function
from pytensor.gradient import grad
from pytensor.graph.traversal import toposort

from pp_mlekl.pymc_model.rewrites.small_matrices import without_small_linalg

GENERATOR = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("lower", "rows"),
    [
        pytest.param(lower, rows, marks=[pytest.mark.slow] * ((lower, rows) in ((False, 1), (True, 2))))
        for lower in (True, False)
        for rows in (1, 2, 3)
    ],
)
def test_values_and_gradients_are_those_of_linear_algebra(rows, lower):
    a, b, c = pt.tensor("a", shape=(rows, rows)), pt.tensor("b", shape=(5, rows)), pt.tensor("c", shape=(rows, 2))
    factor = pt.linalg.cholesky(a, lower=lower)
    vectors = pt.linalg.solve_triangular(factor, b, lower=lower, b_ndim=1)
    columns = pt.linalg.solve_triangular(factor, c, lower=lower, b_ndim=2)
    total = pt.sum(vectors**3) + pt.sum(pt.sin(columns)) + pt.sum(pt.log(pt.diagonal(factor)))
    plain = without_small_linalg([total])[0]
    names = [str(node.op) for node in toposort([plain])]
    assert not any("Cholesky" in name or "Triangular" in name for name in names)
    root = GENERATOR.normal(size=(rows, rows))
    values = [root @ root.T + np.eye(rows), GENERATOR.normal(size=(5, rows)), GENERATOR.normal(size=(rows, 2))]
    found, exact = (function([a, b, c], [t, *grad(t, [a, b, c])], mode="FAST_COMPILE")(*values) for t in (plain, total))
    np.testing.assert_allclose(found[0], exact[0], rtol=1e-12)
    # Of a symmetric matrix linear algebra reads one triangle; its gradient is spread over both.
    np.testing.assert_allclose(found[1] + found[1].T, exact[1] + exact[1].T, rtol=1e-9, atol=1e-12)
    for one, other in zip(found[2:], exact[2:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_indefinite_matrices_give_nan_and_larger_matrices_are_not_rewritten():
    a = pt.tensor("a", shape=(2, 2))
    found = without_small_linalg([pt.linalg.cholesky(a)])[0].eval(
        {a: np.array([[1.0, 2.0], [2.0, 1.0]])}, mode="FAST_COMPILE"
    )
    assert np.isnan(found[1, 1])
    large = pt.linalg.cholesky(pt.tensor("large", shape=(4, 4)))
    assert without_small_linalg([large])[0] is large
