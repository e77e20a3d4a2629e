"""Discrete draws: corrections that stay in the possible range, and errors where frequencies have no slope."""

import numpy as np
import pytest
from accuracy import assert_within
from scipy import stats

import pp_mlekl as mk

ONES, ZEROS = np.ones(100), np.zeros(100)
HALVES = np.repeat([0.0, 1.0], 500)


def test_constant_draws_have_information_zero():
    assert mk.entropy(ONES).value == 0
    assert mk.kl_divergence(ONES, np.ones(300)).value == 0
    assert mk.js_divergence(ONES, np.ones(300)).value == 0
    assert mk.kl_divergence(ONES, "Poisson(4)").value == pytest.approx(-stats.poisson(4).logpmf(1), rel=1e-12)


def test_disjoint_draws_are_log_2_apart():
    assert mk.js_divergence(ONES, ZEROS).value == pytest.approx(np.log(2), rel=1e-12)
    x = np.random.default_rng(0).poisson(2, size=500)
    assert mk.js_divergence(x, x + 100).value == pytest.approx(np.log(2), rel=1e-12)


@pytest.mark.parametrize(
    "estimate",
    [
        lambda: mk.entropy(ONES),
        lambda: mk.entropy(HALVES),
        lambda: mk.kl_divergence(ONES, np.ones(300)),
        lambda: mk.kl_divergence(HALVES, HALVES[::-1]),
        lambda: mk.js_divergence(ONES, ZEROS),
        lambda: mk.js_divergence(HALVES, HALVES[::-1]),
    ],
)
def test_nothing_is_known_exactly_from_draws(estimate):
    assert 0 < estimate().mcse < 0.05


@pytest.mark.parametrize("draws", [HALVES, np.random.default_rng(0).normal(size=(500, 2)), ONES])
@pytest.mark.parametrize("divergence", [mk.kl_divergence, mk.js_divergence])
def test_the_same_draws_do_not_diverge(divergence, draws):
    found = divergence(draws, draws.copy())
    assert (found.value, found.mcse, found.method) == (0, 0, "the same draws")


CASES = {
    "entropy of a fair coin": (lambda g: mk.entropy(g.integers(0, 2, size=200)), np.log(2)),
    "entropy of ten values": (lambda g: mk.entropy(g.integers(0, 10, size=200)), np.log(10)),
    "equal coins": (lambda g: mk.kl_divergence(g.integers(0, 2, size=200), g.integers(0, 2, size=150)), 0),
    "equal dice": (lambda g: mk.js_divergence(g.integers(0, 6, size=200), g.integers(0, 6, size=200)), 0),
    "half in common": (
        lambda g: mk.js_divergence(g.integers(0, 4, size=200), g.integers(2, 6, size=200)),
        np.log(2) / 2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_frequencies_are_unbiased_and_their_errors_cover(name):
    draw, exact = CASES[name]
    found = [draw(np.random.default_rng(seed)) for seed in range(150)]
    error, mcse = np.array([e.value for e in found]) - exact, np.array([e.mcse for e in found])
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(150)
    assert np.mean(np.abs(error) < 1.96 * mcse) > 0.9


@pytest.mark.parametrize(("draws", "name"), [("continuous", "Poisson(4)"), ("discrete", "Gamma(4, 1)")])
@pytest.mark.parametrize("of", [mk.kl_divergence, mk.cross_entropy])
def test_draws_and_distribution_of_two_kinds_are_refused(of, draws, name):
    generator = np.random.default_rng(0)
    x = generator.normal(size=500) if draws == "continuous" else generator.poisson(3, size=500)
    with pytest.raises(ValueError, match=f"draws are {draws}"):
        of(x, name)


def test_whole_numbers_are_discrete_where_the_distribution_is():
    generator = np.random.default_rng(0)
    few = mk.kl_divergence(generator.poisson(3, size=2000).astype(float), "Poisson(4)")
    assert_within(few, mk.kl_divergence("Poisson(3)", "Poisson(4)").value, sigmas=3, mcse_below=0.02)
    seldom_twice = mk.kl_divergence(generator.poisson(1e8, size=300), "Poisson(1e8)")
    assert any("mass is unseen" in w for w in seldom_twice.warnings)
