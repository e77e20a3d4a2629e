"""One call for many arguments: graphs vectorised over leading axes, in pieces that fit into memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.lazy_function import LazyFunction, simplified, without_c
from pp_mlekl.pymc_model.interpreter.vectorize import vectorized
from pp_mlekl.typing import Array

# Largest number of elements of an intermediate array in one vectorised call: 3 MB of doubles. Arrays ten times larger do not
# fit into the processor's cache; the log density of a logistic regression of 100,000 rows then takes 2.4 times as long.
CHUNK_ELEMENTS = 400_000
# A second graph, for two batch axes, takes about a second to build, which pays from this number of elements on.
_WORTH_TWO_AXES = 10 * CHUNK_ELEMENTS


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

    ``outputs`` has the graphs as they are evaluated.
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
        self.outputs = simplified(outputs) if simplify else list(outputs)
        self._elements = max(elements, 1)
        self._chunk = max(1, CHUNK_ELEMENTS // self._elements)
        self._functions: dict[tuple[tuple[bool, ...], ...], LazyFunction] = {}

    def __call__(self, *arguments: Array) -> list[Array]:
        """Evaluate: each output has the broadcast batch shape before its own."""
        arrays = [np.asarray(a, dtype=v.type.dtype) for a, v in zip(arguments, self._inputs, strict=True)]
        leading = [a.shape[: a.ndim - v.type.ndim] for a, v in zip(arrays, self._inputs, strict=True)]
        batch = np.broadcast_shapes(*leading)
        if not batch:
            return [np.asarray(out) for out in self._function(((),) * len(arrays))(*arrays)]
        axes = _merged_axes(leading, batch)
        if len(axes) == 2 and int(np.prod(batch, dtype=float)) * self._elements > _WORTH_TWO_AXES:
            return self._in_blocks(arrays, leading, batch, axes)
        function = self._function(tuple((True,) if shape else () for shape in leading))
        return self._in_chunks(function, arrays, leading, batch)

    def _function(self, batched: tuple[tuple[bool, ...], ...]) -> LazyFunction:
        """The function for inputs with these batch axes; False marks an axis of length 1."""
        if batched not in self._functions:
            self._functions[batched] = (
                self._vectorized(batched) if any(batched) else LazyFunction(self._inputs, self.outputs)
            )
        return self._functions[batched]

    def _vectorized(self, batched: tuple[tuple[bool, ...], ...]) -> LazyFunction:
        inputs = [
            TensorType(v.type.dtype, shape=(*(None if long else 1 for long in axes), *v.type.shape))(f"{v.name}_batch")
            if axes
            else v
            for v, axes in zip(self._inputs, batched, strict=True)
        ]
        replace = {v: new for v, new in zip(self._inputs, inputs, strict=True) if new is not v}
        with without_c():
            return LazyFunction(inputs, vectorized(self.outputs, replace))

    def _in_blocks(
        self,
        arrays: Sequence[Array],
        leading: Sequence[tuple[int, ...]],
        batch: tuple[int, ...],
        axes: Sequence["_Axes"],
    ) -> list[Array]:
        """Evaluate a batch over two axes; terms that depend on one axis alone are computed once for all of the other."""
        batched = tuple(tuple(bool(axis.long[i]) for axis in axes) if shape else () for i, shape in enumerate(leading))
        function = self._function(batched)
        two = [
            a.reshape(*(axis.length if axis.long[i] else 1 for axis in axes), *a.shape[len(shape) :]) if shape else a
            for i, (a, shape) in enumerate(zip(arrays, leading, strict=True))
        ]
        first, second = (axis.length for axis in axes)
        across = min(second, self._chunk)
        along = max(1, self._chunk // across)
        results: list[Array] = []
        for i in range(0, first, along):
            for j in range(0, second, across):
                cut = (slice(i, i + along), slice(j, j + across))
                part = [
                    a[tuple(c if long else slice(None) for c, long in zip(cut, given, strict=True))] if given else a
                    for a, given in zip(two, batched, strict=True)
                ]
                outputs = function(*part)
                if not results:
                    cores = self._cores(outputs)
                    results = [
                        np.empty((first, second, *core), dtype=out.dtype)
                        for out, core in zip(outputs, cores, strict=True)
                    ]
                for whole, out in zip(results, outputs, strict=True):
                    whole[cut] = out
        return [whole.reshape((*batch, *whole.shape[2:])) for whole in results]

    def _cores(self, outputs: Sequence[Array]) -> list[tuple[int, ...]]:
        """The outputs' own shapes; one that does not depend on the batched inputs comes back without the batch axes."""
        return [
            np.shape(out)[np.ndim(out) - graph.type.ndim :] for out, graph in zip(outputs, self.outputs, strict=True)
        ]

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
                cores = self._cores(outputs)
                results = [np.empty((n, *core), dtype=out.dtype) for out, core in zip(outputs, cores, strict=True)]
            for whole, out in zip(results, outputs, strict=True):
                whole[start:stop] = out
        return [whole.reshape((*batch, *whole.shape[1:])) for whole in results]


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """Adjacent batch axes that the same inputs have, merged into one.

    Parameters
    ----------
    length
        Product of their lengths.
    long
        For each input, whether it has these axes with a length other than 1.
    """

    length: int
    long: tuple[bool, ...]


def _merged_axes(leading: Sequence[tuple[int, ...]], batch: tuple[int, ...]) -> list[_Axes]:
    """The batch axes without those of length 1; adjacent axes that the same inputs have are merged."""
    found: list[_Axes] = []
    for place, length in enumerate(batch):
        if length == 1:
            continue
        back = len(batch) - place
        long = tuple(len(shape) >= back and shape[-back] != 1 for shape in leading)
        if found and found[-1].long == long:
            found[-1] = _Axes(length=found[-1].length * length, long=long)
        else:
            found.append(_Axes(length=length, long=long))
    return found


def _rows(array: Array, leading: tuple[int, ...], batch: tuple[int, ...]) -> Callable[[int, int], Array]:
    """Rows ``start`` to ``stop`` of an array whose leading axes are broadcast to a batch and flattened."""
    core = array.shape[len(leading) :]
    if leading == batch:
        whole = array.reshape(-1, *core)
        return lambda start, stop: whole[start:stop]
    broadcast = np.broadcast_to(array, (*batch, *core))
    return lambda start, stop: broadcast[np.unravel_index(np.arange(start, stop), batch)]
