"""Every option of a command arrives at the function that it is for."""

from importlib import import_module
from inspect import signature
from types import SimpleNamespace

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from pp_mlekl.cli.app import app

MODEL = """
import pymc as pm

TRUTH = {"mu": 1.5}

def build(data=None):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1, observed=[0.4, 1.2] if data is None else data["y"].to_numpy())
    return model
"""


class ArrivedError(ValueError):
    pass


@pytest.fixture
def arrived(tmp_path, monkeypatch):
    """Runs a command whose function is replaced, and gives what that function was called with."""
    (tmp_path / "mine.py").write_text(MODEL)
    (tmp_path / "table.csv").write_text("y\n0.5\n1.5\n2.5\n")
    (tmp_path / "truth.toml").write_text("mu = 2.5\n")
    monkeypatch.chdir(tmp_path)

    def run(function, *arguments):
        found = []

        def instead(*given, **settings):
            found.append(SimpleNamespace(given=given, **settings))
            raise ArrivedError("arrived")

        monkeypatch.setattr(function, instead)
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 1, result.output
        (only,) = found
        return only

    return run


def test_the_help_says_what_each_command_and_option_is_for():
    commands = get_command(app).commands
    assert len(commands) == 11
    unexplained = [f"{name} {p.name}" for name, c in commands.items() for p in c.params if len(p.help or "") < 5]
    assert unexplained == []
    assert all(len(c.help) > 30 for c in commands.values())


SAMPLING = ["--draws", "123", "--chains", "3", "--seed", "45", "--sampler", "pymc", "--potentials", "prior"]


@pytest.mark.parametrize("command", ["doctor", "compare"])
def test_doctor_and_compare(arrived, command):
    found = arrived(
        "pp_mlekl.comparison.compare.compare",
        command,
        "mine.py",
        *SAMPLING,
        "--data",
        "table.csv",
        "--truth",
        "truth.toml",
    )
    assert (found.draws, found.chains, found.random_seed) == (123, 3, 45)
    assert (found.nuts_sampler, found.potentials) == ("pymc", "prior")
    model = found.given[0]
    assert model["y"].eval().shape == (3,)
    truth = found.given[1] if command == "doctor" else found.truth
    assert truth == {"mu": 2.5}


def test_study(arrived):
    options = ["--sizes", "10,1_000", "--replicates", "17", "--estimators", "mle,map", "--intervals", "profile"]
    options += ["--compute", "coverage", "--seed", "6", "--out", "a.nc"]
    found = arrived("pp_mlekl.simulation.study.study", "study", "mine.py", *options)
    assert (found.sizes, found.replicates, found.estimators) == ([10, 1000], 17, ["mle", "map"])
    assert (found.intervals, found.compute, found.random_seed) == (["profile"], ["coverage"], 6)
    assert (found.store.name, found.client) == ("a.nc", None)
    assert found.given[1] == {"mu": 1.5}


def test_a_study_without_options_has_the_defaults_of_study(arrived):
    found = arrived("pp_mlekl.simulation.study.study", "study", "mine.py", "--truth", "truth.toml")
    assert (found.intervals, found.compute, found.store) == ([], None, None)
    assert found.given[1] == {"mu": 2.5}


@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("compare", "pp_mlekl.comparison.compare.compare"),
        ("doctor", "pp_mlekl.comparison.compare.compare"),
        ("study", "pp_mlekl.simulation.study.study"),
        ("proof", "pp_mlekl.theorem.proof.proof"),
        ("calibrate", "pp_mlekl.simulation.calibrate.calibrate"),
    ],
)
def test_numbers_that_are_not_given_are_those_of_the_function(arrived, command, function):
    module, _, name = function.rpartition(".")
    own = {k: p.default for k, p in signature(getattr(import_module(module), name)).parameters.items()}
    found = vars(arrived(function, command, "mine.py"))
    # A command has a seed of its own, and a model the name of its builder.
    passed = {k: v for k, v in found.items() if isinstance(v, int | float | str) and k not in ("random_seed", "name")}
    assert passed
    assert passed == {k: own[k] for k in passed}


def test_proof(arrived):
    options = ["--sizes", "20,40", "--replicates", "55", "--seed", "7"]
    found = arrived("pp_mlekl.theorem.proof.proof", "proof", "mine.py", *options)
    assert (found.sizes, found.replicates, found.random_seed) == ([20, 40], 55, 7)
    assert found.given[1] == {"mu": 1.5}


def test_calibrate(arrived):
    options = ["--methods", "laplace,mle", "--simulations", "33", "--draws", "44", "--tune", "55", "--chains", "3"]
    options += ["--level", "0.02", "--seed", "8", "--potentials", "prior", "--store", "a.zarr"]
    options += ["--covariates", "resampled"]
    found = arrived("pp_mlekl.simulation.calibrate.calibrate", "calibrate", "mine.py", *options)
    assert (found.methods, found.simulations, found.draws, found.tune) == (["laplace", "mle"], 33, 44, 55)
    assert (found.chains, found.level, found.random_seed, found.potentials) == (3, 0.02, 8, "prior")
    assert (found.store.name, found.truth, found.client) == ("a.zarr", None, None)
    assert (found.covariates, found.simulate) == ("resampled", None)


