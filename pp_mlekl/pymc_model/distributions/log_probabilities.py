"""Logarithms of probabilities from their graphs, where the probabilities themselves round to 0 or 1.

PyMC's counts take probabilities. Most are computed from a linear predictor by an inverse link, and the graph of the inverse
link gives log p and log(1 - p) without rounding.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.dist_math import normal_lcdf
from pytensor.graph.basic import Variable
from pytensor.scalar.basic import Add, Cast, Exp, Expm1, Identity, Mul, Neg, Second, Sub
from pytensor.scalar.math import Erf, Erfc, Sigmoid
from pytensor.tensor.basic import Join, MakeVector
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.special import Softmax, log_softmax
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.rebuild import common_constant

Logs = tuple[TensorVariable, TensorVariable]


def log_odds(p: TensorVariable) -> TensorVariable | None:
    """log p - log(1 - p) as a graph; None where ``p`` is not computed from anything.

    Examples
    --------
    >>> eta = pt.dscalar("eta")
    >>> float(log_odds(1 - pt.exp(-pt.exp(eta))).eval({eta: 4.0}, mode="FAST_COMPILE").round(4))
    54.5982
    """
    p = _bare(p)
    if p.owner is None:
        return None
    inputs = _inputs(p, Sigmoid)
    if inputs:
        return inputs[0].astype("float64")
    log, log_complement = _logs(p)
    return log - log_complement


def log_odds_of_second(weights: TensorVariable) -> TensorVariable | None:
    """The log odds of the second of two weights stacked on the last axis, 1 - p and p; None for other graphs."""
    node = weights.owner
    if node is None or not isinstance(node.op, Join | MakeVector) or len(node.inputs) != 2:
        return None
    second = node.inputs[1]
    if isinstance(node.op, Join):
        if second.owner is None or not isinstance(second.owner.op, DimShuffle):
            return None
        second = second.owner.inputs[0]
    return log_odds(second)


def log_weights(p: TensorVariable) -> TensorVariable | None:
    """Log probabilities of categories on the last axis; None where the graph of ``p`` does not give them."""
    p = _bare(p)
    node = p.owner
    if node is None:
        return None
    if isinstance(node.op, Softmax):
        return log_softmax(node.inputs[0].astype("float64"), axis=node.op.axis)
    if inputs := _inputs(p, Exp):
        return inputs[0].astype("float64")
    return _between_cutpoints(p)


def log_mean(mu: TensorVariable) -> TensorVariable | None:
    """log mu where ``mu`` is an exponential; None otherwise."""
    inputs = _inputs(_bare(mu), Exp)
    return inputs[0].astype("float64") if inputs else None


def _logs(p: TensorVariable) -> Logs:
    """log p and log(1 - p) by the inverse link that ``p`` is."""
    p = _bare(p)
    if inputs := _inputs(p, Sigmoid):
        return -pt.softplus(-inputs[0]), -pt.softplus(inputs[0])
    if inputs := _inputs(p, Exp):
        return inputs[0], pt.log1mexp(inputs[0])
    if (inputs := _inputs(p, Sub)) and common_constant(inputs[0]) == 1.0:
        log, log_complement = _logs(inputs[1])
        return log_complement, log
    if (inputs := _inputs(p, Neg)) and (inner := _inputs(_bare(inputs[0]), Expm1)):
        return pt.log1mexp(inner[0]), inner[0]
    score = _normal_score(p)
    if score is not None:
        return normal_lcdf(0.0, 1.0, score), normal_lcdf(0.0, 1.0, -score)
    return pt.log(p.astype("float64")), pt.log1p(-p.astype("float64"))


def _normal_score(p: TensorVariable) -> TensorVariable | None:
    """x where p = erfc(-x / sqrt(2)) / 2 or (1 + erf(x / sqrt(2))) / 2; None otherwise."""
    factors = _inputs(p, Mul) or []
    rest = [v for v in factors if common_constant(v) != 0.5]
    if len(factors) != 2 or len(rest) != 1:
        return None
    inner = _bare(rest[0])
    if inputs := _inputs(inner, Erfc):
        return -np.sqrt(2.0) * inputs[0]
    terms = [v for v in _inputs(inner, Add) or [] if common_constant(v) != 1.0]
    if len(terms) == 1 and (inputs := _inputs(_bare(terms[0]), Erf)):
        return np.sqrt(2.0) * inputs[0]
    return None


def _between_cutpoints(p: TensorVariable) -> TensorVariable | None:
    """Log differences of a cumulative logistic: s(b) - s(a) = s(b) s(-a) (1 - exp(a - b)), with s(x) = 1 / (1 + exp(-x))."""
    ends = _inputs(p, Sub)
    if not ends or not all(v.owner is not None and isinstance(v.owner.op, Subtensor) for v in ends):
        return None
    joined = [v.owner.inputs[0] for v in ends]
    if joined[0] is not joined[1] or joined[0].owner is None or not isinstance(joined[0].owner.op, Join):
        return None
    parts = joined[0].owner.inputs
    if len(parts) != 3:
        return None
    inputs = _inputs(_bare(parts[1]), Sigmoid)
    if not inputs or not _is_filled(parts[0], 0.0) or not _is_filled(parts[2], 1.0):
        return None
    x = inputs[0].astype("float64")
    low, high = x[..., :-1], x[..., 1:]
    between = -pt.softplus(-high) - pt.softplus(low) + pt.log1mexp(low - high)
    return pt.concatenate([-pt.softplus(-x[..., :1]), between, -pt.softplus(x[..., -1:])], axis=-1)


def _bare(graph: TensorVariable) -> TensorVariable:
    """The graph without copies and casts, and with changes of axes and selections moved inside an elementwise operation."""
    while (inputs := _inputs(graph, Identity, Cast)) is not None:
        graph = inputs[0]
    node = graph.owner
    if node is None or not isinstance(node.op, DimShuffle | Subtensor | AdvancedSubtensor):
        return graph
    inner = _bare(node.inputs[0])
    if inner.owner is None or not isinstance(inner.owner.op, Elemwise):
        return graph
    constants = [common_constant(v) for v in inner.owner.inputs]
    varying = [v for v, c in zip(inner.owner.inputs, constants, strict=True) if c is None]
    if len(varying) != 1 or varying[0].type.shape != inner.type.shape:
        return graph
    moved = _bare(node.op(varying[0], *node.inputs[1:]))
    return inner.owner.op(*(moved if c is None else c for c in constants))


def _inputs(graph: Variable, *kinds: type) -> Sequence[TensorVariable] | None:
    node = graph.owner
    if node is not None and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kinds):
        return node.inputs
    return None


def _is_filled(graph: TensorVariable, value: float) -> bool:
    """Whether a graph is an array filled with a number, as ``zeros_like`` makes it."""
    inputs = _inputs(graph, Second)
    return inputs is not None and common_constant(inputs[1]) == value
