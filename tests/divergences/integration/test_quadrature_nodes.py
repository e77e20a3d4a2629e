"""Nodes and weights of expectations: against exact moments and an integration on pieces of the support."""

import itertools

import numpy as np
import pytest
from scipy import special
from univariate_cases import make

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.integration.quadrature_nodes import expectation_nodes

GENERATOR = np.random.default_rng(1)
ABSCISSAE, WEIGHTS = np.polynomial.legendre.leggauss(200)


def on_pieces(p, function):
    """An integral by a rule of many points between the bends of a density."""
    inside = [float(k) for k in p.kinks()] + list(np.linspace(-40, 40, 81))
    ends = p.support()
    lower, upper = max(float(ends.lower), -60.0), min(float(ends.upper), 60.0)
    edges = np.unique([lower, *(x for x in inside if lower < x < upper), upper])
    total = 0.0
    for a, b in itertools.pairwise(edges):
        x = 0.5 * (a + b) + 0.5 * (b - a) * ABSCISSAE
        total += 0.5 * (b - a) * np.sum(WEIGHTS * np.exp(p.log_density(x)) * function(x))
    return total


@pytest.mark.parametrize(
    "name", ["Laplace", "AsymmetricLaplace", "Triangular", "Interpolated", "Normal", "TruncatedNormal"]
)
def test_bends_of_a_density_cost_nothing(name):
    p = make(name)
    nodes = expectation_nodes(p, GENERATOR)
    for function in (np.tanh, lambda x: np.exp(-(x**2) / 2)):
        assert float(nodes.mean(function(nodes.points))) == pytest.approx(on_pieces(p, function), abs=1e-11)


def test_each_element_of_a_batch_has_its_own_bends():
    kappa = np.array([0.4, 1.0, 3.0])
    p = family("AsymmetricLaplace")(kappa=kappa, mu=np.array([0.0, -2.0, 1.0]), b=np.array([1.0, 2.0, 0.5]))
    mean = expectation_nodes(p, GENERATOR)
    np.testing.assert_allclose(mean.mean(mean.points), p.mu + (1 - kappa**2) / (kappa * p.b), rtol=1e-12)


@pytest.mark.parametrize("kappa", [0.3, 2.0, 10.0, 100.0, 1e4])
def test_moments_on_a_circle_do_not_depend_on_its_cut(kappa):
    mu = np.array([0.0, 1.0, 3.0, 3.1, -3.14159, np.pi])
    nodes = expectation_nodes(family("VonMises")(mu=mu, kappa=kappa), GENERATOR)
    assert np.all(np.abs(nodes.points) <= np.pi)
    for turns in (1, 2):
        length = special.ive(turns, kappa) / special.ive(0, kappa)
        np.testing.assert_allclose(nodes.mean(np.cos(turns * (nodes.points - mu))), length, rtol=1e-12)
        np.testing.assert_allclose(nodes.mean(np.sin(turns * (nodes.points - mu))), 0.0, atol=1e-13)


LONG_COUNTS = {
    "Poisson": family("Poisson")(mu=[3.0, 1e4, 1e6]),
    "Binomial": family("Binomial")(n=[3, 5_000, 10_000_000], p=0.3),
    "NegativeBinomial": family("NegativeBinomial")(mu=1e4, alpha=[0.5, 10.0]),
    "zeros": family("ZeroInflatedPoisson")(psi=0.7, mu=1e5),
    "two modes": family("Mixture")(w=[0.5, 0.5], parts=(family("Poisson")(mu=50.0), family("Poisson")(mu=5e4))),
}


@pytest.mark.parametrize("name", LONG_COUNTS)
def test_long_ranges_of_integers_need_few_nodes(name):
    p = LONG_COUNTS[name]
    nodes = expectation_nodes(p, GENERATOR)
    assert (nodes.method, len(nodes.points) < 500) == ("summation", True)
    for k, index in enumerate(np.ndindex(p.batch_shape)):
        one = p.select(index) if p.batch_shape else p
        x = np.arange(float(one.quantile(np.array(1e-30))), float(one.upper_quantile(np.array(1e-30))) + 1)
        mass = np.exp(one.log_density(x))
        points, weights = (v.reshape(len(nodes.points), -1)[:, k] for v in (nodes.points, nodes.weights))
        for function in (np.ones_like, np.log1p, lambda x: special.gammaln(x + 1), np.square):
            assert float(weights @ function(points)) == pytest.approx(float(mass @ function(x)), rel=1e-7), function


def test_ranges_that_overflow_are_cut_into_strata():
    """X^beta is nearly exponential with mean -1 / log q."""
    nodes = expectation_nodes(family("DiscreteWeibull")(q=0.9999, beta=0.0175), GENERATOR)
    assert nodes.method == "stratified"
    assert float(nodes.mean(nodes.points**0.0175)) == pytest.approx(-1 / np.log(0.9999), rel=1e-4)
