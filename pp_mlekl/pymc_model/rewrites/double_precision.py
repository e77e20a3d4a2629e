"""Graphs in double precision, also where their leaves are float32."""

from collections.abc import Sequence
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.graph.traversal import toposort
from pytensor.scalar.basic import Cast
from pytensor.tensor.basic import MakeVector
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable


def in_double_precision(outputs: Sequence[TensorVariable], memo: dict[Any, Any] | None = None) -> list[TensorVariable]:
    """Rebuild graphs so that all elementwise arithmetic is in double precision.

    PyTensor stores a literal that float32 holds exactly as float32 and does arithmetic on such literals in
    float32 (the ``1 / beta`` of a Gamma with beta = 3 is 0.33333334), which costs a log density about 1e-8.
    ``memo`` maps variables to their replacements, so that graphs rebuilt one after another still share nodes.
    """
    memo = {} if memo is None else memo
    for node in toposort(outputs):
        if any(o in memo for o in node.outputs):
            continue
        inputs = [memo.get(i, i) for i in node.inputs]
        single = isinstance(node.op, Elemwise) and any(o.type.dtype == "float32" for o in node.outputs)
        if single and isinstance(node.op.scalar_op, Cast):
            memo[node.outputs[0]] = inputs[0].astype("float64")
            continue
        if single:
            inputs = [i.astype("float64") if i.type.dtype == "float32" or _is_integer(i) else i for i in inputs]
        changed = any(new is not old for new, old in zip(inputs, node.inputs, strict=True))
        if changed:
            rebuilt = _rebuilt(node, inputs).outputs
            for new, old in zip(rebuilt, node.outputs, strict=True):
                new.name = old.name
            memo.update(zip(node.outputs, rebuilt, strict=True))
    return [memo.get(o, o) for o in outputs]


def _is_integer(variable: TensorVariable) -> bool:
    return variable.type.dtype.startswith(("int", "uint"))


def _rebuilt(node: Apply, inputs: list[Any]) -> Apply:
    if isinstance(node.op, MakeVector) and node.op.dtype == "float32":
        return MakeVector("float64").make_node(*inputs)
    if getattr(node.op, "fgraph", None) is not None:
        # An inner graph has fixed input types: cast the inputs to them.
        inputs = [
            i.astype(old.type.dtype) if isinstance(old.type, TensorType) and i.type.dtype != old.type.dtype else i
            for i, old in zip(inputs, node.inputs, strict=True)
        ]
    return node.clone_with_new_inputs(inputs, strict=False)
