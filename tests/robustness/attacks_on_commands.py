"""Attacks by what is typed and by code that is named: arguments, texts, report files, truths, builders, names and labels."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
from attack import Executed, Lost, Place, attack
from typer.testing import CliRunner

import pp_mlekl as mk
from pp_mlekl.cli.app import app
from pp_mlekl.pymc_model.model_functions import model_functions

NORMALS = ("Normal(0, 1)", "Normal(1, 1)")
MODEL = """
import numpy as np, pymc as pm

def model_of(data, slope=1.0):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu") * np.asarray(slope), 1, observed=data)
    return model

def build(): return model_of([0.4, 1.2])
def infinite(): return model_of([np.inf, 1.0])
def huge(): return model_of([1e308, 1.0])
def empty(): return model_of(np.empty(0))
def covariate(): return model_of([0.0, 1.0], [np.inf, 1.0])
def missing(): return model_of([0.0, 1.0], [np.nan, 1.0])

def of_counts(family, data):
    with pm.Model() as model:
        family("y", pm.Beta("p", 2, 2), observed=data)
    return model

def poisson(): return of_counts(pm.Poisson, [-1, 2])
def bernoulli(): return of_counts(pm.Bernoulli, [3, 1])
"""


def refused_by_command(place: Place, arguments: tuple[str, ...]) -> None:
    """The command ends with a status that is not 0, says why in one line, and writes nothing."""
    (place.folder / "mine.py").write_text(MODEL)
    place.keep()
    before = os.getcwd()
    os.chdir(place.folder)
    try:
        result = CliRunner().invoke(app, list(arguments))
    finally:
        os.chdir(before)
    told = [line for line in result.stderr.splitlines() if not line.startswith("[1/1]")]
    if result.exit_code not in (1, 2) or "Traceback" in result.output or len(told) != 1:
        raise AssertionError(f"status {result.exit_code}: {result.output[-300:]}")
    if any(place.folder.glob("*.html")):
        raise AssertionError("a page was written")


OPTIONS = [
    *(("kl", *NORMALS, "--rtol", wrong) for wrong in ("-1", "0", "nan", "inf", "-inf", "x", "")),
    *(("kl", *NORMALS, "--budget", wrong) for wrong in ("-7", "0", "1", "1.5", "nan")),
    *(("kl", *NORMALS, "--base", wrong) for wrong in ("-1", "0", "1", "0.5", "nan", "inf")),
    *(("kl", *NORMALS, "--seed", wrong) for wrong in ("-1", "x", "1.5")),
    *(("compare", "mine.py", "--draws", wrong) for wrong in ("0", "-1", "x", "1.5", "9" * 15, "9" * 30, "nan", "")),
    *(("compare", "mine.py", "--chains", wrong) for wrong in ("0", "-1", "9" * 15, "x")),
    *(("compare", "mine.py", "--sampler", wrong) for wrong in ("", "x", "NUTPIE", "nupie")),
    *(("compare", "mine.py", "--potentials", wrong) for wrong in ("", "x", "both")),
    *(("compare", "mine.py", "--out", wrong) for wrong in ("mine.py", "mine.py/x", "/dev/null", "\0", "x" * 300)),
    *(("study", "bernoulli", "--sizes", wrong) for wrong in ("x", "", "-5", "0", "5,5", "9,5", "5.5", "5,", "9" * 30, "nan")),
    *(("study", "bernoulli", "--replicates", wrong) for wrong in ("0", "1", "-3", "x", "9" * 15)),
    *(("study", "bernoulli", "--estimators", wrong) for wrong in ("", "x", "mle,", "mle,mle", "MLE")),
    *(("study", "bernoulli", "--truth", wrong) for wrong in ("x", "none.toml", "Normal(0, 1)", "Bernoulli(2)", "")),
    *(("proof", "bernoulli", "--sizes", wrong) for wrong in ("x", "-5", "0", "9,5", "9" * 30)),
    *(("proof", "bernoulli", "--replicates", wrong) for wrong in ("0", "-1", "3", "9" * 15)),
    ("kl", NORMALS[0]), ("kl",), ("kl", NORMALS[0], "Poisson(3)"), ("kl", "Normal([0, 1], 1)", "Normal([0, 1, 2], 1)"),
    ("compare-models",), ("compare-models", "mine.py"), ("compare-models", "mine.py", "mine.py"),
    ("report",), ("report", "."), ("report", "none.toml"), ("report", "mine.py"), ("no-such-command",), ("--no-such-option",),
]  # fmt: skip


@attack("options", [(case,) for case in OPTIONS])
def option(place: Place, arguments: tuple[str, ...]) -> None:
    """A wrong option is refused before anything is computed."""
    refused_by_command(place, arguments)


@attack(
    "names of builders",
    [
        "", ":", ":build", "..:build", "none", "none:build", "mine:none", "mine.py:none", "mine.py:build:build", ".py:x",
        "mine.py:__name__", "os:getcwd", "sys:exit", "builtins:exit", "a b:c", "a/b:c", "../mine.py", "/dev/null",
        "/dev/zero:x", "mine.py\0:build", "\0", "x" * 5000, "x" * 5000 + ".py", "json:loads", "mine.py:build\n", "radn",
    ],
)  # fmt: skip
def builder_name(place: Place, name: str) -> None:
    """A name that means no builder."""
    refused_by_command(place, ("compare", name))


@attack("impossible data", ["infinite", "huge", "empty", "covariate", "missing", "poisson", "bernoulli"])
def impossible(place: Place, function: str) -> None:
    """Data that the model cannot produce."""
    refused_by_command(place, ("compare", f"mine.py:{function}", "--draws", "50", "--chains", "2"))


BODIES = [
    "import sys; sys.exit(0)", "raise SystemExit", "raise GeneratorExit", "raise BaseException('x')", "raise MemoryError",
    "return build()", "import no_such_package", "assert False", "yield 1", "return lambda: None", "return pm.Model", "1 / 0",
    "raise ValueError('a\\n' * 1000)", "raise ValueError('\\x1b[2J')", "raise ValueError('x' * 1000000)", "return None",
    "raise OSError(28, 'No space left on device')", "raise StopIteration", "raise type('E', (Exception,), {'__str__': 1})()",
]  # fmt: skip


@attack("builders that fail", [(body, indent) for body in BODIES for indent in ("    ", "")])
def failing_builder(place: Place, body: str, indent: str) -> None:
    """What a builder raises when it is called, or its module when it is imported."""
    text = body if indent else body.replace("return ", "1 / 0; ").replace("yield 1", "1 / 0")
    (place.folder / "bad.py").write_text(f"import pymc as pm\n\ndef build():\n    pass\n{indent}{text}\n")
    refused_by_command(place, ("compare", "bad.py"))


@attack(
    "code that nobody named",
    [
        (name, command)
        for name in ("models", "numpy", "json", "helper", "radon_")
        for command in (("compare", "none:build"), ("study", "typo"), ("proof", "typo"), ("report", "none.toml"))
    ],
)
def not_named(place: Place, name: str, command: tuple[str, ...]) -> None:
    """A file of the working folder is not run because of its name."""
    (place.folder / f"{name}.py").write_text(f"open({str(place.trap)!r}, 'w').write('{name}.py was run')\n")
    refused_by_command(place, command)


@attack("code that nobody named", ["json", "numpy", "pymc", "typing", "arviz_plots", "helper"])
def same_name(place: Place, name: str) -> None:
    """A builder called as a library leaves the library as it was."""
    modules, path = dict(sys.modules), list(sys.path)
    (place.folder / f"{name}.py").write_text(
        "import json, numpy, typing, sys\nsys.path.clear()\ndef build():\n    1 / 0\n"
    )
    refused_by_command(place, ("compare", f"{name}.py"))
    if sys.path != path or any(sys.modules.get(key) is not value for key, value in modules.items()):
        raise Executed("modules or import paths were changed")


TEXTS = [
    "-" * 2000 + "1", "Normal(" + "-" * 2000 + "1, 1)", "Normal(" + "1 + " * 2000 + "1, 1)", "Normal([0] * 999999999999, 1)",
    "Normal(mu=0, mu=1)", "Normal(0, " + "9" * 5000 + ")", "Normal(0, " + "9" * 4000 + ")", "Normal(" * 500 + "0" + ")" * 500,
    "(" * 5000 + "1" + ")" * 5000, "[" * 5000 + "]" * 5000, "Normal(inf, 1)", "Normal(inf - inf, 1)", "Normal([], 1)",
    "Normal([[1, 2], [3]], 1)", "Normal(\0)", "Normal(0, 1j)", "Normal(True, 1)", "Normal('a', 1)", "Normal(Normal(0, 1), 1)",
    "Truncated(0, 1)", "Mixture([1], Normal(0, 1))", "Mixture([0.5, 0.5], [Normal(0, 1), 3])", "Normal([0, 1], [1, 2, 3])",
    "exp(1000)", "Normal((-1) ** 0.5, 1)", "Normal(0, 1) + 1", "-Normal(0, 1)", "lambda: 1", "Normal(sqrt(1, 2), 1)",
    "Normal(0, 1)(2)", "Dirichlet([])", "Categorical([0, 0])", "Uniform(1, 0)", "Normal(mu=0, **{})", "", "   ", "#", "Normal",
    "__import__('os').system('true')", "Normal(0).__class__", "Normal(x := 1)", "Normal(*[0, 1])", "9 ** 9 ** 9", "[bold]",
    "Truncated(Truncated(Normal(0, 1), -2, 2), -1, 1)", "Normal(0, 1/0)", "Normal(f'{1}', 1)", "Normal(0, 1);", "Gama(2, 1)",
]  # fmt: skip


@attack("texts of distributions", TEXTS)
def text_of_distribution(place: Place, text: str) -> None:
    """A text that is no distribution, or one without end."""
    place.refused(mk.kl_divergence, text, "Normal(0, 1)")


TOMLS: list[bytes] = [
    b"", b"\xff\xfe", "name = 'é'".encode("latin-1"), bytes(range(256)), b"draws = " + b"9" * 5000, b"a = " + b"[" * 5000,
    b"a = " + b"[" * 5000 + b"]" * 5000, b"\xef\xbb\xbfbuilder = 'mine.py'", b"builder = 3", b"builder = 'mine.py'\ndraws = -1",
    b"builder = 'mine.py'\ndraws = true", b"builder = 'mine.py'\nseed = -1", b"builder = 'mine.py'\npotentials = 'x'",
    b"builder = 'mine.py'\ntruth = 3", b"builder = 'mine.py'\ntruth = 'x'", b"builder = 'mine.py'\n[truth]\nmu = 'a'",
    b"builder = 'mine.py'\n[truth]\nmu = [1, 2]", b"builder = 'mine.py'\n[truth]\nmu = nan", b"a = 1\na = 2",
    b"builder = 'mine.py'\n[truth]\nmu = inf", b"builder = 'mine.py'\n[truth]\nx = 1", b"builder = ''", b"builder = 'none.py'",
    b"builder = 'mine.py'\n[truth]\nmu = " + b"9" * 4000, b"builder = 'mine.py'\n[truth]\nmu = 1979-05-27", b"[builder]\na = 1",
]  # fmt: skip


@attack("report files", [(content,) for content in TOMLS])
def report_file(place: Place, content: bytes) -> None:
    """A file that is no report's."""
    (place.folder / "bad.toml").write_bytes(content)
    (place.folder / "mine.py").write_text(MODEL)
    before = os.getcwd()
    os.chdir(place.folder)
    try:
        result = CliRunner().invoke(app, ["report", "bad.toml", "--out", "pages"])
    finally:
        os.chdir(before)
    told = [line for line in result.stderr.splitlines() if not line.startswith("[1/1]")]
    if result.exit_code not in (1, 2) or "Traceback" in result.output or len(told) != 1:
        raise AssertionError(f"status {result.exit_code}: {result.output[-300:]}")


