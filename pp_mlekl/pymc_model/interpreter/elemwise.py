"""Elementwise operations of interpreted functions, without what PyTensor does around each call of a NumPy function."""

from functools import reduce
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.scalar.basic import Add, Mul
from pytensor.tensor.elemwise import Elemwise


class LeanElemwise(Elemwise):
    """An ``Elemwise`` with a NumPy function of its own: the check of shapes is made once for each set of shapes.

    Interpreted functions of small models spend more time between the calls of NumPy than in them. Warnings of floating-point
    arithmetic are for the caller to silence, once for all nodes.
    """

    def make_py_thunk(self, node: Apply, storage_map: Any, compute_map: Any, no_recycling: Any, debug: bool = False):
        """The call of one node, reading and writing the cells of ``storage_map``."""
        thunk = super().make_py_thunk(node, storage_map, compute_map, no_recycling, debug)
        function = self._function(node)
        if function is None:
            return thunk
        inputs = [storage_map[v] for v in node.inputs]
        cell = storage_map[node.outputs[0]]
        dtype = np.dtype(node.outputs[0].type.dtype)
        flags = [compute_map[v] for v in node.outputs] if compute_map is not None else []
        checked: set[tuple] = set()

        def lean() -> None:
            arrays = [x[0] for x in inputs]
            shapes = tuple([a.shape for a in arrays])
            if shapes not in checked:
                self._check_runtime_broadcast(node, arrays)
                checked.add(shapes)
            cell[0] = np.asarray(function(*arrays), dtype=dtype)
            for flag in flags:
                flag[0] = True

        attributes: Any = lean
        for name in ("inputs", "outputs", "perform", "lazy"):
            setattr(attributes, name, getattr(thunk, name))
        return lean

    def _function(self, node: Apply) -> Any:
        """NumPy's function for the node; None where PyTensor has to find another way."""
        if self.nfunc is None or hasattr(node.tag, "sig"):
            return None
        if isinstance(self.scalar_op, Add | Mul) and len(node.inputs) > 2:
            return _fold(self.nfunc, node)
        return self.nfunc if len(node.inputs) == self.nfunc_spec[1] and self.nfunc_spec[2] == 1 else None


def _fold(function: Any, node: Apply) -> Any:
    """All inputs of a node added or multiplied, those with the same axes first and those with few before those with many.

    The order follows from the types alone: a row must not have other digits in a batch than by itself.
    """
    groups: dict[tuple[bool, ...], list[int]] = {}
    for place, variable in enumerate(node.inputs):
        groups.setdefault(variable.type.broadcastable, []).append(place)
    order = [groups[axes] for axes in sorted(groups, key=lambda axes: axes.count(False))]

    def folded(*arrays: Any) -> Any:
        return reduce(function, [reduce(function, [arrays[i] for i in places]) for places in order])

    return folded


def lean(node: Apply, inputs: list, nfunc_spec: tuple[str, int, int] | None = None) -> Apply:
    """The node with an operation that does the same with less ado (by ``nfunc_spec``), over inputs of the same types."""
    op = LeanElemwise(node.op.scalar_op, nfunc_spec=nfunc_spec or node.op.nfunc_spec)
    return Apply(op, inputs, [output.clone() for output in node.outputs])
