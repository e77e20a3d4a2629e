"""Planted faults: which there are, which tests are chosen for them, and what becomes of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
sys.path.append(str(TOOLS))

from faults import faults, names_used  # noqa: E402
from mutate import Chooser  # noqa: E402

SOURCE = '''"""A module, 3 lines."""
LIMIT = 4.0

def over(x: float = 2.0, y: "1 + 1" = None) -> bool:
    """More than 5."""
    if x < 0:
        raise ValueError("negative", 7 + 1)
    return zip(
        x > LIMIT, strict=True
    )

class Options:
    steps: int = 8

@overload
def over(x): return 9
'''


def planted(source):
    return {(fault.before, fault.after): fault for fault in faults("pp_mlekl/part/over.py", source)}


def test_faults_are_in_what_a_test_can_notice():
    assert set(planted(SOURCE)) == {
        ("4.0", "40.0"),
        ("2.0", "20.0"),
        ("x < 0", "x >= 0"),
        ("0", "1"),
        ("x > LIMIT", "x <= LIMIT"),
        ("8", "80"),
    }


@pytest.mark.parametrize(
    ("before", "lines", "names"),
    [("4.0", 1, ("LIMIT",)), ("8", 1, ("steps",)), ("2.0", 7, ("over",)), ("x > LIMIT", 3, ()), ("x < 0", 1, ())],
)
def test_faults_know_their_statement_and_what_it_sets_at_import(before, lines, names):
    fault = next(fault for (text, _), fault in planted(SOURCE).items() if text == before)
    assert (len(fault.lines), fault.names) == (lines, names)


def test_uses_are_those_in_functions():
    assert {("LIMIT", 9), ("zip", 8), ("strict", 9)} <= set(names_used(SOURCE))
    assert all(name != "steps" for name, _ in names_used(SOURCE))


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        ("pp_mlekl/posterior/evidence.py", "tests/posterior/test_evidence.py"),
        ("pp_mlekl/posterior/no_such.py", "tests/posterior"),
        ("models/rats.py", "tests/models"),
        ("pp_mlekl/__main__.py", "tests"),
    ],
)
def test_without_coverage_tests_are_of_the_module_or_else_of_its_folder(path, tests):
    assert Chooser().tests(next(faults(path, "a = 1"))) == [tests]


def test_tests_of_a_constant_are_those_of_the_lines_that_use_it():
    recorded = {
        "over.py": {2: [""], 9: ["tests/a.py::slow|run", "tests/part/test_over.py::own|run"]},
        "other.py": {3: ["tests/b.py::quick[x|y]|setup"], 4: ["tests/c.py::unconcerned|run"]},
    }
    chooser = Chooser(
        contexts=lambda path: recorded[Path(path).name],
        seconds={
            "tests/a.py::slow": 9.0,
            "tests/b.py::quick[x|y]": 1.0,
            "tests/b.py::shares_the_fixture": 2.0,
            "tests/part/test_over.py::own": 20.0,
        },
        uses={"LIMIT": [("pp_mlekl/part/over.py", 9), ("pp_mlekl/other.py", 3)]},
    )
    tests = chooser.tests(planted(SOURCE)["4.0", "40.0"])
    assert tests == [
        "tests/part/test_over.py::own",
        "tests/b.py::quick[x|y]",
        "tests/b.py::shares_the_fixture",
        "tests/a.py::slow",
    ]
    assert [chooser.first(tests, seconds) for seconds in (5, 20.9, 21.0, 32)] == [1, 1, 2, 4]


TINY = {
    "tiny.py": "LIMIT = 6 / 1\ndef half(x): return x / 2\ndef down(n):\n    while n: n = n - 1\n",
    "test_tiny.py": "import tiny\ndef test_wrong(): assert tiny.half(0)\ndef test(): assert tiny.half(4) == 2 and not tiny.down(2)\n",
}
PLANT = """
import json, sys
import pytest
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from faults import faults
from mutate import Bench, Chooser
tree = Path(sys.argv[2])
bench = Bench(tree, Chooser(), marks="", budget=2)
planted = {f"{f.line} {f.after}": f for f in faults("tiny.py", (tree / "tiny.py").read_text())}
chosen = ["1 (6) * (1)", "1 0", "2 (x) * (2)", "4 (n) + (1)"]
found = [bench.outcome(planted[name], ["test_tiny.py"]) for name in chosen]
print(json.dumps([found, bench.left_out()]))
"""


def test_outcomes_are_distinguished_and_a_test_that_always_fails_notices_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name, text in TINY.items():
        (tmp_path / name).write_text(text)
    given = [sys.executable, "-c", PLANT, str(TOOLS), str(tmp_path)]
    found, left_out = json.loads(subprocess.run(given, capture_output=True, check=True, text=True).stdout)
    assert found == [["MISSED", ""], ["crash", ""], ["noticed", "test_tiny.py::test"], ["time-out", ""]]
    assert left_out == ["test_tiny.py::test_wrong"]
    assert (tmp_path / "tiny.py").read_text() == TINY["tiny.py"]
