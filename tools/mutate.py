"""Plant small faults in the package, one at a time, and count those that the tests notice.

    python tools/mutate.py                                faults in the files that differ from main
    python tools/mutate.py pp_mlekl/posterior --number 40

A fault is a swapped operator or comparison, a constant ten times off, a dropped square root or keyword argument, a truth value
turned round. The working tree stays as it is: faults are planted in a copy. A fault is

- noticed if a test fails that passes without the fault; a test that fails without it is left out, and reported;
- a crash if the process dies, or if no test can be collected;
- a time-out if the tests take ``--budget`` seconds of the processor more than three times what they took without the fault, or
  ten times as long by the clock;
- MISSED otherwise.

Which tests run the lines of a fault, and how long each takes, is known from `make coverage`. For what runs at import they are
the tests that run a line with a name that it sets. For what a fixture runs they are all tests of its file. Those of the module's
own name come first, then the quickest, up to ``--seconds``; where none of these notices, all others follow, up to ``--most``.
Without the files of `make coverage`, or with ``--own``, they are the tests of the module's own name, or else those of its folder.
"""

import argparse
import compileall
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from faults import Fault, faults, names_used

ROOT = Path(__file__).parents[1]
PACKAGE = "pp_mlekl"
OUTCOMES = ("noticed", "crash", "time-out", "MISSED")


@dataclass(frozen=True)
class Chooser:
    """Which tests are run for a fault: what `make coverage` recorded."""

    contexts: Callable[[str], dict[int, list[str]]] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    uses: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, coverage: Path, times: Path) -> "Chooser":
        """From the files of `make coverage`."""
        if not coverage.exists():
            return cls()
        from coverage import CoverageData

        data = CoverageData(str(coverage))
        data.read()
        uses = defaultdict(list)
        for path in map(Path, data.measured_files()):
            if path.is_relative_to(ROOT) and path.exists():
                for name, line in names_used(path.read_text(encoding="utf-8")):
                    uses[name].append((str(path.relative_to(ROOT)), line))
        return cls(data.contexts_by_lineno, seconds_of(times) if times.exists() else {}, dict(uses))

    def tests(self, fault: Fault) -> list[str]:
        """Tests that run the line of a fault, or else those of its module, or else those of its folder."""
        path = Path("tests") / fault.path.removeprefix(f"{PACKAGE}/")
        own = path.parent / f"test_{path.stem}.py"
        places = {(fault.path, line) for line in (fault.line, *fault.lines)}
        places |= {place for name in fault.names for place in self.uses.get(name, [])}
        found = self._run_by(places)
        if not found:
            return [str(next(p for p in (own, path.parent, Path("tests")) if (ROOT / p).exists()))]
        return sorted(found, key=lambda t: (not t.startswith(f"{own}::"), self.seconds.get(t, 0.0), t))

    def cost(self, tests: Iterable[str]) -> float:
        """Seconds that tests take without a fault."""
        return sum(self.seconds.get(test, 0.0) for test in tests)

    def first(self, tests: list[str], seconds: float) -> int:
        """How many of the tests take so long; one at least."""
        count = 1
        while count < len(tests) and self.cost(tests[: count + 1]) <= seconds:
            count += 1
        return count

    def _run_by(self, places: Iterable[tuple[str, int]]) -> set[str]:
        if self.contexts is None:
            return set()
        lines = defaultdict(set)
        for path, line in places:
            lines[path].add(line)
        found = set()
        for path, wanted in lines.items():
            recorded = self.contexts(str(ROOT / path))
            for context in {c for line in wanted for c in recorded.get(line, []) if "::" in c}:
                test, _, phase = context.rpartition("|")
                # A fixture that tests of a file share is set up for the first of them.
                found |= self._of_file(test.partition("::")[0]) if phase == "setup" else {test}
        return found

    def _of_file(self, name: str) -> set[str]:
        return {test for test in self.seconds if test.startswith(f"{name}::")}