def test_kl(arrived):
    options = ["--base", "2", "--rtol", "0.25", "--budget", "1000", "--seed", "9"]
    found = arrived("pp_mlekl.inputs.divergence.kl_divergence", "kl", "Normal(0, 1)", "Normal(1, 1)", *options)
    assert (found.base, found.rtol, found.budget, found.random_seed) == (2.0, 0.25, 1000, 9)


def test_own_data_of_the_module(arrived, tmp_path):
    (tmp_path / "own.py").write_text(MODEL + "\ndef simulate(n, truth, random_seed):\n    return n\n")
    for command, function in (
        ("study", "pp_mlekl.simulation.study.study"),
        ("calibrate", "pp_mlekl.simulation.calibrate.calibrate"),
    ):
        found = arrived(function, command, "own.py", "--simulate")
        assert found.simulate(3, None, 1) == 3
        assert arrived(function, command, "own.py").simulate is None
        assert found.progress is True
    assert found.truth is None


def test_another_model_to_draw_from(arrived, tmp_path):
    (tmp_path / "other.py").write_text(MODEL.replace("mu", "nu"))
    found = arrived("pp_mlekl.simulation.calibrate.calibrate", "calibrate", "mine.py", "--truth", "other.py")
    assert [v.name for v in found.truth.free_RVs] == ["nu"]
    assert [v.name for v in found.given[0].free_RVs] == ["mu"]


def test_covariates_of_a_study_and_no_computation(arrived):
    options = ["--covariates", "resampled", "--compute", ""]
    found = arrived("pp_mlekl.simulation.study.study", "study", "mine.py", *options)
    assert (found.covariates, found.compute) == ("resampled", [])
    assert arrived("pp_mlekl.simulation.study.study", "study", "mine.py").random_seed == 1


def test_data_and_own_data_exclude_each_other(arrived):
    result = CliRunner().invoke(app, ["study", "mine.py", "--simulate", "--data", "table.csv"])
    assert (result.exit_code, result.stderr) == (2, "pp-mlekl: --simulate draws the data; leave --data out.\n")


@pytest.mark.parametrize(
    ("command", "option", "value", "line"),
    [
        ("kl", "--seed", "-1", "--seed must be a whole number of at least 0, got -1."),
        ("study", "--workers", "0", "--workers must be a positive integer, got 0."),
    ],
)
def test_numbers_on_the_wrong_side(command, option, value, line):
    result = CliRunner().invoke(app, [command, option, value, "bernoulli", "x"])
    assert (result.exit_code, result.stderr) == (2, f"pp-mlekl: {line}\n")


def test_numbers_on_the_right_side(arrived):
    assert arrived("pp_mlekl.inputs.divergence.kl_divergence", "kl", "Normal(0, 1)", "Normal(1, 1)", "--seed", "0")
    client = arrived("pp_mlekl.simulation.dask_cluster.connected", "study", "bernoulli", "--workers", "1")
    assert client.given == (None, 1)


def test_proof_without_options(arrived):
    found = arrived("pp_mlekl.theorem.proof.proof", "proof", "bernoulli")
    assert (found.name, found.random_seed) == ("bernoulli", 1)
    assert found.given[1] == {"p": 0.6}
    found.progress("a step")
    found = arrived("pp_mlekl.theorem.proof.proof", "proof", "student_t_by_normal", "--truth", "Gamma(2, 1)")
    assert found.name == "student t by normal"
    assert type(found.given[1]).__name__ == "Gamma"


def test_compare_without_options(arrived):
    found = arrived("pp_mlekl.comparison.compare.compare", "compare", "mine.py")
    assert (found.name, found.truth, found.random_seed, found.potentials) == ("mine", None, None, None)
    found.progress("a step")


def test_compare_models(arrived, tmp_path):
    (tmp_path / "other.py").write_text(MODEL)
    found = arrived("pp_mlekl.comparison.compare.compare", "compare-models", "mine.py", "other.py", *SAMPLING)
    assert (found.draws, found.chains, found.random_seed, found.name) == (123, 3, 45, "mine")
    assert (found.nuts_sampler, found.potentials) == ("pymc", "prior")
    found = arrived(
        "pp_mlekl.comparison.compare.compare", "compare-models", "mine.py", "other.py", "--data", "table.csv"
    )
    assert found.given[0]["y"].type.shape == (3,)
    assert (found.draws, found.chains, found.random_seed, found.nuts_sampler) == (1000, 4, None, "nutpie")


@pytest.mark.parametrize("builders", [["mine.py"], ["mine.py", "mine.py"]])
def test_compare_models_needs_two(arrived, builders):
    result = CliRunner().invoke(app, ["compare-models", *builders])
    line = f"Name at least two models, each once, got {', '.join(builders)}."
    assert (result.exit_code, result.stderr) == (2, f"pp-mlekl: {line}\n")
