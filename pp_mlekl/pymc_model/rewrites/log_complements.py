"""Log survival functions that keep their digits where the distribution function rounds to 1.

PyMC computes most log survival functions as log(1 - exp(log F)), which is minus infinity where F rounds to 1: a censored time
far beyond the fitted scale then has no likelihood. Here the complement is taken inside the formula of log F. Incomplete
gamma and beta functions keep their digits until they underflow, at 1e-308.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.utils import CheckParameterValue
from pytensor.graph.basic import Apply, Variable, equal_computations
from pytensor.scalar.basic import LT, Add, ArcTan, Cast, Exp, Identity, Log, Log1p, Mul, Neg, Sqrt, Sub, Switch, TrueDiv
from pytensor.scalar.math import BetaInc, GammaInc, GammaIncC, Log1mexp, Softplus
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.rebuild import common_constant, is_elementwise, rebuild


def with_log_complements(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rebuild graphs with log(1 - exp(log F)) written without cancellation.

    Examples
    --------
    >>> x = pt.dscalar("x")
    >>> log_distribution = pt.switch(x < 0, -np.inf, pt.log1mexp(-(x**2)))
    >>> (graph,) = with_log_complements([pt.log1mexp(log_distribution)])
    >>> float(graph.eval({x: 100.0}, mode="FAST_COMPILE"))
    -10000.0
    """
    return rebuild(outputs, _of_log1mexp)


def _of_log1mexp(node: Apply, memo: dict[Variable, Variable]) -> Variable | None:
    if not is_elementwise(node, Log1mexp):
        return None
    found = _complement(memo.get(node.inputs[0], node.inputs[0]))
    return None if found is None else found.astype(node.outputs[0].type.dtype)


def _complement(graph: TensorVariable) -> TensorVariable | None:
    """log(1 - exp(graph)) without cancellation, for graphs of known form; None for other graphs."""
    node = graph.owner
    if node is None:
        return None
    if isinstance(node.op, CheckParameterValue | Alloc):
        inside = _complement(node.inputs[0])
        return None if inside is None else node.op(inside, *node.inputs[1:])
    if isinstance(node.op, DimShuffle):
        inside = _complement(node.inputs[0])
        return None if inside is None else node.op(inside)
    if is_elementwise(node, Identity, Cast):
        return _complement(node.inputs[0])
    if is_elementwise(node, Switch):
        return _of_choice(*node.inputs)
    if is_elementwise(node, Log1mexp):
        return node.inputs[0]
    if is_elementwise(node, Neg):
        return _of_negative(node.inputs[0])
    if is_elementwise(node, Add):
        return _of_first_passage(*node.inputs)
    if is_elementwise(node, Log1p):
        inner = node.inputs[0].owner
        return _log(inner.inputs[0]) if is_elementwise(inner, Neg) else _log(node.inputs[0], sign=-1.0)
    return _of_probability(node.inputs[0]) if is_elementwise(node, Log) else None


def _of_choice(condition: TensorVariable, *branches: TensorVariable) -> TensorVariable | None:
    """A choice between log F = 0 or minus infinity outside the support and a formula inside; choices may be nested."""
    found = []
    for branch in branches:
        value = common_constant(branch)
        known = {0.0: pt.constant(-np.inf), -np.inf: pt.constant(0.0)}.get(value) if value is not None else None
        found.append(known if known is not None else _complement(branch))
    if all(f is None for f in found):
        return None
    chosen = [pt.log1mexp(b) if f is None else f for f, b in zip(found, branches, strict=True)]
    return pt.switch(condition, *chosen)


def _of_negative(exponent: TensorVariable) -> TensorVariable | None:
    """log(1 - exp(-x)) for the exponents of the logistic and of Gumbel's distribution."""
    if is_elementwise(exponent.owner, Softplus):
        return -pt.softplus(-exponent.owner.inputs[0])
    if is_elementwise(exponent.owner, Exp):
        # Below exp(-37), 1 - exp(-x) equals x in double precision.
        log = exponent.owner.inputs[0]
        small = log < -37.0
        return pt.switch(small, log, pt.log1mexp(-pt.exp(pt.switch(small, 0.0, log))))
    return None


def _of_first_passage(first: TensorVariable, *others: TensorVariable) -> TensorVariable | None:
    """log(1 - F) of the inverse Gaussian, where log F is log Phi(u) + softplus(2 lam / mu + log Phi(-w) - log Phi(u)).

    With u = (x / mu - 1) / r, w = (x / mu + 1) / r, r = sqrt(x / lam): w^2 - u^2 = 4 lam / mu, so that both terms of F and of
    1 - F have the factor exp(-u^2 / 2) (Giner and Smyth 2016, The R Journal 8, 339-351).
    """
    found = _passage(first, *others)
    if found is None:
        return None
    u, w = found
    beyond = u > 1.0
    far, farther = pt.switch(beyond, u, 1.0), pt.switch(beyond, w, 2.0)
    survival = pt.log((pt.erfcx(far / np.sqrt(2)) - pt.erfcx(farther / np.sqrt(2))) / 2) - far**2 / 2
    near, nearer = pt.switch(beyond, 1.0, u), pt.switch(beyond, 2.0, w)
    passed = pt.log((pt.erfcx(-near / np.sqrt(2)) + pt.erfcx(nearer / np.sqrt(2))) / 2) - near**2 / 2
    return pt.switch(beyond, survival, pt.log1mexp(passed))


