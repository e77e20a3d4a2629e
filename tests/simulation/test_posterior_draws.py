"""Ranks, error bars and coverage from draws and fits made by hand, and draws of a posterior that is normal."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.simulation.calibration_job import ERROR_BARS, METHODS, error_bar_pits
from pp_mlekl.simulation.posterior_draws import (
    DIAGNOSTICS,
    ROUNDING,
    PosteriorDraws,
    laplace_draws,
    log_likelihoods,
    modes,
    thinned_to,
    worst_of,
)
from pp_mlekl.simulation.uniform_ranks import joint_p_value, uniformity, wilson


def made(weights, exists=True, **fields):
    weights = np.array(weights, dtype=float)
    count, draws = weights.shape
    given = {"z": np.zeros((count, draws, 1)), "log_likelihood": np.zeros((count, draws)), "diagnostics": {}}
    given |= {"exists": np.full(count, exists), "status": np.zeros(count, dtype=int), "weights": weights}
    return PosteriorDraws(**given | fields)


def test_names():
    assert METHODS == ("posterior", "laplace", "laplace_corrected", "mle")
    assert ERROR_BARS == ("log_evidence", "information_gain")
    assert DIAGNOSTICS == ("pareto_k", "rhat", "ess", "divergences")


def test_the_effective_number_of_weighted_draws():
    np.testing.assert_allclose(made([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]]).effective_size, [4, 1, 2])


class Chance:
    """Numbers in place of chance."""

    def __init__(self, tie, between):
        self.values = tie, between

    def uniform(self, size):
        return np.stack([np.full(size[1:], v) for v in self.values])


@pytest.mark.parametrize(("tie", "between"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.25)])
def test_ranks_are_shares_of_draws_below_randomised_between_their_values(tie, between):
    post = made([[0.25] * 4])
    drawn = np.array([[[1.0], [2.0], [2.0], [3.0]]])
    # One is below 2 and two are equal.
    rank = post.ranks(drawn, np.array([[2.0]]), Chance(tie, between))
    np.testing.assert_allclose(rank, [[((0.25 + tie * 0.5) * 4 + between) / 5]])
    weighted = made([[0.5, 0.5, 0.0, 0.0]]).ranks(drawn, np.array([[2.0]]), Chance(tie, between))
    np.testing.assert_allclose(weighted, [[((0.5 + tie * 0.5) * 2 + between) / 3]])


def test_what_has_no_draws_or_no_target_has_no_rank():
    drawn, target = np.zeros((2, 4, 2)), np.array([[1.0, np.inf], [1.0, 1.0]])
    post = made([[0.25] * 4] * 2, exists=np.array([True, False]))
    assert np.isnan(post.ranks(drawn, target, np.random.default_rng(1))).tolist() == [[False, True], [True, True]]


def test_error_bars_are_judged_by_the_difference_of_two_halves():
    generator = np.random.default_rng(2)
    ratio, log_likelihood = 0.3 * generator.normal(size=(1, 40)), generator.normal(size=(1, 40))
    post = made(np.full((1, 40), 1 / 40), log_ratio=ratio, log_likelihood=log_likelihood)
    estimates, errors = [], []
    for part in (slice(0, 20), slice(20, 40)):
        w = np.exp(ratio[0, part])
        evidence = np.log(w.mean())
        share = w / w.mean()
        mean = np.mean(share * log_likelihood[0, part])
        estimates.append([evidence, mean - evidence])
        gain = share * (log_likelihood[0, part] - mean) - (share - 1)
        errors.append([np.std(share, ddof=1) / np.sqrt(20), np.std(gain, ddof=1) / np.sqrt(20)])
    expected = stats.norm.cdf(np.subtract(*estimates) / np.hypot(*errors))
    np.testing.assert_allclose(error_bar_pits(post), expected[None])


@pytest.mark.parametrize(("spread", "tested"), [(3e-8, True), (3e-9, False)])
def test_rounding_errors_are_not_tested(spread, tested):
    """Of twenty draws the error of the evidence is the spread over the root of twenty, and both halves have one."""
    ratio = spread * np.where(np.arange(40) % 2, 1.0, -1.0)[None] * np.sqrt(20 / 2) * np.sqrt(19 / 20)
    post = made(np.full((1, 40), 1 / 40), log_ratio=ratio)
    assert np.isfinite(error_bar_pits(post)[0, 0]) == tested
    assert np.isnan(error_bar_pits(made(np.full((1, 40), 1 / 40), exists=False, log_ratio=ratio))).all()
    assert ROUNDING == 1e-8


def test_draws_of_zero_density_do_not_count_and_halves_of_such_have_no_estimate():
    ratio = np.where(np.arange(40) % 2, 0.0, -np.inf)[None]
    infinite = np.where(np.arange(40) % 2, 0.5, -np.inf)[None]
    post = made(np.full((1, 40), 1 / 40), log_ratio=ratio, log_likelihood=infinite)
    np.testing.assert_allclose(error_bar_pits(post), [[0.5, 0.5]])
    none = made(np.full((1, 40), 1 / 40), log_ratio=np.where(np.arange(40) < 20, -np.inf, 0.0)[None])
    assert np.isnan(error_bar_pits(none)).all()


DATA = np.array([[0.5, 1.5, 0.1], [3.0, 2.0, 4.0]])


@pytest.fixture(scope="module")
def normal():
    """y ~ N(mu, 2) with mu ~ N(1, 3): the posterior of two data sets is normal."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 1, 3), 2.0, observed=np.zeros(3))
    functions = model_functions(model)
    drawn = Replicates(size=3, count=2, data={"y": DATA[:, None]}, weights=np.ones((1, 1, 3)))
    return functions, drawn, modes(functions, drawn, np.zeros((2, 1)))


