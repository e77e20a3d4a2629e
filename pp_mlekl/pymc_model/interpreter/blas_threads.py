"""Linear algebra of small matrices in one thread, where OpenBLAS' threads cost far more than they save."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from pytensor.graph.traversal import toposort
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.variable import TensorVariable
from threadpoolctl import ThreadpoolController

from pp_mlekl.utils.shared_state import Shared

# Rows from which a matrix keeps several threads busy.
_LARGE = 300


def has_small_matrices(outputs: Sequence[TensorVariable]) -> bool:
    """Whether a graph has linear algebra, and no matrix in it is known to be large."""
    found = False
    for node in toposort(outputs):
        core = node.op.core_op if isinstance(node.op, Blockwise) else node.op
        if type(core).__module__.startswith("pytensor.tensor.linalg"):
            found = True
            if max((n or 0 for v in node.inputs for n in v.type.shape), default=0) >= _LARGE:
                return False
    return found


def one_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS uses one thread; this holds for all threads of the process meanwhile."""
    return _ONE


@cache
def _controller() -> Any:
    # Looking for the libraries takes milliseconds, setting their number of threads microseconds.
    return ThreadpoolController()


_ONE = Shared(lambda: _controller().limit(limits=1, user_api="blas"))