def _passage(first: TensorVariable, *others: TensorVariable) -> tuple[TensorVariable, TensorVariable] | None:
    """u and w of the formula above; None for other graphs."""
    try:
        (rest,) = others
        ((second, same),) = (_inputs(v, Sub) for v in _inputs(rest, Softplus))
        factor, _ = _inputs(second, Add)
        condition, *_ = _inputs(first, Switch)
        (shifted, _), (number, ratio) = _inputs(_inputs(condition, LT)[0], TrueDiv), _inputs(_unshaped(factor), TrueDiv)
        numerator, r = _inputs(_inputs(shifted, Sub)[0], TrueDiv)
        (x, mu), ((y, lam),) = (
            _inputs(_inputs(numerator, Sub)[0], TrueDiv),
            (_inputs(v, TrueDiv) for v in _inputs(r, Sqrt)),
        )
        known = all(_same(*pair) for pair in zip((mu, lam), _inputs(ratio, TrueDiv), strict=True))
    except ValueError:
        return None
    if same is not first or x is not y or common_constant(number) != 2.0 or not known:
        return None
    return (x / mu - 1.0) / r, (x / mu + 1.0) / r


def _inputs(graph: TensorVariable, kind: type) -> list[TensorVariable]:
    """What an elementwise operation of one scalar kind is applied to; raises for other graphs."""
    if not is_elementwise(graph.owner, kind):
        raise ValueError(f"no {kind.__name__}")
    return graph.owner.inputs


def _same(first: TensorVariable, second: TensorVariable) -> bool:
    """Whether two graphs are one, up to changes of axes and types."""
    value = common_constant(first)
    if value is not None:
        return value == common_constant(second)
    return equal_computations([_unshaped(first)], [_unshaped(second)])


def _unshaped(graph: TensorVariable) -> TensorVariable:
    """A graph without its last changes of axes and types."""
    while graph.owner is not None and (isinstance(graph.owner.op, DimShuffle) or is_elementwise(graph.owner, Cast)):
        graph = graph.owner.inputs[0]
    return graph


def _of_probability(p: TensorVariable) -> TensorVariable | None:
    """log(1 - p) for the incomplete functions, an arc tangent and half of an error function."""
    node = p.owner
    if is_elementwise(node, GammaInc):
        return pt.log(pt.gammaincc(*node.inputs))
    if is_elementwise(node, GammaIncC):
        return pt.log(pt.gammainc(*node.inputs))
    if is_elementwise(node, BetaInc):
        a, b, x = node.inputs
        return pt.log(pt.betainc(b, a, _one_minus(x)))
    if is_elementwise(node, Sub) and common_constant(node.inputs[0]) == 1.0:
        return _log(node.inputs[1])
    if (
        is_elementwise(node, Add)
        and common_constant(node.inputs[0]) == 0.5
        and is_elementwise(node.inputs[1].owner, TrueDiv)
    ):
        angle = node.inputs[1].owner.inputs[0].owner
        if is_elementwise(angle, ArcTan):
            return pt.log(pt.arctan2(1.0, angle.inputs[0]) / np.pi)
    return None


def _log(p: TensorVariable, sign: float = 1.0) -> TensorVariable:
    """log(sign * p) for a positive sign * p; the exponent of an exponential, which may underflow, is taken as it is."""
    node = p.owner
    if is_elementwise(node, Exp) and sign > 0:
        return node.inputs[0]
    if is_elementwise(node, Mul) and len(node.inputs) == 2:
        factor = common_constant(node.inputs[0])
        if factor is not None and sign * factor > 0:
            return np.log(sign * factor) + _log(node.inputs[1])
    return pt.log(sign * p)


def _one_minus(x: TensorVariable) -> TensorVariable:
    """1 - x, without cancellation where x = 1 - y or x = (t + s) / (2 s) with s^2 = t^2 + nu (Student's distribution)."""
    node = x.owner
    if is_elementwise(node, Sub) and common_constant(node.inputs[0]) == 1.0:
        return node.inputs[1]
    if is_elementwise(node, TrueDiv) and is_elementwise(node.inputs[0].owner, Add):
        t, s = node.inputs[0].owner.inputs
        if is_elementwise(s.owner, Sqrt) and is_elementwise(s.owner.inputs[0].owner, Add):
            nu = s.owner.inputs[0].owner.inputs[1]
            beyond = t > 0
            far = pt.switch(beyond, t, 1.0)
            return pt.switch(beyond, nu / (2 * pt.sqrt(far**2 + nu) * (pt.sqrt(far**2 + nu) + far)), 1 - x)
    return 1 - x
