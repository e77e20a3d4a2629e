"""Censored and truncated distributions against their base: masses at the bounds, probabilities on either side of them."""

import numpy as np
import pytest
from scipy import integrate, stats

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.families.censored import Censored
from pp_mlekl.divergences.families.truncated import Truncated

BASE = stats.norm(0.4, 1.3)
LOWER, UPPER = -0.7, 1.9
INSIDE = stats.truncnorm((LOWER - 0.4) / 1.3, (UPPER - 0.4) / 1.3, 0.4, 1.3)
X = np.array([-3.0, LOWER - 1e-9, LOWER, 0.3, UPPER - 1e-9, UPPER, 4.0])


def made(kind, lower=LOWER, upper=UPPER):
    return kind(dist=family("Normal")(mu=0.4, sigma=1.3), lower=np.asarray(lower), upper=np.asarray(upper))


def test_probabilities_of_a_censored_normal():
    p = made(Censored)
    expected = np.where(X < LOWER, 0.0, np.where(X >= UPPER, 1.0, BASE.cdf(X)))
    np.testing.assert_allclose(p.cdf(X), expected, rtol=1e-12)
    np.testing.assert_allclose(p.survival(X), 1 - expected, rtol=1e-9, atol=1e-15)


def test_masses_and_density_of_a_censored_normal():
    p = made(Censored)
    density = np.exp(p.log_density(X))
    np.testing.assert_allclose(density[[2, 5]], [BASE.cdf(LOWER), BASE.sf(UPPER)], rtol=1e-12)
    np.testing.assert_allclose(density[[3, 4]], BASE.pdf(X[[3, 4]]), rtol=1e-12)
    assert density[[0, 1, 6]].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_array_equal(p.atoms(), [LOWER, UPPER])


@pytest.mark.parametrize(("lower", "upper"), [(-np.inf, UPPER), (LOWER, np.inf)])
def test_one_bound_alone(lower, upper):
    p = made(Censored, lower, upper)
    np.testing.assert_allclose(
        p.cdf(np.array([-9.0, 0.0, 9.0])) + p.survival(np.array([-9.0, 0.0, 9.0])), 1.0, rtol=1e-12
    )
    bound = lower if np.isfinite(lower) else upper
    mass = BASE.cdf(bound) if np.isfinite(lower) else BASE.sf(bound)
    assert np.exp(p.log_density(np.array(bound))) == pytest.approx(mass)


@pytest.mark.parametrize("kind", [Censored, Truncated])
def test_quantiles_are_within_the_bounds_and_invert_the_probabilities(kind):
    p, u = made(kind), np.linspace(0.001, 0.999, 41)
    x = p.quantile(u)
    assert np.all((x >= LOWER) & (x <= UPPER))
    np.testing.assert_allclose(p.upper_quantile(1 - u), x, rtol=1e-9, atol=1e-12)
    inside = (x > LOWER) & (x < UPPER)
    np.testing.assert_allclose(p.cdf(x[inside]), u[inside], rtol=1e-9)
    draws = p.sample((4000,), np.random.default_rng(1))
    between = draws[(draws > LOWER) & (draws < UPPER)]
    assert stats.kstest(between, INSIDE.cdf).pvalue > 1e-3
    share = BASE.cdf(LOWER) if kind is Censored else 0.0
    assert np.mean(draws == LOWER) == pytest.approx(share, abs=0.03)


def test_a_truncated_normal_as_in_scipy():
    p, q = made(Truncated), INSIDE
    inside = X[[0, 1, 3, 4, 6]]
    np.testing.assert_allclose(np.exp(p.log_density(inside)), q.pdf(inside), rtol=1e-10)
    np.testing.assert_allclose(p.cdf(X), q.cdf(X), rtol=1e-9, atol=1e-12)
    assert integrate.quad(lambda x: np.exp(p.log_density(np.array(x))), LOWER, UPPER)[0] == pytest.approx(1.0)
