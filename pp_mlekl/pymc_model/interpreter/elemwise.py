"""Elementwise operations of interpreted functions that call NumPy directly.

Gain for a marginal fit of the eight schools, as CPU time without it over that with it: 1.2 in the first fit, 1.7 in later ones
(``benchmarks/interpreter.py``).
"""

from functools import reduce
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.scalar.basic import Add, Mul
from pytensor.tensor.elemwise import Elemwise


class DirectElemwise(Elemwise):
    """An ``Elemwise`` that calls NumPy's function directly and checks each set of shapes once.

    Interpreted functions of small models spend more time between the calls of NumPy than in them. The caller silences
    floating-point warnings once for all nodes.
    """

    def make_py_thunk(
        self, node: Apply, storage_map: Any, compute_map: Any, no_recycling: Any, debug: bool = False
    ) -> Any:
        """A function that evaluates one node on the cells of ``storage_map``."""
        thunk = super().make_py_thunk(node, storage_map, compute_map, no_recycling, debug)
        function = self._function(node)
        if function is None:
            return thunk
        inputs = [storage_map[v] for v in node.inputs]
        cell = storage_map[node.outputs[0]]
        dtype = np.dtype(node.outputs[0].type.dtype)
        flags = [compute_map[v] for v in node.outputs] if compute_map is not None else []
        checked: set[tuple[Any, ...]] = set()

        def evaluate() -> None:
            arrays = [x[0] for x in inputs]
            shapes = tuple([a.shape for a in arrays])
            if shapes not in checked:
                self._check_runtime_broadcast(node, arrays)
                checked.add(shapes)
            cell[0] = np.asarray(function(*arrays), dtype=dtype)
            for flag in flags:
                flag[0] = True

        attributes: Any = evaluate
        for name in ("inputs", "outputs", "perform", "lazy"):
            setattr(attributes, name, getattr(thunk, name))
        return evaluate

    def _function(self, node: Apply) -> Any:
        """NumPy's function for the node; None where the node needs PyTensor's own evaluation."""
        if self.nfunc is None or hasattr(node.tag, "sig"):
            return None
        if isinstance(self.scalar_op, Add | Mul) and len(node.inputs) > 2:
            return _fold(self.nfunc, node)
        return self.nfunc if len(node.inputs) == self.nfunc_spec[1] and self.nfunc_spec[2] == 1 else None


def _fold(function: Any, node: Apply) -> Any:
    """Add or multiply all inputs of a node: inputs with the same axes first, groups with few axes before groups with many.

    The order depends on the types alone, so that a row has the same digits in a batch as alone.
    """
    groups: dict[tuple[bool, ...], list[int]] = {}
    for place, variable in enumerate(node.inputs):
        groups.setdefault(variable.type.broadcastable, []).append(place)
    order = [groups[axes] for axes in sorted(groups, key=lambda axes: axes.count(False))]

    def folded(*arrays: Any) -> Any:
        return reduce(function, [reduce(function, [arrays[i] for i in places]) for places in order])

    return folded


def direct_elemwise(node: Apply, inputs: list[Any], nfunc_spec: tuple[str, int, int] | None = None) -> Apply:
    """The node with a ``DirectElemwise`` in place of its operation, over inputs of the same types."""
    op = DirectElemwise(node.op.scalar_op, nfunc_spec=nfunc_spec or node.op.nfunc_spec)
    return Apply(op, inputs, [output.clone() for output in node.outputs])