PRECISION = 3 / 4 + 1 / 9


def test_modes_of_normal_posteriors(normal):
    _, _, found = normal
    np.testing.assert_allclose(found.z[:, 0], (DATA.sum(axis=1) / 4 + 1 / 9) / PRECISION, rtol=1e-8)
    np.testing.assert_allclose(found.root, np.full((2, 1, 1), PRECISION**-0.5), rtol=1e-8)
    assert found.exists.all()
    assert (found.status == STATUSES.index("converged")).all()
    assert found.status.dtype == np.int8


def test_log_likelihoods_of_data_sets_at_their_own_draws(normal, monkeypatch):
    functions, drawn, _ = normal
    z = np.arange(8.0).reshape(2, 4, 1)
    expected = stats.norm(z, 2.0).logpdf(DATA[:, None]).sum(axis=-1)
    np.testing.assert_allclose(log_likelihoods(functions, drawn, z), expected)
    # Also one data set at a time.
    monkeypatch.setattr("pp_mlekl.simulation.posterior_draws._CHUNK", 1)
    np.testing.assert_allclose(log_likelihoods(functions, drawn, z), expected)


def test_draws_of_a_normal_posterior_have_equal_weights_and_the_evidence(normal):
    functions, drawn, found = normal
    plain, weighted = laplace_draws(functions, drawn, found, 4000, np.random.default_rng(1))
    for post in (plain, weighted):
        np.testing.assert_allclose(post.weights, 1 / 4000, rtol=1e-6)
        np.testing.assert_allclose(post.z.mean(axis=1), found.z, atol=4 * PRECISION**-0.5 / np.sqrt(4000))
        np.testing.assert_allclose(post.z.std(axis=1), PRECISION**-0.5, rtol=0.05)
    assert plain.log_ratio is None
    assert plain.diagnostics == {}
    assert weighted.diagnostics["pareto_k"].tolist() == [-np.inf, -np.inf]
    evidence = [stats.multivariate_normal(np.ones(3), 4 * np.eye(3) + 9).logpdf(y) for y in DATA]
    np.testing.assert_allclose(weighted.log_ratio, np.broadcast_to(np.array(evidence)[:, None], (2, 4000)), rtol=1e-9)
    assert np.isnan(error_bar_pits(weighted)[:, 0]).all()


def test_importance_weights_correct_a_proposal_that_is_too_wide(normal):
    functions, drawn, found = normal
    wide = type(found)(z=found.z + 0.3, root=1.3 * found.root, exists=np.array([True, False]), status=found.status)
    plain, weighted = laplace_draws(functions, drawn, wide, 4000, np.random.default_rng(1))
    assert weighted.diagnostics["pareto_k"][0] < 0.7
    assert np.isnan(weighted.diagnostics["pareto_k"][1])
    np.testing.assert_allclose(weighted.weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weighted.weights[1], 1 / 4000)
    mean = np.sum(weighted.weights[0] * weighted.z[0, :, 0])
    assert mean == pytest.approx(found.z[0, 0], abs=0.06)
    assert plain.z[0].mean() == pytest.approx(found.z[0, 0] + 0.3, abs=0.06)


def test_the_worst_coordinate_counts():
    """Of three coordinates one has chains apart, and another steps that are small."""
    draws = np.random.default_rng(4).normal(size=(4, 500, 3))
    draws[:, :, 1] += np.array([0.0, 0.0, 0.0, 3.0])[:, None]
    rhat, ess = worst_of(draws)
    assert rhat > 1.2
    assert ess < 20
    draws[..., 1] = np.cumsum(draws[..., 0], axis=1)
    # A random walk is worse than independent draws in both.
    assert worst_of(draws) == worst_of(draws[..., 1:2])
    assert worst_of(draws[..., ::2])[0] < 1.02
    assert worst_of(draws[..., ::2])[1] > 1000


@pytest.mark.parametrize(
    ("size", "step"),
    [(2000.0, 1), (201.0, 1), (200.0, 1), (199.0, 2), (100.0, 2), (99.0, 3), (2.0, 100), (np.nan, 100)],
)
def test_draws_are_thinned_to_their_effective_number(size, step):
    draws = np.arange(400.0).reshape(2, 100, 2)
    expected = np.concatenate([draws[0, ::step], draws[1, ::step]])
    np.testing.assert_array_equal(thinned_to(draws, size), expected)


def test_uniform_ranks_at_the_ends():
    assert uniformity(np.array([0.2, np.nan])).count == 1
    assert joint_p_value(np.array([0.01, np.nan, 0.5])) == pytest.approx(0.02)
    assert joint_p_value(np.array([0.9, 0.8])) == 1.0
    assert np.isnan(joint_p_value(np.array([np.nan])))
    low, high = wilson(np.array([0, 10]), np.array([10, 10]), 0.9)
    z2 = stats.norm.ppf(0.95) ** 2
    np.testing.assert_allclose(high[0], z2 / (10 + z2))
    np.testing.assert_allclose(low[1], 10 / (10 + z2))
    np.testing.assert_allclose([low[0], high[1]], [0.0, 1.0], atol=1e-12)
    default = wilson(np.array(3), np.array(10))
    np.testing.assert_allclose(default, wilson(np.array(3), np.array(10), 0.95))
    assert np.isnan(wilson(np.array(0), np.array(0))[0])
