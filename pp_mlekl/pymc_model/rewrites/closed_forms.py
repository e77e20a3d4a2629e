"""Graphs that keep their digits: probabilities of a zero in closed form, sigmoids where their logarithm is seen, 1 - exp(x).

PyMC takes the probability of a zero from incomplete gamma and beta functions. A hurdle or truncation at zero needs one less
that, of which an incomplete function close to one leaves no digits, and the incomplete beta function has no Hessian.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.scalar.basic import Exp, Log, Sub
from pytensor.scalar.math import BetaInc, GammaIncC, Sigmoid
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.rebuild import is_elementwise, rebuilt


def with_closed_forms(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with Q(1, x) = exp(-x) and I_p(a, 1) = p^a in place of the incomplete functions.

    Both follow from the integrals by which the incomplete functions are defined.

    Examples
    --------
    >>> x = pt.dvector("x")
    >>> (graph,) = with_closed_forms([pt.log1mexp(pt.log(pt.gammaincc(np.array([1.0]), x)))])
    >>> bool(np.isclose(graph.eval({x: [1e-20]}, mode="FAST_COMPILE")[0], np.log(1e-20), rtol=1e-15))
    True
    """
    return rebuilt(outputs, _logarithm)


def with_expm1(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with -expm1(x) in place of 1 - exp(x); exp(x) - 1 is PyTensor's own to rewrite.

    A curve that rises to a plateau has no digits left in the difference where the plateau is far off.

    Examples
    --------
    >>> x = pt.dscalar("x")
    >>> (graph,) = with_expm1([1 - pt.exp(x)])
    >>> float(graph.eval({x: -1e-20}, mode="FAST_COMPILE"))
    1e-20
    """
    return rebuilt(outputs, _difference)


def with_sigmoids_outside(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with every sigmoid of which axes are changed as a sigmoid of what has other axes.

    PyTensor turns log(1 - sigmoid(x)), which is lost where the sigmoid is one, into a softplus, but not through a change of
    axes, and the probability of a negative binomial distribution in terms of its mean has one.

    Examples
    --------
    >>> x = pt.dscalar("x")
    >>> (graph,) = with_sigmoids_outside([pt.sigmoid(x)[None]])
    >>> str(graph.owner.op)
    'Sigmoid'
    """
    return rebuilt(outputs, _sigmoid)


def _sigmoid(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    if not isinstance(node.op, DimShuffle) or not is_elementwise(node.inputs[0].owner, Sigmoid):
        return None
    inside = node.inputs[0].owner.inputs[0]
    return pt.sigmoid(node.op(memo.get(inside, inside)))


def _logarithm(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    """The logarithm that a node takes of an incomplete function with a one in the right place; None for other nodes."""
    inner = node.inputs[0].owner if is_elementwise(node, Log) else None
    if inner is None:
        return None
    arguments = [memo.get(v, v) for v in inner.inputs]
    dtype = node.outputs[0].type.dtype
    if is_elementwise(inner, GammaIncC) and _is_one(inner.inputs[0]):
        return (-arguments[1] + pt.zeros_like(arguments[0])).astype(dtype)
    if is_elementwise(inner, BetaInc) and _is_one(inner.inputs[1]):
        return (arguments[0] * pt.log(arguments[2]) + pt.zeros_like(arguments[1])).astype(dtype)
    return None


def _difference(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    if not is_elementwise(node, Sub) or not _is_one(node.inputs[0]) or not is_elementwise(node.inputs[1].owner, Exp):
        return None
    one, exponent = node.inputs[0], node.inputs[1].owner.inputs[0]
    return (-pt.expm1(memo.get(exponent, exponent)) + pt.zeros_like(one)).astype(node.outputs[0].type.dtype)


def _is_one(variable: Variable) -> bool:
    return isinstance(variable, Constant) and bool(np.all(variable.data == 1))
