"""Normal distribution functions whose derivatives are numbers in both tails.

PyMC takes log Phi from one formula in the lower tail and from another elsewhere. Both are evaluated everywhere, and where one
that is not chosen has lost all its digits its derivative is 0 times infinity, which makes Hessians undefined for observations
8 standard deviations from a bound. The formula that is not chosen is evaluated where the choice changes instead, so that it
stays finite. A skew normal density has log(1 + erf(x)), which is minus infinity that far out.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import GE, GT, LE, LT, Add, Log, Switch
from pytensor.scalar.math import Erf, Erfc, Erfcx
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rebuilt import rebuilt

# From here on downwards log(1 + erf(x)) is taken from the scaled complement.
_TAIL = -1.0


def with_tails(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with normal distribution functions that have derivatives in both tails.

    Examples
    --------
    >>> x = pt.dvector("x")
    >>> (graph,) = with_tails([pt.log(1.0 + pt.erf(x))])
    >>> graph.eval({x: [-30.0, 0.0]}, mode="FAST_COMPILE").round(4).tolist()
    [-903.9741, 0.0]
    """
    return rebuilt(outputs, _tail)


def _tail(node: Apply, memo: dict[Variable, Variable]) -> Variable | None:
    if _is(node, Log):
        return _log_of_one_and_erf(node.inputs[0], memo)
    return _guarded(node, memo) if _is(node, Switch) else None


def _is(node: Apply | None, *kinds: type) -> bool:
    return node is not None and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kinds)


def _log_of_one_and_erf(argument: Variable, memo: dict[Variable, Variable]) -> TensorVariable | None:
    """log(1 + erf(x)) of its argument, which is None if it is another."""
    if not _is(argument.owner, Add) or len(argument.owner.inputs) != 2:
        return None
    one, erf = sorted(argument.owner.inputs, key=lambda v: _constant(v) is None)
    if not _is(erf.owner, Erf) or _constant(one) != 1:
        return None
    inside = erf.owner.inputs[0]
    x = pt.cast(memo.get(inside, inside), "float64")
    tail = pt.lt(x, _TAIL)
    low, high = pt.switch(tail, x, _TAIL), pt.switch(tail, _TAIL, x)
    return pt.switch(tail, pt.log(pt.erfcx(-low)) - pt.sqr(low), pt.log1p(pt.erf(high)))


def _guarded(node: Apply, memo: dict[Variable, Variable]) -> Variable | None:
    """A choice by how large a variable is, of formulas that see it on their own side alone."""
    condition, first, second = (memo.get(v, v) for v in node.inputs)
    if not _is(condition.owner, LT, LE, GT, GE):
        return None
    variable, bound = condition.owner.inputs
    if _constant(bound) is None or _constant(variable) is not None or not _in_error_function(variable, first, second):
        return None
    inner = pt.switch(condition, variable, bound).astype(variable.type.dtype)
    outer = pt.switch(condition, bound, variable).astype(variable.type.dtype)
    chosen = clone_replace([first], {variable: inner}, rebuild_strict=False)
    other = clone_replace([second], {variable: outer}, rebuild_strict=False)
    return pt.switch(condition, *chosen, *other).astype(node.outputs[0].type.dtype)


def _in_error_function(variable: Variable, *formulas: Variable) -> bool:
    """Whether every formula holds an error function of the variable."""
    return all(
        any(
            _is(v.owner, Erf, Erfc, Erfcx) and variable in ancestors([v])
            for v in ancestors([formula], blockers=[variable])
        )
        for formula in formulas
    )


def _constant(variable: Variable) -> float | None:
    """The number that a variable is everywhere; None if it is none."""
    while variable.owner is not None and isinstance(variable.owner.op, DimShuffle):
        variable = variable.owner.inputs[0]
    if not isinstance(variable, Constant) or np.size(variable.data) == 0:
        return None
    values = np.unique(variable.data)
    return float(values[0]) if len(values) == 1 else None
