"""Callables from graphs: interpreted at first, compiled once the interpreted calls have cost as much."""

import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import numpy as np
import pytensor
from pytensor.compile.mode import Mode, get_default_mode
from pytensor.graph.rewriting.basic import SequentialGraphRewriter
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import toposort
from pytensor.scalar.basic import Add, Clip, Mul, Second
from pytensor.scalar.math import Log1mexp, Sigmoid, Softplus, TriGamma
from pytensor.scan.op import Scan
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.blas_threads import has_small_matrices, one_thread
from pp_mlekl.pymc_model.interpreter.count_tables import of_counts_node
from pp_mlekl.pymc_model.interpreter.elemwise import direct_elemwise
from pp_mlekl.pymc_model.interpreter.linalg import batched_blockwise
from pp_mlekl.pymc_model.interpreter.pytensor_settings import settings
from pp_mlekl.pymc_model.interpreter.scalar_loops import array_loop_node
from pp_mlekl.pymc_model.interpreter.static_shapes import static_shapes_from_types
from pp_mlekl.pymc_model.rewrites import bessel
from pp_mlekl.pymc_model.rewrites.fewer_functions import AXES_OUTSIDE, ONE_CHOICE
from pp_mlekl.pymc_model.rewrites.inline import INLINE
from pp_mlekl.pymc_model.rewrites.loops import with_step
from pp_mlekl.typing import Array
from pp_mlekl.utils.shared_state import alone, silenced

# A Numba compilation takes 7-55 s. Interpreting until that much has been spent, then compiling, never costs
# more than twice the better of the two choices (the ski-rental bound). Seconds are those of the thread's own CPU time, so that a
# busy machine makes the same choice.
COMPILATION_PRICE_SECONDS = 20.0
# Approximate number of calls of a function in a search.
_CALLS_OF_A_LOOP = 100

_UFUNCS = {
    Sigmoid: "pp_mlekl.pymc_model.interpreter.ufuncs.sigmoid",
    Softplus: "pp_mlekl.pymc_model.interpreter.ufuncs.softplus",
    Log1mexp: "pp_mlekl.pymc_model.interpreter.ufuncs.log1mexp",
    TriGamma: "pp_mlekl.pymc_model.interpreter.ufuncs.trigamma",
    Second: "pp_mlekl.pymc_model.interpreter.ufuncs.second",
    Clip: "numpy.clip",
    **bessel.UFUNCS,
}

# NumPy's iterators take 32 operands; sums that PyTensor merges may have more.
_MOST_OPERANDS = 30

# Relative difference between a compiled and an interpreted function that cancelling terms may cause by rounding.
_ALIKE = 1e-6

_SIMPLIFICATIONS = ("canonicalize", "fast_compile")
# BLAS nodes have no derivative, and Numba falls back to Python objects for them.
_BLAS = ("blas", "BlasOpt")

_LAST = SequentialGraphRewriter(INLINE, AXES_OUTSIDE, ONE_CHOICE)


class CompilationCount:
    """The number of functions built in this process, for tests that limit it."""

    interpreted = 0
    compiled = 0


@contextmanager
def without_c() -> Iterator[None]:
    """Keep PyTensor from compiling C code (10-90 s) for functions that are to be interpreted.

    PyTensor also records no tracebacks (a fifth of the time of building a graph) and reads static shapes off types. One
    thread at a time is within the block, since PyTensor's rewriters are not safe in threads.
    """
    # PyTensor itself changes the first one while it folds constants; here it does so for this thread alone.
    own = {"optdb__max_use_ratio": pytensor.config.optdb__max_use_ratio, "cxx": "", "traceback__limit": 0}
    with alone(), settings(**own), static_shapes_from_types():
        yield


_may_compile: ContextVar[bool] = ContextVar("may_compile", default=True)


@contextmanager
def reproducible() -> Iterator[None]:
    """A block in which the values of functions depend on their arguments alone, to the last digit.

    Whether a function is compiled depends on the speed of the machine, and compiled and interpreted functions round
    differently; so do different numbers of BLAS threads. In the block all functions are interpreted, with one BLAS thread.
    """
    token = _may_compile.set(False)
    try:
        with one_thread():
            yield
    finally:
        _may_compile.reset(token)


