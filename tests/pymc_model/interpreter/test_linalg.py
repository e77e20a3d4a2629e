"""Linear algebra of whole batches against PyTensor's own, one matrix after the other."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from pp_mlekl.pymc_model.interpreter.lazy_function import interpreted

RNG = np.random.default_rng(3)


def equal(inputs, output, arguments):
    own = interpreted(inputs, [output])(*arguments)[0]
    theirs = pytensor.function(inputs, output, mode=Mode(linker="py", optimizer=None))(*arguments)
    assert own.shape == theirs.shape
    np.testing.assert_allclose(own, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("b_ndim", [1, 2])
@pytest.mark.parametrize("shared", [True, False])
def test_triangular_systems(lower, b_ndim, shared):
    a, b = pt.dtensor3("a"), pt.dtensor3("b")
    matrices = RNG.normal(size=(1 if shared else 40, 4, 4)) + 3 * np.eye(4)
    rights = RNG.normal(size=(40, 4, 3)) if b_ndim == 2 else RNG.normal(size=(40, 5, 4))
    left = a if b_ndim == 2 else a[:, None]
    if shared:
        left = pt.specify_broadcastable(left, 0)
    solution = pt.linalg.solve_triangular(left, b, lower=lower, b_ndim=b_ndim)
    equal([a, b], solution, [matrices, rights])


@pytest.mark.parametrize("lower", [True, False])
def test_batches_with_missing_cholesky_factors(lower):
    a = pt.dtensor3("a")
    factor = pt.linalg.cholesky(a, lower=lower)
    roots = RNG.normal(size=(20, 3, 3))
    matrices = roots @ np.swapaxes(roots, 1, 2)
    equal([a], factor, [matrices])
    matrices[7] = -np.eye(3)
    found = interpreted([a], [factor])(matrices)[0]
    assert np.all(np.isnan(found[7]))
    assert np.all(np.isfinite(np.delete(found, 7, axis=0)))
    equal([a], factor, [matrices])
