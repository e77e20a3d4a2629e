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
            folded = self.nfunc
            return lambda *arrays: _folded(folded, arrays)
        return self.nfunc if len(node.inputs) == self.nfunc_spec[1] and self.nfunc_spec[2] == 1 else None


def _folded(function: Any, arrays: tuple) -> Any:
    """All arrays added or multiplied, those of one shape first and small ones before large ones."""
    of_shape: dict[tuple[int, ...], Any] = {}
    for array in arrays:
        known = of_shape.get(array.shape)
        of_shape[array.shape] = array if known is None else function(known, array)
    return reduce(function, sorted(of_shape.values(), key=np.size))


def lean(node: Apply, inputs: list, nfunc_spec: tuple[str, int, int] | None = None) -> Apply:
    """The node with an operation that does the same with less ado (by ``nfunc_spec``), over inputs of the same types."""
    op = LeanElemwise(node.op.scalar_op, nfunc_spec=nfunc_spec or node.op.nfunc_spec)
    return Apply(op, inputs, [output.clone() for output in node.outputs])
