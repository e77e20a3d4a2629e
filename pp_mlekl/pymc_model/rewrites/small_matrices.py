"""Cholesky factors and triangular systems of two or three rows, written out element by element.

A derivative of a matrix operation contains several matrix operations, so that graphs of higher derivatives grow fast.
Derivatives of products, quotients and roots stay small, because PyTensor simplifies them.

Gain for varying slopes of 12 groups (``benchmarks/interpreter.py``): 27 CPU seconds for the first marginal fit, which does not end
within ten times as long without it.
"""

from collections.abc import Sequence

import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.linalg.decomposition.cholesky import Cholesky
from pytensor.tensor.linalg.solvers.triangular import SolveTriangular
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.rebuild import rebuild

_MOST_ROWS = 3


def without_small_linalg(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs without linear algebra of small matrices; the number of rows must be static.

    Examples
    --------
    >>> a = pt.dmatrix("a", shape=(2, 2))
    >>> graph = without_small_linalg([pt.linalg.cholesky(a)])[0]
    >>> graph.eval({a: [[4.0, 2.0], [2.0, 5.0]]}, mode="FAST_COMPILE").tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    return rebuild(outputs, _elements)


def _elements(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    """Replace a Cholesky factor or a triangular solution of a small matrix."""
    op = node.op.core_op if isinstance(node.op, Blockwise) else node.op
    if not isinstance(op, Cholesky | SolveTriangular):
        return None
    rows = node.inputs[0].type.shape[-1]
    if rows is None or rows > _MOST_ROWS:
        return None
    inputs = [memo.get(v, v) for v in node.inputs]
    if isinstance(op, Cholesky):
        return _cholesky(inputs[0], rows, op.lower)
    return _solution(inputs[0], inputs[1], rows, op)


def _cholesky(a: TensorVariable, rows: int, lower: bool) -> TensorVariable:
    factor: list[list[TensorVariable]] = []
    for i in range(rows):
        row: list[TensorVariable] = []
        for j in range(i):
            rest = a[..., i, j] if lower else a[..., j, i]
            for k in range(j):
                rest = rest - row[k] * factor[j][k]
            row.append(rest / factor[j][j])
        square = a[..., i, i]
        for known in row:
            square = square - known**2
        # NaN where the matrix is not positive definite, as the operation itself gives.
        factor.append([*row, pt.sqrt(square)])
    zero = pt.zeros_like(factor[0][0])
    full = [pt.stack([*row, *[zero] * (rows - len(row))], axis=-1) for row in factor]
    return pt.stack(full, axis=-2 if lower else -1)


def _solution(a: TensorVariable, b: TensorVariable, rows: int, op: SolveTriangular) -> TensorVariable:
    vector = op.b_ndim == 1
    known: dict[int, TensorVariable] = {}
    for i in range(rows) if op.lower else reversed(range(rows)):
        rest = b[..., i] if vector else b[..., i, :]
        for j, x in known.items():
            rest = rest - (a[..., i, j] if vector else a[..., i, j, None]) * x
        if not op.unit_diagonal:
            rest = rest / (a[..., i, i] if vector else a[..., i, i, None])
        known[i] = rest
    return pt.stack([known[i] for i in range(rows)], axis=-1 if vector else -2)
