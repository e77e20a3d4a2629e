"""Wasserstein distances from draws: the null is recognised, and intervals of two errors hold the exact value."""

import numpy as np
import pytest
import xarray as xr

import pp_mlekl as mk


def deviations(make, exact, order, replicates, seed):
    """The deviation from the exact value in standard errors, and whether the samples are called indistinguishable."""
    generator = np.random.default_rng(seed)
    found = [mk.wasserstein_distance(*make(generator), order=order, random_seed=generator) for _ in range(replicates)]
    null = [any("indistinguishable" in w for w in e.warnings) for e in found]
    return np.array([abs(e.value - exact) / e.mcse for e in found]), np.array(null)


@pytest.mark.parametrize("order", [1, 2])
def test_samples_of_one_distribution(order):
    far, null = deviations(lambda g: (g.normal(size=500), g.normal(size=500)), 0.0, order, 60, 1)
    assert np.mean(far > 2) <= 0.05
    assert np.mean(null) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2])
def test_samples_of_one_distribution_in_three_dimensions(order):
    far, null = deviations(lambda g: (g.normal(size=(1000, 3)), g.normal(size=(1000, 3))), 0.0, order, 20, 2)
    assert np.all(far <= 2)
    assert np.all(null)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.05, 0.15, 0.5])
@pytest.mark.parametrize("order", [1, 2])
def test_shifted_normals(order, shift):
    far, null = deviations(lambda g: (g.normal(size=500), g.normal(shift, size=500)), shift, order, 100, 3)
    assert np.mean(far > 2) <= 0.07
    assert np.mean(null) <= 0.05 or shift < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("order", "exact"), [(1, 0.2 * np.sqrt(2 / np.pi)), (2, 0.2)])
def test_scaled_normals(order, exact):
    far, _ = deviations(lambda g: (g.normal(size=500), g.normal(0, 1.2, size=500)), exact, order, 100, 4)
    assert np.mean(far > 2) <= 0.07


def test_autocorrelated_chains_of_one_distribution():
    def chain(generator):
        noise = generator.normal(size=(2, 1000))
        values = np.empty_like(noise)
        values[:, 0] = noise[:, 0]
        for t in range(1, 1000):
            values[:, t] = 0.9 * values[:, t - 1] + np.sqrt(1 - 0.81) * noise[:, t]
        return values

    def pair(generator):
        return tuple(xr.DataArray(chain(generator), dims=("chain", "draw")) for _ in range(2))

    far, _ = deviations(pair, 0.0, 1, 15, 5)
    assert np.mean(far > 2) <= 0.1
