"""Plant small faults in the package, one at a time, and count those that the tests notice.

    python tools/mutate.py                                faults in the files that differ from main
    python tools/mutate.py pp_mlekl/posterior --number 40

A fault is a swapped operator or comparison, a constant ten times off, a dropped square root or keyword argument, a truth value
turned round. The working tree stays as it is: faults are planted in a copy. A fault is noticed if one of the tests fails that run
the line, or if they take longer than ``--budget`` seconds. Which tests run a line, and how long each takes, is known from
`make coverage`: those of the module's own name come first, then the quickest, up to ``--seconds``. Without its files, or with
``--own``, they are the tests of the module's own name, or else those of its folder.
"""

import argparse
import ast
import compileall
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "pp_mlekl"

_OPERATORS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*"}
_COMPARISONS = {ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<", ast.Eq: "!=", ast.NotEq: "=="}
_COMPARISONS |= {ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in"}
_NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any"}
_ROOTS = {"sqrt", "abs"}


@dataclass(frozen=True)
class Fault:
    """A piece of source and what stands in its place; ``start`` and ``end`` count bytes."""

    path: str
    line: int
    start: int
    end: int
    before: str
    after: str

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

    for node in _evaluated(ast.parse(source)):
        for after in _alternatives(node, text):
            start, end = place(node)
            yield Fault(path=path, line=node.lineno, start=start, end=end, before=text(node), after=after)


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that are run: no annotations, texts, decorators or imports for types alone."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"} or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _evaluated(child)


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
    if node.keywords and node.keywords[-1].arg:
        inner = [text(a) for a in [*node.args, *node.keywords[:-1]]]
        yield f"{called}({', '.join(inner)})"


def _is_text(*nodes: ast.AST) -> bool:
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str)) for n in nodes
    )


@dataclass(frozen=True)
class Chooser:
    """Which tests are run for a fault: what `make coverage` recorded, and how many seconds of tests."""

    contexts: Callable[[str], dict[int, list[str]]] | None
    seconds: dict[str, float]
    most: float

    @classmethod
    def of(cls, coverage: Path, times: Path, most: float) -> "Chooser":
        """From the files of `make coverage`."""
        contexts = None
        if coverage.exists():
            from coverage import CoverageData

            data = CoverageData(str(coverage))
            data.read()
            contexts = data.contexts_by_lineno
        return cls(contexts=contexts, seconds=seconds_of(times) if times.exists() else {}, most=most)

    def tests(self, fault: Fault) -> list[str]:
        """Tests that run the line of a fault, or else those of its module, or else those of its folder."""
        path = Path("tests") / Path(fault.path).relative_to(PACKAGE)
        folder, own = path.parent, path.parent / f"test_{path.stem}.py"
        contexts = [] if self.contexts is None else self.contexts(str(ROOT / fault.path)).get(fault.line, [])
        found = {c.partition("|")[0] for c in contexts if "::" in c}
        if not found:
            return [str(next(p for p in (own, folder, Path("tests")) if (ROOT / p).exists()))]
        chosen, total = [], 0.0
        for test in sorted(found, key=lambda t: (not t.startswith(f"{own}::"), self.seconds.get(t, 0.0), t)):
            total += self.seconds.get(test, 0.0)
            if chosen and total > self.most:
                break
            chosen.append(test)
        return chosen


def seconds_of(times: Path) -> dict[str, float]:
    """Seconds of each test, by its node id, in a JUnit report of pytest's."""
    cases = ET.parse(times).getroot().iter("testcase")
    return {f"{c.attrib['classname'].replace('.', '/')}.py::{c.attrib['name']}": float(c.attrib["time"]) for c in cases}


def run(fault: Fault, tree: Path, tests: list[str], marks: str, budget: int) -> bool:
    """Whether the tests notice a fault that is planted in a copy of the tree."""
    target = tree / fault.path
    whole, before = target.read_bytes(), target.stat()
    target.write_bytes(whole[: fault.start] + fault.after.encode() + whole[fault.end :])
    try:
        child = os.fork()
        if child == 0:
            _child(tree, tests, marks, budget)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    finally:
        target.write_bytes(whole)
        # As old as its bytecode says, which holds again.
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


