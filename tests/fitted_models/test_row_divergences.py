"""Errors of rows and of their sums from influences made by hand."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from pp_mlekl.divergences.families import family
from pp_mlekl.fitted_models.row_divergences import QUANTITIES, from_influences, inflation, missing, plug_in_divergences

CHAINS, DRAWS, SHAPE = 4, 250, (2, 3)


def autoregression(rho, shape, seed=1):
    x = np.random.default_rng(seed).normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return x


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_autocorrelation_inflates_the_error(rho):
    assert inflation(autoregression(rho, (4, 20_000))) == pytest.approx(np.sqrt((1 + rho) / (1 - rho)), rel=0.1)


@pytest.mark.parametrize(("draws", "taken"), [(3, False), (4, True)])
def test_short_chains_count_as_independent(draws, taken):
    steps = np.arange(4.0)[:, None] + 0.01 * np.arange(draws)
    assert (inflation(steps) != 1.0) == taken


def test_constant_draws_are_not_inflated():
    assert inflation(np.full((4, 100), 2.5)) == 1.0
    assert inflation(np.full((4, 100), np.nan)) == 1.0


def made(rho=0.5, shape=0.2):
    """Influences of six rows over the draws, different for every quantity, and the errors of their nodes."""
    parts = {"kl_bias": np.arange(6.0), "kl_tail_shape": np.array([0.1, shape])}
    for k, name in enumerate(QUANTITIES, start=1):
        by_row = np.stack([j * autoregression(rho, (CHAINS, DRAWS), seed=10 * k + j) for j in range(1, 7)], axis=-1)
        parts[name] = k + np.arange(6.0)
        parts[f"{name}_influence"] = k * by_row.reshape(CHAINS * DRAWS, 6)
        parts[f"{name}_node_error"] = 0.01 * k * np.arange(6.0)
    return parts


@pytest.mark.parametrize("rho", [0.0, 0.7])
@pytest.mark.parametrize("name", QUANTITIES)
def test_errors_of_rows_and_of_their_sum(name, rho):
    parts = made(rho)
    found = from_influences(parts, SHAPE, CHAINS)
    influence = parts[f"{name}_influence"].reshape(CHAINS, DRAWS, 6)
    node = parts[f"{name}_node_error"]
    of_draws = array_stats.mcse(influence.sum(axis=2), method="mean", chain_axis=0, draw_axis=1)
    assert found.total_errors[name] == pytest.approx(np.hypot(of_draws, np.linalg.norm(node)))
    ratio = of_draws / (influence.sum(axis=2).std() / np.sqrt(CHAINS * DRAWS))
    rows = np.hypot(ratio * influence.std(axis=(0, 1)) / np.sqrt(CHAINS * DRAWS), node)
    np.testing.assert_allclose(found.row_errors[name], rows.reshape(SHAPE))
    np.testing.assert_array_equal(found.values[name], parts[name].reshape(SHAPE))
    assert found.total(name) == parts[name].sum()
    if name == "kl":
        assert found.kl_draw_error == pytest.approx(of_draws)
    assert (found.kl_bias, found.draws) == (15.0, CHAINS * DRAWS)


@pytest.mark.parametrize(("shape", "warned"), [(0.45, False), (0.55, True), (-np.inf, False)])
def test_heavy_tails_of_log_ratios_give_a_warning(shape, warned):
    warnings = from_influences(made(shape=shape), SHAPE, CHAINS).warnings
    assert bool(warnings) == warned
    if warned:
        assert "0.55" in warnings[0]


def test_swapping_exchanges_the_two_directions_alone():
    found = from_influences(made(), SHAPE, CHAINS)
    swapped = found.swapped()
    for name, other in (("kl", "kl_reverse"), ("kl_reverse", "kl"), ("jsd", "jsd"), ("wasserstein", "wasserstein")):
        np.testing.assert_array_equal(swapped.values[name], found.values[other])
        np.testing.assert_array_equal(swapped.row_errors[name], found.row_errors[other])
        assert swapped.total_errors[name] == found.total_errors[other]
    assert swapped.kl_bias == 0.0
    assert swapped.kl_draw_error == found.total_errors["kl_reverse"]
    again = swapped.swapped()
    assert all(np.array_equal(again.values[name], found.values[name]) for name in QUANTITIES)
    # Without draws there is no error that more draws would make smaller.
    assert plug_in_divergences(*normals(), np.random.default_rng(1)).swapped().kl_draw_error == 0.0


def normals():
    normal = family("Normal")
    return normal(mu=np.array([0.0, 1.0, 0.0]), sigma=1.0), normal(mu=np.array([0.5, 1.0, 0.5]), sigma=2.0)


def test_plug_ins_in_both_directions():
    found = plug_in_divergences(*normals(), np.random.default_rng(1))

    def kl(distance, s, t):
        return np.log(t / s) + (s**2 + distance**2) / (2 * t**2) - 0.5

    distances = np.array([0.5, 0.0, 0.5])
    np.testing.assert_allclose(found.values["kl"], kl(distances, 1.0, 2.0))
    np.testing.assert_allclose(found.values["kl_reverse"], kl(distances, 2.0, 1.0))
    assert found.total_errors == dict.fromkeys(QUANTITIES, 0.0)


def test_errors_of_identical_rows_add_up():
    """Three equal rows are sampled once; another is sampled by itself."""
    t = family("MvStudentT")
    p = t(nu=5.0, mu=np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), scale=np.eye(2))
    q = t(nu=9.0, mu=np.zeros(2), scale=2 * np.eye(2))
    found = plug_in_divergences(p, q, np.random.default_rng(1))
    rows = found.row_errors["kl"]
    assert rows[0] == rows[1] == rows[3] > 0
    assert found.total_errors["kl"] == pytest.approx(np.hypot(3 * rows[0], rows[2]))
    assert np.isnan(found.values["wasserstein"]).all()


def test_a_fit_that_does_not_exist_has_no_number():
    nothing = missing((2, 3), ("why",))
    assert all(nothing.values[name].shape == (2, 3) and np.isnan(nothing.values[name]).all() for name in QUANTITIES)
    assert all(np.isnan(error) for error in nothing.total_errors.values())
    assert nothing.warnings == ("why",)
