"""Small faults that can be planted in a module, and the names under which a line that runs at import is used."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_OPERATORS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*"}
_COMPARISONS = {ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<", ast.Eq: "!=", ast.NotEq: "=="}
_COMPARISONS |= {ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in"}
_NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any"}
_ROOTS = {"sqrt", "abs"}
# Without them a call does the same, or shows only how an error or an object is printed.
_SAME_WITHOUT = {"encoding", "repr", "stacklevel", "strict"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Fault:
    """A piece of source and what stands in its place; ``start`` and ``end`` count bytes.

    ``lines`` are those of the statement, or of the whole function for what stands in its signature. ``names`` are what a
    statement that runs at import sets.
    """

    path: str
    line: int
    start: int
    end: int
    before: str
    after: str
    lines: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.before.split())[:60]} -> {' '.join(self.after.split())[:60]}"


def faults(path: str, source: str) -> Iterator[Fault]:
    """Every fault that can be planted in a file."""
    offsets = [0]
    for line in source.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    data = source.encode()

    def place(node: ast.AST) -> tuple[int, int]:
        return offsets[node.lineno - 1] + node.col_offset, offsets[node.end_lineno - 1] + node.end_col_offset

    def text(node: ast.AST) -> str:
        start, end = place(node)
        return data[start:end].decode()

    for node, lines, names in _evaluated(ast.parse(source), (), (), at_import=True):
        for after in _alternatives(node, text):
            start, end = place(node)
            yield Fault(path, node.lineno, start, end, text(node), after, lines, names)


def names_used(source: str) -> Iterator[tuple[str, int]]:
    """Names, attributes and keywords that the functions of a module use, and on which line."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, _FUNCTIONS):
            for node in ast.walk(function):
                match node:
                    case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                        yield name, node.lineno


def _evaluated(
    node: ast.AST, lines: tuple[int, ...], names: tuple[str, ...], at_import: bool
) -> Iterator[tuple[ast.AST, tuple[int, ...], tuple[str, ...]]]:
    """Nodes that are run, the lines of their statement and, at import, the names that it sets.

    Annotations, texts, decorators, messages of errors and what is for type checkers alone are left out.
    """
    if _is_for_types(node) or isinstance(node, ast.Raise | ast.JoinedStr):
        return
    if isinstance(node, ast.stmt):
        body = None if isinstance(node, _FUNCTIONS) else getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno
        lines = tuple(range(node.lineno, max(node.lineno, last) + 1))
        names = _set_by(node) if at_import else ()
    yield node, lines, names
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        inside = at_import and not (isinstance(node, _FUNCTIONS) and name == "body")
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (isinstance(child, ast.keyword) and child.arg in _SAME_WITHOUT):
                yield from _evaluated(child, lines, names, inside)


def _is_for_types(node: ast.AST) -> bool:
    match node:
        case ast.If(test=test):
            return "TYPE_CHECKING" in ast.dump(test) or "__main__" in ast.dump(test)
        case ast.FunctionDef(decorator_list=decorators):
            return any("overload" in ast.dump(d) for d in decorators)
        case ast.ClassDef(bases=bases):
            return any("Protocol" in ast.dump(b) for b in bases)
        case ast.Call(func=ast.Name(id="cast" | "TypeVar" | "NewType")):
            return True
    return False


def _set_by(node: ast.stmt) -> tuple[str, ...]:
    """What a statement defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
        case ast.Assign(targets=targets):
            return tuple(n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
        case ast.AugAssign(target=target):
            return tuple(n.id for n in ast.walk(target) if isinstance(n, ast.Name))
    return ()


def _alternatives(node: ast.AST, text: Callable[[ast.AST], str]) -> Iterator[str]:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS and not _is_text(left, right):
            yield f"({text(left)}) {_OPERATORS[type(op)]} ({text(right)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield f"{text(left)} {_COMPARISONS[type(op)]} {text(right)}"
        case ast.BoolOp(op=op, values=values):
            yield (" or " if isinstance(op, ast.And) else " and ").join(f"({text(v)})" for v in values)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield f"({text(operand)})"
        case ast.Constant(value=bool() as value):
            yield str(not value)
        case ast.Constant(value=int() | float() as value):
            yield repr(1 - value) if value in (0, 1) else repr(value * 10)
        case ast.Call():
            yield from _calls(node, text)


def _calls(node: ast.Call, text: Callable[[ast.AST], str]) -> Iterator[str]:
    called = text(node.func)
    name = called.rpartition(".")[2]
    if name in _ROOTS and len(node.args) == 1:
        yield f"({text(node.args[0])})"
    elif name in _NAMES:
        yield called[: -len(name)] + _NAMES[name] + text(node)[len(called) :]
    if node.keywords and node.keywords[-1].arg and node.keywords[-1].arg not in _SAME_WITHOUT:
        inner = [text(a) for a in [*node.args, *node.keywords[:-1]]]
        yield f"{called}({', '.join(inner)})"


def _is_text(*nodes: ast.AST) -> bool:
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str)) for n in nodes
    )