def seconds_of(times: Path) -> dict[str, float]:
    """Seconds of each test, by its node id, in a JUnit report of pytest's."""
    cases = ET.parse(times).getroot().iter("testcase")
    return {f"{c.attrib['classname'].replace('.', '/')}.py::{c.attrib['name']}": float(c.attrib["time"]) for c in cases}


@dataclass
class Bench:
    """A copy of the tree in which faults are planted, and the tests that fail there without one."""

    tree: Path
    chooser: Chooser
    marks: str
    budget: float
    fails_alone: dict[str, bool] = field(default_factory=dict)

    def outcome(self, fault: Fault, tests: list[str]) -> tuple[str, str]:
        """What becomes of a fault, and the test that notices it."""
        target = self.tree / fault.path
        whole, before = target.read_bytes(), target.stat()
        target.write_bytes(whole[: fault.start] + fault.after.encode() + whole[fault.end :])
        try:
            outcome, failed = self.run(tests)
        finally:
            target.write_bytes(whole)
            # As old as its bytecode says, which holds again.
            os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
        if outcome != "noticed":
            return outcome, failed
        if failed not in self.fails_alone:
            self.fails_alone[failed] = self.run([failed])[0] != "MISSED"
        return self.outcome(fault, tests) if self.fails_alone[failed] else (outcome, failed)

    def left_out(self) -> list[str]:
        """Tests that fail without a fault."""
        return sorted(test for test, fails in self.fails_alone.items() if fails)

    def run(self, tests: list[str]) -> tuple[str, str]:
        """The outcome of tests on the tree as it is, and the first that fails."""
        reader, writer = os.pipe()
        limit = round(self.budget + 3 * self.chooser.cost(tests))
        child = os.fork()
        if child == 0:
            os.close(reader)
            options = ["-m", self.marks, *(f"--deselect={test}" for test in self.left_out())]
            _child(self.tree, tests, options, limit, writer)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as pipe:
            failed = pipe.readline().strip()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(ProcessLookupError):
            # What the tests have started.
            os.killpg(child, signal.SIGKILL)
        ends = {0: "MISSED", 1: "noticed", -signal.SIGPROF: "time-out", -signal.SIGALRM: "time-out"}
        return ends.get(code, "crash"), failed


class _FirstFailure:
    """Writes the node id of a test that fails."""

    def __init__(self, writer: int) -> None:
        self.writer = writer

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            os.write(self.writer, f"{report.nodeid}\n".encode())


