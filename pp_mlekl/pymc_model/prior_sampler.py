"""Draws from a model's prior, in one vectorised call where the graph allows it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.distribution import SymbolicRandomVariable
from pymc.pytensorf import collect_default_updates, reseed_rngs
from pytensor.graph.basic import Apply
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors, toposort
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.lazy_function import interpreted
from pp_mlekl.typing import Array
from pp_mlekl.utils.shared_state import alone

IMPROPER = ("FlatRV", "HalfFlatRV")


def improper_names(model: pm.Model) -> list[str]:
    """The free variables with an improper prior."""
    return [rv.name for rv in model.free_RVs if type(rv.owner.op).__name__ in IMPROPER]


class PriorSampler:
    """Draws of random variables, marginally or given values of others.

    Parameters
    ----------
    variables
        The model's free variables, in order.
    shapes
        Their shapes.
    fixed
        Values to put in place of some of the variables (those with an improper prior).
    given
        Other random variables whose values are passed with every call.
    """

    def __init__(
        self,
        variables: Sequence[TensorVariable],
        shapes: Sequence[tuple[int, ...]],
        fixed: dict[TensorVariable, Array],
        given: Sequence[TensorVariable] = (),
    ):
        self._shapes = list(shapes)
        replacements = {rv: pt.constant(value, dtype=rv.type.dtype) for rv, value in fixed.items()}
        self._given = [TensorType(rv.type.dtype, shape=rv.type.shape)(f"{rv.name}_given") for rv in given]
        replacements |= dict(zip(given, self._given, strict=True))
        self._graphs = _opened(_replaced(variables, replacements))
        self._batch = pt.dvector("batch")
        self._function: Any = None
        self._rngs: list[Any] = []

    @cached_property
    def one_by_one(self) -> bool:
        """Whether each draw takes a call of its own, as for time series, which are random at each step."""
        return any(isinstance(v.owner.op, SymbolicRandomVariable) for v in _random(self._graphs))

    def draw(self, n: int, generator: np.random.Generator, values: Sequence[Array] = ()) -> list[Array]:
        """``n`` draws: for each variable an array of shape (n, *shape); ``values`` of the given, (n, *shape) each."""
        arrays = [np.asarray(v, dtype=g.type.dtype) for v, g in zip(values, self._given, strict=True)]
        # The function's generators are reseeded and used by one thread at a time.
        with alone(), np.errstate(all="ignore"):
            if self._function is None:
                inputs, graphs = self._built()
                updates = collect_default_updates(outputs=graphs, inputs=inputs)
                self._rngs = list(updates)
                self._function = interpreted(inputs, graphs, updates=updates)
            reseed_rngs(self._rngs, int(generator.integers(2**31)))
            calls = [(np.zeros(n), *arrays)] if not self.one_by_one else [[a[i] for a in arrays] for i in range(n)]
            rows = [self._function(*call) for call in calls]
        if not self.one_by_one:
            (draws,) = rows
        else:
            draws = [np.stack(column) for column in zip(*rows, strict=True)] if rows else []
        return [
            np.broadcast_to(np.asarray(d), (n, *shape)).astype(np.float64)
            for d, shape in zip(draws, self._shapes, strict=True)
        ]

    def _built(self) -> tuple[list[TensorVariable], list[TensorVariable]]:
        """Inputs and graphs of a function that draws all at once, or one by one where an operation has no batched form (CAR)."""
        if not self.one_by_one:
            try:
                return self._vectorized()
            except (TypeError, ValueError, NotImplementedError):
                self.one_by_one = True
        return self._given, self._graphs

    def _vectorized(self) -> tuple[list[TensorVariable], list[TensorVariable]]:
        """Put all draws on a new leading axis by adding a batch of zeros to a parameter of each variable."""
        zero = pt.dscalar("zero")
        memo: dict[Any, Any] = {}
        for node in toposort(self._graphs):
            inputs = [memo.get(i, i) for i in node.inputs]
            if isinstance(node.op, RandomVariable):
                inputs = _with_batch(node, inputs, zero)
            if any(new is not old for new, old in zip(inputs, node.inputs, strict=True)):
                memo.update(zip(node.outputs, node.clone_with_new_inputs(inputs, strict=False).outputs, strict=True))
        batched = {g: TensorType(g.type.dtype, shape=(None, *g.type.shape))(f"{g.name}_batch") for g in self._given}
        graphs = vectorize_graph([memo.get(g, g) for g in self._graphs], replace={zero: self._batch, **batched})
        return [self._batch, *batched.values()], graphs


def _with_batch(node: Apply, inputs: list[Any], zero: TensorVariable) -> list[Any]:
    # PyTensor infers the new batch axes from the first parameter, so that is the one that must have them.
    op, first = node.op, node.op.dist_params(node)[0]
    position = next(i for i, v in enumerate(node.inputs) if v is first)
    shape = op._infer_shape(op.size_param(node), op.dist_params(node))
    batch = list(shape)[: op.batch_ndim(node)] + [1] * op.ndims_params[0]
    added = zero * pt.zeros(batch) if batch else zero
    result = list(inputs)
    result[position] = inputs[position] + added.astype(first.type.dtype)
    return result


def _random(graphs: Sequence[TensorVariable]) -> list[TensorVariable]:
    return [
        v
        for v in ancestors(list(graphs))
        if v.owner is not None and isinstance(v.owner.op, RandomVariable | SymbolicRandomVariable)
    ]


def _opened(graphs: list[TensorVariable]) -> list[TensorVariable]:
    """Replace symbolic random variables that are elementwise functions of others (HalfCauchy) by those functions."""
    memo: dict[Any, Any] = {}
    for node in toposort(graphs):
        inputs = [memo.get(i, i) for i in node.inputs]
        if isinstance(node.op, SymbolicRandomVariable) and _elementwise(node.op):
            inside = dict(zip(node.op.fgraph.inputs, inputs, strict=True))
            memo.update(zip(node.outputs, node.op.fgraph.bind(inside), strict=True))
        elif any(new is not old for new, old in zip(inputs, node.inputs, strict=True)):
            memo.update(zip(node.outputs, node.clone_with_new_inputs(inputs, strict=False).outputs, strict=True))
    return [memo.get(g, g) for g in graphs]


def _elementwise(op: SymbolicRandomVariable) -> bool:
    return all(isinstance(node.op, RandomVariable | Elemwise | DimShuffle) for node in op.fgraph.apply_nodes)


def _replaced(variables: Sequence[TensorVariable], replacements: dict[Any, Any]) -> list[TensorVariable]:
    if not replacements:
        return list(variables)
    return pytensor.graph.replace.graph_replace(list(variables), replacements, strict=False)
