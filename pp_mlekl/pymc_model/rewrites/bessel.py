"""Bessel functions with derivatives of every order. With PyMC's own, von Mises and Rice models have no Hessian."""

from collections.abc import Sequence
from typing import Any

import pytensor.tensor as pt
from pymc.distributions.dist_math import I0e, I1e
from pytensor.graph.basic import Apply, Variable
from pytensor.scalar import basic as scalar
from pytensor.scalar.basic import UnaryScalarOp, upgrade_to_float
from pytensor.scalar.math import I0, I1
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.divergences.special import bessel_curvature, bessel_ratio, log_i0e
from pp_mlekl.pymc_model.rewrites.rebuild import rebuild

# Below this argument the third derivative of log I0 comes from its series, since its terms cancel.
_SMALL = 1e-2


class _Uncompiled(UnaryScalarOp):
    """A function of one number without C code."""

    def c_code(self, *args: Any, **kwargs: Any) -> str:
        """There is none."""
        raise NotImplementedError


class LogI0e(_Uncompiled):
    """log(exp(-|x|) I0(x))."""

    def impl(self, x: Any) -> Any:
        """The value at a number."""
        return log_i0e(x)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """A(x) - sign(x)."""
        (x,) = inputs
        return [cotangents[0] * (ratio(x) - scalar.sign(x))]


class Ratio(_Uncompiled):
    """A(x) = I1(x) / I0(x), the derivative of log I0."""

    def impl(self, x: Any) -> Any:
        """The value at a number."""
        return bessel_ratio(x)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """A' = 1 - A / x - A^2."""
        return [cotangents[0] * curvature(inputs[0])]


class Curvature(_Uncompiled):
    """A'(x), without cancellation where x is large."""

    def impl(self, x: Any) -> Any:
        """The value at a number."""
        return bessel_curvature(x)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """A'' = A / x^2 - A' / x - 2 A A'."""
        (x,) = inputs
        small = scalar.lt(scalar.abs(x), _SMALL)
        away = scalar.switch(small, 1.0, x)
        exact = (ratio(x) / away - curvature(x)) / away - 2.0 * ratio(x) * curvature(x)
        return [cotangents[0] * scalar.switch(small, x * (-3.0 / 8.0 + 5.0 / 24.0 * x * x), exact)]


log_scaled: Any = LogI0e(upgrade_to_float, name="log_i0e")
ratio: Any = Ratio(upgrade_to_float, name="bessel_ratio")
curvature: Any = Curvature(upgrade_to_float, name="bessel_curvature")

UFUNCS = {
    LogI0e: "pp_mlekl.divergences.special.log_i0e",
    Ratio: "pp_mlekl.divergences.special.bessel_ratio",
    Curvature: "pp_mlekl.divergences.special.bessel_curvature",
}


def with_derivatives(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with Bessel functions of order 0 and 1 that have derivatives of every order."""
    return rebuild(outputs, _bessel)


def _bessel(node: Apply, memo: dict[Variable, Variable]) -> TensorVariable | None:
    """Replace I0 and I1, scaled or not, by functions with derivatives."""
    op = node.op.scalar_op if isinstance(node.op, Elemwise) else None
    if not isinstance(op, I0 | I1 | I0e | I1e):
        return None
    x = pt.cast(memo.get(node.inputs[0], node.inputs[0]), "float64")
    value = Elemwise(log_scaled)(x)
    result = pt.exp(value if isinstance(op, I0e | I1e) else value + pt.abs(x))
    result = result * Elemwise(ratio)(x) if isinstance(op, I1 | I1e) else result
    return result.astype(node.outputs[0].type.dtype)
