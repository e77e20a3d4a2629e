"""Bridge sampling on densities whose normaliser is known, with honest failures."""

import re

import numpy as np
import pytest
from scipy import stats

from pp_mlekl.posterior.bridge import bridge_sampling as bridge
from pp_mlekl.posterior.bridge import proposals
from pp_mlekl.posterior.bridge.bridge_sampling import bridge_sampling
from pp_mlekl.posterior.bridge.warp import Warp
from pp_mlekl.utils.effective_size import effective_size, mean_and_error


def _chains(draws):
    return draws.reshape(4, -1, draws.shape[-1])


def _skewed(generator, d=3, n=4000):
    """Log of gammas: skewed, with normaliser prod Gamma(a)."""
    shape = np.linspace(1.5, 4, d)
    draws = np.log(generator.gamma(shape, size=(n, d)))

    def target(z):
        return np.sum(shape * z - np.exp(z), axis=-1)

    from scipy.special import gammaln

    return _chains(draws), target, gammaln(shape).sum()


def test_normal_target_has_almost_no_error():
    generator = np.random.default_rng(1)
    draws = _chains(generator.normal(size=(4000, 5)))
    result = bridge_sampling(draws, lambda z: -0.5 * np.sum(z**2, axis=-1), generator)
    assert abs(result.log_normalizer - 2.5 * np.log(2 * np.pi)) < 5 * result.standard_error
    assert result.standard_error < 0.01


def test_skewed_target():
    generator = np.random.default_rng(2)
    draws, target, exact = _skewed(generator)
    result = bridge_sampling(draws, target, generator)
    assert abs(result.log_normalizer - exact) < 4 * result.standard_error
    assert result.standard_error < 0.02


def test_shift_of_the_target_shifts_the_result():
    draws, target, _ = _skewed(np.random.default_rng(3))
    plain = bridge_sampling(draws, target, np.random.default_rng(0))
    shifted = bridge_sampling(draws, lambda z: target(z) - 1000.0, np.random.default_rng(0))
    assert shifted.log_normalizer == pytest.approx(plain.log_normalizer - 1000.0, abs=1e-7)


def test_scaling_the_coordinates_adds_the_jacobian():
    draws, target, _ = _skewed(np.random.default_rng(4))
    scale = 7.0
    plain = bridge_sampling(draws, target, np.random.default_rng(0))
    scaled = bridge_sampling(draws * scale, lambda z: target(z / scale), np.random.default_rng(0))
    expected = plain.log_normalizer + draws.shape[-1] * np.log(scale)
    assert scaled.log_normalizer == pytest.approx(expected, abs=1e-5)


def test_a_mode_that_one_half_never_visited_is_refused():
    generator = np.random.default_rng(5)
    first = generator.normal(-40, 1, size=(4, 500, 1))
    second = generator.normal(40, 1, size=(4, 500, 1))
    draws = np.concatenate([first, second], axis=1)
    result = bridge_sampling(draws, lambda z: np.logaddexp(*(-0.5 * (z[:, 0] + s) ** 2 for s in (40, -40))), generator)
    assert np.isnan(result.log_normalizer)
    assert result.problems


def test_too_few_draws_are_refused_with_the_number_needed():
    generator = np.random.default_rng(6)
    result = bridge_sampling(generator.normal(size=(1, 20, 30)), lambda z: -0.5 * np.sum(z**2, axis=-1), generator)
    assert np.isnan(result.log_normalizer)
    assert "at least 124" in result.problems[0]


