"""Every public function takes its arguments in one order and by one set of names, and says what they are."""

import inspect
import re
from typing import Any

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pp_mlekl as mk

FUNCTIONS = sorted(name for name in mk.__all__ if inspect.isfunction(getattr(mk, name)))
# The second argument says what the function is about.
ABOUT = ("idata", "truth", "estimate")
# Functions of distributions, of several models or fits, and of files have leading arguments of their own.
LEADING = {
    "compare_models": ["models"],
    "cross_entropy": ["p", "q"],
    "distribution": ["name"],
    "entropy": ["p"],
    "js_divergence": ["p", "q"],
    "kl_divergence": ["p", "q"],
    "likelihood_ratio_test": ["null", "estimate"],
    "load": ["path"],
    "calibrate": ["build"],
    "study": ["build", "truth"],
    "wasserstein_distance": ["p", "q"],
}
FORMER = {"tree", "prob", "sampler", "mode"}


def parameters(name: str) -> list[inspect.Parameter]:
    return list(inspect.signature(getattr(mk, name)).parameters.values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_model_comes_first_then_what_it_is_about_and_the_rest_by_name(name):
    positional = [p.name for p in parameters(name) if p.kind is p.POSITIONAL_OR_KEYWORD]
    if name in LEADING:
        assert positional == LEADING[name]
        return
    assert positional[0] == "model"
    assert len(positional) <= 2
    assert set(positional[1:]) <= set(ABOUT)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_names_are_todays(name):
    found = {p.name for p in parameters(name)}
    if "progress" in found:
        assert next(p for p in parameters(name) if p.name == "progress").default is True
    assert not found & FORMER
    if "nuts_sampler" in found:
        assert "sample_kwargs" in found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_documented(name):
    documentation = inspect.getdoc(getattr(mk, name))
    section = re.search(r"Parameters\n-+\n(.*?)\n\n(?=\S+\n-+)", documentation + "\n\nEnd\n---", re.DOTALL).group(1)
    documented = re.findall(r"^(\S.*)$", section, re.MULTILINE)
    names = [name.strip(" *`") for line in documented for name in line.split(",")]
    assert [p.name for p in parameters(name)] == names


@pytest.mark.parametrize("name", FUNCTIONS)
def test_result_and_errors_are_documented(name):
    for section in ("Returns", "Raises"):
        assert re.search(rf"^{section}\n-+$", inspect.getdoc(getattr(mk, name)), re.MULTILINE)


# These take anything: a family's parameters, and models in several forms.
UNTYPED = {"distribution": {"args", "kwargs"}}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_argument_is_of_any_type(name):
    untyped = {p.name for p in parameters(name) if p.annotation is Any}
    assert untyped == UNTYPED.get(name, set())


def normal_model() -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0)
        sigma = pm.HalfNormal("sigma", 5.0)
        pm.Deterministic("ratio", mu / sigma)
        pm.Normal("y", mu, sigma, observed=np.random.default_rng(1).normal(1.0, 2.0, 40))
    return model


@pytest.fixture(scope="module")
def model() -> pm.Model:
    return normal_model()


@pytest.fixture(scope="module")
def mle(model):
    return mk.find_mle(model, random_seed=1)


@pytest.fixture(scope="module")
def idata(model) -> xr.DataTree:
    return mk.laplace(model, draws=400, random_seed=1).tree


