"""Symbolic operations (softmax, logsumexp, their derivatives) replaced by the graphs that they stand for.

Vectorised, such an operation is evaluated row by row of a batch in Python; its graph is evaluated for the whole batch at once.
"""

from collections.abc import Sequence
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.scan.op import Scan
from pytensor.tensor.rewriting.ofg import FusibleSymbolicOp, FusibleSymbolicOpDerivative, inline_symbolic_for_fusion
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.loops import with_step


@node_rewriter([Scan])
def _inline_in_step(graph: FunctionGraph, node: Apply) -> list[TensorVariable] | None:
    """Inline within the step of a loop, and of the loops in it."""
    if not _has_symbolic(node.op):
        return None
    results: list[TensorVariable] = with_step(node.op, inlined).make_node(*node.inputs).outputs
    return results


def _has_symbolic(loop: Scan) -> bool:
    operations = [node.op for node in loop.fgraph.apply_nodes]
    return any(
        isinstance(op, FusibleSymbolicOp | FusibleSymbolicOpDerivative) or (isinstance(op, Scan) and _has_symbolic(op))
        for op in operations
    )


INLINE = dfs_rewriter(inline_symbolic_for_fusion, _inline_in_step)


def inlined(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Replace every symbolic operation of some graphs, and of the steps of their loops, by its graph.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> (graph,) = inlined([pt.logsumexp(pt.dvector("x"))])
    >>> graph.owner.op.__class__.__name__
    'DimShuffle'
    """
    graphs: Any = rewrite_graph(list(outputs), include=(), custom_rewrite=INLINE, clone=False)
    return graphs
