"""Graphs rebuilt with some nodes replaced."""

from collections.abc import Callable, Sequence

import numpy as np
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.traversal import toposort
from pytensor.scalar.basic import Cast, Identity
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.variable import TensorVariable


def rebuild(
    outputs: Sequence[TensorVariable], replacement: Callable[[Apply, dict[Variable, Variable]], Variable | None]
) -> list[TensorVariable]:
    """Rebuild graphs with other variables in place of the outputs of some nodes.

    Parameters
    ----------
    outputs
        The graphs.
    replacement
        Takes a node and the replacements made so far; returns the variable for the node's first output, or None to keep it.
    """
    memo: dict[Variable, Variable] = {}
    for node in toposort(outputs):
        new = replacement(node, memo)
        if new is not None:
            memo[node.outputs[0]] = new
        elif any(v in memo for v in node.inputs):
            copy = node.clone_with_new_inputs([memo.get(v, v) for v in node.inputs], strict=False).outputs
            for variable, old in zip(copy, node.outputs, strict=True):
                variable.name = old.name
            memo.update(zip(node.outputs, copy, strict=True))
    return [memo.get(v, v) for v in outputs]


def is_elementwise(node: Apply | None, *kinds: type) -> bool:
    """Whether a node is an elementwise operation of one of some scalar kinds."""
    return node is not None and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kinds)


def common_constant(graph: Variable) -> float | None:
    """The common value of the elements of a constant, up to copies, casts and changes of axes; None for other graphs."""
    while graph.owner is not None and (
        isinstance(graph.owner.op, DimShuffle) or is_elementwise(graph.owner, Cast, Identity)
    ):
        graph = graph.owner.inputs[0]
    values = np.unique(graph.data) if isinstance(graph, Constant) else ()
    return float(values[0]) if len(values) == 1 else None