def _child(tree: Path, tests: list[str], options: list[str], limit: int, writer: int) -> None:
    """Run the tests in this process, which has imported the libraries but nothing of the package, and leave."""
    import pytest

    os.setsid()
    # Other processes may leave little of the processor, so its time counts; a test that waits for ever uses none.
    for timer, which, seconds in (
        (signal.ITIMER_PROF, signal.SIGPROF, limit),
        (signal.ITIMER_REAL, signal.SIGALRM, 10 * limit),
    ):
        signal.signal(which, signal.SIG_DFL)
        signal.setitimer(timer, max(seconds, 1))
    sys.dont_write_bytecode = True
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    os.environ["PYTHONPATH"] = str(tree)
    with open(os.devnull, "w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    given = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options]
    code = pytest.main([*given, *tests], plugins=[_FirstFailure(writer)])
    if code == pytest.ExitCode.USAGE_ERROR:
        # A test has another name since the coverage was recorded.
        files = sorted({test.partition("::")[0] for test in tests})
        code = pytest.main([*given, *files], plugins=[_FirstFailure(writer)])
    # That no test was chosen is no notice.
    os._exit(0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else int(code))


def changed() -> list[str]:
    """Files of the package that differ from main."""
    listed = subprocess.run(
        ["git", "diff", "--name-only", "main", "--", PACKAGE, "models"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
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
    shared = ROOT.parent / "shared"
    if shared.exists():
        (target.parent / "shared").symlink_to(shared.resolve())


def table(outcomes: dict[str, Counter[str]]) -> str:
    """How many faults of each folder came to what; the share counts those noticed and crashes."""
    rows = [f"{'':40s}" + "".join(f"{name:>10s}" for name in (*OUTCOMES, "planted", "share"))]
    for folder, counts in {**outcomes, "all": sum(outcomes.values(), Counter())}.items():
        planted = counts.total()
        share = f"{100 * (counts['noticed'] + counts['crash']) / planted:.0f}%"
        numbers = [*(counts[name] for name in OUTCOMES), planted, share]
        rows.append(f"{folder:40s}" + "".join(f"{number:>10}" for number in numbers))
    return "\n".join(rows)


def main() -> int:
    """Plant the faults and print who noticed them; exit status 1 where fewer than ``--least`` per cent were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help="files or folders; those that differ from main by default")
    parser.add_argument("--number", type=int, default=20, help="faults to plant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=120.0, help="seconds of the processor that a fault may cost")
    parser.add_argument("--marks", default="not slow", help="tests to run; 'slow or not slow' for both tiers")
    parser.add_argument("--coverage", type=Path, default=ROOT / ".coverage", help="which tests run a line")
    parser.add_argument("--times", type=Path, default=ROOT / ".coverage.xml", help="how long each test takes")
    parser.add_argument("--seconds", type=float, default=30.0, help="of tests that are run first")
    parser.add_argument(
        "--most", type=float, default=600.0, help="seconds of tests for a fault that those do not notice"
    )
    parser.add_argument("--own", action="store_true", help="only the tests of the module's own name")
    parser.add_argument("--least", type=float, default=0.0, help="per cent that must be noticed")
    parser.add_argument("--out", type=Path, help="file to which each result is added as a line of JSON")
    args = parser.parse_args()

    # Children inherit the libraries. None of their threads does anything at the fork.
    import arviz  # noqa: F401
    import nutpie  # noqa: F401
    import pymc  # noqa: F401

    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    paths = [ROOT / p for p in args.paths or changed()]
    names = sorted(str(f.relative_to(ROOT)) for p in paths for f in (p.rglob("*.py") if p.is_dir() else [p]))
    possible = [fault for name in names for fault in faults(name, (ROOT / name).read_text(encoding="utf-8"))]
    if not possible:
        print("There is nothing to plant a fault in.")
        return 0
    chosen = random.Random(args.seed).sample(possible, min(args.number, len(possible)))
    chooser = Chooser() if args.own else Chooser.of(args.coverage, args.times)
    outcomes = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name) / "tree", chooser, args.marks, args.budget)
        copy(bench.tree)
        for fault in sorted(chosen, key=lambda f: (f.path, f.start)):
            start, tests = time.monotonic(), chooser.tests(fault)
            ends = sorted({chooser.first(tests, args.seconds), chooser.first(tests, max(args.seconds, args.most))})
            for begin, end in zip([0, *ends], ends, strict=False):
                outcome, by = bench.outcome(fault, tests[begin:end])
                if outcome != "MISSED":
                    break
            outcomes[str(Path(fault.path).parent)][outcome] += 1
            left = f"  ({end} of {len(tests)} tests)" if outcome == "MISSED" and end < len(tests) else ""
            print(f"{outcome:8s} {fault}{left}", flush=True)
            if args.out:
                record = {"outcome": outcome, "by": by, "tests": end, "all_tests": len(tests)} | asdict(fault)
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record | {"seconds": round(time.monotonic() - start, 1)}) + "\n")
    print(table(outcomes))
    for test in bench.left_out():
        print(f"fails without a fault: {test}")
    total = sum(outcomes.values(), Counter())
    return int(100 * (total["noticed"] + total["crash"]) < args.least * total.total())


if __name__ == "__main__":
    sys.exit(main())
