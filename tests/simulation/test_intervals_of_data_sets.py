"""Intervals, posterior draws and ranks of many data sets of a normal distribution, each against its closed form."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import logsumexp

from pp_mlekl.estimation.pseudo_true.find_pseudo_true import pseudo_true_of
from pp_mlekl.estimation.replicates.replicate_fits import fit_replicates
from pp_mlekl.estimation.replicates.simulator import Simulator
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.optimize.sandwich import robust_error
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.simulation.calibrate import calibrate
from pp_mlekl.simulation.calibration_job import error_bar_pits
from pp_mlekl.simulation.coverage import Coverage
from pp_mlekl.simulation.posterior_draws import PosteriorDraws, laplace_draws, modes
from pp_mlekl.simulation.study import study

N, COUNT, PROB = 60, 60, 0.8
TRUTH = {"mu": 1.0, "sigma": 2.0}


def drawn_from(model, truth, count=COUNT):
    functions, generator = model_functions(model), np.random.default_rng(1)
    resolved = as_truth(functions, truth)
    drawn = Simulator(functions, resolved, generator).draw(N, count, generator)
    return functions, resolved, drawn, np.reshape(drawn.data["y"], (count, N))


@pytest.fixture(scope="module")
def model():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 10), observed=np.arange(float(N)))
    return model


@pytest.fixture(scope="module")
def covered(model):
    functions, truth, drawn, y = drawn_from(model, TRUTH)
    fit, _ = pseudo_true_of(functions, truth, np.random.default_rng(2))
    fits = fit_replicates(functions, drawn, fit)
    return Coverage(functions=functions, replicates=drawn, fits=fits, pseudo_true=fit, prob=PROB), y


def test_angles_are_off_by_the_shorter_way():
    space = SimpleNamespace(period=np.array([2 * np.pi, np.inf]))
    fits = SimpleNamespace(flat=np.array([[0.0, 3.0, 3.0], [9.0, -3.0, -9.0], [1.0, 1.0, 13.0], [2.0, 0.5, 2.0]]))
    problem = SimpleNamespace(kept=np.array([1, 2]), space=space)
    target = SimpleNamespace(problem=problem, flat=np.array([7.0, -3.0, 1.0]))
    coverage = Coverage(functions=None, replicates=None, fits=fits, pseudo_true=target, prob=PROB)
    np.testing.assert_allclose(
        coverage.off(np.array([0, 1, 2])), [[6 - 2 * np.pi, 2.0], [0.0, -10.0], [4 - 2 * np.pi, 12.0]]
    )
    turned = replace(coverage, pseudo_true=SimpleNamespace(problem=problem, flat=np.array([7.0, 8.0, 1.0])))
    np.testing.assert_allclose(turned.off(np.array([3])), [[2 * np.pi - 7.5, 1.0]], atol=1e-12)


def test_wald_intervals_on_both_scales(covered):
    coverage, y = covered
    mean, sd, z = y.mean(axis=1), y.std(axis=1), stats.norm.ppf(0.5 + PROB / 2)
    off = np.abs(np.stack([mean - 1.0, sd - 2.0], axis=1))
    natural = off <= z * sd[:, None] / np.sqrt([N, 2 * N])
    logs = np.abs(np.log(sd / 2.0)) <= z / np.sqrt(2 * N)
    found = coverage.wald()
    np.testing.assert_array_equal(found["naive"], natural)
    np.testing.assert_array_equal(found["unconstrained"], np.stack([natural[:, 0], logs], axis=1))
    # Some data sets tell the scales apart.
    assert np.any(natural[:, 1] != logs)


def test_profile_intervals(covered):
    coverage, y = covered
    variance, limit = y.var(axis=1), stats.chi2.ppf(PROB, 1)
    of_mean = N * np.log1p((y.mean(axis=1) - 1.0) ** 2 / variance) <= limit
    of_sd = N * (variance / 4 - 1 - np.log(variance / 4)) <= limit
    np.testing.assert_array_equal(coverage.profile(), np.stack([of_mean, of_sd], axis=1))


def test_sandwich_intervals(covered):
    """The influences of an observation y are (y - mean) / n on mu and ((y - mean)^2 / s^2 - 1) / (2 n) on log sigma."""
    coverage, y = covered
    centred, variance = y - y.mean(axis=1, keepdims=True), y.var(axis=1)
    influence = np.stack([centred / N, (centred**2 / variance[:, None] - 1) / (2 * N)], axis=-1)
    half = robust_error(influence, np.ones((COUNT, N))).half_width(PROB)
    off = np.stack([y.mean(axis=1) - 1.0, np.log(np.sqrt(variance) / 2.0)], axis=1)
    np.testing.assert_array_equal(coverage.sandwich(), np.abs(off) <= half)


def test_data_sets_without_a_fit_have_no_interval(covered):
    coverage, _ = covered
    exists = np.arange(COUNT) % 2 == 0
    half = replace(coverage, fits=replace(coverage.fits, exists=exists))
    for whole, some in (
        (coverage.wald()["naive"], half.wald()["naive"]),
        (coverage.sandwich(), half.sandwich()),
        (coverage.profile(), half.profile()),
    ):
        np.testing.assert_array_equal(some[exists], whole[exists])
        assert np.isnan(some[~exists]).all()


@pytest.fixture(scope="module")
def conjugate():
    """y ~ Normal(mu, 2) with mu ~ Normal(0, 3): the Laplace approximation is the posterior."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 3), 2, observed=np.zeros(N))
    functions, _, drawn, y = drawn_from(model, {"mu": 1.0}, count=5)
    found = modes(functions, drawn, np.zeros((5, 1)))
    return laplace_draws(functions, drawn, found, 400, np.random.default_rng(3)), y


