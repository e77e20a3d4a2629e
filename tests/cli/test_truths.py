"""Models with a truth by name: shipped cases, the gallery, builders, and each refusal."""

import pytest

from pp_mlekl.cli.errors import WRONG_USE, Stopped
from pp_mlekl.cli.gallery import gallery_modules
from pp_mlekl.cli.truths import builder_and_truth, model_and_truth, read_sizes
from pp_mlekl.pymc_model.examples import CASES

MODULE = """
import pymc as pm

def build(data=None):
    model = pm.Model()
    model.data_of_the_test = data
    return model
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "own.py").write_text(MODULE + '\nTRUTH = {"mu": 1.5}\n')
    (tmp_path / "truth.toml").write_text("mu = 2.5\n")
    (tmp_path / "table.csv").write_text("y\n0.5\n")
    return tmp_path


def refusal(call):
    with pytest.raises(Stopped) as stopped:
        call()
    assert stopped.value.code == WRONG_USE
    return stopped.value.reason


def test_a_case_has_its_own_truth_unless_another_is_given(mine):
    model, truth = model_and_truth("bernoulli", None)
    assert (truth, [v.name for v in model.free_RVs]) == ({"p": 0.6}, ["p"])
    assert model_and_truth("bernoulli", "truth.toml")[1] == {"mu": 2.5}
    assert type(model_and_truth("bernoulli", "Gamma(2, 1)")[1]).__name__ == "Gamma"


def test_a_builder_has_the_truth_of_its_module_unless_another_is_given(mine):
    model, truth = model_and_truth("own.py", None, mine / "table.csv")
    assert truth == {"mu": 1.5}
    assert model.data_of_the_test["y"].tolist() == [0.5]
    assert model_and_truth("own.py", "truth.toml")[1] == {"mu": 2.5}
    assert model_and_truth("mine.py", "truth.toml")[1] == {"mu": 2.5}


def test_refusals(mine, capsys):
    assert refusal(lambda: model_and_truth("normal", None, mine / "table.csv")) == (
        "The shipped case normal takes no --data; name a builder."
    )
    assert refusal(lambda: builder_and_truth("normal", None)) == (
        "The shipped case normal has no function simulate; --simulate is for builders, as module:function."
    )
    assert refusal(lambda: builder_and_truth("mine.py", None)) == (
        "The module of mine.py has no TRUTH; pass --truth FILE.toml or --truth 'Gamma(2, 1)'."
    )
    start = "is neither a shipped case nor module:function;"
    assert refusal(lambda: builder_and_truth("nrmal", None)) == f"'nrmal' {start} did you mean normal?"
    names = ", ".join([*CASES, *gallery_modules()])
    assert refusal(lambda: builder_and_truth("xyzzyx", None)) == f"'xyzzyx' {start} the cases are {names}."
    assert refusal(lambda: read_sizes("10,x")) == (
        "--sizes must be numbers with commas, such as 10,100,1000, got '10,x'."
    )


def test_sizes():
    assert read_sizes("10,1_000, 5") == [10, 1000, 5]
