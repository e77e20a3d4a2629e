"""Divergences from mixtures of counts with long ranges, against sums over all integers."""

import numpy as np
import pytest

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.predictive.divergence import predictive_divergence
from pp_mlekl.divergences.predictive.integrals import QUANTITIES

GENERATOR = np.random.default_rng(0)
DRAWS = 16
SPREAD = np.exp(0.1 * GENERATOR.normal(size=(DRAWS, 2)))
NARROW = np.exp(0.02 * GENERATOR.normal(size=(DRAWS, 2)))
MEANS = np.array([50.0, 3.0])

PAIRS = {
    "negative binomial, most counts small": (
        "NegativeBinomial",
        {"mu": MEANS, "alpha": 0.5},
        {"mu": MEANS * SPREAD, "alpha": 0.6},
    ),
    "negative binomial": (
        "NegativeBinomial",
        {"mu": 9 * MEANS, "alpha": 2.0},
        {"mu": 9 * MEANS * SPREAD, "alpha": 2.2},
    ),
    "Poisson": ("Poisson", {"mu": 100 * MEANS}, {"mu": 100 * MEANS * NARROW}),
    "zero-inflated Poisson": (
        "ZeroInflatedPoisson",
        {"psi": 0.7, "mu": 40 * MEANS},
        {"psi": 0.72, "mu": 40 * MEANS * NARROW},
    ),
    "binomial": ("Binomial", {"n": 900.0, "p": MEANS / 100}, {"n": 900.0, "p": MEANS / 100 * NARROW}),
}


def whole_sums(a, b):
    """The same from the masses of all integers, (k, rows), without the correction for the number of draws."""
    middle = (a + b) / 2

    def kl(f, g):
        terms = f * (np.log(np.where(f > 0, f, 1)) - np.log(np.where(g > 0, g, 1)))
        return np.sum(np.where((f > 0) & (g > 0), terms, 0), axis=0)

    return {
        "kl": kl(a, b),
        "kl_reverse": kl(b, a),
        "jsd": (kl(a, middle) + kl(b, middle)) / 2,
        "wasserstein": np.sum(np.abs(np.cumsum(a - b, axis=0)), axis=0),
    }


@pytest.mark.parametrize("name", PAIRS)
def test_panels_of_integers_agree_with_whole_sums_within_their_error(name):
    kind, of_p, of_q = PAIRS[name]
    shared = {k: np.asarray(v, dtype=float) for k, v in of_q.items()}
    p, q = family(kind)(**of_p).expand((2,)), family(kind)(**shared).expand((DRAWS, 2))
    found = predictive_divergence(p, q, GENERATOR)
    x = np.arange(8000.0)
    of_p, of_q = np.exp(p.log_density(x[:, None])), np.exp(q.log_density(x[:, None, None]))
    exact = whole_sums(of_p, of_q.mean(axis=1))
    halves = [whole_sums(of_p, half.mean(axis=1)) for half in np.split(of_q, 2, axis=1)]
    for quantity in QUANTITIES:
        bias = (halves[0][quantity] + halves[1][quantity]) / 2 - exact[quantity]
        value, error = getattr(found, quantity), getattr(found, f"{quantity}_node_error")
        off = np.abs(value - (exact[quantity] - bias))
        assert np.all(off <= 3 * error + 2e-4 * np.abs(exact[quantity])), (quantity, off, error)
        assert np.all(error <= 0.03 * np.abs(exact[quantity])), quantity


def test_ranges_that_overflow_are_sampled():
    """With one shape, x^beta is exponential: KL = log(r / s) + s / r - 1 for rates r and s = 2 r. A second row is summed."""
    kind = family("DiscreteWeibull")
    q, beta = np.array([0.9999, 0.5]), np.array([0.0175, 1.0])
    found = predictive_divergence(kind(q=q, beta=beta), kind(q=np.tile(q**2, (8, 1)), beta=beta), GENERATOR)
    assert found.kl[0] == pytest.approx(1 - np.log(2), abs=1e-4)
    assert abs(found.kl_reverse[0] - (np.log(2) - 0.5)) < 4 * found.kl_reverse_node_error[0]
    assert 0 < found.kl_reverse_node_error[0] < 0.05
    assert found.kl[1] == pytest.approx(np.log(4 / 3), rel=1e-9)
    assert found.kl_reverse_node_error[1] == 0


def test_the_number_of_nodes_does_not_grow_with_the_counts():
    """Means of 100 million take no longer than means of 50."""
    mu = np.array([1e8])
    kind = family("NegativeBinomial")
    found = predictive_divergence(kind(mu=mu, alpha=2.0), kind(mu=np.full((8, 1), 1.1e8), alpha=2.0), GENERATOR)
    # One dispersion: KL is 2 log((2 + 1.1e8) / (2 + 1e8)) + 1e8 log(p / q) of the failure probabilities.
    a, m = 2.0, 1.1e8
    exact = mu * (np.log(mu / (mu + a)) - np.log(m / (m + a))) + a * (np.log(a / (mu + a)) - np.log(a / (m + a)))
    assert found.kl == pytest.approx(exact, rel=1e-6)
    assert found.wasserstein == pytest.approx([1e7], rel=1e-3)