def _with_labels(labels: Any, dim: str = "site") -> pm.Model:
    with pm.Model(coords={dim: labels}) as model:
        pm.Normal("y", pm.Normal("mu", dims=dim), 1, observed=np.arange(3.0), dims=dim)
    return model


def _with_name(name: str) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("y", pm.Normal(name), 1, observed=[0.1])
    return model


LABELS = [
    ["a", "a", "b"], [b"a", b"b", b"c"], ["a", 1, 2.5], [1, "a", None], [1.0, np.nan, 2.0], [(1, 2), (1, 3), (2, 1)],
    [1j, 2, 3], [10**30, 1, 2], ["a\0", "b", "c"], ["\udcff", "b", "c"], ["x" * 1000, "b", "c"], pd.interval_range(0, 3),
    pd.date_range("2020", periods=3, tz="Europe/Berlin"), pd.period_range("2020", periods=3, freq="M"),
]  # fmt: skip


@attack("names and labels", [(_with_labels, labels) for labels in LABELS])
@attack(
    "names and labels",
    [(_with_name, n) for n in (".", "..", "", " ", "\0", "a\\b", "a\nb", "\ud800", "chain", "draw", "x" * 300)],
)
def labels(place: Place, build: Callable[..., pm.Model], given: Any) -> None:
    """A name or a label that would be lost on the way to a file."""
    place.refused(model_functions, build(given))


