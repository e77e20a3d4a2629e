"""Values of graphs without random inputs, in double precision and without a compilation."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
import scipy
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Cast
from pytensor.tensor.basic import MakeVector
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.lazy_function import interpreted, simplified
from pp_mlekl.pymc_model.rewrites.double_precision import in_double_precision
from pp_mlekl.typing import Array


def constant_value(variable: TensorVariable) -> Array:
    """The value of a graph of constants, with every number in it a float64.

    PyTensor does arithmetic on literals that float32 holds in float32; here the leaves are float64 and the common
    operations are done by NumPy at once, which takes microseconds.

    Raises
    ------
    ValueError
        Where the graph depends on a random variable or on an input without a value.
    """
    found = _evaluated(variable)
    if found is None:
        found = _interpreted(variable)
    return found if found.dtype == bool else found.astype(np.float64)


def _evaluated(variable: TensorVariable) -> Array | None:
    """By NumPy, where every operation of the graph is elementwise or a change of axes; else None."""
    if isinstance(variable, Constant):
        return _in_double(variable.data)
    if isinstance(variable, SharedVariable):
        return _in_double(variable.get_value())
    function = None if variable.owner is None else _numpy_function(variable.owner.op)
    if function is None:
        return None
    arguments = []
    for parent in variable.owner.inputs:
        value = _evaluated(parent)
        if value is None:
            return None
        arguments.append(value)
    with np.errstate(all="ignore"):
        return np.asarray(function(*arguments))


def _in_double(data: Any) -> Array:
    array = np.asarray(data)
    return array if array.dtype == bool else array.astype(np.float64)


def _numpy_function(op: Any) -> Callable[..., Any] | None:
    if isinstance(op, MakeVector):
        return lambda *parts: np.stack(parts)
    if isinstance(op, DimShuffle):
        return lambda x: _transposed(x, op.new_order)
    if not isinstance(op, Elemwise):
        return None
    if isinstance(op.scalar_op, Cast):
        return np.trunc if op.scalar_op.o_type.dtype.startswith(("int", "uint")) else np.asarray
    spec = getattr(op, "nfunc_spec", None) or getattr(op.scalar_op, "nfunc_spec", None)
    if spec is None:
        return None
    name = spec[0]
    return attrgetter(name.removeprefix("scipy."))(scipy) if name.startswith("scipy.") else getattr(np, name, None)


def _transposed(x: Array, order: tuple[Any, ...]) -> Array:
    kept = [i for i in order if i != "x"]
    dropped = tuple(i for i in range(x.ndim) if i not in kept)
    x = np.transpose(x, [*kept, *dropped]).reshape([x.shape[i] for i in kept])
    return x[tuple(np.newaxis if i == "x" else slice(None) for i in order)]


def _interpreted(variable: TensorVariable) -> Array:
    for parent in ancestors([variable]):
        if parent.owner is not None and isinstance(parent.owner.op, RandomVariable):
            raise ValueError(
                f"The parameters of a distribution must be constant, but one depends on {parent.name or parent}; "
                "fix it by pm.do(model, {name: value}) or pass numbers."
            )
        if parent.owner is None and not isinstance(parent, Constant | SharedVariable):
            raise ValueError(f"The parameters of a distribution must be constant, but {parent} has no value.")
    function = interpreted([], simplified(in_double_precision([variable])))
    with np.errstate(all="ignore"):
        return np.asarray(function()[0])
