"""Distributions of a model's variables as text: ``Normal(mu=a + b[...], sigma=sigma)``."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
from pytensor.compile.ops import ViewOp
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Add, Cast, Identity, Mul, Neg, Pow, Reciprocal, Sqr, Sub, TrueDiv
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor

from pp_mlekl.pymc_model.distributions.parametrizations import PARAMETRIZATIONS

_LONGEST, _LARGEST_ARRAY = 60, 4
_DATA = "data"
_SAME = (DimShuffle, SpecifyShape, Reshape, Alloc, ViewOp)
_ELEMENTS = (Subtensor, AdvancedSubtensor)
# Symbol and precedence of infix operations.
_INFIX: Mapping[type, tuple[str, int]] = {
    Add: (" + ", 1),
    Sub: (" - ", 1),
    Mul: (" * ", 2),
    TrueDiv: (" / ", 2),
    Pow: ("**", 4),
}
_PREFIX, _ATOM = 3, 9


def distribution_text(rv: Any, model: pm.Model) -> str:
    """The distribution of a variable with PyMC's own arguments; PyMC's text where they are not known.

    Arrays of constants are written as ``data``, long expressions as ``f`` of the variables in them.
    """
    operation = rv.owner.op
    known = PARAMETRIZATIONS.get(type(operation).__name__)
    if known is None:
        text = rv.str_repr() if hasattr(rv, "str_repr") else str(rv)
        return text.split("~", 1)[-1].strip().replace("<constant>", _DATA)
    family, convert = known
    names = {v: str(v.name) for v in [*model.basic_RVs, *model.deterministics, *model.data_vars]}
    parameters = convert(*map(_without_shape, operation.dist_params(rv.owner)))
    return f"{family}({', '.join(f'{key}={_argument(graph, names)}' for key, graph in parameters.items())})"


def definition_text(deterministic: Any, model: pm.Model) -> str:
    """What a deterministic is made of, in the form of the arguments of ``distribution_text``."""
    named = [v for v in (*model.basic_RVs, *model.deterministics, *model.data_vars) if v is not deterministic]
    return _argument(deterministic, {v: str(v.name) for v in named})


def _argument(graph: Variable, names: Mapping[Variable, str]) -> str:
    text, _ = _expression(graph, names)
    return text if len(text) <= _LONGEST else _function_of(graph, names)


def _without_shape(graph: Any) -> Any:
    """A graph without operations that only change its shape or type, so that conversions recognise what is inside."""
    while graph.owner is not None and _keeps_values(graph.owner.op):
        graph = graph.owner.inputs[0]
    return graph


def _keeps_values(operation: Any) -> bool:
    return isinstance(operation, _SAME) or isinstance(getattr(operation, "scalar_op", None), Cast | Identity)


def _function_of(graph: Variable, names: Mapping[Variable, str]) -> str:
    inside = dict.fromkeys(names[v] for v in ancestors([graph], blockers=list(names)) if v in names)
    return f"f({', '.join(inside)})"


def _expression(graph: Variable, names: Mapping[Variable, str]) -> tuple[str, int]:
    """The text of a graph, and the precedence of its outermost operation."""
    if graph in names:
        return names[graph], _ATOM
    if isinstance(graph, Constant | SharedVariable):
        return _constant(graph), _ATOM
    if graph.owner is None:
        return str(graph.name or "x"), _ATOM
    operation = graph.owner.op
    scalar = operation.scalar_op if isinstance(operation, Elemwise) else None
    if _keeps_values(operation):
        return _expression(graph.owner.inputs[0], names)
    if not any(v in names for v in ancestors([graph])):
        return _value(graph), _ATOM
    return _elementwise(scalar, graph, names) if scalar is not None else _operation(operation, graph, names)


def _elementwise(scalar: Any, graph: Any, names: Mapping[Variable, str]) -> tuple[str, int]:
    inputs = graph.owner.inputs
    if type(scalar) in _INFIX:
        symbol, level = _INFIX[type(scalar)]
        # Subtraction and division group to the left, powers to the right.
        tighter = {Sub: 1, TrueDiv: 1, Pow: 0}.get(type(scalar))
        return symbol.join(_within(v, names, level + (i == tighter)) for i, v in enumerate(inputs)), level
    if isinstance(scalar, Neg):
        return f"-{_within(inputs[0], names, _PREFIX)}", _PREFIX
    if isinstance(scalar, Reciprocal):
        return f"1 / {_within(inputs[0], names, _PREFIX)}", 2
    if isinstance(scalar, Sqr):
        return f"{_within(inputs[0], names, _ATOM)}**2", 4
    return _call(type(scalar).__name__.lower(), graph, names)


def _operation(operation: Any, graph: Any, names: Mapping[Variable, str]) -> tuple[str, int]:
    inputs = graph.owner.inputs
    if isinstance(operation, _ELEMENTS):
        return f"{_within(inputs[0], names, _ATOM)}[...]", _ATOM
    if isinstance(getattr(operation, "core_op", operation), Dot):
        return f"{_within(inputs[0], names, 2)} @ {_within(inputs[1], names, 3)}", 2
    return _call("sum", graph, names) if isinstance(operation, Sum) else (_function_of(graph, names), _ATOM)


def _call(name: str, graph: Any, names: Mapping[Variable, str]) -> tuple[str, int]:
    return f"{name}({', '.join(_expression(v, names)[0] for v in graph.owner.inputs)})", _ATOM


def _within(graph: Variable, names: Mapping[Variable, str], level: int) -> str:
    """The text of an operand, in parentheses where its operation binds less than ``level``."""
    text, own = _expression(graph, names)
    return text if own >= level else f"({text})"


def _constant(graph: Any) -> str:
    return _number(graph.data if isinstance(graph, Constant) else graph.get_value(borrow=True))


def _value(graph: Any) -> str:
    """The value of a graph of constants."""
    try:
        return _number(graph.eval(mode="FAST_COMPILE"))
    except Exception:
        # An input without a value. The text is for display only.
        return _DATA


def _number(data: Any) -> str:
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "iufb" or not data.size:
        return _DATA
    if data.size == 1 or np.all(data == data.flat[0]):
        return f"{data.flat[0]:.6g}"
    return f"[{', '.join(f'{v:.4g}' for v in data.flat)}]" if data.ndim == 1 and data.size <= _LARGEST_ARRAY else _DATA
