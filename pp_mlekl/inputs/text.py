"""Distributions written as text: ``Gamma(2, 1)``, ``Normal(mu=0, sigma=sqrt(2))``, ``Truncated(Normal(0, 1), 0)``."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.inputs.constructor import distribution

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS = {"sqrt": math.sqrt, "exp": math.exp, "log": math.log}
_CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}
# The longest text, in characters.
_LONGEST = 10_000
# The deepest nesting of brackets and operations, below the limit of Python's stack.
_DEEPEST = 50
# The deepest nesting of distributions, such as a mixture of truncated ones; the cost of a value grows exponentially with it.
_NESTED = 3


def parse_distribution(text: str) -> Distribution:
    """Read a distribution in PyMC's notation; nothing is executed.

    Parameters
    ----------
    text
        A family's name with parameters in PyMC's order or by name: numbers, lists, arithmetic, ``sqrt``, ``exp``,
        ``log``, ``pi``, ``inf``, and distributions where the family takes them.

    Raises
    ------
    ValueError
        In one line that says where the text is wrong, or that names the nearest families.

    Examples
    --------
    >>> parse_distribution("Gamma(2, beta=1/3)").alpha
    array(2.)
    """
    if len(text) > _LONGEST:
        raise ValueError(
            f"A distribution has at most {_LONGEST} characters, got {len(text)}; build it with mk.distribution."
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, UnicodeError) as error:
        raise ValueError(
            f"Cannot read {text!r} ({getattr(error, 'msg', 'no text')}); write it like 'Normal(0, 1)'."
        ) from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(_too_deep(text)) from error
    _check_depth(tree, text)
    try:
        result = _value(tree, text)
    except (OverflowError, TypeError) as error:
        raise ValueError(f"Cannot read {text!r}: {error}.") from error
    if not isinstance(result, Distribution):
        if isinstance(tree, ast.Name):
            family(tree.id)
        raise ValueError(f"{text!r} is no distribution; write it like 'Normal(0, 1)'.")
    return result


def _check_depth(tree: ast.expr, text: str) -> None:
    """Raise ValueError if brackets, operations or distributions are nested too deeply."""
    waiting: list[tuple[ast.AST, int, int]] = [(tree, 0, 0)]
    while waiting:
        node, depth, distributions = waiting.pop()
        distributions += isinstance(node, ast.Call) and ast.unparse(node.func) not in _FUNCTIONS
        if depth > _DEEPEST or distributions > _NESTED:
            raise ValueError(_too_deep(text))
        waiting += [(child, depth + 1, distributions) for child in ast.iter_child_nodes(node)]


def _too_deep(text: str) -> str:
    return (
        f"Cannot read {text[:40]!r}...: at most {_NESTED} distributions may be in one another, and {_DEEPEST} brackets or "
        "operations."
    )


def _value(node: ast.AST, text: str) -> Any:
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        # NumPy has no larger integers.
        return node.value if abs(node.value) < np.iinfo(np.int64).max else float(node.value)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.Name) and node.id == "nan":
        raise ValueError(f"{node.id} in {text!r} is no number; every parameter needs one.")
    if isinstance(node, ast.Name):
        family(node.id)
        raise ValueError(f"{node.id} in {text!r} needs its parameters in parentheses.")
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, text) for item in node.elts]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _calculated(_OPERATORS[type(node.op)], [node.operand], text)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _calculated(_OPERATORS[type(node.op)], [node.left, node.right], text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, node.func.id, text)
    raise ValueError(f"Cannot read {ast.unparse(node)!r} in {text!r}; only numbers, lists and distributions are read.")


def _calculated(operation: Callable[..., float], operands: list[ast.expr], text: str) -> float:
    numbers = [_value(operand, text) for operand in operands]
    if not all(isinstance(number, int | float) for number in numbers):
        raise ValueError(f"Cannot read {text!r}: only numbers can be calculated with.")
    try:
        return operation(*map(float, numbers))
    except (ArithmeticError, ValueError) as error:
        raise ValueError(f"Cannot read {text!r}: {error.args[-1]}.") from error


def _call(node: ast.Call, name: str, text: str) -> Any:
    if any(k.arg is None for k in node.keywords):
        raise ValueError(f"Cannot read {text!r}: ** has no place in it.")
    names = [str(k.arg) for k in node.keywords]
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise ValueError(f"{name}: {twice[0]} is given twice; remove one.")
    if name in _FUNCTIONS:
        if len(node.args) != 1 or names:
            raise ValueError(f"Cannot read {text!r}: {name} takes one number.")
        return _calculated(_FUNCTIONS[name], node.args, text)
    args = [_value(a, text) for a in node.args]
    return distribution(name, *args, **{str(k.arg): _value(k.value, text) for k in node.keywords})
