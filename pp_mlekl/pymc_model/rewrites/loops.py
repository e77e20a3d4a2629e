"""Loops over time (``Scan``) with their steps changed."""

from collections.abc import Callable, Sequence

from pytensor.scan.op import Scan
from pytensor.tensor.variable import TensorVariable


def with_step(op: Scan, change: Callable[[Sequence[TensorVariable]], list[TensorVariable]]) -> Scan:
    """The loop with its step's outputs changed."""
    step = op.fgraph.unfreeze()
    return with_graphs(op, list(step.inputs), change(list(step.outputs)))


def with_graphs(op: Scan, inputs: list[TensorVariable], outputs: list[TensorVariable]) -> Scan:
    """The loop with other graphs as its step."""
    return Scan(
        inputs,
        outputs,
        op.info,
        mode=op.mode,
        truncate_gradient=op.truncate_gradient,
        name=op.name,
        allow_gc=op.allow_gc,
    )
