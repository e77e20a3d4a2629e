"""Distributions written as text: ``Gamma(2, 1)``, ``Normal(mu=0, sigma=sqrt(2))``, ``Truncated(Normal(0, 1), 0)``."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.inputs.constructor import distribution

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS = {"sqrt": math.sqrt, "exp": math.exp, "log": math.log}
_CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}
# A power with larger numbers than these is a mistake, and 9**9**9 would not end.
_LARGEST_POWER = 1000.0


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
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"Cannot read {text!r} ({error.msg}); write it like 'Normal(0, 1)'.") from error
    try:
        result = _value(tree, text)
    except (ZeroDivisionError, OverflowError, TypeError) as error:
        raise ValueError(f"Cannot read {text!r}: {error}.") from error
    if not isinstance(result, Distribution):
        if isinstance(tree, ast.Name):
            family(tree.id)
        raise ValueError(f"{text!r} is no distribution; write it like 'Normal(0, 1)'.")
    return result


def _value(node: ast.AST, text: str) -> Any:
    if isinstance(node, ast.Constant) and (node.value is None or type(node.value) in (int, float)):
        return node.value
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
        return _OPERATORS[type(node.op)](_value(node.operand, text))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, text), _value(node.right, text)
        if isinstance(node.op, ast.Pow) and max(abs(left), abs(right)) > _LARGEST_POWER:
            raise ValueError(f"A power in {text!r} is too large.")
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, node.func.id, text)
    raise ValueError(f"Cannot read {ast.unparse(node)!r} in {text!r}; only numbers, lists and distributions are read.")


def _call(node: ast.Call, name: str, text: str) -> Any:
    args = [_value(a, text) for a in node.args]
    if name in _FUNCTIONS:
        try:
            return _FUNCTIONS[name](*args)
        except ValueError as error:
            raise ValueError(f"Cannot read {text!r}: {error}.") from error
    if any(k.arg is None for k in node.keywords):
        raise ValueError(f"Cannot read {text!r}: ** has no place in it.")
    return distribution(name, *args, **{str(k.arg): _value(k.value, text) for k in node.keywords})
