"""Formulas that keep their digits: the probability of a zero, sigmoids inside a logarithm, 1 - exp(x).

PyMC computes the probability of a zero by incomplete gamma and beta functions. A hurdle or a truncation at zero needs one
minus that probability, which loses all digits where the incomplete function is close to one. The incomplete beta function
has no Hessian either.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pymc.pytensorf import constant_fold
from pytensor.graph.basic import Apply, Variable
from pytensor.scalar.basic import Exp, Log, Sub
from pytensor.scalar.math import BetaInc, GammaIncC, Sigmoid
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.rebuild import common_constant, is_elementwise, rebuild


def with_closed_forms(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with Q(1, x) = exp(-x) and I_p(a, 1) = p^a in place of the incomplete functions.

    Both follow from the integrals by which the incomplete functions are defined.

    Examples
    --------
    >>> import numpy as np
    >>> x = pt.dvector("x")
    >>> (graph,) = with_closed_forms([pt.log1mexp(pt.log(pt.gammaincc(np.array([1.0]), x)))])
    >>> bool(np.isclose(graph.eval({x: [1e-20]}, mode="FAST_COMPILE")[0], np.log(1e-20), rtol=1e-15))
    True
    """
    return rebuild(outputs, _logarithm)


def with_expm1(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with -expm1(x) in place of 1 - exp(x). PyTensor itself rewrites exp(x) - 1.

    The difference has no digits left where a growth curve is far below its plateau.

    Examples
    --------
    >>> x = pt.dscalar("x")
    >>> (graph,) = with_expm1([1 - pt.exp(x)])
    >>> float(graph.eval({x: -1e-20}, mode="FAST_COMPILE"))
    1e-20
    """
    return rebuild(outputs, _difference)


def with_sigmoids_outside(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with changes of axes moved inside sigmoids.

    PyTensor rewrites log(1 - sigmoid(x)) to a softplus, which keeps its digits where the sigmoid rounds to 1. A change of axes
    in between prevents this, and the probability of a negative binomial with a given mean has one.

    Examples
    --------
    >>> x = pt.dscalar("x")
    >>> (graph,) = with_sigmoids_outside([pt.sigmoid(x)[None]])
    >>> str(graph.owner.op)
    'Sigmoid'
    """
    return rebuild(outputs, _sigmoid)


def _sigmoid(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    if not isinstance(node.op, DimShuffle) or not is_elementwise(node.inputs[0].owner, Sigmoid):
        return None
    inside = node.inputs[0].owner.inputs[0]
    return pt.sigmoid(node.op(memo.get(inside, inside)))


def _logarithm(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    """Replace the logarithm of an incomplete function that has a closed form."""
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


def _is_one(parameter: TensorVariable) -> bool:
    """Whether a parameter is 1, also as an expression like floor(0) + 1."""
    (folded,) = constant_fold([parameter], raise_not_constant=False)
    value = common_constant(folded) if isinstance(folded, Variable) else np.unique(folded)
    return bool(np.all(value == 1.0)) if value is not None else False


def _difference(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    if (
        not is_elementwise(node, Sub)
        or common_constant(node.inputs[0]) != 1.0
        or not is_elementwise(node.inputs[1].owner, Exp)
    ):
        return None
    one, exponent = node.inputs[0], node.inputs[1].owner.inputs[0]
    return (-pt.expm1(memo.get(exponent, exponent)) + pt.zeros_like(one)).astype(node.outputs[0].type.dtype)