def test_effective_size_of_an_autoregression():
    generator = np.random.default_rng(7)
    phi, n = 0.8, 20_000
    noise = generator.normal(size=(4, n))
    x = np.empty((4, n))
    x[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for t in range(1, n):
        x[:, t] = phi * x[:, t - 1] + noise[:, t]
    exact = 4 * n * (1 - phi) / (1 + phi)
    assert effective_size(x) == pytest.approx(exact, rel=0.15)


@pytest.mark.slow
def test_the_error_has_its_nominal_coverage():
    scores = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        draws, target, exact = _skewed(generator)
        result = bridge_sampling(draws, target, generator)
        scores.append((result.log_normalizer - exact) / result.standard_error)
    covered = np.mean(np.abs(scores) < 1.96)
    print(f"bridge: 95% intervals cover in {covered:.1%}")
    assert 0.90 <= covered <= 0.99


@pytest.mark.slow
def test_chain_means_cover():
    scores = []
    for seed in range(400):
        generator = np.random.default_rng(seed)
        phi, n = 0.6, 500
        x = generator.normal(size=(4, n))
        x[:, 0] /= np.sqrt(1 - phi**2)
        for t in range(1, n):
            x[:, t] += phi * x[:, t - 1]
        mean, error = mean_and_error(x)
        scores.append(mean / error)
    low, high = stats.binom(400, 0.95).interval(0.999) / np.array(400)
    assert low <= np.mean(np.abs(scores) < 1.96) <= high


def test_coordinates_of_very_different_scales():
    """Variances of 1e12 and 1e-6: the proposal fits either."""
    generator = np.random.default_rng(10)
    scale = np.array([1e6, 1e-3])
    draws = generator.normal(size=(4, 1000, 2)) * scale
    result = bridge_sampling(draws, lambda z: -0.5 * np.sum((z / scale) ** 2, axis=-1), generator)
    exact = np.log(2 * np.pi) + np.log(scale).sum()
    assert abs(result.log_normalizer - exact) < 5 * result.standard_error
    assert result.standard_error < 0.01
    assert result.method != "bridge sampling (Student t)"


def _autoregressive(generator, rho, d=2, chains=4, n=500):
    """Logs of gammas that follow an autoregression of order one along each chain."""
    u = generator.normal(size=(chains, n, d))
    for i in range(1, n):
        u[:, i] = rho * u[:, i - 1] + np.sqrt(1 - rho**2) * u[:, i]
    shape = np.linspace(1.5, 4, d)
    return np.log(stats.gamma.ppf(stats.norm.cdf(u), shape)), lambda z: np.sum(shape * z - np.exp(z), axis=-1)


@pytest.mark.parametrize(
    ("kind", "rho"),
    [
        pytest.param(kind, rho, marks=[pytest.mark.slow] * ((kind == bridge.KINDS[0]) == (rho > 0)))
        for kind in bridge.KINDS
        for rho in (0.0, 0.8)
    ],
)
def test_the_error_is_the_spread_over_seeds(kind, rho, monkeypatch):
    monkeypatch.setattr(bridge, "KINDS", (kind,))
    results = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        draws, target = _autoregressive(generator, rho)
        results.append(bridge_sampling(draws, target, generator))
    spread = np.std([r.log_normalizer for r in results], ddof=1)
    error = np.sqrt(np.mean([r.standard_error**2 for r in results]))
    # The spread of 40 values is known to 11%.
    assert 0.7 < error / spread < 1.4


def test_folds_add_up_to_one_number():
    """The variance of the draws, the shares of it that the folds' proposals have in common, and that of their points."""
    influences = [x - x.mean() for x in np.random.default_rng(1).normal(0, 0.3, size=(2, 4, 200))]
    points, shared, log_z = (4e-5, 9e-5), (0.25, 0.75), (1.001, 0.999)
    folds = [
        bridge._Fold(log_z=z, influence=i, of_points=p, shared=s)
        for z, i, p, s in zip(log_z, influences, points, shared, strict=True)
    ]
    result = bridge._combined("normal", folds)
    of_draws = mean_and_error(np.concatenate(influences, axis=1))[1] ** 2
    assert result.log_normalizer == pytest.approx(1.0)
    assert result.number.rest == pytest.approx(sum(points) / 4 + 0.5 * of_draws)
    assert result.standard_error == pytest.approx(np.sqrt(of_draws + result.number.rest))


def test_the_warp_makes_the_error_smaller(monkeypatch):
    """By a factor of 3.6 for logs of gammas, over ten seeds."""

    def errors():
        results = []
        for seed in range(10):
            generator = np.random.default_rng(seed)
            draws, target, exact = _skewed(generator)
            results.append(bridge_sampling(draws, target, generator).log_normalizer - exact)
        return np.sqrt(np.mean(np.square(results)))

    warped = errors()

    def linear(draws):
        one = np.ones(draws.shape[1])
        return Warp(location=0 * one, scale=one, skewness=0 * one, tail=one)

    monkeypatch.setattr(proposals, "fit_warp", linear)
    plain = errors()
    print(f"without the warp the error is {plain / warped:.1f} times as large ({warped:.5f})")
    assert warped < 0.5 * plain


def test_nets_are_uniform_and_their_means_vary_less_than_those_of_independent_points():
    size = 256
    nets = bridge._nets(size, 3, np.random.default_rng(1))
    assert nets.shape == (bridge._NETS, size, 3)
    assert nets.min() > 0
    assert nets.max() < 1
    for column in nets.reshape(-1, 3).T:
        assert stats.kstest(column, "uniform").pvalue > 0.01
    # The mean of x y is 1/4; its variance at independent points is 7/144.
    means = np.mean(nets[..., 0] * nets[..., 1], axis=1)
    error = means.std(ddof=1) / np.sqrt(len(means))
    assert error < 0.2 * np.sqrt(7 / 144 / nets[..., 0].size)
    assert abs(means.mean() - 0.25) < 4 * error


@pytest.mark.parametrize(("nu", "kind"), [(np.inf, "normal"), (4, "Student t")])
def test_the_kind_follows_the_tails(nu, kind):
    generator = np.random.default_rng(4)
    wide = 1.0 if np.isinf(nu) else np.sqrt(nu / generator.chisquare(nu, size=(4, 500, 1)))
    draws = wide * generator.normal(size=(4, 500, 4))
    law = stats.multivariate_t(np.zeros(4), np.eye(4), df=nu)
    result = bridge_sampling(draws, law.logpdf, generator)
    assert result.method == f"bridge sampling ({kind})"
    assert abs(result.log_normalizer) < 4 * result.standard_error < 0.02


def test_points_where_the_density_overflows_count_as_zero():
    generator = np.random.default_rng(8)
    draws, target, exact = _skewed(generator)

    def undefined_far_out(z):
        return np.where(z.max(axis=-1) > 2.5, np.nan, target(z))

    # Log gamma draws of shape at most 4 exceed 2.5 with probability 0.002: nearly all of the mass is where it is defined.
    result = bridge_sampling(np.minimum(draws, 2.5), undefined_far_out, generator)
    assert abs(result.log_normalizer - exact) < 5 * result.standard_error


@pytest.mark.parametrize("chains", [1, 4])
def test_chains_keep_their_order_in_the_influence(chains):
    generator = np.random.default_rng(9)
    draws, target = _autoregressive(generator, 0.5, chains=chains, n=2000 // chains)
    result = bridge_sampling(draws, target, generator)
    assert result.number.influence.shape == draws.shape[:2]


@pytest.mark.parametrize(("draws", "enough"), [(24, False), (100, True)])
def test_each_half_needs_twenty_independent_draws(draws, enough):
    generator = np.random.default_rng(1)
    result = bridge_sampling(generator.normal(size=(4, draws // 4, 1)), lambda z: -0.5 * z[:, 0] ** 2, generator)
    assert np.isfinite(result.log_normalizer) == enough


@pytest.mark.parametrize(("distance", "overlaps"), [(100.0, True), (3000.0, False)])
def test_two_modes_far_apart_hardly_overlap_with_any_proposal(distance, overlaps):
    """The farther apart the modes, the fewer points of a wide proposal lie near one: relative errors of 0.06 and of 0.5."""
    generator = np.random.default_rng(1)
    draws = generator.normal(size=(4, 100, 1)) + distance * generator.choice([-1, 1], size=(4, 100, 1))
    result = bridge_sampling(
        draws, lambda z: np.logaddexp(*(-0.5 * (z[:, 0] + s * distance) ** 2 for s in (1, -1))), generator
    )
    assert np.isfinite(result.log_normalizer) == overlaps
    if overlaps:
        assert 0.02 < result.standard_error < 0.25
        assert abs(result.log_normalizer - np.log(2 * np.sqrt(2 * np.pi))) < 4 * result.standard_error
    else:
        assert 0.25 < float(re.search(r"relative error ([\d.]+)", result.problems[0])[1]) < 1.0


@pytest.mark.parametrize(("offset", "agree"), [(0.02, True), (0.5, False)])
def test_folds_of_different_densities_disagree(offset, agree):
    """The density is higher by a factor at the first quarter of the draws, as if they came from another one."""
    generator = np.random.default_rng(3)
    draws = generator.normal(size=(4, 200, 2))
    first = draws[:, :50, 0].ravel()
    result = bridge_sampling(
        draws, lambda z: -0.5 * np.sum(z**2, axis=-1) + offset * np.isin(z[:, 0], first), generator
    )
    assert np.isfinite(result.log_normalizer) == agree
    if not agree:
        nats, errors = (float(found) for found in re.findall(r"[\d.]*\d", result.problems[0]))
        assert 0.02 < nats <= 0.5
        assert 6 < errors < 60


def test_the_largest_relative_error_holds_for_the_error_that_is_reported():
    """Folds 5 errors apart: the errors of the two are multiplied by 7, from a tenth to more than a quarter."""
    noise = np.random.default_rng(1).normal(size=(2, 4, 100))
    influences = [1.0 * (x - x.mean()) for x in noise]
    folds = [
        bridge._Fold(log_z=z, influence=i, of_points=1e-6, shared=0.0)
        for z, i in zip((-0.25, 0.25), influences, strict=True)
    ]
    result = bridge._combined("normal", folds)
    assert np.isnan(result.log_normalizer)
    near = bridge._combined("normal", [bridge._Fold(**{**vars(f), "log_z": 0.01 * f.log_z}) for f in folds])
    assert near.standard_error < 0.1
