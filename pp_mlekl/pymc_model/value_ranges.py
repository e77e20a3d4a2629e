"""The range of a quantity, found from its graph by interval arithmetic."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pytensor.compile.ops import ViewOp
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Constant, Variable, equal_computations
from pytensor.graph.traversal import toposort
from pytensor.scalar import basic as scalar
from pytensor.scalar.math import Erf, Erfc, Sigmoid, Softplus
from pytensor.tensor.basic import Alloc, Join, MakeVector
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.special import Softmax
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor
from pytensor.tensor.variable import TensorVariable
from scipy.special import erf, erfc, expit

from pp_mlekl.typing import Array

Range = tuple[float, float]
Kinds = tuple[type, ...]
Rule = Callable[[Apply, Sequence[Range]], Range]
REAL: Range = (-np.inf, np.inf)


def value_ranges(graphs: Sequence[TensorVariable], known: Mapping[Variable, Array]) -> list[Range]:
    """Bounds between which all elements of each graph lie, whatever the values of its inputs.

    Each bound follows from the bounds of the inputs of one operation (Moore, Kearfott and Cloud 2009, Introduction to Interval
    Analysis, section 2.3). A bound may be wider than the range, where one variable occurs several times, but never narrower.

    Parameters
    ----------
    graphs
        Graphs of unconstrained inputs.
    known
        Values of inputs that do not vary: data.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> z = pt.dvector("z")
    >>> odds = pt.exp(z[0])
    >>> value_ranges([pt.exp(-odds), odds / (odds + 2), 2 * pt.sigmoid(z[1]) - 1, z[0] + odds], {})
    [(0.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (-inf, inf)]
    """
    memo: dict[Variable, Range] = {variable: _extremes(value) for variable, value in known.items()}

    def bounds(variable: Variable) -> Range:
        if variable in memo:
            return memo[variable]
        if isinstance(variable, Constant):
            return _extremes(variable.data)
        return _extremes(variable.get_value()) if isinstance(variable, SharedVariable) else REAL

    for node in toposort(graphs):
        with np.errstate(all="ignore"):
            low, high = _result(node, [bounds(v) for v in node.inputs])
        memo[node.outputs[0]] = REAL if np.isnan(low) or np.isnan(high) else (float(low), float(high))
    return [bounds(graph) for graph in graphs]


def _extremes(value: object) -> Range:
    array = np.asarray(value)
    if array.size == 0 or array.dtype.kind not in "biuf" or np.isnan(array).any():
        return REAL
    return float(array.min()), float(array.max())


def _result(node: Apply, inputs: Sequence[Range]) -> Range:
    """The range of a node's first output."""
    for kinds, rule in _RULES:
        if isinstance(node.op, kinds):
            return rule(node, inputs)
    if isinstance(node.op, Elemwise | CAReduce):
        for kinds, rule in _SCALAR_RULES:
            if isinstance(node.op.scalar_op, kinds):
                return rule(node, inputs)
    return REAL


def _hull(ranges: Sequence[Range]) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _first(node: Apply, inputs: Sequence[Range]) -> Range:
    return inputs[0]


def _cast(node: Apply, inputs: Sequence[Range]) -> Range:
    """Casts to integers cut the decimals."""
    low, high = inputs[0]
    return (
        (low, high) if node.outputs[0].type.dtype.startswith("float") else (float(np.trunc(low)), float(np.trunc(high)))
    )


def _sum(node: Apply, inputs: Sequence[Range]) -> Range:
    if isinstance(node.op, Elemwise):
        return sum(low for low, _ in inputs), sum(high for _, high in inputs)
    shape, axes = node.inputs[0].type.shape, node.op.axis
    lengths = [shape[axis] for axis in (range(len(shape)) if axes is None else axes)]
    low, high = inputs[0]
    if None in lengths:
        return (0.0 if low >= 0 else -np.inf), (0.0 if high <= 0 else np.inf)
    count = int(np.prod(lengths, dtype=int))
    return count * low, count * high


def _greatest(node: Apply, inputs: Sequence[Range]) -> Range:
    return max(low for low, _ in inputs), max(high for _, high in inputs)


def _least(node: Apply, inputs: Sequence[Range]) -> Range:
    return min(low for low, _ in inputs), min(high for _, high in inputs)


def _product(node: Apply, inputs: Sequence[Range]) -> Range:
    if not isinstance(node.op, Elemwise):
        return (0.0, np.inf) if inputs[0][0] >= 0 else REAL
    result = inputs[0]
    for other in inputs[1:]:
        result = _times(result, other)
    return result


def _times(first: Range, second: Range) -> Range:
    # 0 times infinity: the product stays on its side of 0.
    corners = [0.0 if 0.0 in (a, b) else a * b for a in first for b in second]
    return min(corners), max(corners)


def _quotient(node: Apply, inputs: Sequence[Range]) -> Range:
    top = inputs[0] if len(inputs) == 2 else (1.0, 1.0)
    # The other terms of the sum are non-negative where its lower bound is at least that of this term.
    if len(inputs) == 2 and 0 <= top[0] <= inputs[1][0] and _is_part(node.inputs[0], node.inputs[1]):
        return 0.0, 1.0
    low, high = np.array(inputs[-1])
    if low < 0 < high:
        return REAL
    # The bound at 0 is approached from inside.
    return _times(top, (1 / high, 1 / low) if low >= 0 and high > 0 else (-1 / np.abs(high), 1 / low))


def _is_part(term: Variable, total: Variable) -> bool:
    """Whether one variable is a term of a sum that is the other."""
    node = total.owner
    if node is None:
        return False
    if isinstance(node.op, DimShuffle):
        return _is_part(term, node.inputs[0])
    adds = isinstance(node.op, Elemwise | CAReduce) and isinstance(node.op.scalar_op, scalar.Add)
    return adds and any(equal_computations([term], [part]) for part in node.inputs)


def _square(node: Apply, inputs: Sequence[Range]) -> Range:
    low, high = _absolute(node, inputs)
    return low * low, high * high


def _absolute(node: Apply, inputs: Sequence[Range]) -> Range:
    low, high = inputs[0]
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _power(node: Apply, inputs: Sequence[Range]) -> Range:
    base, exponent = inputs
    if exponent == (2.0, 2.0):
        return _square(node, inputs)
    if base[0] < 0:
        return REAL
    corners = [np.float64(b) ** e for b in base for e in exponent]
    return min(corners), max(corners)


def _rising(function: Callable[[float], float]) -> Rule:
    return lambda node, inputs: (function(inputs[0][0]), function(inputs[0][1]))


_RULES: tuple[tuple[Kinds, Rule], ...] = (
    ((Softmax,), lambda node, inputs: (0.0, 1.0)),
    ((ViewOp, DimShuffle, Reshape, SpecifyShape, Subtensor, AdvancedSubtensor, Alloc), _first),
    ((MakeVector,), lambda node, inputs: _hull(inputs)),
    ((Join,), lambda node, inputs: _hull(inputs[1:])),
)
_SCALAR_RULES: tuple[tuple[Kinds, Rule], ...] = (
    ((scalar.Identity,), _first),
    ((scalar.Cast,), _cast),
    ((scalar.Add,), _sum),
    ((scalar.Sub,), lambda node, inputs: (inputs[0][0] - inputs[1][1], inputs[0][1] - inputs[1][0])),
    ((scalar.Neg,), lambda node, inputs: (-inputs[0][1], -inputs[0][0])),
    ((scalar.Mul,), _product),
    ((scalar.TrueDiv, scalar.Reciprocal), _quotient),
    ((scalar.Sqr,), _square),
    ((scalar.Abs,), _absolute),
    ((scalar.Pow,), _power),
    ((scalar.Maximum,), _greatest),
    ((scalar.Minimum,), _least),
    ((scalar.Switch,), lambda node, inputs: _hull(inputs[1:])),
    ((scalar.Second,), lambda node, inputs: inputs[1]),
    ((scalar.Exp,), _rising(np.exp)),
    ((scalar.Expm1,), _rising(np.expm1)),
    ((scalar.Log,), _rising(np.log)),
    ((scalar.Log1p,), _rising(np.log1p)),
    ((scalar.Sqrt,), _rising(np.sqrt)),
    ((scalar.Tanh,), _rising(np.tanh)),
    ((scalar.ArcTan,), _rising(np.arctan)),
    ((Sigmoid,), _rising(expit)),
    ((Softplus,), _rising(lambda x: np.logaddexp(0.0, x))),
    ((Erf,), _rising(erf)),
    ((Erfc,), lambda node, inputs: (erfc(inputs[0][1]), erfc(inputs[0][0]))),
)