def _child(tree: Path, tests: list[str], marks: str, budget: int) -> None:
    """Run the tests in this process, which has imported the libraries but nothing of the package, and leave."""
    import pytest

    os.setsid()
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    signal.alarm(budget)
    sys.dont_write_bytecode = True
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    os.environ["PYTHONPATH"] = str(tree)
    with open(os.devnull, "w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    given = ["-x", "-q", "-m", marks, "-p", "no:cacheprovider", "-p", "no:xdist"]
    code = pytest.main([*given, *tests])
    if code == pytest.ExitCode.USAGE_ERROR:
        # A test has another name since the coverage was recorded.
        code = pytest.main([*given, *sorted({test.partition("::")[0] for test in tests})])
    # That no test was chosen is no notice.
    os._exit(0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else int(code))


def changed() -> list[str]:
    """Files of the package that differ from main."""
    listed = subprocess.run(
        ["git", "diff", "--name-only", "main", "--", PACKAGE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.split()


def copy(target: Path) -> None:
    """Copy the files that git knows, and those that it does not ignore, and compile the package once for all children."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    compileall.compile_dir(target / PACKAGE, quiet=1)


def main() -> int:
    """Plant the faults and print who noticed them; exit status 1 where fewer than ``--least`` per cent were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "paths", nargs="*", help="files or folders of the package; those that differ from main by default"
    )
    parser.add_argument("--number", type=int, default=20, help="faults to plant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=int, default=300, help="seconds of tests for one fault")
    parser.add_argument("--marks", default="not slow", help="tests to run; 'slow or not slow' for both tiers")
    parser.add_argument("--coverage", type=Path, default=ROOT / ".coverage", help="which tests run a line")
    parser.add_argument("--times", type=Path, default=ROOT / ".coverage.xml", help="how long each test takes")
    parser.add_argument("--seconds", type=float, default=30.0, help="of tests for one fault")
    parser.add_argument("--own", action="store_true", help="only the tests of the module's own name")
    parser.add_argument("--least", type=float, default=0.0, help="per cent that must be noticed")
    args = parser.parse_args()

    # Children inherit the libraries. None of their threads does anything at the fork.
    import arviz  # noqa: F401
    import nutpie  # noqa: F401
    import pymc  # noqa: F401

    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    paths = args.paths or changed()
    files = sorted(f for p in paths for f in ([Path(p)] if p.endswith(".py") else (ROOT / p).rglob("*.py")))
    names = [str(f.resolve().relative_to(ROOT)) if f.is_absolute() else str(f) for f in files]
    possible = [fault for name in names for fault in faults(name, (ROOT / name).read_text(encoding="utf-8"))]
    if not possible:
        print("There is nothing to plant a fault in.")
        return 0
    chosen = random.Random(args.seed).sample(possible, min(args.number, len(possible)))
    chooser = Chooser.of(Path(os.devnull) / "none" if args.own else args.coverage, args.times, args.seconds)
    planted, noticed = defaultdict(int), defaultdict(int)
    with tempfile.TemporaryDirectory() as name:
        copy(Path(name))
        for fault in sorted(chosen, key=lambda f: (f.path, f.start)):
            folder = str(Path(fault.path).parent)
            seen = run(fault, Path(name), chooser.tests(fault), args.marks, args.budget)
            planted[folder] += 1
            noticed[folder] += seen
            print(f"{'noticed' if seen else 'MISSED '} {fault}", flush=True)
    for folder, count in planted.items():
        print(f"{folder:45s} {noticed[folder]:3d} / {count}")
    share = 100 * sum(noticed.values()) / sum(planted.values())
    print(f"{'all':45s} {sum(noticed.values()):3d} / {sum(planted.values())}  ({share:.0f}%)")
    return int(share < args.least)


if __name__ == "__main__":
    sys.exit(main())