class LazyFunction:
    """A function of arrays that is interpreted at first and compiled once that pays.

    Parameters
    ----------
    inputs, outputs
        PyTensor variables; the outputs are best simplified first (``simplified``).
    """

    def __init__(self, inputs: Sequence[TensorVariable], outputs: Sequence[TensorVariable]):
        self._inputs = list(inputs)
        self._outputs = list(outputs)
        self._spent = 0.0
        # PyTensor's functions store their arguments and results, so that only one thread at a time may call each.
        self._idle: list[Any] = []
        self._compiled: Any = None
        self._compiled_lock = threading.RLock()
        self._small = has_small_matrices(outputs)
        self._has_loop = any(isinstance(node.op, Scan) for node in toposort(outputs))

    def __reduce__(self) -> tuple[Any, ...]:
        # Compiled code and locks stay in their process.
        return LazyFunction, (self._inputs, self._outputs)

    def __call__(self, *arguments: Array) -> list[Array]:
        """Evaluate at arrays of exactly the inputs' types."""
        with np.errstate(all="ignore"), one_thread() if self._small else nullcontext():
            return self._evaluated(*arguments)

    def _evaluated(self, *arguments: Array) -> list[Array]:
        if not _may_compile.get():
            return self._by_interpreter(arguments)[0]
        if self._compiled is not None:
            return self._by_either(arguments)
        result, seconds = self._by_interpreter(arguments)
        self._spent += seconds
        # An interpreted loop is far slower than a compiled one, and many calls usually follow the first.
        foreseen = _CALLS_OF_A_LOOP * seconds if self._has_loop else 0.0
        if max(self._spent, foreseen) > COMPILATION_PRICE_SECONDS:
            self._spent, self._has_loop = -np.inf, False
            self._compile(arguments, result, seconds)
        return result

    def _by_interpreter(self, arguments: Sequence[Array]) -> tuple[list[Array], float]:
        """The interpreted function's results, and the seconds of the call without building the function."""
        try:
            function = self._idle.pop()
        except IndexError:
            function = interpreted(self._inputs, self._outputs)
        try:
            start = time.thread_time()
            return function(*arguments), time.thread_time() - start
        finally:
            self._idle.append(function)

    def _compile(self, arguments: Sequence[Array], expected: list[Array], interpreted_seconds: float) -> None:
        """Use a compiled function from now on if it gives the expected values and is faster.

        Parameters
        ----------
        arguments, expected, interpreted_seconds
            Arguments of a call, the interpreted function's results and its seconds.
        """
        function = compiled(self._inputs, self._outputs)
        try:
            # Numba compiles at the first call.
            found = function(*arguments)
            start = time.thread_time()
            function(*arguments)
            seconds = time.thread_time() - start
        except Exception as error:
            _stays_slow(error)
            return
        if not all(map(_alike, found, expected)):
            _stays_slow("compiled, it has other values than interpreted")
        elif seconds < interpreted_seconds:
            self._compiled = function

    def _by_either(self, arguments: Sequence[Array]) -> list[Array]:
        try:
            with self._compiled_lock:
                return self._compiled(*arguments)
        except Exception as error:
            # If the arguments cause the error, it is raised again here.
            result, _ = self._by_interpreter(arguments)
            self._compiled = None
            _stays_slow(error)
            return result


def _alike(found: Array, expected: Array) -> bool:
    size = np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))
    return np.allclose(found, expected, rtol=_ALIKE, atol=_ALIKE * size, equal_nan=True)


def _stays_slow(reason: object) -> None:
    text = str(reason).strip().partition("\n")[0]
    warnings.warn(
        f"Numba cannot compile a function, which stays interpreted and slow: {text}", RuntimeWarning, stacklevel=2
    )


def simplified(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Rewrite graphs once, while their shapes are known; a third of the nodes remains.

    Simplifying before vectorising takes a tenth of the time of simplifying the vectorised graph, whose lengths are
    symbolic.
    """
    with without_c():
        graphs: Any = rewrite_graph(
            list(outputs), include=_SIMPLIFICATIONS, exclude=_BLAS, custom_rewrite=_LAST, clone=True
        )
    return graphs


def flattened(output: Any) -> TensorVariable:
    """Simplify one graph in place, so that its derivatives stay small; its inputs stay the same variables."""
    with without_c():
        graph: Any = rewrite_graph(output, include=_SIMPLIFICATIONS, exclude=_BLAS, custom_rewrite=INLINE, clone=False)
    return graph


def interpreted(inputs: Sequence[TensorVariable], outputs: Sequence[TensorVariable], **kwargs: Any) -> Any:
    """A function that PyTensor evaluates node by node with NumPy; it is ready in a fraction of a second."""
    CompilationCount.interpreted += 1
    mode = Mode(linker="py", optimizer=RewriteDatabaseQuery(include=["merge"]))
    with without_c():
        return pytensor.function(
            list(inputs), with_ufuncs(outputs), mode=mode, on_unused_input="ignore", trust_input=True, **kwargs
        )


def _compiled_mode() -> Mode:
    # This rewrite compares static shapes and misses that ScalarFromTensor(1) is 1; its assertion then fails in loops.
    mode: Mode = get_default_mode().excluding("local_merge_alloc")
    return mode


def compiled(inputs: Sequence[TensorVariable], outputs: Sequence[TensorVariable]) -> Any:
    """The same function by PyTensor's default backend."""
    CompilationCount.compiled += 1
    # An operation that Numba does not know is evaluated in Python, as before.
    with alone(), silenced():
        return pytensor.function(
            list(inputs), list(outputs), mode=_compiled_mode(), on_unused_input="ignore", trust_input=True
        )


def with_ufuncs(outputs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Give elementwise operations a NumPy function, and split sums that are too long for NumPy."""
    memo: dict[Any, Any] = {}
    for node in toposort(outputs):
        inputs = [memo.get(i, i) for i in node.inputs]
        scalar = type(node.op.scalar_op) if isinstance(node.op, Elemwise) else None
        found = of_counts_node(node, memo) or array_loop_node(node, inputs) or batched_blockwise(node, inputs)
        if found is not None:
            memo.update(zip(node.outputs, found.outputs, strict=True))
        elif scalar in _UFUNCS:
            memo[node.outputs[0]] = direct_elemwise(node, inputs, (_UFUNCS[scalar], len(inputs), 1)).outputs[0]
        elif scalar in (Add, Mul) and len(inputs) > _MOST_OPERANDS:
            while len(inputs) > 1:
                inputs = [node.op(*inputs[i : i + _MOST_OPERANDS]) for i in range(0, len(inputs), _MOST_OPERANDS)]
            memo[node.outputs[0]] = inputs[0]
        elif scalar is not None and node.op.nfunc_spec is not None:
            memo[node.outputs[0]] = direct_elemwise(node, inputs).outputs[0]
        elif isinstance(node.op, Scan):
            scan = with_step(node.op, with_ufuncs)
            memo.update(zip(node.outputs, scan.make_node(*inputs).outputs, strict=True))
        elif any(new is not old for new, old in zip(inputs, node.inputs, strict=True)):
            memo.update(zip(node.outputs, node.clone_with_new_inputs(inputs).outputs, strict=True))
    return [memo.get(o, o) for o in outputs]
