"""Seeds: one message for what is none, and an integer that can be kept of each."""

import numpy as np
import pytest

import pp_mlekl as mk
from models import normal_newcomb
from pp_mlekl.utils.seeds import integer_of


@pytest.mark.parametrize("call", ["compare", "study", "proof", "compare_models"])
def test_invalid_seeds_are_refused_before_anything_runs(call):
    model, truth = normal_newcomb.build(), normal_newcomb.TRUTH
    arguments = {"compare_models": [{"a": model, "b": model}], "compare": [model]}.get(call, [model, truth])
    with pytest.raises(ValueError, match="whole number of at least 0, a SeedSequence or a Generator, got -1"):
        getattr(mk, call)(*arguments, random_seed=-1)


@pytest.mark.parametrize("call", ["find_mle", "find_map", "profile", "bootstrap", "laplace", "pseudo_true"])
def test_estimates_refuse_invalid_seeds(call):
    truth = [normal_newcomb.TRUTH] if call == "pseudo_true" else []
    with pytest.raises(ValueError, match="whole number of at least 0"):
        getattr(mk, call)(normal_newcomb.build(), *truth, random_seed=-1)


@pytest.mark.parametrize("divergence", [mk.kl_divergence, mk.js_divergence, mk.wasserstein_distance])
def test_divergences_refuse_invalid_seeds(divergence):
    with pytest.raises(ValueError, match="whole number of at least 0"):
        divergence("Normal(0, 1)", "Normal(1, 1)", random_seed=-1)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.SeedSequence, int, np.int64])
def test_the_stored_integer_is_that_of_the_seed(make):
    kept = integer_of(make(7))
    assert type(kept) is int
    assert kept == integer_of(make(7))
    assert kept == integer_of(kept)


@pytest.mark.slow
def test_a_study_does_not_store_the_address_of_a_generator():
    def run(seed):
        return mk.study(normal_newcomb.build(), normal_newcomb.TRUTH, sizes=[10], replicates=3, random_seed=seed)

    kept = run(np.random.default_rng(1)).attrs["random_seed"]
    assert kept == run(np.random.default_rng(1)).attrs["random_seed"]
    assert kept.isdigit()
