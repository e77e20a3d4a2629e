"""Lengths read off types, against those that PyTensor finds by rewriting."""

import numpy as np
import pytensor.tensor as pt
import pytensor.tensor.basic as basic
import pytest

from pp_mlekl.pymc_model.interpreter.static_shapes import static_shapes_from_types

BATCH = pt.dmatrix("batch", shape=(None, 3))
VECTOR = pt.dvector("vector", shape=(4,))
LENGTH = pt.lscalar("length")

SHAPES = {
    "numbers": (2, pt.constant(3)),
    "a batch": (BATCH.shape[0], BATCH.shape[1]),
    "of a sum": ((BATCH + 1.0).shape[0], (BATCH[:, 0] * VECTOR[0]).shape[0]),
    "one": (BATCH[:, None].shape[1], pt.maximum(VECTOR.shape[0], 1)),
    "arithmetic": (VECTOR.shape[0] * 2 + 1, LENGTH, LENGTH - LENGTH),
    "slices of a shape": (BATCH[None].shape[:1][0], BATCH.T.shape[1:][0]),
    "an array of known length": (pt.alloc(0.0, 4, BATCH.shape[0]).shape[0], pt.alloc(0.0, VECTOR.shape[0]).shape[0]),
    "of a factor": (pt.linalg.cholesky(BATCH[:, :, None] * BATCH[:, None]).shape[1], BATCH.sum(axis=1).shape[0]),
    "of what is set": (pt.set_subtensor(BATCH[:, 0], 1.0).shape[0], pt.set_subtensor(VECTOR[0], 1.0).shape[0]),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_lengths_are_those_found_by_rewriting(shape):
    _, expected = basic.infer_static_shape(shape)
    with static_shapes_from_types():
        _, found = basic.infer_static_shape(shape)
    assert found == tuple(expected)


def test_former_values_are_restored():
    before = basic.infer_static_shape
    with static_shapes_from_types(), static_shapes_from_types():
        assert basic.infer_static_shape is not before
    with pytest.raises(TypeError), static_shapes_from_types():
        pt.alloc(0.0, pt.dscalar("x"))
    assert basic.infer_static_shape is before


def test_lengths_must_be_integers_all_the_same():
    with static_shapes_from_types(), pytest.raises(TypeError, match="integers"):
        pt.alloc(np.float64(0.0), pt.dscalar("x"))
