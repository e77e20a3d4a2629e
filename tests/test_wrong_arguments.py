"""Every argument of every public function and method is refused in one line if it is of a wrong type or out of its range."""

import inspect
from functools import cache
from typing import Any

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pp_mlekl as mk
from pp_mlekl.estimation.bootstrap_replicates import Bootstrap

TRUTH = {"mu": 1.0, "sigma": 2.0}
EXPECTED = (TypeError, ValueError)


@cache
def model() -> pm.Model:
    with pm.Model() as found:
        mu = pm.Normal("mu", 0.0, 10.0)
        sigma = pm.HalfNormal("sigma", 5.0)
        pm.Deterministic("ratio", mu / sigma)
        pm.Normal("y", mu, sigma, observed=np.random.default_rng(1).normal(1.0, 2.0, 20))
    return found


@cache
def mle() -> mk.PointEstimate:
    return mk.find_mle(model(), random_seed=1)


@cache
def approximation() -> mk.LaplaceApproximation:
    return mk.laplace(model(), draws=200, random_seed=1)


@cache
def evidence() -> mk.Estimate:
    return mk.log_evidence(model(), method="laplace", random_seed=1)


def posterior(**changed: Any) -> xr.DataTree:
    draws = approximation().tree["posterior"].to_dataset()
    return xr.DataTree.from_dict({"posterior": draws.assign({k: f(draws) for k, f in changed.items()})})


def required(name: str) -> dict[str, Any]:
    """Valid values of the arguments without a default."""
    values = {
        "model": model(), "build": model(), "estimate": mle(), "truth": TRUTH, "p": "Normal(0, 1)", "q": "Normal(1, 1)",
        "null": mle() if name == "likelihood_ratio_test" else {"mu": 0.0}, "models": {"a": model(), "b": model()},
        "name": "Normal", "path": "none.nc",
    }  # fmt: skip
    parameters = inspect.signature(getattr(mk, name)).parameters.values()
    return {p.name: values[p.name] for p in parameters if p.default is p.empty and p.kind not in (2, 4)}


class Nonsense:
    """A value that no argument takes."""


FUNCTIONS = sorted(name for name in mk.__all__ if inspect.isfunction(getattr(mk, name)))
ARGUMENTS = [
    (name, p.name)
    for name in FUNCTIONS
    for p in inspect.signature(getattr(mk, name)).parameters.values()
    if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
]


def refused(call: Any, *args: Any, names: str = "", **kwargs: Any) -> None:
    with pytest.raises(EXPECTED) as caught:
        call(*args, **kwargs)
    # Python and NumPy raise the same classes, but not from a statement of this package.
    statement = caught.traceback[-1]
    assert "pp_mlekl" in str(statement.path)
    assert str(statement.statement).lstrip().startswith("raise")
    message = str(caught.value)
    assert "\n" not in message
    assert names in message


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_nonsense_is_refused(name, argument):
    # A builder stands for the model that it returns.
    shown = "model" if argument == "build" or (name, argument) == ("calibrate", "truth") else argument
    refused(getattr(mk, name), **required(name) | {argument: Nonsense()}, names=shown)


OBJECTS = {
    mk.PointEstimate: mle,
    mk.LaplaceApproximation: approximation,
    mk.DerivedEstimate: lambda: mk.delta_method(model(), mle()),
    Bootstrap: lambda: mk.bootstrap(model(), mle(), replicates=3, random_seed=1),
}
METHODS = [
    (cls, name, p.name)
    for cls in OBJECTS
    for name, method in inspect.getmembers(cls, inspect.isfunction)
    if not name.startswith("_")
    for p in list(inspect.signature(method).parameters.values())[1:]
]


@pytest.mark.parametrize(("cls", "name", "argument"), METHODS)
def test_methods_refuse_nonsense(cls, name, argument):
    values = {"n": 3, "z": np.zeros(2), "idata": approximation().tree, "log_evidence": evidence()}
    parameters = list(inspect.signature(getattr(cls, name)).parameters.values())[1:]
    valid = {p.name: values[p.name] for p in parameters if p.default is p.empty}
    refused(getattr(OBJECTS[cls](), name), **valid | {argument: Nonsense()}, names=argument)


