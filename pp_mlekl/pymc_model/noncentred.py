"""Latent variables in their non-centred form: standard normals that are multiplied by other parameters."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pymc as pm
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Cast, Identity, Mul, TrueDiv
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.extra_ops import CumOp
from pytensor.tensor.math import Dot
from pytensor.tensor.random.basic import NormalRV
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor

from pp_mlekl.pymc_model.interpreter.constant_values import constant_value

# Operations that are linear in their first input, whatever the others are.
_LINEAR = (DimShuffle, Reshape, SpecifyShape, Subtensor, AdvancedSubtensor, CumOp)


def noncentred(model: pm.Model) -> dict[str, list[str]]:
    """Standard normal variables that the model uses only in products with other free variables, and those by name.

    ``mu + tau * z`` with a standard normal ``z`` is a variable with the prior ``Normal(mu, tau)`` in another form. So ``z`` is
    a latent variable, and ``tau`` its scale.
    """
    standard = [rv for rv in model.free_RVs if _is_standard_normal(rv)]
    if not standard:
        return {}
    clients: dict[Variable, list[Apply]] = defaultdict(list)
    nodes = {v.owner for v in ancestors([*model.basic_RVs, *model.potentials]) if v.owner is not None}
    for node in nodes:
        for variable in set(node.inputs):
            clients[variable].append(node)
    others = {rv: rv.name for rv in model.free_RVs if rv not in standard}
    found = {rv.name: _factors(rv, clients, others) for rv in standard}
    return {name: [n for n in others.values() if n in factors] for name, factors in found.items() if factors}


def _is_standard_normal(rv: Variable) -> bool:
    if not isinstance(rv.owner.op, NormalRV):
        return False
    try:
        mu, sigma = (constant_value(parameter) for parameter in rv.owner.op.dist_params(rv.owner))
    except ValueError:
        return False
    return bool(np.all(mu == 0) and np.all(sigma == 1))


def _factors(variable: Variable, clients: dict[Variable, list[Apply]], others: dict[Variable, str]) -> set[str]:
    """The names of ``others`` that every use of a variable is multiplied by; empty if one use is no such product."""
    found: set[str] = set()
    for node in clients[variable]:
        factors = _factors_of_use(variable, node, clients, others)
        if not factors:
            return set()
        found |= factors
    return found


def _factors_of_use(
    variable: Variable, node: Apply, clients: dict[Variable, list[Apply]], others: dict[Variable, str]
) -> set[str]:
    rest: Sequence[Variable] = [v for v in node.inputs if v is not variable]
    above = set(ancestors(rest))
    if variable in above or not _is_linear_in(variable, node):
        return set()
    by = {others[v] for v in above if v in others} if _is_product(node) else set()
    return by or _factors(node.outputs[0], clients, others)


def _is_product(node: Apply) -> bool:
    op = node.op.core_op if isinstance(node.op, Blockwise) else node.op
    return isinstance(op, Dot) or (isinstance(op, Elemwise) and isinstance(op.scalar_op, Mul | TrueDiv))


def _is_linear_in(variable: Variable, node: Apply) -> bool:
    op = node.op
    if isinstance(op, Elemwise) and isinstance(op.scalar_op, TrueDiv):
        return variable is node.inputs[0]
    if isinstance(op, _LINEAR):
        return variable is node.inputs[0]
    return _is_product(node) or (isinstance(op, Elemwise) and isinstance(op.scalar_op, Cast | Identity))
