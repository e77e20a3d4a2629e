"""Callbacks of nutpie that take less time to compile.

nutpie wraps the compiled density and the compiled deterministics in C callbacks, which copy arrays by slices. Numba then
compiles, in every process anew, the error message for slices of different shapes and the rules of broadcasting, which takes
longer than all else that nutpie compiles for a small model. The callbacks here copy element by element; the copied numbers
are the same.

Gain for the eight schools, as CPU time of sampling without it over that with it: 2.2 in the first run, 1.3 in later ones
(``benchmarks/interpreter.py``).
"""

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np

_NAMES = ("_make_c_logp_func", "_make_c_expand_func")
# What the callbacks tell nutpie.
_DONE, _WRONG_SIZE, _RAISED, _GRADIENT_NOT_FINITE, _VALUE_NOT_FINITE, _NOT_EXPANDED = 0, -1, 1, 3, 4, -2


@contextmanager
def light_callbacks() -> Iterator[None]:
    """Within the block, nutpie compiles the callbacks of this module; the caller keeps other threads out.

    A version of nutpie that makes its callbacks in another way keeps its own.
    """
    from nutpie import compile_pymc

    module: Any = compile_pymc
    own = {name: getattr(module, name, None) for name in _NAMES}
    ours = dict(zip(_NAMES, (_density_callback, _expansion_callback), strict=True))
    if all(own[name] is not None and _arguments(own[name]) == _arguments(ours[name]) for name in _NAMES):
        vars(module).update(ours)
    try:
        yield
    finally:
        vars(module).update({name: function for name, function in own.items() if function is not None})


def sampled_by_nutpie(density: Any, size: int, data: Sequence[Any]) -> Any:
    """What ``nutpie.sample`` takes, of a density whose data ``with_data`` exchanges by the names of their variables.

    Parameters
    ----------
    density
        A function that PyTensor compiled by Numba, without shared variables: log density and gradient of a vector and data. The
        name of the vector in the draws is ``"z"``.
    size
        Length of the vector.
    data
        The variables of the data, in the order of the function's arguments.
    """
    import numba
    from nutpie.compile_pymc import CompiledPyMCModel, make_user_data

    keys = {v: f"data_{i}" for i, v in enumerate(data)}
    arrays = {key: np.zeros((1,) * v.ndim, dtype=v.dtype) for v, key in keys.items()}
    record, names = make_user_data(keys, arrays), list(arrays)
    itself = numba.njit(_itself)
    callbacks = (
        _density_callback(size, density.vm.jit_fn, record, names, arrays),
        _expansion_callback(size, size, itself, record, [], {}),
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cannot cache compiled function", category=numba.NumbaWarning)
        compiled_density, compiled_expansion = (numba.cfunc(types)(callback) for callback, types in callbacks)
    return CompiledPyMCModel(
        _n_dim=size,
        dims={},
        _coords={},
        _shapes={"z": (size,)},
        compiled_logp_func=compiled_density,
        compiled_expand_func=compiled_expansion,
        initial_point_func=lambda _: np.zeros(size),
        shared_data=arrays,
        shared_var_keys=keys,
        user_data=record,
        n_expanded=size,
        shape_info=(["z"], [slice(0, size)], [(size,)]),
        logp_func=density,
        expand_func=None,
    )


def _itself(z: Any) -> tuple[Any]:
    return (z,)


def _arguments(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _density_callback(n_dim: int, logp_fn: Any, user_data: Any, shared_keys: Any, shared_data: Any) -> Any:
    """The callback of the log density and its gradient, and its signature."""
    import numba
    from nutpie.compile_pymc import make_extraction_fn

    evaluate = make_extraction_fn(logp_fn, shared_data, shared_keys, user_data.dtype)
    doubles, types = numba.types.CPointer(numba.types.double), numba.types
    signature = types.int64(types.uint64, doubles, doubles, doubles, types.voidptr)

    def density(dim: Any, x_: Any, out_: Any, logp_: Any, user_data_: Any) -> int:
        if dim != n_dim:
            return _WRONG_SIZE
        try:
            value, slope = evaluate(numba.carray(x_, (n_dim,)), user_data_)
            logp_[0] = value.item()
            finite = True
            for i in range(n_dim):
                out_[i] = slope[i]
                finite &= isfinite(slope[i])
            if not finite:
                return _GRADIENT_NOT_FINITE
            if not isfinite(logp_[0]):
                return _VALUE_NOT_FINITE
        except Exception:
            return _RAISED
        return _DONE

    return density, signature


def _expansion_callback(
    n_dim: int, n_expanded: int, expand_fn: Any, user_data: Any, shared_var_keys: Any, shared_data: Any
) -> Any:
    """The callback of the natural values and the deterministics, and its signature."""
    import numba
    from nutpie.compile_pymc import make_extraction_fn

    evaluate = make_extraction_fn(expand_fn, shared_data, shared_var_keys, user_data.dtype)
    doubles, types = numba.types.CPointer(numba.types.double), numba.types
    signature = types.int64(types.uint64, types.uint64, doubles, doubles, types.voidptr)

    def expansion(dim: Any, expanded: Any, x_: Any, out_: Any, user_data_: Any) -> int:
        if dim != n_dim or expanded != n_expanded:
            return _WRONG_SIZE
        try:
            (values,) = evaluate(numba.carray(x_, (n_dim,)), user_data_)
            for i in range(n_expanded):
                out_[i] = values[i]
        except Exception:
            return _NOT_EXPANDED
        return _DONE

    return expansion, signature
