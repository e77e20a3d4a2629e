"""Builders: what they are called with, what they say of themselves, and each refusal."""

from pathlib import Path

import pytest

from pp_mlekl.cli.errors import FAILED, WRONG_USE, Stopped
from pp_mlekl.cli.load_model import load_builder

MODULE = '''
"""About the module, with ``marks``."""
import helper
import pymc as pm

def build(data=None, scale=1):
    """Builds.

    More of it.

    Parameters
    ----------
    data
        A table.
    """
    build.called = (data, scale)
    return pm.Model()

def first(table, scale=1):
    first.called = (table, scale)
    return pm.Model()

def two(table, scale):
    two.called = (table, scale)
    return pm.Model()

def no_argument():
    return pm.Model()

def variadic(*args, **kwargs):
    variadic.called = (args, kwargs)
    return pm.Model()

def one():
    return 1

def needs_package():
    import no_such_package
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "helper.py").write_text("# a helper\n")
    return tmp_path


def refusal(call):
    with pytest.raises(Stopped) as stopped:
        call()
    return stopped.value.reason, stopped.value.code


def test_data_go_to_the_argument_of_that_name_or_to_the_first(folder):
    build = load_builder("mine.py")
    build.build()
    assert build.function.called == (None, 1)
    build.build("D", scale=3)
    assert build.function.called == ("D", 3)
    first = load_builder("mine.py:first")
    first.build("D")
    assert first.function.called == ("D", 1)
    two = load_builder("mine.py:two")
    two.build("D", scale=4)
    assert two.function.called == ("D", 4)
    variadic = load_builder("mine.py:variadic")
    variadic.build()
    assert variadic.function.called == ((), {})


@pytest.mark.parametrize(
    ("name", "arguments", "reason", "status"),
    [
        (
            "first", {},
            "mine.py:first needs 'table': pass --data FILE (.csv, .parquet, .nc), or name the file as data in a report's TOML.",
            WRONG_USE,
        ),
        ("two", {}, "mine.py:two takes other arguments: missing a required argument: 'table'.", WRONG_USE),
        ("two", {"data": 1}, "mine.py:two takes other arguments: missing a required argument: 'scale'.", WRONG_USE),
        ("no_argument", {"data": 1}, "mine.py:no_argument takes other arguments: got an unexpected keyword argument 'data'.",
         WRONG_USE),
        ("one", {}, "mine.py:one returned int, not a pymc.Model; let it return the model.", WRONG_USE),
        ("needs_package", {}, "mine.py:needs_package needs the package no_such_package, which is not installed.", WRONG_USE),
    ],
)  # fmt: skip
def test_a_builder_that_cannot_be_called(folder, capsys, name, arguments, reason, status):
    assert refusal(lambda: load_builder(f"mine.py:{name}").build(**arguments)) == (reason, status)


def test_what_a_builder_says_of_itself_ends_before_its_parameters(folder):
    assert load_builder("mine.py").about == "Builds.\n\nMore of it.\n\nAbout the module, with marks."
    assert load_builder("mine.py:one").about == "About the module, with marks."


def test_the_sources_are_those_of_the_module_and_of_what_it_uses_beside_it(folder):
    found = load_builder("mine.py").sources
    assert found == {"_builder_mine": MODULE.encode(), "helper": b"# a helper\n"}


def test_the_data_of_ones_own_come_from_the_modules_simulate(folder, capsys):
    assert refusal(load_builder("mine.py").own_data) == (
        "The module of mine.py has no function simulate(n, truth, random_seed).", WRONG_USE
    )  # fmt: skip
    (folder / "own.py").write_text(
        MODULE + "\ndef simulate(n, truth, random_seed):\n    return n, truth, random_seed\n"
    )
    builder = load_builder("own.py:first")
    build, simulate = builder.own_data(scale=5)
    assert simulate(1, 2, 3) == (1, 2, 3)
    build("D")
    assert builder.function.called == ("D", 5)
    reason, status = refusal(lambda: load_builder("own.py:first").own_data(wrong=5))
    assert reason == (
        "own.py:first must take the data set that simulate returns: got an unexpected keyword argument 'wrong'."
    )
    assert status == WRONG_USE


@pytest.mark.parametrize(("number", "more"), [(12, ""), (13, " and 1 more")])
def test_a_function_that_is_missing_names_at_most_twelve_others(tmp_path, capsys, number, more):
    names = [f"f{i:02d}" for i in range(number)]
    path = tmp_path / "many.py"
    path.write_text("from os.path import join\n" + "".join(f"def {n}(): pass\n" for n in [*names, "_hidden"]))
    reason, _ = refusal(lambda: load_builder(f"{path}:zzz"))
    assert reason == f"{path} has no function 'zzz'; it has {', '.join(names[:12])}{more}."
    assert refusal(lambda: load_builder(f"{path}:xf03"))[0].endswith(f"{names[11]}{more}. Did you mean f03?")
    path.write_text("")
    assert refusal(lambda: load_builder(f"{path}:zzz"))[0] == f"{path} has no function 'zzz'; it has none."


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.py", "There is no file none.py."),
        ("a-b", "'a-b' is no name of a module; write module:function or file.py:function."),
        ("xyzzyx", "There is no module 'xyzzyx'; `pp-mlekl list` shows the gallery."),
        ("models.radom", "There is no module 'models.radom'; `pp-mlekl list` shows the gallery. Did you mean radon?"),
    ],
)
def test_a_module_that_is_missing(folder, capsys, name, reason):
    assert refusal(lambda: load_builder(name)) == (reason, WRONG_USE)


def test_a_failure_on_import_says_so(folder, capsys):
    Path("fails.py").write_text("1 / 0\n")
    reason, status = refusal(lambda: load_builder("fails.py"))
    assert reason == "fails.py raised ZeroDivisionError: division by zero (fails.py, line 1) on import."
    assert status == FAILED
    Path("lacks.py").write_text("import xml.none\n")
    assert (
        refusal(lambda: load_builder("lacks.py"))[0] == "lacks.py needs the package xml.none, which is not installed."
    )
    # A module that exists but imports one that does not is no missing module.
    assert refusal(lambda: load_builder("lacks"))[0] == "lacks needs the package xml.none, which is not installed."


def test_a_folder_or_file_goes_before_the_gallery_of_that_name(folder):
    assert load_builder("radon").module.__name__ == "pp_mlekl.gallery.radon"
    (folder / "radon").mkdir()
    (folder / "radon" / "__init__.py").write_text("def build(): pass\n")
    assert load_builder("radon").module.__name__ == "radon"
