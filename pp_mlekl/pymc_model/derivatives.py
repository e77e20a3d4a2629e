"""Graphs of derivatives, and the names of operations that have none."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import grad
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

_LONGEST_NAME = 60


class NoDerivative(ValueError):
    """PyTensor cannot form a gradient or a Hessian; the message names the operation.

    Parameters
    ----------
    what
        What has no derivative, as the subject of a sentence: ``"The likelihood"``.
    order
        1 for the gradient, 2 for the Hessian.
    operations
        Those without derivative.
    """

    def __init__(self, what: str, order: int, operations: Sequence[str]):
        self.order = order
        names = ", ".join(operations)
        remedy = "give it a pullback (before PyTensor 3: grad) method, or write it with PyTensor's own operations"
        missing = "gradient" if order == 1 else "Hessian"
        super().__init__(f"{what} has no {missing}: PyTensor knows no derivative of {names}; {remedy}.")


def derived[T](make: Callable[[], T], what: str, order: int, outputs: Sequence[Variable], wrt: Variable) -> T:
    """Build graphs of derivatives of ``outputs`` with respect to ``wrt``.

    Parameters
    ----------
    make
        Builds the graphs.
    what, order
        As for ``NoDerivative``.
    outputs, wrt
        The graphs that are differentiated (the gradient, where ``make`` builds a Hessian), and the variable.

    Raises
    ------
    NoDerivative
        Where an operation between ``wrt`` and ``outputs`` has no derivative.
    """
    try:
        return make()
    except Warning:
        raise
    except Exception as error:
        # An operation without a derivative may raise any exception.
        operations = underivable(outputs, wrt)
        if not operations:
            raise
        raise NoDerivative(what, order, operations) from error


def underivable(outputs: Sequence[Variable], wrt: Variable) -> tuple[str, ...]:
    """Names of the operations between ``wrt`` and ``outputs`` that PyTensor cannot differentiate.

    Examples
    --------
    >>> x = pt.dscalar("x")
    >>> underivable([pt.exp(x)], x)
    ()
    """
    nodes = list(toposort(outputs))
    used = {v for node in nodes for v in node.inputs} | set(outputs)
    reached = {wrt}
    names = []
    for node in nodes:
        if reached.isdisjoint(node.inputs):
            continue
        reached.update(node.outputs)
        through = [v for v in node.inputs if v in reached]
        ends = [v for v in node.outputs if v in used]
        if not _differentiable(through, ends):
            names += list(_names(node))
    return tuple(dict.fromkeys(names))


def _differentiable(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> bool:
    wrt, ends = ([v for v in some if _is_real(v)] for some in (inputs, outputs))
    if not wrt or not ends:
        return True
    for end in ends:
        try:
            grad(pt.sum(end), wrt, disconnected_inputs="ignore")
        except Warning:
            raise
        except Exception:
            return False
    return True


def _is_real(variable: Variable) -> bool:
    return isinstance(variable, TensorVariable) and variable.type.dtype.startswith("float")


def _names(node: Apply) -> Iterator[str]:
    """The name of an operation, or of the operations without derivative in its inner graph."""
    op: Any = node.op
    op = op.core_op if isinstance(op, Blockwise) else op.scalar_op if isinstance(op, Elemwise) else op
    inner = getattr(op, "fgraph", None)
    parts = [] if inner is None else [n for n in inner.toposort() if not _differentiable(n.inputs, n.outputs)]
    for part in parts:
        yield from _names(part)
    if not parts:
        name = str(op)
        yield name if len(name) <= _LONGEST_NAME else type(op).__name__
