"""Samples that share values or are drawn in pairs are recognised, and intervals hold the exact value all the same."""

import numpy as np
import pytest

import pp_mlekl as mk
from pp_mlekl.divergences.samples.checks import checked_draws
from pp_mlekl.divergences.samples.independent_parts import independent_parts


def correlated(generator, n, d, correlation=0.6):
    chol = np.linalg.cholesky(np.full((d, d), correlation) + (1 - correlation) * np.eye(d))
    return generator.normal(size=(n, d)) @ chol.T


def permuted(x, generator):
    return np.stack([generator.permutation(column) for column in x.T], axis=1)


def rows(values):
    return {row.tobytes() for row in values}


@pytest.mark.parametrize("d", [1, 2, 6])
def test_independent_samples_are_left_alone(d):
    generator = np.random.default_rng(d)
    for make in (lambda: generator.normal(size=(800, d)), lambda: np.round(generator.normal(size=(800, d)), 4)):
        p, q = checked_draws(make()), checked_draws(make())
        assert independent_parts(p, q, generator)[2] == ()
    counts = [checked_draws(generator.poisson(3.0, size=(800, d)).astype(float)) for _ in range(2)]
    assert independent_parts(*counts, generator)[2] == ()


def test_a_sample_of_the_other_shares_no_draw_with_what_is_left():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2000, 3))
    y = x[generator.choice(2000, 1000, replace=False)]
    p, q, warnings = independent_parts(checked_draws(x), checked_draws(y), generator)
    assert not rows(p.values) & rows(q.values)
    assert len(warnings) == 1
    assert p.size > 600
    assert q.size > 300


@pytest.mark.parametrize("d", [2, 6])
def test_permuted_columns_share_no_value_with_what_is_left(d):
    generator = np.random.default_rng(d)
    x = correlated(generator, 3000, d)
    p, q, warnings = independent_parts(checked_draws(x), checked_draws(permuted(x, generator)), generator)
    assert len(warnings) == 1
    assert all(not set(a) & set(b) for a, b in zip(p.values.T, q.values.T, strict=True))
    # The golden section of two columns, 0.22 of six.
    assert min(p.size, q.size) > 3000 * {2: 0.35, 6: 0.19}[d]


def test_pairs_are_recognised_and_halved():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(1000, 2))
    y = x[:, ::-1] + 0.5 * generator.normal(size=(1000, 2))
    p, q, warnings = independent_parts(checked_draws(x, 4), checked_draws(y, 4), generator)
    assert (p.size, q.size, len(warnings)) == (500, 500, 1)
    assert p.chains == q.chains == 4
    assert np.abs(np.corrcoef(p.values[:, 0], q.values[:, 1])[0, 1]) < 0.2


def test_too_few_draws_for_parts_are_a_warning():
    generator = np.random.default_rng(2)
    x = generator.normal(size=80)
    y = np.append(x[:40], generator.normal(size=40))
    p, q, warnings = independent_parts(checked_draws(x), checked_draws(y), generator)
    assert (p.size, q.size, len(warnings)) == (80, 80, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "n"), [(2, 2000), (6, 3000)])
def test_intervals_hold_the_mutual_information_of_columns(d, n):
    generator = np.random.default_rng(10 + d)
    exact = -0.5 * np.linalg.slogdet(np.full((d, d), 0.6) + 0.4 * np.eye(d))[1]
    inside = []
    for _ in range(30):
        x = correlated(generator, n, d)
        found = mk.kl_divergence(x, permuted(x, generator), random_seed=generator)
        inside.append(abs(found.value - exact) <= 2 * found.mcse)
    assert np.mean(inside) >= 0.9
