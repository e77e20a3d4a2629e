"""Whether the fast tests of the audit notice a threshold that is ten times as large or as small, or a comparison turned round.

``python benchmarks/mutate_tolerances.py`` changes the default of each field of ``Tolerances`` both ways, one at a time, runs
``tests/optimize`` in this process up to the first failure, and prints a table; with ``--signs`` it turns round each
comparison with a threshold instead. The exit code is 1 where a change went unnoticed. ``--only climb ray`` takes the fields
whose names begin so.
"""

import argparse
import ast
import contextlib
import importlib
import inspect
import io
import sys
import types
from dataclasses import fields
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OPTIMIZE = ROOT / "tests" / "optimize"
# The tests that are most likely to notice come first.
LIKELY = {
    "noise": "noise",
    "climb": "unbounded",
    "support": "support",
    "hessian": "search",
    "equal": "search",
    "profile": "unbounded",
    "ray": "recession",
    "way": "recession",
    "far": "recession",
    "kink": "nonsmooth",
    "jump": "nonsmooth",
    "step": "nonsmooth",
    "corner": "nonsmooth",
    "rival": "multimodality",
    "mode": "multimodality",
    "higher": "multimodality",
    "line": "multimodality",
}
TESTS = "identifiability noise unbounded recession nonsmooth multimodality support shared_edge search".split()


MODULES = (
    "audit.identifiability audit.multimodality audit.noise audit.nonsmooth audit.pipeline audit.point "
    "audit.recession_paths audit.shared_edge audit.soft_directions audit.support audit.unbounded curvature "
    "modes meaningful_ends numerical_noise profile_paths search "
).split()
OPPOSITE = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}


def noticed(name):
    """Whether a test fails, those that are likely to for a threshold of this name first."""
    first = LIKELY.get(name.split("_")[0], "identifiability")
    files = [str(*OPTIMIZE.rglob(f"test_{test}.py")) for test in sorted(TESTS, key=lambda test: test != first)]
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--no-header", f"--rootdir={ROOT}", *files])
    return code == pytest.ExitCode.TESTS_FAILED


def thresholds(only):
    """Change each threshold both ways; how many changes went unnoticed."""
    from pp_mlekl.optimize.tolerances import Tolerances

    defaults, survived = Tolerances.__init__.__kwdefaults__, 0
    for field in fields(Tolerances):
        if not field.name.startswith(only):
            continue
        value, found = field.default, []
        for factor in (10.0, 0.1):
            changed = value * factor
            defaults[field.name] = max(1, round(changed)) if isinstance(value, int) else changed
            found.append(noticed(field.name))
        defaults[field.name] = value
        survived += 2 - sum(found)
        words = ["noticed" if one else "NOT NOTICED" for one in found]
        print(f"{field.name:22} {value:<10g} x 10 {words[0]:12} / 10 {words[1]}", flush=True)
    return survived


def functions(namespace):
    """All functions and methods that a module defines, by their full names."""
    found = {}
    for value in namespace.values():
        members = vars(value).values() if inspect.isclass(value) else [value]
        for member in members:
            member = getattr(member, "func", getattr(member, "fget", member))
            if isinstance(member, types.FunctionType):
                found[member.__module__, member.__qualname__] = member
    return found


def signs(only):
    """Turn round each comparison with a threshold; how many changes went unnoticed."""
    survived = 0
    for name in MODULES:
        module = importlib.import_module(f"pp_mlekl.optimize.{name}")
        source = Path(module.__file__).read_text()
        count = len(comparisons(ast.parse(source)))
        for k in range(count):
            tree = ast.parse(source)
            node = comparisons(tree)[k]
            text = ast.unparse(node)
            threshold = text.split("tolerances.")[1].split()[0].strip("()*,")
            if not threshold.startswith(only):
                continue
            node.ops[0] = OPPOSITE[type(node.ops[0])]()
            changed = dict(module.__dict__)
            exec(compile(tree, module.__file__, "exec"), changed)
            own, other = functions(module.__dict__), functions(changed)
            before = {key: own[key].__code__ for key in own.keys() & other.keys() if key[0] == module.__name__}
            for key in before:
                own[key].__code__ = other[key].__code__
            found = noticed(threshold)
            for key, code in before.items():
                own[key].__code__ = code
            survived += not found
            print(f"{name:24} {text[:90]:90} {'noticed' if found else 'NOT NOTICED'}", flush=True)
    return survived


def comparisons(tree):
    """The comparisons with a threshold, in the order of the source."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and type(node.ops[0]) in OPPOSITE and "tolerances." in ast.unparse(node)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=("",))
    parser.add_argument("--signs", action="store_true")
    asked = parser.parse_args()
    survived = (signs if asked.signs else thresholds)(tuple(asked.only))
    print(f"{survived} changes went unnoticed")
    sys.exit(int(survived > 0))


if __name__ == "__main__":
    main()
