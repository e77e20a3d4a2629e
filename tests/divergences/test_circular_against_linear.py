"""Distributions on the circle against those on the line: the circle is cut at -pi, beyond which it has no mass."""

from functools import cache

import numpy as np
import pytest
from scipy import integrate, special
from univariate_cases import CONTINUOUS, make

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import cross_entropy, kl_divergence
from pp_mlekl.divergences.wasserstein import wasserstein_distance

NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)
CUTS = np.concatenate([np.logspace(-12, 12, 49), [np.pi, 3.2, 1.0, 0.9, 2.5, 1.4, 0.2, 0.3, 0.7, 2.6]])
# Narrow pieces where the densities have kinks and the distribution functions cross.
EDGES = np.unique(np.concatenate([-CUTS, [0.0], CUTS, np.linspace(-15, 15, 3001)]))
HEAVY = ("Cauchy", "HalfCauchy")  # without a mean, so at an infinite distance
# Levels of quantiles: 12 Gauss points on each of pieces that shrink towards 0 and 1.
LOW = np.concatenate([[0.0], np.logspace(-14, np.log10(0.5), 60)])
PIECES = np.concatenate([LOW, 1 - LOW[-2::-1]])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
LEVELS = ((PIECES[1:] + PIECES[:-1]) / 2 + np.outer(_NODES, np.diff(PIECES) / 2)).ravel()
LEVEL_WEIGHTS = np.outer(_WEIGHTS, np.diff(PIECES) / 2).ravel()
LINEAR = sorted(set(CONTINUOUS) - {"VonMises"})


def integral(function) -> float:
    """By 60 Gauss points on each of many pieces of the line."""
    a, b = EDGES[:-1], EDGES[1:]
    x = (a + b) / 2 + np.outer(NODES, (b - a) / 2)
    with np.errstate(all="ignore"):
        value = function(x)
    return float(np.sum(np.where(np.isfinite(value), value, 0.0) * np.outer(WEIGHTS, (b - a) / 2)))


@cache
def circular_quantiles():
    return family("VonMises")(mu=0.6, kappa=1.7).quantile(LEVELS)


def von_mises(x, mu, kappa):
    inside = np.abs(x) <= np.pi
    return np.where(inside, np.exp(kappa * np.cos(x - mu)) / (2 * np.pi * special.i0(kappa)), 0.0)


def covers(q: Distribution, p: Distribution) -> bool:
    a, b = p.support(), q.support()
    return bool(a.lower >= b.lower and a.upper <= b.upper)


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", LINEAR)
def test_every_measure_against_every_linear_family(name, reverse):
    circular, linear = family("VonMises")(mu=0.6, kappa=1.7), make(name)
    densities = [lambda x: von_mises(x, 0.6, 1.7), lambda x: np.exp(linear.log_density(x))]
    (p, q), (f, g) = ((linear, circular), densities[::-1]) if reverse else ((circular, linear), densities)

    def js(x):
        a, b = f(x), g(x)
        return (special.rel_entr(a, (a + b) / 2) + special.rel_entr(b, (a + b) / 2)) / 2

    np.testing.assert_allclose(js_divergence(p, q).value, integral(js), rtol=1e-6)
    kl = integral(lambda x: special.rel_entr(f(x), g(x))) if covers(q, p) else np.inf
    np.testing.assert_allclose(kl_divergence(p, q).value, kl, rtol=1e-6)
    cross = integral(lambda x: special.rel_entr(f(x), 1.0) - special.rel_entr(f(x), g(x))) if covers(q, p) else -np.inf
    np.testing.assert_allclose(cross_entropy(p, q).value, -cross, rtol=1e-6)
    area = integral(lambda x: np.abs(p.cdf(x) - q.cdf(x)))
    np.testing.assert_allclose(wasserstein_distance(p, q).value, np.inf if name in HEAVY else area, rtol=1e-5)
    value = wasserstein_distance(p, q, order=2).value
    with np.errstate(all="ignore"):
        linear_quantiles = linear.quantile(LEVELS)
        squares = np.sum(LEVEL_WEIGHTS * (circular_quantiles() - linear_quantiles) ** 2)
    if np.isfinite(value):
        np.testing.assert_allclose(value, np.sqrt(squares), rtol=1e-5)
    else:
        assert name in HEAVY


def test_a_uniform_that_reaches_beyond_the_circle():
    uniform, circular = family("Uniform")(lower=-3.2, upper=3.2), family("VonMises")(mu=0.0, kappa=0.1)
    outside = (3.2 - np.pi) / 3.2

    def js(x):
        a, b = 1 / 6.4, float(von_mises(x, 0.0, 0.1))
        return (special.rel_entr(a, (a + b) / 2) + special.rel_entr(b, (a + b) / 2)) / 2

    exact = integrate.quad(js, -np.pi, np.pi, epsabs=1e-14)[0] + outside * np.log(2) / 2
    np.testing.assert_allclose(exact, 0.0069861, rtol=1e-4)
    for pair in ((uniform, circular), (circular, uniform)):
        np.testing.assert_allclose(js_divergence(*pair).value, exact, rtol=1e-9)
    assert kl_divergence(uniform, circular).value == np.inf
    assert np.isfinite(kl_divergence(circular, uniform).value)
