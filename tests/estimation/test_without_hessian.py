"""Models with an operation of the user's own that PyTensor cannot differentiate twice, or at all."""

from functools import cache

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.compile.ops import wrap_py
from pytensor.graph.op import Op

import pp_mlekl as mk

GENERATOR = np.random.default_rng(1)
TIMES = np.linspace(0.0, 2.0, 40)
CONCENTRATION = 2.0 * np.exp(-0.7 * TIMES) + 0.1 * GENERATOR.normal(size=40)


class DecaySlope(Op):
    """Has no derivative of its own."""

    itypes = (pt.dvector, pt.dvector)
    otypes = (pt.dvector,)

    def perform(self, node, inputs, outputs):
        (start, rate), cotangent = inputs
        curve = np.exp(-rate * TIMES)
        outputs[0][0] = np.array([cotangent @ curve, -start * (cotangent @ (TIMES * curve))])


class Decay(Op):
    """A solver as users wrap them: values, and a gradient by another operation."""

    itypes = (pt.dvector,)
    otypes = (pt.dvector,)

    def perform(self, node, inputs, outputs):
        start, rate = inputs[0]
        outputs[0][0] = start * np.exp(-rate * TIMES)

    def pullback(self, inputs, outputs, cotangents):
        return [DecaySlope()(inputs[0], cotangents[0])]


@wrap_py(itypes=[pt.dvector], otypes=[pt.dvector])
def black_box(theta):
    return theta[0] * np.exp(-theta[1] * TIMES)


def without_small_linalg(theta):
    return theta[0] * pt.exp(-theta[1] * TIMES)


@cache
def decay(curve):
    with pm.Model() as model:
        theta, sigma = pm.Normal("theta", 1, 1, shape=2), pm.HalfNormal("sigma", 1)
        pm.Deterministic("total", theta.sum())
        pm.Deterministic("curve", curve(theta))
        pm.Normal("y", curve(theta), sigma, observed=CONCENTRATION)
    return model


@pytest.fixture(scope="module")
def model():
    return decay(Decay())


@pytest.fixture(scope="module")
def estimate(model):
    return mk.find_mle(model, random_seed=1)


@pytest.mark.parametrize(
    ("find", "options"),
    [(mk.find_mle, {}), (mk.find_map, {"space": "natural"}), (mk.find_map, {"space": "unconstrained"})],
)
def test_gradients_find_what_hessians_find(model, find, options):
    found, exact = find(model, random_seed=1, **options), find(decay(without_small_linalg), random_seed=1, **options)
    assert found.status == exact.status == "converged"
    assert found.log_likelihood == pytest.approx(exact.log_likelihood, abs=1e-6)
    error = np.sqrt(np.diagonal(exact.flat_covariance))
    assert np.all(np.abs(found.flat - exact.flat) < 1e-3 * error)
    assert "PyTensor knows no derivative of DecaySlope" in found.warnings[0]
    assert "differences of gradients" in found.warnings[0]
    np.testing.assert_allclose(found.covariance.values, exact.covariance.values, rtol=1e-7, atol=1e-12)
    assert found.audit.agree > 1


def test_no_gradient_names_the_operation():
    model = decay(black_box)
    for search in (mk.find_mle, mk.find_map, mk.laplace, mk.compare, mk.bootstrap):
        with pytest.raises(ValueError, match=r"has no gradient: PyTensor knows no derivative of .*black_box"):
            search(model)


def test_intervals_from_a_differenced_hessian_are_those_of_an_exact_one(model, estimate):
    exact = decay(without_small_linalg)
    reference = mk.find_mle(exact, random_seed=1)
    pairs = [
        (function(model, estimate), function(exact, reference))
        for function in (mk.wald_interval, mk.sandwich, mk.sandwich_interval)
    ]
    derived, known = mk.delta_method(model, estimate), mk.delta_method(exact, reference)
    pairs += [(derived.values, known.values), (derived.standard_error, known.standard_error)]
    for found, expected in pairs:
        for name in found:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


@pytest.mark.slow
def test_profiles_from_a_differenced_hessian_are_those_of_an_exact_one(model, estimate):
    exact = decay(without_small_linalg)
    found = mk.profile(model, estimate=estimate, points=2).interval
    expected = mk.profile(exact, estimate=mk.find_mle(exact, random_seed=1), points=2).interval
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_laplace_from_a_differenced_hessian(model):
    found, expected = mk.laplace(model, random_seed=1), mk.laplace(decay(without_small_linalg), random_seed=1)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-6)


def test_what_needs_second_derivatives_says_so(model, estimate):
    refused = {
        "tests": lambda: mk.nested_tests(model, null={"sigma": 0.1}, estimate=estimate),
        "marginal": lambda: mk.find_mle(model, marginalize=["theta"], random_seed=1),
        "study": lambda: mk.study(model, {"theta": [2.0, 0.7], "sigma": 0.1}, sizes=[40], replicates=4),
    }
    for ask in refused.values():
        with pytest.raises(ValueError, match="DecaySlope"):
            ask()


def test_bootstrap_needs_no_hessian(model, estimate):
    exact = decay(without_small_linalg)
    reference = mk.find_mle(exact, random_seed=1)
    by_gradients = mk.bootstrap(model, estimate=estimate, replicates=100, random_seed=1)
    by_hessians = mk.bootstrap(exact, estimate=reference, replicates=100, random_seed=1)
    assert by_gradients.failed == by_hessians.failed == 0.0
    for name, draws in by_gradients.draws.items():
        np.testing.assert_allclose(draws, by_hessians.draws[name], atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Numba will use object mode:UserWarning")
def test_comparison_goes_through(model, tmp_path):
    comparison = mk.compare(model, random_seed=1, draws=200, chains=2, nuts_sampler="pymc")
    assert comparison.tree["audit"]["status"].values.tolist() == ["converged"] * 3
    assert "DecaySlope" in str(comparison.verdict())
    comparison.to_html(tmp_path / "page.html")
    assert "DecaySlope" in (tmp_path / "page.html").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should implement `pullback`:FutureWarning")
def test_differential_equation():
    equation = pm.ode.DifferentialEquation(
        func=lambda y, t, p: -p[0] * y[0], times=TIMES[1:], n_states=1, n_theta=1, t0=0
    )
    with pm.Model() as model:
        start, rate, sigma = pm.Normal("start", 1, 1), pm.HalfNormal("rate", 1), pm.HalfNormal("sigma", 1)
        pm.Normal("y", equation(y0=[start], theta=[rate])[:, 0], sigma, observed=CONCENTRATION[1:])
    with pm.Model() as exact:
        start, rate, sigma = pm.Normal("start", 1, 1), pm.HalfNormal("rate", 1), pm.HalfNormal("sigma", 1)
        pm.Normal("y", start * pt.exp(-rate * TIMES[1:]), sigma, observed=CONCENTRATION[1:])
    found, known = mk.find_mle(model, random_seed=1), mk.find_mle(exact, random_seed=1)
    assert found.status == "converged"
    assert "DifferentialEquation" in found.warnings[0]
    for name in known.values:
        assert abs(found.values[name] - known.values[name]) < 1e-2 * known.standard_error[name]