CASES = {
    "count of starts": lambda: mk.pseudo_true(model(), TRUTH, starts=0),
    "starts beyond the memory": lambda: mk.pseudo_true(model(), TRUTH, starts=10**15),
    "one point": lambda: mk.profile(model(), mle(), points=1),
    "points beyond the memory": lambda: mk.profile(model(), mle(), points=10**15),
    "no variable to profile": lambda: mk.profile(model(), mle(), var_names=[]),
    "unknown variable to profile": lambda: mk.profile(model(), mle(), var_names="nu"),
    "unknown derived quantity": lambda: mk.delta_method(model(), mle(), var_names="nu"),
    "transform of an unknown quantity": lambda: mk.delta_method(model(), mle(), transform={"nu": "log"}),
    "replicates beyond the memory": lambda: mk.information_matrix_test(model(), mle(), replicates=10**15),
    "negative replicates": lambda: mk.information_matrix_test(model(), mle(), replicates=-1),
    "refits beyond the memory": lambda: mk.without_truth(model(), posterior(), replicates=10**15),
    "simulations beyond the memory": lambda: mk.calibrate(model(), simulations=10**15),
    "no estimator": lambda: mk.fitted_divergence(model(), TRUTH, estimators=[]),
    "no estimator without a truth": lambda: mk.without_truth(model(), posterior(), estimators=[]),
    "no estimator of a study": lambda: mk.study(model(), TRUTH, estimators=[]),
    "unknown part": lambda: mk.compare(model(), skip="loos"),
    "unknown group": lambda: mk.information_gain(model(), posterior(), groups={"a": ["nu"]}),
    "no draws": lambda: approximation().sample(0),
    "draws beyond the memory": lambda: approximation().sample(10**15),
    "points of another dimension": lambda: approximation().log_density(np.zeros((2, 3))),
    "no period": lambda: mk.entropy(np.arange(99.0), period=0.0),
    "period that is no number": lambda: mk.kl_divergence(np.arange(99.0), np.arange(99.0), period=np.nan),
    "held-out text": lambda: mk.pseudo_true(model(), ["a"]),
    "text as a probability": lambda: mk.distribution("Categorical", p="a"),
    "no part": lambda: mk.distribution("Truncated", dist=(), lower=0),
    "no parameter": lambda: mk.distribution("Gamma", alpha=(), beta=1),
    "surrogates": lambda: mk.entropy("Norm\udce4l(0, 1)"),
    "path with NUL": lambda: mk.load("a\0b"),
    "argument of its own among the sampler's": lambda: mk.compare(model(), sample_kwargs={"draws": 5}),
    "seed among the sampler's": lambda: mk.log_evidence(model(), sample_kwargs={"random_seed": 5}),
    "model among the sampler's": lambda: mk.compare_models({"a": model(), "b": model()}, sample_kwargs={"model": 5}),
    "unknown argument of the sampler": lambda: sampled(nonsense=1),
    "start of an unknown variable": lambda: sampled(initvals={"nu": 0.0}),
}  # fmt: skip


def sampled(**sample_kwargs: Any) -> mk.Estimate:
    return mk.log_evidence(model(), sample_kwargs={"draws": 20, "chains": 1} | sample_kwargs, random_seed=1)


@pytest.mark.parametrize("case", CASES)
def test_values_out_of_range_are_refused(case):
    refused(CASES[case])


@pytest.mark.parametrize(
    "changed", [{"mu": lambda d: d["mu"] * np.nan}, {"sigma": lambda d: -d["sigma"]}], ids=["NaN", "negative"]
)
@pytest.mark.parametrize(
    "function",
    [mk.find_mle, mk.log_evidence, mk.information_gain, mk.without_truth],
    ids=lambda function: function.__name__,
)
def test_draws_outside_the_support_are_refused(function, changed):
    refused(function, model(), idata=posterior(**changed), names="idata")


def test_a_single_name_stands_for_a_list_of_one():
    one, listed = (mk.delta_method(model(), mle(), var_names=names) for names in ("ratio", ["ratio"]))
    assert one.values.equals(listed.values)
    one, listed = (mk.entropy(posterior(), var_names=names) for names in ("mu", ["mu"]))
    assert one.value == listed.value
