"""Normal distribution functions with finite derivatives in both tails.

PyMC computes log Phi by one formula in the lower tail and by another elsewhere, and evaluates both everywhere. Where the
formula that is not chosen has lost all its digits, its derivative is 0 times infinity. Hessians are then NaN for observations
many standard deviations from a bound that depends on parameters (truncated and ex-Gaussian distributions). Here the formula
that is not chosen is evaluated at the point where the choice changes, so that it stays finite.
"""

from collections.abc import Sequence

import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import GE, GT, LE, LT, Switch
from pytensor.scalar.math import Erf, Erfc, Erfcx
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.rebuild import common_constant, is_elementwise, rebuild


def with_normal_tails(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with normal distribution functions that have derivatives in both tails.

    Examples
    --------
    >>> x = pt.dvector("x")
    >>> (graph,) = with_normal_tails([pt.switch(x > 1.0, pt.log(pt.erfcx(x)) - x**2, pt.log(pt.erfc(x)))])
    >>> graph.eval({x: [30.0, 0.0]}, mode="FAST_COMPILE").round(4).tolist()
    [-903.9741, 0.0]
    """
    return rebuild(outputs, _guarded)


def _guarded(node: Apply, memo: dict[Variable, Variable]) -> Variable | None:
    """Evaluate each formula of a choice on its own side of the bound only."""
    if not is_elementwise(node, Switch):
        return None
    condition, first, second = (memo.get(v, v) for v in node.inputs)
    if not is_elementwise(condition.owner, LT, LE, GT, GE):
        return None
    variable, bound = condition.owner.inputs
    if (
        common_constant(bound) is None
        or common_constant(variable) is not None
        or not _in_error_function(variable, first, second)
    ):
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
            is_elementwise(v.owner, Erf, Erfc, Erfcx) and variable in ancestors([v])
            for v in ancestors([formula], blockers=[variable])
        )
        for formula in formulas
    )
