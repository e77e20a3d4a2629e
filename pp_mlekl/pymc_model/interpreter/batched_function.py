"""One call for many arguments: graphs vectorised over leading axes, in pieces that fit into memory."""

from collections.abc import Callable, Sequence

import numpy as np
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.lazy_function import LazyFunction, simplified, without_c
from pp_mlekl.pymc_model.interpreter.vectorize import vectorized
from pp_mlekl.typing import Array

# Elements that one vectorised call may hold per intermediate array: 3 MB of doubles. Tens of arrays of ten times that size fall
# out of the processor's cache: the log density of a logistic regression of 100,000 rows then takes 2.4 times as long.
CHUNK_ELEMENTS = 400_000


class BatchedFunction:
    """A function whose arguments may each have leading batch axes, which broadcast.

    Parameters
    ----------
    inputs, outputs
        PyTensor variables without batch axes.
    elements
        How many elements the largest intermediate array has for one element of the batch.
    simplify
        Whether to simplify the graphs first. For a large graph that is called rarely this costs more than it saves.
    """

    def __init__(
        self,
        inputs: Sequence[TensorVariable],
        outputs: Sequence[TensorVariable],
        elements: int = 1,
        *,
        simplify: bool = True,
    ):
        self._inputs = list(inputs)
        self._outputs = simplified(outputs) if simplify else list(outputs)
        self._chunk = max(1, CHUNK_ELEMENTS // max(elements, 1))
        self._functions: dict[tuple[bool, ...], LazyFunction] = {}

    def __call__(self, *arguments: Array) -> list[Array]:
        """Evaluate: each output has the broadcast batch shape before its own."""
        arrays = [np.asarray(a, dtype=v.type.dtype) for a, v in zip(arguments, self._inputs, strict=True)]
        leading = [a.shape[: a.ndim - v.type.ndim] for a, v in zip(arrays, self._inputs, strict=True)]
        batch = np.broadcast_shapes(*leading)
        batched = tuple(bool(shape) for shape in leading)
        function = self._function(batched)
        if not batch:
            return [np.asarray(out) for out in function(*arrays)]
        return self._in_chunks(function, arrays, leading, batch)

    def _function(self, batched: tuple[bool, ...]) -> LazyFunction:
        if batched not in self._functions:
            self._functions[batched] = (
                self._vectorized(batched) if any(batched) else LazyFunction(self._inputs, self._outputs)
            )
        return self._functions[batched]

    def _vectorized(self, batched: tuple[bool, ...]) -> LazyFunction:
        inputs = [
            TensorType(v.type.dtype, shape=(None, *v.type.shape))(f"{v.name}_batch") if is_batched else v
            for v, is_batched in zip(self._inputs, batched, strict=True)
        ]
        replace = {v: new for v, new in zip(self._inputs, inputs, strict=True) if new is not v}
        with without_c():
            return LazyFunction(inputs, vectorized(self._outputs, replace))

    def _in_chunks(
        self,
        function: LazyFunction,
        arrays: Sequence[Array],
        leading: Sequence[tuple[int, ...]],
        batch: tuple[int, ...],
    ) -> list[Array]:
        """Evaluate the batch piece by piece; only one piece of a broadcast argument exists at a time."""
        n = int(np.prod(batch, dtype=int))
        flat = [_rows(a, shape, batch) if shape else None for a, shape in zip(arrays, leading, strict=True)]
        results: list[Array] = []
        for start in range(0, max(n, 1), self._chunk):
            stop = min(start + self._chunk, n)
            part = [a if rows is None else rows(start, stop) for a, rows in zip(arrays, flat, strict=True)]
            outputs = function(*part)
            if not results:
                # An output that does not depend on the batched inputs comes back without the batch axis.
                cores = [
                    np.shape(out)[np.ndim(out) - graph.type.ndim :]
                    for out, graph in zip(outputs, self._outputs, strict=True)
                ]
                results = [np.empty((n, *core), dtype=out.dtype) for out, core in zip(outputs, cores, strict=True)]
            for whole, out in zip(results, outputs, strict=True):
                whole[start:stop] = out
        return [whole.reshape((*batch, *whole.shape[1:])) for whole in results]


def _rows(array: Array, leading: tuple[int, ...], batch: tuple[int, ...]) -> Callable[[int, int], Array]:
    """Rows ``start`` to ``stop`` of an array whose leading axes are broadcast to a batch and flattened."""
    core = array.shape[len(leading) :]
    if leading == batch:
        whole = array.reshape(-1, *core)
        return lambda start, stop: whole[start:stop]
    broadcast = np.broadcast_to(array, (*batch, *core))
    return lambda start, stop: broadcast[np.unravel_index(np.arange(start, stop), batch)]
