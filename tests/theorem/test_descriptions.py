"""What a proof says of its truth, the arguments that it accepts, its defaults, and its constants."""

from inspect import signature
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from pp_mlekl.divergences.families import family
from pp_mlekl.theorem.proof import SIZES, describe, proof
from pp_mlekl.theorem.proof_result import Check, Proof, Step
from pp_mlekl.theorem.setting import DIVERGENCE_ACCURACY, LEVEL, STANDARD_ERRORS

PARAMETERS = SimpleNamespace(kind="parameters")


@pytest.mark.parametrize(
    ("truth", "text"),
    [
        ({"mu": 1.0, "sigma": 0.123456}, "the model at mu = 1, sigma = 0.1235"),
        ({"b": [1.23456, -2.0]}, "the model at b = [1.235 -2]"),
        ({"b": np.eye(2)}, "the model at b = [[1 0] [0 1]]"),
        ({"b": np.arange(8.0)}, "the model at b = [0 1 2 3 4 5 6 7]"),
        ({"b": np.arange(9.0)}, "the model at b = [0 1 2 ... 6 7 8]"),
        (xr.Dataset({"mu": 1.5}), "the model at mu = 1.5"),
    ],
)
def test_parameters_are_described_by_their_values(truth, text):
    assert describe(truth, PARAMETERS) == text


def test_distributions_are_described_by_their_first_row():
    distributions = {
        "y": family("Normal")(mu=0.25, sigma=2.0),
        "z": family("Poisson")(mu=np.array([[1.5, 2.0], [3.0, 4.0]])),
    }
    truth = SimpleNamespace(kind="distribution", distributions=distributions)
    assert describe(None, truth) == "y ~ Normal(mu=0.25, sigma=2); z ~ Poisson(mu=1.5)"


@pytest.mark.parametrize("sizes", [[], [1], [0, 5], [10, 10], [20, 10], [-3, 4]], ids=str)
def test_sizes_must_increase_from_two(sizes):
    with pytest.raises(ValueError, match=r"increasing positive integers of at least 2, got .*; sort them\.$"):
        proof(pm.Model(), {}, sizes=sizes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replicates": 29}, "replicates must be an integer of at least 30, got 29"),
        ({"sizes": [10, 10**15]}, "30 data sets of 1,000,000,000,000,000 observations need"),
        ({"sizes": [10, 20], "replicates": 10**15}, "1,000,000,000,000,000 replicates need"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        proof(pm.Model(), {}, **settings)


def test_two_observations_and_thirty_replicates_are_accepted():
    # The next complaint is about the model, which has no variable.
    with pytest.raises((TypeError, ValueError), match="model"):
        proof(pm.Model(), {}, sizes=[2], replicates=30)


def test_defaults():
    found = {name: p.default for name, p in signature(proof).parameters.items()}
    assert SIZES == (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
    assert found["sizes"] is SIZES
    assert (found["replicates"], found["name"], found["random_seed"], found["progress"]) == (1000, None, None, True)


def test_names_sizes_and_counts_of_a_short_proof():
    """More than a million observations of one size are simulated for thirty data sets only where they are so many."""
    with pm.Model() as model:
        b = [pm.Normal(f"b{i}", 0, 10) for i in range(5)]
        pm.Normal("y", pm.math.stack(b)[np.arange(10) % 5], 1.0, observed=np.linspace(-1, 1, 10))
    said = []
    settings = {"sizes": [20, 30], "replicates": 31, "random_seed": 1}
    found = proof(model, {f"b{i}": 0.5 for i in range(5)}, progress=said.append, **settings)
    assert found.name == "b0, b1, b2, b3"
    assert found.settings["sizes"] == (20, 30)
    assert found.settings["replicates"] == (31, 31)
    assert found.settings["random_seed"] == "1"
    assert [text.partition(":")[0] for text in said] == ["1, 2", "3, 4", "5", "6, 7"]
    assert found.truth == "the model at b0 = 0.5, b1 = 0.5, b2 = 0.5, b3 = 0.5, b4 = 0.5"
    assert [step.title for step in found.steps] == [
        "KL is cross-entropy minus a constant",
        "Both problems have the same solution",
        "The mean log-likelihood converges to its expectation",
        "Chebyshev's inequality bounds the rate",
        "The MLE converges to the minimiser of KL",
        "For the observed data the identity is exact",
        "KL is asymmetric and can be infinite",
    ]
    named = proof(model, {f"b{i}": 0.5 for i in range(5)}, name="mine", progress=False, **settings)
    assert named.name == "mine"
    assert named.summary().drop(columns="title").equals(found.summary().drop(columns="title"))


def test_constants_of_all_comparisons():
    """One in a thousand for all of 64 comparisons, on both sides."""
    assert pytest.approx(1e-3 / 64) == LEVEL
    assert 2 * stats.norm.sf(STANDARD_ERRORS) == pytest.approx(LEVEL)
    assert DIVERGENCE_ACCURACY == 1e-8


CHECK = Check(what="a = b", left=1.0, right=2.0, error=0.5, source="theory")
STEP = Step(number=1, title="t", claim="c", checks=(CHECK,))


def test_a_proof_shows_a_line_for_each_step_and_a_table():
    made = Proof(name="n", truth="p = 1", steps=(STEP,), pseudo_true=None, settings={})
    assert repr(made) == "n; truth: p = 1\n  1. t: fail"
    assert len(made.densities.data_vars) == 0
    assert "n; truth: p = 1" in made._repr_html_()
    assert list(made.summary().columns) == ["title", "check", "left", "relation", "right", "gap", "error", "passed"]
    assert made.summary().index.name == "step"
    with pytest.raises(ValueError, match=r"^There is no step 2; choose from 1 to 1\.$"):
        made.plot(2)
    bound = Step(
        number=2, title="t", claim="c", checks=(Check(what="", left=1, right=1, error=0, source="", bound=True),)
    )
    assert Proof(name="n", truth="t", steps=(bound,), pseudo_true=None, settings={}).summary()["relation"].tolist() == [
        "<="
    ]


def test_a_step_has_no_data_and_no_note_of_itself():
    assert (len(STEP.data.data_vars), STEP.note, CHECK.bound) == (0, "", False)
