"""Checks of a public function's arguments against the types in its signature."""

import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from pp_mlekl.typing import Array, Names, RandomSeed
from pp_mlekl.utils.seeds import generator_of
from pp_mlekl.utils.shown import shown

# A message lists at most this number of names.
_LISTED = 20

# Before NumPy 2.4 ArrayLike is a union, which unions take apart.
_PARTS_OF_ARRAY_LIKE = frozenset(typing.get_args(ArrayLike))


@dataclass(frozen=True)
class _Type:
    """What an argument may be: a test, and its name in messages.

    Parameters
    ----------
    accepts
        Whether a value is of the type.
    name
        With its article.
    error
        What is raised where no type of an argument accepts the value.
    entries
        The types of a mapping's values.
    """

    accepts: Callable[[Any], bool]
    name: str
    error: type[Exception] = TypeError
    entries: "tuple[_Type, ...]" = ()


def checked_arguments[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments of another type than the signature's in one line that names the argument and the types expected.

    It raises ValueError for an unknown option and for what is no number, TypeError otherwise. Names that are imported for type
    checkers alone are compared with the names of the value's classes. ``Any``, protocols and models are left to the function. A single name
    in place of several (``Names``) is passed on as a list of one.

    Examples
    --------
    >>> @checked_arguments
    ... def interval(*, kind: Literal["wald", "profile"] = "wald", var_names: Sequence[str] | None = None):
    ...     return kind
    >>> interval(kind="wold")
    Traceback (most recent call last):
    ValueError: kind must be 'wald' or 'profile', got 'wold'.
    >>> interval(var_names=3)
    Traceback (most recent call last):
    TypeError: var_names must be a sequence of strings or None, got 3.
    """
    signature = inspect.signature(function)
    expected = {name: _expected(p.annotation) for name, p in signature.parameters.items()}
    seeds = [name for name, p in signature.parameters.items() if p.annotation == RandomSeed]
    several = [name for name, p in signature.parameters.items() if p.annotation in (Names, Names | None)]

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            # Python's own message names the function.
            return function(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in seeds:
                generator_of(value)
            elif value is not signature.parameters[name].default:
                _check(name, value, expected[name])
            if name in several and isinstance(value, str):
                bound.arguments[name] = [value]
        return function(*bound.args, **bound.kwargs)

    return wrapper


def check_names(argument: str, given: Sequence[str], known: Sequence[str], *, fewest: int = 1) -> None:
    """Raise ValueError where a name is not among those that are known, or fewer than ``fewest`` are given.

    Examples
    --------
    >>> check_names("var_names", ["mu"], ["mu", "sigma"])
    >>> check_names("var_names", ["nu"], ["mu", "sigma"])
    Traceback (most recent call last):
    ValueError: var_names must be among mu, sigma, got 'nu'.
    """
    listed = ", ".join([*known[:_LISTED], "..."] if len(known) > _LISTED else known)
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"{argument} must be among {listed or 'no names'}, got {str(unknown[0])!r}.")
    if len(given) < fewest:
        raise ValueError(f"{argument} must name at least {fewest} of {listed}.")


def _check(name: str, value: Any, expected: Sequence[_Type]) -> None:
    if any(t.accepts(value) for t in expected):
        return
    if isinstance(value, Mapping):
        # Name the entry that is wrong.
        for entries in (t.entries for t in expected if t.entries):
            for key, entry in value.items():
                if isinstance(key, str):
                    _check(f"{name}[{key!r}]", entry, entries)
    names = " or ".join(dict.fromkeys(t.name for t in expected))
    raise expected[0].error(f"{name} must be {names}, got {shown(value)}.")


def _expected(annotation: Any) -> tuple[_Type, ...]:
    """The types of an annotation, of which it is the union."""
    members = list(_members(annotation))
    return tuple(_type(m) for m in members if m is not types.NoneType) + (_NONE,) * (types.NoneType in members)


def _members(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, str):
        yield from (types.NoneType if name == "None" else name for name in annotation.split(" | "))
    elif isinstance(annotation, typing.TypeAliasType) and annotation is not ArrayLike:
        try:
            yield from _members(annotation.__value__)
        except NameError:
            yield Any
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
        if _PARTS_OF_ARRAY_LIKE and _PARTS_OF_ARRAY_LIKE <= set(members):
            members = (ArrayLike, *(m for m in members if m not in _PARTS_OF_ARRAY_LIKE))
        for member in members:
            yield from [member] if member is ArrayLike else _members(member)
    else:
        yield annotation


def _type(annotation: Any) -> _Type:
    if annotation in _KNOWN:
        return _KNOWN[annotation]
    if typing.get_origin(annotation) in _GENERIC:
        return _GENERIC[typing.get_origin(annotation)](*typing.get_args(annotation))
    if isinstance(annotation, str) and annotation.replace(".", "").isidentifier():
        return _class_named(annotation.rpartition(".")[2])
    # os.PathLike[str] is of the class os.PathLike.
    cls = typing.get_origin(annotation) or annotation
    if inspect.isclass(cls) and cls is not inspect.Parameter.empty and not getattr(cls, "_is_protocol", False):
        return _Type(lambda value: isinstance(value, cls), _with_article(cls.__name__))
    return _ANYTHING


def _class_named(name: str) -> _Type:
    return _Type(lambda value: name in [cls.__name__ for cls in type(value).__mro__], _with_article(name))


def _options(*options: str) -> _Type:
    return _Type(lambda value: isinstance(value, str) and value in options, " or ".join(map(repr, options)), ValueError)


def _function(*_: Any) -> _Type:
    return _Type(callable, "a function")


def _array(*_: Any) -> _Type:
    return _Type(lambda value: isinstance(value, np.ndarray), "a NumPy array")


def _sequence(annotation: Any) -> _Type:
    inner = _expected(annotation)

    def accepts(value: Any) -> bool:
        return (
            isinstance(value, Sequence | np.ndarray | pd.Index)
            and not isinstance(value, str | bytes)
            and all(any(t.accepts(entry) for t in inner) for entry in value)
        )

    return _Type(accepts, {str: "a sequence of strings", int: "a sequence of integers"}.get(annotation, "a sequence"))


def _mapping(keys: Any, values: Any) -> _Type:
    of_keys, of_values = _expected(keys), _expected(values)

    def accepts(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            any(t.accepts(key) for t in of_keys) and any(t.accepts(entry) for t in of_values)
            for key, entry in value.items()
        )

    return _Type(accepts, "a mapping from names", entries=of_values)


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)


def _is_numeric(value: Any) -> bool:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return False
    return array.dtype.kind in "fiub" or (array.dtype.kind == "O" and all(isinstance(v, Real) for v in array.flat))


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


_NONE = _Type(lambda value: value is None, "None")
_ANYTHING = _Type(lambda value: True, "anything")
_KNOWN: Mapping[Any, _Type] = {
    Any: _ANYTHING,
    # check_model reads models, which may be those of other packages.
    "pm.Model": _ANYTHING,
    bool: _Type(lambda value: isinstance(value, bool | np.bool_), "True or False"),
    int: _Type(lambda value: _is_number(value, Integral), "an integer", ValueError),
    float: _Type(lambda value: _is_number(value, Real), "a number", ValueError),
    str: _Type(lambda value: isinstance(value, str), "a string"),
    os.PathLike[str]: _Type(lambda value: isinstance(value, os.PathLike), "a path"),
    ArrayLike: _Type(_is_numeric, "a number or an array of numbers", ValueError),
    xr.DataTree: _Type(lambda value: isinstance(value, xr.DataTree), "a DataTree such as pm.sample returns"),
}
_GENERIC: Mapping[Any, Callable[..., _Type]] = {
    Literal: _options,
    Callable: _function,
    # NumPy before 2.4 makes an alias of a class.
    typing.get_origin(Array): _array,
    Sequence: _sequence,
    Mapping: _mapping,
}
