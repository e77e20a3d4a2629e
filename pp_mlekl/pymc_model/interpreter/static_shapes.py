"""Static shapes of allocated arrays, read off the types of the variables that determine their lengths.

PyTensor rewrites a graph for each ``Alloc`` to find which lengths are constant. This takes up to half of the time needed to
build the Hessian of a model with linear algebra. A length of a batch axis, or one known from a type, needs no rewriting.

Gain for a Gaussian process at 40 points, as CPU time without it over that with it: 1.5 in the first fit, 1.0 in later ones
(``benchmarks/interpreter.py``).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytensor.tensor.basic as basic
from pytensor.graph.basic import Constant, Variable
from pytensor.raise_op import Assert
from pytensor.scalar import basic as scalar
from pytensor.tensor.basic import Alloc, MakeVector, ScalarFromTensor, TensorFromScalar
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.shape import Shape, Shape_i
from pytensor.tensor.subtensor import AdvancedIncSubtensor, IncSubtensor, Subtensor

# Maximum number of operations to follow back from a length.
_DEEPEST = 8
# Arithmetic of lengths.
_ARITHMETIC: dict[Any, Any] = {
    scalar.Add: lambda *parts: sum(parts),
    scalar.Sub: lambda a, b: a - b,
    scalar.Mul: lambda *parts: int(np.prod(parts)),
    scalar.IntDiv: lambda a, b: a // b if b else None,
    scalar.ScalarMaximum: max,
    scalar.ScalarMinimum: min,
    scalar.Cast: int,
    scalar.Identity: int,
}
_SYMBOL = "symbol"


@contextmanager
def static_shapes_from_types() -> Iterator[None]:
    """Within the block, lengths are read off types where possible; PyTensor infers the others as before."""
    by_rewriting = basic.infer_static_shape
    if getattr(by_rewriting, "quick", False):
        yield
        return

    def infer(shape: Any) -> tuple[Sequence[Any], Sequence[int | None]]:
        lengths = _scalars(shape)
        known = None if lengths is None else [_length(v) for v in lengths]
        if lengths is None or known is None or None in known:
            return by_rewriting(shape)
        return lengths, tuple(None if k == _SYMBOL else k for k in known)

    infer.quick = True  # type: ignore[attr-defined]
    basic.infer_static_shape = infer
    try:
        yield
    finally:
        basic.infer_static_shape = by_rewriting


def _scalars(shape: Any) -> list[Any] | None:
    """The lengths as scalar variables; None where they are not a sequence of integers."""
    if isinstance(shape, Variable):
        return None
    lengths = [basic.as_tensor_variable(s, ndim=0) for s in shape]
    return lengths if all(s.type.dtype in basic.integer_dtypes for s in lengths) else None


def _length(variable: Variable) -> int | str | None:
    """The value of a length: an integer, ``_SYMBOL`` where it is symbolic, None where only rewriting finds it."""
    if isinstance(variable, Constant):
        return int(variable.data) if np.ndim(variable.data) == 0 else None
    if variable.owner is None:
        return _SYMBOL
    op, inputs = variable.owner.op, variable.owner.inputs
    if isinstance(op, TensorFromScalar | ScalarFromTensor):
        return _length(inputs[0])
    if isinstance(op, Shape_i):
        return _of_type(inputs[0], op.i)
    if isinstance(op, Assert):
        return _length(inputs[0])
    if isinstance(op, Subtensor | DimShuffle):
        return _element(variable)
    if isinstance(op, Elemwise) and type(op.scalar_op) in _ARITHMETIC:
        parts = [_length(v) for v in inputs]
        if None in parts or _SYMBOL in parts:
            return None if None in parts else _SYMBOL
        length = _ARITHMETIC[type(op.scalar_op)](*parts)
        return None if length is None else int(length)
    return None


def _element(variable: Variable) -> int | str | None:
    """One element of a vector of lengths."""
    op, inputs = variable.owner.op, variable.owner.inputs
    vector = _vector(inputs[0])
    if vector is None:
        return None
    if isinstance(op, DimShuffle):
        return vector[0] if len(vector) == 1 else None
    index = _indices(op, inputs)
    return vector[index] if isinstance(index, int) and -len(vector) <= index < len(vector) else None


def _vector(variable: Variable) -> list[int | str | None] | None:
    """The values of a vector of lengths; None where only rewriting finds them."""
    if isinstance(variable, Constant):
        return [int(length) for length in variable.data] if np.ndim(variable.data) == 1 else None
    if variable.owner is None:
        return None
    op, inputs = variable.owner.op, variable.owner.inputs
    if isinstance(op, Shape):
        return [_of_type(inputs[0], place) for place in range(len(inputs[0].type.shape))]
    if isinstance(op, MakeVector):
        return [_length(v) for v in inputs]
    if isinstance(op, DimShuffle) and op.new_order == ("x",):
        return [_length(inputs[0])]
    if isinstance(op, Subtensor):
        whole, index = _vector(inputs[0]), _indices(op, inputs)
        return whole[index] if whole is not None and isinstance(index, slice) else None
    return None


def _indices(op: Subtensor, inputs: Sequence[Variable]) -> int | slice | None:
    """The constant index or slice of a vector; None where it is not constant."""
    given = iter(inputs[1:])

    def constant(entry: Any) -> Any:
        if entry is None:
            return None
        taken = next(given)
        return int(taken.data) if isinstance(taken, Constant) and np.ndim(taken.data) == 0 else _SYMBOL

    if len(op.idx_list) != 1:
        return None
    (index,) = op.idx_list
    if isinstance(index, slice):
        ends = [constant(entry) for entry in (index.start, index.stop, index.step)]
        return None if _SYMBOL in ends else slice(*ends)
    place = constant(index)
    return None if place == _SYMBOL else place


def _of_type(variable: Variable, place: int, depth: int = 0) -> int | str | None:
    """One length of an array, from its type or from the types of the inputs of its operation."""
    known = variable.type.shape[place]
    if known is not None:
        return int(known)
    if variable.owner is None:
        return _SYMBOL
    if depth == _DEEPEST:
        return None
    op, inputs = variable.owner.op, variable.owner.inputs
    if isinstance(op, Alloc):
        return _length(inputs[1 + place])
    if isinstance(op, DimShuffle):
        source = op.new_order[place]
        return 1 if source == "x" else _of_type(inputs[0], source, depth + 1)
    if isinstance(op, CAReduce):
        kept = [k for k in range(inputs[0].type.ndim) if op.axis is not None and k not in op.axis]
        return _of_type(inputs[0], kept[place], depth + 1)
    if isinstance(op, IncSubtensor | AdvancedIncSubtensor):
        return _of_type(inputs[0], place, depth + 1)
    if isinstance(op, Elemwise) or (isinstance(op, Blockwise) and place < op.batch_ndim(variable.owner)):
        lengths = [_of_type(v, place, depth + 1) for v in inputs if v.type.shape[place] != 1]
        certain = [n for n in lengths if isinstance(n, int) and n != 1]
        if certain or None not in lengths:
            return certain[0] if certain else _SYMBOL
    # The type of a result of linear algebra holds all that is known of its core lengths.
    return _SYMBOL if isinstance(op, Blockwise) else None
