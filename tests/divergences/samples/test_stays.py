"""Chains that stay where they are: repeats of a value by rejected proposals are no atoms."""

import numpy as np
import pytest
from accuracy import assert_within

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import kl_divergence as exact_kl
from pp_mlekl.divergences.samples.checks import checked_draws
from pp_mlekl.divergences.samples.divergence import js_between_draws, kl_to_density
from pp_mlekl.divergences.samples.entropy import sample_entropy
from pp_mlekl.divergences.samples.spacings import log_density_against, log_density_within

POSTERIOR, PRIOR = family("Normal")(mu=1, sigma=0.5), family("Normal")(mu=0, sigma=10)
EXACT = float(exact_kl(POSTERIOR, PRIOR))
CHAINS, DRAWS = 4, 500


def _stays_anywhere(generator):
    x = generator.normal(1, 0.5, size=(CHAINS, DRAWS))
    for chain in x:
        for start in generator.integers(0, DRAWS - 10, size=4):
            chain[start : start + generator.integers(1, 11)] = chain[start]
    return x


def _stays_in_tails(generator, spread=0.9):
    """A Metropolis chain that proposes from a normal of shorter tails rejects in the tails alone."""
    z = spread * generator.normal(size=(CHAINS, DRAWS))
    excess = 0.5 * z**2 * (1 / spread**2 - 1)
    limit = np.log(generator.uniform(size=z.shape))
    for i in range(1, DRAWS):
        stays = excess[:, i] - excess[:, i - 1] < limit[:, i]
        z[stays, i], excess[stays, i] = z[stays, i - 1], excess[stays, i - 1]
    return 1 + 0.5 * z


@pytest.mark.parametrize("chain", [_stays_anywhere, _stays_in_tails])
def test_divergence_of_chains_with_stays(chain):
    scores = []
    for seed in range(25):
        draws = chain(np.random.default_rng(seed))
        assert np.unique(draws).size < draws.size
        found = kl_to_density(checked_draws(draws.ravel(), CHAINS), PRIOR)
        scores.append((found.value - EXACT) / found.mcse)
    assert abs(np.mean(scores)) < 4 / np.sqrt(25)
    assert np.mean(np.abs(scores) < 2) > 0.8


@pytest.mark.parametrize("stay", [1, 3, 4, 10, 50])
def test_stay_at_the_largest_value_changes_hardly_anything(stay):
    draws = np.random.default_rng(0).normal(1, 0.5, size=(CHAINS, DRAWS))
    draws[0, 100 : 100 + stay] = draws.max() + 0.01
    found = kl_to_density(checked_draws(draws.ravel(), CHAINS), PRIOR)
    assert_within(found, EXACT, sigmas=3, mcse_below=0.15)


def test_entropy_of_a_plane_of_stays():
    generator = np.random.default_rng(1)
    draws = np.repeat(generator.normal(size=(CHAINS, DRAWS, 2)), 4, axis=1)
    found = sample_entropy(draws.reshape(-1, 2), chains=CHAINS)
    assert_within(found, np.log(2 * np.pi * np.e), sigmas=3, mcse_below=0.045)
    once = sample_entropy(draws[:, ::4].reshape(-1, 2), chains=CHAINS)
    assert found.mcse == pytest.approx(once.mcse, rel=0.3)


def test_jensen_shannon_of_chains_with_stays():
    generator = np.random.default_rng(4)
    draws = np.repeat(generator.normal(1, 0.5, size=(CHAINS, DRAWS)), 8, axis=1)
    others = generator.normal(0, 1, size=4 * CHAINS * DRAWS)
    found = js_between_draws(checked_draws(draws.ravel(), CHAINS), checked_draws(others), generator)
    exact = float(js_divergence(POSTERIOR, family("Normal")(mu=0, sigma=1)))
    assert abs(found.value - exact) < 0.03
    assert found.mcse < 0.02


def test_spacings_of_draws_that_all_come_twice_are_those_of_the_draws():
    x = np.sort(np.random.default_rng(2).normal(size=300))
    np.testing.assert_allclose(log_density_within(np.repeat(x, 2))[::2], log_density_within(x), rtol=1e-12)
    at = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(log_density_against(at, np.repeat(x, 2)), log_density_against(at, x), rtol=1e-12)


def test_a_value_that_a_chain_revisits_is_an_atom():
    generator = np.random.default_rng(3)
    draws = generator.normal(size=(CHAINS, DRAWS))
    draws[generator.uniform(size=draws.shape) < 0.1] = 0.5
    with pytest.raises(ValueError, match="repeated values"):
        checked_draws(draws.ravel(), CHAINS)