@attack("wrong arguments", [
    (mk.find_mle, {"starts": 0}), (mk.find_mle, {"starts": 10**15}), (mk.find_mle, {"weights": [1.0]}),
    (mk.find_mle, {"data": {"z": [1.0]}}), (mk.find_mle, {"marginalize": ["x"]}), (mk.find_map, {"space": "x"}),
    (mk.compare, {"draws": 0}), (mk.compare, {"chains": 10**15}), (mk.compare, {"truth": {"x": 1.0}}),
    (mk.compare, {"truth": {"mu": np.nan}}), (mk.compare, {"truth": "Poisson(3)"}), (mk.bootstrap, {"replicates": 1}),
    (mk.bootstrap, {"replicates": 10**15}), (mk.bootstrap, {"kind": "x"}), (mk.laplace, {"space": "x"}),
    (mk.laplace, {"draws": 0}), (mk.laplace, {"draws": 10**15}), (mk.study, {"truth": {"mu": 1.0}, "sizes": []}),
    (mk.study, {"truth": {"mu": 1.0}, "sizes": [5], "replicates": 10**15}), (mk.study, {"truth": {"mu": 1.0}, "sizes": [np.nan]}),
    (mk.proof, {"truth": {"mu": 1.0}, "replicates": 10**15}), (mk.proof, {"truth": {"mu": np.inf}}),
])  # fmt: skip
def wrong_arguments(place: Place, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """An argument that cannot be meant is refused."""
    place.refused(function, place.given.model, **arguments)


@attack("interrupts of commands", [0.05 * 1.6**turn for turn in range(12)])
def interrupt(place: Place, seconds: float) -> None:
    """A command that is interrupted says so in one line and leaves nothing."""
    (place.folder / "mine.py").write_text(MODEL)
    place.keep()
    code = "import signal\nfor s in (signal.SIGINT, signal.SIGALRM): signal.signal(s, signal.default_int_handler)\n"
    code += f"from pp_mlekl.cli import main\nsignal.setitimer(signal.ITIMER_REAL, {seconds})\nmain()"
    command = [sys.executable, "-c", code, "compare", "mine.py", "--draws", "1000000", "--chains", "2", "--out", "out"]
    done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, check=False)
    if (done.returncode, done.stderr) != (130, "pp-mlekl: Interrupted.\n"):
        raise AssertionError(f"status {done.returncode}, signal {signal.SIGALRM}: {done.stderr[-300:]}")
    if list(place.folder.glob("out/*")):
        raise Lost("something half written is left")
