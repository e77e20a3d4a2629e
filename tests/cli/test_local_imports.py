"""Only what the user names is imported, and nothing of it stays behind."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from tiers import slow_if
from typer.testing import CliRunner

from pp_mlekl.cli.app import app
from pp_mlekl.cli.load_model import load_builder

TRAP = "raise SystemExit('run without being named')\n"
MODEL = """
import helper
import pymc as pm

def build():
    import late
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", helper.MEAN, late.SCALE), 1, observed=[0.4, 1.2])
    return model
"""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prior_of(builder):
    mu = builder.build()["mu"]
    return tuple(float(parameter.data) for parameter in mu.owner.op.dist_params(mu.owner))


@pytest.mark.parametrize(
    "command",
    slow_if(
        ["list", "study typo", "proof typo", "compare nomod:build", "kl Normal() Cauchy(0,1)"],
        ["list", "study typo", "proof typo"],
    ),
)
def test_modules_that_are_not_named_are_not_run(folder, command):
    arguments = command.split()
    for name in ("models", "numpy", "rich", "pymc", "matplotlib", "conftest"):
        (folder / f"{name}.py").write_text(TRAP)
    command = [sys.executable, "-m", "pp_mlekl", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert "without being named" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if arguments[0] in ("list", "kl") else 2)


def test_each_folder_has_its_own_helpers(folder):
    builders = []
    for mean in (1.0, 2.0):
        own = folder / f"folder{mean:.0f}"
        own.mkdir()
        (own / "mine.py").write_text(MODEL)
        (own / "helper.py").write_text(f"MEAN = {mean}\n")
        (own / "late.py").write_text(f"SCALE = {10 * mean}\n")
        builders.append(load_builder(f"{own / 'mine.py'}:build"))
    assert [prior_of(builder) for builder in builders] == [(1.0, 10.0), (2.0, 20.0)]
    assert [prior_of(builder) for builder in builders] == [(1.0, 10.0), (2.0, 20.0)]


def test_helpers_are_found_beside_a_module_of_the_working_folder(folder):
    package = folder / "pack"
    package.mkdir()
    (package / "mine.py").write_text(MODEL.replace("import helper", "from pack import helper"))
    (package / "helper.py").write_text("MEAN = 3.0\n")
    (folder / "late.py").write_text("SCALE = 4.0\n")
    assert prior_of(load_builder("pack.mine:build")) == (3.0, 4.0)


@pytest.mark.parametrize("name", ["json", "numpy", "pymc", "arviz_plots", "typing", "pp_mlekl", "helper"])
def test_a_file_may_be_called_as_a_library_is(folder, name):
    (folder / "helper.py").write_text("MEAN = 0.0\n")
    (folder / "late.py").write_text("SCALE = 1.0\n")
    (folder / f"{name}.py").write_text(
        MODEL.replace("import helper", "import json, numpy, typing, arviz_plots").replace("helper.MEAN", "0")
    )
    before = sys.modules.get(name)
    assert prior_of(load_builder(f"{name}.py:build")) == (0.0, 1.0)
    assert sys.modules.get(name) is before


def test_nothing_stays_behind(folder):
    (folder / "helper.py").write_text("MEAN = 0.0\n")
    (folder / "late.py").write_text("import os, sys\nsys.path.insert(0, os.sep)\nSCALE = 1.0\n")
    change = "import json, os, sys, warnings, numpy\nsys.modules['json'] = None\nsys.path.clear()\nsys.path.append('x')\nos.chdir('..')\n"
    change += "warnings.simplefilter('error')\nnumpy.seterr(all='raise')\n"
    (folder / "mine.py").write_text("import pymc\n" + change + MODEL)
    path, modules, filters, handling = list(sys.path), dict(sys.modules), list(warnings.filters), np.geterr()
    load_builder("mine.py:build").build()
    assert sys.path == path
    assert os.getcwd() == str(folder)
    assert warnings.filters == filters
    assert np.geterr() == handling
    assert {name: sys.modules[name] for name in modules} == modules
    assert {"helper", "late", "mine", "_builder_mine"}.isdisjoint(sys.modules)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("import sys; sys.exit(0)", 1),
        ("raise SystemExit", 1),
        ("raise GeneratorExit", 1),
        ("class Odd(BaseException): pass\n    raise Odd('x')", 1),
        ("class Mute(Exception):\n        def __str__(self): raise self\n    raise Mute", 1),
        ("raise ValueError('a\\n' * 1000)", 1),
        ("return build()", 1),
        ("import no_such_package", 2),
        ("assert False", 1),
        ("yield 1", 2),
        ("return lambda: None", 2),
        ("return pm.Model", 2),
    ],
)
def test_whatever_a_builder_raises_is_its_failure(folder, body, status):
    (folder / "mine.py").write_text(f"import pymc as pm\n\ndef build():\n    {body}\n\ndef on_import():\n    pass\n")
    result = CliRunner().invoke(app, ["compare", "mine.py:build"])
    assert result.exit_code == status
    assert len(result.stderr.splitlines()) == 1
    assert list(folder.glob("*.html")) == []


@pytest.mark.parametrize("text", ["import sys; sys.exit(0)", "def build(:", "\0", "raise BaseException", "1/0"])
def test_whatever_a_module_raises_is_its_failure(folder, text):
    (folder / "mine.py").write_text(text)
    result = CliRunner().invoke(app, ["compare", "mine.py:build"])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
