"""Diagonals by elementwise operations. Vectorised, PyTensor's own and their derivatives run row by row of a batch.

Gain for a Gaussian process at 40 points, as CPU time without it over that with it: 1.0 in the first fit, 2.0 in later ones
(``benchmarks/interpreter.py``).
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.tensor.basic import AllocDiag, ExtractDiag
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.rebuild import rebuild


def with_elementwise_diagonals(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs so that main diagonals of matrices of known size are read and set through a mask.

    Examples
    --------
    >>> a = pt.dmatrix("a", shape=(2, 2))
    >>> (graph,) = with_elementwise_diagonals([pt.diag(pt.diagonal(a))])
    >>> graph.eval({a: [[1.0, 2.0], [3.0, 4.0]]}, mode="FAST_COMPILE").tolist()
    [[1.0, 0.0], [0.0, 4.0]]
    """
    return rebuild(outputs, _diagonal)


def _diagonal(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    op = node.op
    if not isinstance(op, ExtractDiag | AllocDiag) or op.offset != 0:
        return None
    given = memo.get(node.inputs[0], node.inputs[0])
    if isinstance(op, AllocDiag):
        size = given.type.shape[-1]
        return None if size is None else _set(given, size, (op.axis1, op.axis2))
    size, other = (given.type.shape[axis] for axis in (op.axis1, op.axis2))
    return None if size is None or size != other else _taken(given, size, (op.axis1, op.axis2))


def _taken(matrix: TensorVariable, size: int, axes: tuple[int, int]) -> TensorVariable:
    last = pt.moveaxis(matrix, axes, (-2, -1))
    return pt.sum(pt.switch(np.eye(size, dtype=bool), last, np.zeros((), dtype=matrix.type.dtype)), axis=-1)


def _set(diagonal: TensorVariable, size: int, axes: tuple[int, int]) -> TensorVariable:
    matrix = pt.switch(np.eye(size, dtype=bool), diagonal[..., None], np.zeros((), dtype=diagonal.type.dtype))
    return pt.moveaxis(matrix, (-2, -1), axes)
