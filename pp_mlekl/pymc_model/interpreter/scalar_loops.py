"""Loops of scalar operations in interpreted functions, for all elements of an array at a time.

PyTensor differentiates the incomplete gamma and beta functions by series, which it sums element by element in Python. Gain for
100 censored gamma lifetimes, as CPU time without it over that with it: 21 in the first fit, 0.4 in later ones, for which
element by element is so slow that Numba is called (``benchmarks/interpreter.py``).
"""

from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.utils import fgraph_to_python
from pytensor.scalar.basic import Add, Mul
from pytensor.scalar.loop import ScalarLoop
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.utils import import_func_from_string

from pp_mlekl.typing import Array


class ArrayLoop(Op):
    """A ``ScalarLoop`` over arrays: each step is taken for all elements that have not ended."""

    __props__ = ("loop",)

    def __init__(self, loop: ScalarLoop):
        self.loop = loop

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """The states after the last step of each element and, with a condition, whether it was met."""
        n_steps, *values = np.broadcast_arrays(*inputs)
        results = looped(self.loop, n_steps.ravel(), [v.ravel() for v in values])
        for cell, result, output in zip(output_storage, results, node.outputs, strict=True):
            cell[0] = np.asarray(result, dtype=output.type.dtype).reshape(n_steps.shape)


def looped(loop: ScalarLoop, n_steps: Array, values: list[Array]) -> list[Array]:
    """Repeat the step of a loop; all arrays have shape (n,).

    Parameters
    ----------
    loop
        Its step maps states and constants to the next states and, where it is conditional, to whether it ends.
    n_steps
        Largest number of steps of each element. One without a step meets the condition.
    values
        The first states, then the constants.

    Returns
    -------
    list of arrays
        The last states and, where the loop is conditional, whether each element met the condition.
    """
    step, count = _step(loop), len(loop.outputs) - loop.is_while
    states, constants = [np.array(v) for v in values[:count]], values[count:]
    met = np.ones(len(n_steps), dtype=bool)
    going, taken = np.flatnonzero(n_steps > 0), 0
    while going.size:
        found = step(*(v[going] for v in (*states, *constants)))
        for state, value in zip(states, found, strict=False):
            state[going] = value
        taken += 1
        goes_on = n_steps[going] > taken
        if loop.is_while:
            met[going] = found[-1]
            goes_on &= ~met[going]
        going = going[goes_on]
    return [*states, met] if loop.is_while else states


@lru_cache(maxsize=64)
def _step(loop: ScalarLoop) -> Callable[..., tuple[Array, ...]]:
    """One step of a loop as a function of arrays."""
    step: Callable[..., tuple[Array, ...]] = fgraph_to_python(loop.fgraph, _of_arrays)
    return step


def _of_arrays(op: Any, node: Apply, **_: Any) -> Callable[..., Array]:
    """A scalar operation as a function of arrays, with the operation's own type of result."""
    dtype, count = node.outputs[0].type.dtype, len(node.inputs)
    known = getattr(op, "nfunc_spec", None)
    function = import_func_from_string(known[0]) if known else np.frompyfunc(op.impl, count, 1)
    if isinstance(op, Add | Mul) and count > 2:
        return lambda *arrays: np.asarray(reduce(function, arrays), dtype=dtype)
    return lambda *arrays: np.asarray(function(*arrays), dtype=dtype)


def array_loop_node(node: Apply, inputs: list[Any]) -> Apply | None:
    """The node with an ``ArrayLoop`` in place of its operation, over inputs of the same types; None for other nodes."""
    if not isinstance(node.op, Elemwise) or not isinstance(node.op.scalar_op, ScalarLoop):
        return None
    return Apply(ArrayLoop(node.op.scalar_op), inputs, [output.clone() for output in node.outputs])