TRUTH = {"mu": 1.0, "sigma": 2.0}
PAIRS = {
    "summary of a fit": (lambda m, e, t: e.summary(0.8), lambda m, e, t: e.summary(ci_prob=0.8)),
    "wald_interval": (
        lambda m, e, t: mk.wald_interval(m, e, prob=0.8),
        lambda m, e, t: mk.wald_interval(m, e, ci_prob=0.8),
    ),
    "sandwich_interval": (
        lambda m, e, t: mk.sandwich_interval(m, e, prob=0.8),
        lambda m, e, t: mk.sandwich_interval(m, e, ci_prob=0.8),
    ),
    "profile": (
        lambda m, e, t: mk.profile(m, ["mu"], prob=0.8, points=3, estimate=e).interval,
        lambda m, e, t: mk.profile(m, e, var_names=["mu"], ci_prob=0.8, points=3).interval,
    ),
    "delta_method": (
        lambda m, e, t: mk.delta_method(m, e, ["ratio"]).summary(0.8),
        lambda m, e, t: mk.delta_method(m, e, var_names=["ratio"]).summary(ci_prob=0.8),
    ),
    "nested_tests": (
        lambda m, e, t: mk.nested_tests(m, {"mu": 0.5}, estimate=e).summary(),
        lambda m, e, t: mk.nested_tests(m, e, null={"mu": 0.5}).summary(),
    ),
    "bootstrap": (
        lambda m, e, t: mk.bootstrap(m, replicates=20, estimate=e, random_seed=1).interval(0.8),
        lambda m, e, t: mk.bootstrap(m, e, replicates=20, random_seed=1).interval(ci_prob=0.8),
    ),
    "laplace": (
        lambda m, e, t: mk.laplace(m, "natural", draws=5, random_seed=1).tree["posterior"].to_dataset(),
        lambda m, e, t: mk.laplace(m, space="natural", draws=5, random_seed=1).tree["posterior"].to_dataset(),
    ),
    "find_map": (
        lambda m, e, t: mk.find_map(m, starts=3, tree=t, estimates=[e], random_seed=1).values,
        lambda m, e, t: mk.find_map(m, starts=3, idata=t, estimates={"mle": e}, random_seed=1).values,
    ),
    "log_evidence": (
        lambda m, e, t: float(mk.log_evidence(m, t, "laplace", random_seed=1)),
        lambda m, e, t: float(mk.log_evidence(m, t, method="laplace", random_seed=1)),
    ),
    "information_gain": (
        lambda m, e, t: mk.information_gain(m, tree=t, random_seed=1)["joint"].to_dataset(),
        lambda m, e, t: mk.information_gain(m, t, random_seed=1)["joint"].to_dataset(),
    ),
    "fitted_divergence": (
        lambda m, e, t: mk.fitted_divergence(m, TRUTH, t, estimates={"mle": e}, estimators=["mle"], random_seed=1),
        lambda m, e, t: mk.fitted_divergence(
            m, TRUTH, idata=t, estimates={"mle": e}, estimators=["mle"], random_seed=1
        ),
    ),
    "without_truth": (
        lambda m, e, t: mk.without_truth(
            m, tree=t, estimates={"mle": e}, estimators=["mle"], replicates=3, random_seed=1
        ),
        lambda m, e, t: mk.without_truth(m, t, estimates={"mle": e}, estimators=["mle"], replicates=3, random_seed=1),
    ),
    "study": (
        lambda m, e, t: mk.study(m, TRUTH, sizes=[20], replicates=3, prob=0.8, random_seed=1)["summary"].to_dataset(),
        lambda m, e, t: mk.study(m, TRUTH, sizes=[20], replicates=3, ci_prob=0.8, random_seed=1)[
            "summary"
        ].to_dataset(),
    ),
}


@pytest.mark.parametrize(("former", "current"), PAIRS.values(), ids=PAIRS)
def test_former_arguments_warn_and_give_the_same_numbers(model, mle, idata, former, current):
    with pytest.warns(DeprecationWarning, match="deprecated"):
        before = former(model, mle, idata)
    after = current(model, mle, idata)
    same = before.equals(after) if hasattr(before, "equals") else before == after
    assert same


def test_an_argument_given_by_its_former_and_its_current_name_is_refused(model, mle):
    with pytest.raises(TypeError, match="ci_prob"), pytest.warns(DeprecationWarning, match="deprecated"):
        mk.wald_interval(model, mle, prob=0.8, ci_prob=0.9)


def test_arguments_that_were_never_allowed_are_refused(model):
    with pytest.raises(TypeError):
        mk.find_mle(model, 10)
    with pytest.raises(TypeError):
        mk.find_mle(model, trees=None)
