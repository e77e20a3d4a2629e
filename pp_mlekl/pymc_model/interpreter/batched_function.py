"""One call for many arguments: graphs vectorised over leading axes, in pieces that fit into memory."""

from collections.abc import Sequence

import numpy as np
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.lazy_function import LazyFunction, simplified, without_c
from pp_mlekl.pymc_model.interpreter.vectorize import vectorized
from pp_mlekl.typing import Array

# Elements that one vectorised call may hold per intermediate array: 32 MB of doubles.
CHUNK_ELEMENTS = 4_000_000


class BatchedFunction:
    """A function whose arguments may each have leading batch axes, which broadcast.

    Parameters
    ----------
    inputs, outputs
        PyTensor variables without batch axes.
    elements
        How many elements the largest intermediate array has for one element of the batch.
    simplify
        Whether to simplify the graphs first; for a large graph that is used little it costs more than it saves.
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
        rows = [
            np.broadcast_to(
                a, batch + v.type.shape if None not in v.type.shape else batch + a.shape[len(shape) :]
            ).reshape(-1, *a.shape[len(shape) :])
            if is_batched
            else a
            for a, v, shape, is_batched in zip(arrays, self._inputs, leading, batched, strict=True)
        ]
        return [out.reshape((*batch, *out.shape[1:])) for out in self._in_chunks(function, rows, batched, batch)]

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

    def _in_chunks(self, function, rows, batched, batch) -> list[Array]:
        n = int(np.prod(batch, dtype=int))
        pieces = []
        for start in range(0, max(n, 1), self._chunk):
            part = [r[start : start + self._chunk] if b else r for r, b in zip(rows, batched, strict=True)]
            length = min(self._chunk, n - start)
            outputs = function(*part)
            pieces.append(
                [
                    # An output that does not depend on the batched inputs comes back without the batch axis.
                    np.broadcast_to(out, (length, *np.shape(out))) if np.ndim(out) == graph.type.ndim else out
                    for out, graph in zip(outputs, self._outputs, strict=True)
                ]
            )
        return [np.concatenate(column) for column in zip(*pieces, strict=True)]
