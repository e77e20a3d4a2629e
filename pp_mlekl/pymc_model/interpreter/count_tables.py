"""Log-gamma functions and their derivatives at counts, from tables, since many observations have few different counts.

The values are the same to the last bit. Gain for 1,000 data sets of a negative binomial, n = 200, as CPU time without it over that
with it: 1.0 in the first study, 1.2 in later ones (``benchmarks/interpreter.py``).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.scalar.basic import Add, discrete_dtypes
from pytensor.scalar.math import GammaLn, Psi, TriGamma
from scipy import special

from pp_mlekl.pymc_model.interpreter.ufuncs import trigamma
from pp_mlekl.pymc_model.rewrites.rebuild import is_elementwise
from pp_mlekl.typing import Array

Function = Callable[[Array], Array]

_FUNCTIONS = {GammaLn: special.gammaln, Psi: special.psi, TriGamma: trigamma}
# Values of these functions take about five times as long as values from a table.
_WORTH_A_TABLE = 5
# Below this number of elements a call of the function is as short as the preparation of a table (10 microseconds).
_SMALLEST = 1_000


class OfCounts(Op):
    """A function of counts, or of sums of counts and numbers."""

    __props__ = ("function",)

    def __init__(self, function: Function):
        self.function = function

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """As ``of_counts``."""
        dtype = node.outputs[0].type.dtype
        output_storage[0][0] = np.asarray(of_counts(self.function, *inputs), dtype=dtype)


def of_counts(function: Function, counts: Array, shift: Array | None = None) -> Array:
    """``function(counts + shift)``, from a table of the function over all integers between the smallest and the largest count.

    Parameters
    ----------
    function
        Elementwise.
    counts
        Integers.
    shift
        Numbers, whose shape broadcasts with that of ``counts``: shape parameters that many counts share.

    Examples
    --------
    >>> of_counts(special.gammaln, np.array([1, 2, 3])).round(6).tolist()
    [0.0, 0.0, 0.693147]
    """
    size = counts.size if shift is None else np.broadcast(counts, shift).size
    if size >= _SMALLEST:
        low, high = int(counts.min()), int(counts.max())
        length = high - low + 1
        if length * (1 if shift is None else shift.size) * _WORTH_A_TABLE <= size:
            integers, place = np.arange(low, high + 1).astype(counts.dtype), counts.astype(np.int64, copy=False) - low
            if shift is None:
                return function(integers)[place]
            place = place + length * np.arange(shift.size).reshape(shift.shape)
            return function(integers + shift[..., None]).ravel()[place]
    return function(counts if shift is None else counts + shift)


def of_counts_node(node: Apply, memo: dict[Any, Any]) -> Apply | None:
    """The node with ``OfCounts`` in place of its operation; None where it is no such function, or not of counts.

    Parameters
    ----------
    node
        A node of a graph that is rebuilt.
    memo
        The variables that replace those of nodes before it.
    """
    if not is_elementwise(node, *_FUNCTIONS):
        return None
    argument = node.inputs[0]
    parts = argument.owner.inputs if is_elementwise(argument.owner, Add) else []
    discrete = [v for v in parts if v.type.dtype in discrete_dtypes]
    if argument.type.dtype in discrete_dtypes:
        inputs = [argument]
    elif len(parts) == 2 and len(discrete) == 1:
        inputs = [*discrete, *(v for v in parts if v is not discrete[0])]
    else:
        return None
    op = OfCounts(_FUNCTIONS[type(node.op.scalar_op)])
    return Apply(op, [memo.get(v, v) for v in inputs], [node.outputs[0].clone()])