def test_laplace_draws_of_a_normal_posterior(conjugate):
    (normal, weighted), y = conjugate
    precision = N / 4 + 1 / 9
    mean, sd = y.sum(axis=1) / 4 / precision, 1 / np.sqrt(precision)
    scores = (normal.z[..., 0] - mean[:, None]) / sd
    assert stats.kstest(scores.ravel(), "norm").pvalue > 1e-3
    covariance = 4 * np.eye(N) + 9
    evidence = stats.multivariate_normal(np.zeros(N), covariance).logpdf(y)
    # The ratio of the posterior to the normal is the evidence at every draw.
    np.testing.assert_allclose(weighted.log_ratio, np.repeat(evidence[:, None], 400, axis=1), rtol=1e-9)
    np.testing.assert_allclose(
        normal.log_likelihood[:, 0], stats.norm(normal.z[:, :1, 0], 2).logpdf(y).sum(axis=1), rtol=1e-10
    )
    for post in (normal, weighted):
        np.testing.assert_allclose(post.weights, 1 / 400)
        np.testing.assert_allclose(post.effective_size, 400)
    np.testing.assert_array_equal(weighted.diagnostics["pareto_k"], -np.inf)
    # An evidence that differs by rounding alone has no error to test.
    assert np.isnan(error_bar_pits(weighted)).tolist() == [[True, False]] * 5


def made(weights, log_ratio=None, log_likelihood=None):
    weights = np.atleast_2d(weights)
    size = weights.shape
    return PosteriorDraws(
        z=np.zeros((*size, 1)),
        weights=weights,
        log_likelihood=np.zeros(size) if log_likelihood is None else log_likelihood,
        exists=np.ones(len(weights), dtype=bool),
        status=np.zeros(len(weights), dtype=np.int8),
        diagnostics={},
        log_ratio=log_ratio,
    )


def test_ranks_of_weighted_draws():
    post = made([0.5, 0.25, 0.125, 0.125])
    size = 1 / (0.25 + 0.0625 + 2 * 0.015625)
    assert post.effective_size == pytest.approx(size)
    drawn = np.array([1.0, 2.0, 2.0, 3.0])[None, :, None]
    for target, low, high in ((0.5, 0, 0), (1.5, 0.5, 0.5), (2.0, 0.5, 0.875), (9.0, 1, 1)):
        ranks = [post.ranks(drawn, np.array([[target]]), np.random.default_rng(seed)).item() for seed in range(200)]
        assert low * size / (size + 1) <= min(ranks) <= max(ranks) <= (high * size + 1) / (size + 1)
        # Uniform in between, from a tie's share of the draws and one more place.
        assert np.mean(ranks) == pytest.approx((0.5 * (low + high) * size + 0.5) / (size + 1), abs=0.05)
    assert np.isnan(post.ranks(drawn, np.array([[np.nan]]), np.random.default_rng(1)))


def test_error_bars_of_both_halves():
    generator = np.random.default_rng(7)
    ratio, log_likelihood = generator.normal(size=(3, 100)), generator.normal(size=(3, 100))
    found = error_bar_pits(made(np.full((3, 100), 0.01), ratio, log_likelihood))
    parts = []
    for part in (slice(0, 50), slice(50, 100)):
        log_z = logsumexp(ratio[:, part], axis=1) - np.log(50)
        weight = np.exp(ratio[:, part] - log_z[:, None])
        mean = np.mean(weight * log_likelihood[:, part], axis=1)
        influence = weight * (log_likelihood[:, part] - mean[:, None]) - weight
        errors = [np.std(x, axis=1, ddof=1) / np.sqrt(50) for x in (weight, influence)]
        parts.append((np.stack([log_z, mean - log_z], axis=1), np.stack(errors, axis=1)))
    scores = (parts[0][0] - parts[1][0]) / np.sqrt(parts[0][1] ** 2 + parts[1][1] ** 2)
    np.testing.assert_allclose(found, stats.norm.cdf(scores))


def test_ranks_in_wald_intervals_are_uniform(model):
    """On the natural scale of the mean and the unconstrained one of the standard deviation."""
    found = calibrate(model, methods=["mle"], simulations=100, random_seed=1)
    assert found.table["ranks"].tolist() == [100, 100]
    assert found.p_values["mle"] > 0.01
    ranks = found.simulations["rank"].sel({"method": "mle"}, drop=True)
    assert np.isnan(ranks.isel(quantity=-1)).all()


def test_ranks_of_probabilities_are_uniform_on_the_natural_scale():
    """No element of a simplex has a coordinate of its own: its interval is by the delta method, sqrt(p (1 - p) / n)."""
    with pm.Model() as model:
        pm.Multinomial("y", 400, pm.Dirichlet("p", np.full(3, 8.0)), observed=[100, 100, 200])
    found = calibrate(model, methods=["mle"], simulations=60, random_seed=1)
    assert found.table["ranks"].tolist() == [60] * 3
    assert found.p_values["mle"] > 0.01


def test_coverage_of_an_angle_does_not_depend_on_where_the_circle_is_cut():
    with pm.Model() as model:
        pm.VonMises("y", pm.VonMises("angle", 0, 0.1), 2.0, observed=np.zeros(10))
    found = []
    for angle in (0.1, 3.1):
        result = study(model, {"angle": angle}, sizes=[10], replicates=60, intervals=["profile"], random_seed=2)
        summary = result["summary"].to_dataset()
        found.append({name: summary[name].values for name in summary if name.startswith("coverage")})
    assert {"coverage_sandwich", "coverage_estimated", "coverage_profile"} <= set(found[0])
    for name, share in found[0].items():
        np.testing.assert_array_equal(share, found[1][name])
        assert np.nanmin(share) > 0.8
