"""Means and errors that are joined batch by batch, against those of all values at once."""

import numpy as np
import pytest

from pp_mlekl.simulation.batches import Batch, batches_of, seed_sequence
from pp_mlekl.simulation.summary import Moments, moments

VALUES = np.random.default_rng(1).normal(3.0, 2.0, size=(2, 50, 3))
VALUES[0, ::7, 1] = np.nan


def error(values):
    known = values[~np.isnan(values)]
    return np.std(known, ddof=1) / np.sqrt(len(known))


@pytest.mark.parametrize("cuts", [[], [1], [20], [5, 5, 30], [49]])
def test_joined_moments_are_those_of_all(cuts):
    first, *others = (Moments.of(part) for part in np.split(VALUES, cuts, axis=1))
    for other in others:
        first = first.joined(other)
    np.testing.assert_array_equal(first.count, np.sum(~np.isnan(VALUES), axis=1))
    np.testing.assert_allclose(first.average, np.nanmean(VALUES, axis=1), rtol=1e-13)
    np.testing.assert_allclose(first.standard_error, np.apply_along_axis(error, 1, VALUES), rtol=1e-12)


@pytest.mark.parametrize(("known", "mean", "has_error"), [(0, False, False), (1, True, False), (2, True, True)])
def test_an_empty_sample_has_no_mean_and_a_single_value_no_error(known, mean, has_error):
    values = np.full((1, 4), np.nan)
    values[0, :known] = np.arange(known)
    found = Moments.of(values)
    assert np.isfinite(found.average[0]) == mean
    assert np.isfinite(found.standard_error[0]) == has_error


def test_sizes_are_kept_apart():
    batches = [
        Batch(index=i, size=s, place=p, start=0, count=25) for i, (s, p) in enumerate([(10, 0), (20, 1), (10, 0)])
    ]
    parts = [VALUES[:, :25], 10 * VALUES[:, :25], VALUES[:, 25:]]
    found = moments(zip(batches, ({"x": part} for part in parts), strict=True), 2)["x"]
    np.testing.assert_allclose(found[0].average, np.nanmean(VALUES, axis=1), rtol=1e-13)
    np.testing.assert_allclose(found[1].average, np.nanmean(10 * VALUES[:, :25], axis=1), rtol=1e-13)


@pytest.mark.parametrize(
    ("sizes", "replicates", "most"), [([100], 5000, 4096), ([10, 1000], 300, 256), ([10**9], 3, 16)]
)
def test_batches_cover_every_data_set_once(sizes, replicates, most):
    batches = batches_of(sizes, replicates, most)
    assert [b.index for b in batches] == list(range(len(batches)))
    for place, size in enumerate(sizes):
        own = [b for b in batches if b.place == place]
        assert {b.size for b in own} == {size}
        assert [i for b in own for i in range(b.start, b.start + b.count)] == list(range(replicates))
        assert max(b.count for b in own) <= max(1, min(most, 250_000 // size))
    assert batches[0].where[2] == slice(0, batches[0].count)


def test_every_batch_has_its_own_draws_which_its_seed_decides():
    batches = batches_of([10, 20], 100, 50)

    def draws(seed):
        return [b.generator(seed_sequence(seed)).normal() for b in batches]

    assert draws(3) == draws(3) == [b.generator(np.random.SeedSequence(3)).normal() for b in batches]
    assert len({*draws(3), *draws(4)}) == 2 * len(batches)
    # It is the child that the root would spawn.
    child = np.random.SeedSequence(3).spawn(len(batches))[-1]
    assert draws(3)[-1] == np.random.default_rng(child).normal()
