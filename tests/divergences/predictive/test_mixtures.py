"""Mixtures over draws: their densities, common nodes, distances and divergences, against SciPy and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.integration.quadrature_nodes import expectation_nodes
from pp_mlekl.divergences.predictive import mixture as mixture_module
from pp_mlekl.divergences.predictive.divergence import predictive_divergence
from pp_mlekl.divergences.predictive.integrals import QUANTITIES, by_sampling, on_common_nodes, on_own_nodes
from pp_mlekl.divergences.predictive.mixture import CHUNK, mixture_values
from pp_mlekl.divergences.predictive.nodes import (
    LONGEST_WHOLE_SUM,
    POINTS_A_PANEL,
    common_nodes,
    lengths_of_sums,
    mixture_sample,
    scouts,
)
from pp_mlekl.divergences.predictive.wasserstein import NO_MEAN, NO_VARIANCE, distance_and_slope, tail_growth

MEANS = np.array([[-1.0, 0.0], [0.5, 2.0], [3.0, 2.5]])


def normal(mu, sigma=1.0):
    return family("Normal")(mu=np.asarray(mu, dtype=float), sigma=sigma)


def poisson(mu):
    return family("Poisson")(mu=np.asarray(mu, dtype=float))


@pytest.fixture
def generator():
    return np.random.default_rng(1)


def test_a_mixture_and_the_mixtures_of_its_halves():
    x = np.array([[0.0, 1.0], [-30.0, 2.0], [4.0, 60.0]])
    found = mixture_values(normal(MEANS), x)
    each = stats.norm(MEANS).logpdf(x[:, None])
    np.testing.assert_allclose(found.log_mean, np.logaddexp.reduce(each, axis=1) - np.log(3))
    # The first half is one draw, the second two.
    np.testing.assert_allclose(found.log_halves[0], each[:, 0])
    np.testing.assert_allclose(found.log_halves[1], np.logaddexp(each[:, 1], each[:, 2]) - np.log(2))
    np.testing.assert_allclose(found.share, np.exp(each - found.log_mean[:, None]))
    weights = np.array([[0.2, 0.1], [0.3, 0.0], [0.5, 0.4]])
    expected = np.einsum("kr,ksr->sr", weights, found.share)
    np.testing.assert_allclose(found.sum_over_nodes(weights), expected)
    np.testing.assert_allclose(found.centred_sum(weights), expected - weights.sum(axis=0))


def test_points_are_evaluated_in_pieces(monkeypatch):
    x = np.linspace(-3, 3, 14).reshape(7, 2)
    whole = mixture_values(normal(MEANS), x)
    sizes, draw = [], mixture_module._values_at
    monkeypatch.setattr(mixture_module, "_values_at", lambda q, points: (sizes.append(len(points)), draw(q, points))[1])
    monkeypatch.setattr(mixture_module, "CHUNK", 3 * 2 * 3)
    parts = mixture_values(normal(MEANS), x)
    assert sizes == [3, 3, 1]
    for name in ("log_mean", "share"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    np.testing.assert_array_equal(parts.log_halves, whole.log_halves)
    assert CHUNK == 2_000_000


def test_one_draw_is_its_own_halves_and_where_there_is_no_density_shares_do_not_matter():
    one = mixture_values(normal(MEANS[:1]), np.zeros((2, 2)))
    np.testing.assert_array_equal(one.log_halves, [one.log_mean, one.log_mean])
    np.testing.assert_array_equal(one.share, np.ones((2, 1, 2)))
    outside = mixture_values(family("Uniform")(lower=np.zeros((3, 1)), upper=np.ones((3, 1))), np.full((1, 1), 2.0))
    assert outside.log_mean[0, 0] == -np.inf
    np.testing.assert_array_equal(outside.share, np.ones((1, 3, 1)))


@pytest.mark.parametrize(("draws", "taken"), [(3, 3), (64, 64), (65, 64), (640, 64)])
def test_a_few_draws_are_looked_at(draws, taken):
    found = scouts(normal(np.arange(draws, dtype=float)[:, None]))
    assert found.batch_shape == (taken, 1)
    assert (found.mu[0, 0], found.mu[-1, 0]) == (0, draws - 1)


@pytest.mark.parametrize(("size", "draws"), [(12, 3), (3, 12)])
def test_components_are_taken_in_turn(generator, size, draws):
    q = normal(100.0 * np.arange(draws)[:, None], 1e-3)
    found = np.sort(np.round(mixture_sample(q, size, generator)[:, 0] / 100)).astype(int)
    assert found.shape == (size,)
    if size >= draws:
        np.testing.assert_array_equal(np.bincount(found), size // draws)
    else:
        assert set(np.diff(found)) == {draws // size}


def test_nodes_of_densities_hold_both_mixtures():
    p, q = normal([[5.0, -2.0]], 0.5), normal(MEANS)
    nodes = common_nodes(p, q)
    assert not nodes.discrete
    assert (nodes.atoms, nodes.panels) == (0, None)
    assert len(nodes.points) % POINTS_A_PANEL == 0
    assert (np.diff(nodes.points, axis=0) >= 0).all()
    for distribution in (p, q):
        mass = np.sum(np.exp(mixture_values(distribution, nodes.points).log_mean) * nodes.measure, axis=0)
        np.testing.assert_allclose(mass, 1.0, atol=1e-7)
    # The outermost edges are the quantiles at exp(-36) of both.
    low = min(5.0 + 0.5 * stats.norm.ppf(np.exp(-36)), -1.0 + stats.norm.ppf(np.exp(-36)))
    assert low < nodes.points[0, 0] < low + 1.0
    assert common_nodes(family("MvNormal")(mu=np.zeros((1, 1, 2)), cov=np.eye(2)), q) is None


def test_a_point_of_positive_mass_is_a_node_by_itself():
    p = family("Censored")(dist=normal(np.zeros((1, 1))), lower=-0.5, upper=np.inf)
    nodes = common_nodes(p, p)
    assert nodes.atoms == 2
    assert nodes.points[0, 0] == -0.5
    assert nodes.measure[:2, 0].tolist() == [1.0, 0.0]
    mass = np.sum(np.exp(p.log_density(nodes.points[:, None])[:, 0]) * nodes.measure, axis=0)
    np.testing.assert_allclose(mass, 1.0, atol=1e-7)


def test_integers_are_summed_whole_up_to_a_length():
    p, q = poisson([[2.0, 30.0]]), poisson([[3.0, 30.0], [5.0, 31.0]])
    nodes = common_nodes(p, q)
    assert (nodes.discrete, nodes.panels, nodes.atoms) == (True, None, 0)
    lengths = lengths_of_sums(p, q)
    assert len(nodes.points) == lengths.max()
    for row in range(2):
        used = nodes.points[nodes.measure[:, row] > 0, row]
        np.testing.assert_array_equal(np.diff(used), 1.0)
        assert len(used) == lengths[row]
    np.testing.assert_allclose(np.sum(np.exp(p.log_density(nodes.points)) * nodes.measure, axis=0), 1.0, rtol=1e-12)
    assert lengths_of_sums(normal([[0.0]]), normal([[0.0]])) is None
    assert LONGEST_WHOLE_SUM == 128


@pytest.mark.parametrize(("rate", "panels"), [(20.0, False), (4000.0, True)])
def test_longer_sums_go_by_panels(rate, panels):
    p = poisson([[rate]])
    nodes = common_nodes(p, poisson([[rate * 1.01], [rate]]))
    assert (nodes.panels is not None) == panels
    assert (lengths_of_sums(p, p)[0] > 128) == panels
    np.testing.assert_allclose(np.sum(np.exp(p.log_density(nodes.points)) * nodes.measure, axis=0), 1.0, rtol=1e-8)


def cdf_distance(p, q, low, high):
    """The integral of |F - G|."""
    return integrate.quad(lambda x: abs(p(x) - q(x)), low, high, limit=400, epsabs=1e-11)[0]


def test_the_distance_is_the_integral_of_the_difference_of_distribution_functions():
    p, q = normal([[0.3, 4.0]], 0.7), normal(MEANS)
    nodes = common_nodes(p, q)
    h = np.exp(mixture_values(q, nodes.points).log_mean) - np.exp(mixture_values(p, nodes.points).log_mean)
    found = distance_and_slope(nodes, h)
    for row, mu in enumerate((0.3, 4.0)):
        exact = cdf_distance(stats.norm(mu, 0.7).cdf, lambda x, r=row: stats.norm(MEANS[:, r]).cdf(x).mean(), -12, 14)
        assert found.distance[row] == pytest.approx(exact, rel=1e-4)
    # The slope says how the distance changes with a density: of a shifted normal it is its own distance by linearity.
    change = np.exp(stats.norm(1.0).logpdf(nodes.points)) - np.exp(stats.norm(1.1).logpdf(nodes.points))
    eps = 1e-5
    moved = distance_and_slope(nodes, h + eps * change).distance
    np.testing.assert_allclose(
        (moved - found.distance) / eps, np.sum(nodes.measure * found.slope * change, axis=0), atol=2e-3
    )


def test_of_a_shift_the_distance_is_the_shift():
    p, q = normal([[0.0]]), normal([[0.25]])
    nodes = common_nodes(p, q)
    h = np.exp(q.log_density(nodes.points)) - np.exp(p.log_density(nodes.points))
    assert distance_and_slope(nodes, h).distance[0] == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("rate", [3.0, 4000.0])
def test_the_distance_of_counts(rate):
    p, q = poisson([[rate]]), poisson([[rate * 1.02], [rate * 0.99]])
    nodes = common_nodes(p, q)
    one = np.where(nodes.measure > 0, 1.0, 0.0)
    h = one * (np.exp(mixture_values(q, nodes.points).log_mean) - np.exp(mixture_values(p, nodes.points).log_mean))
    found = distance_and_slope(nodes, h)
    x = np.arange(0, int(rate * 1.5) + 60)
    gap = stats.poisson(rate).cdf(x) - (stats.poisson(rate * 1.02).cdf(x) + stats.poisson(rate * 0.99).cdf(x)) / 2
    exact = np.abs(gap).sum()
    assert abs(found.distance[0] - exact) <= np.max(found.error) + 1e-7 * exact
    assert np.max(found.error) < 0.02 * exact
    assert (np.max(found.error) > 0) == (rate > 1000)


@pytest.mark.parametrize(
    ("distribution", "growth"),
    [
        (normal(0.0), 0.0),
        (family("Cauchy")(alpha=0.0, beta=1.0), 1.0),
        (family("StudentT")(nu=4.0, mu=0.0, sigma=1.0), 0.25),
        (family("Pareto")(alpha=2.0, m=1.0), 0.5),
        (family("Exponential")(lam=1.0), 0.0),
    ],
)
def test_growth_of_quantiles(distribution, growth):
    assert tail_growth(distribution) == pytest.approx(growth, abs=5e-3)
    assert (NO_MEAN, NO_VARIANCE) == (1 - 1e-6, 0.5)


X = np.linspace(-9.0, 12.0, 4001)


def log_mixture(shares=(1 / 3,) * 3):
    return np.log(shares @ stats.norm(MEANS[:, :1]).pdf(X))


def divergences(log_p, log_q):
    """KL(p||q), KL(q||p) and Jensen-Shannon by the trapezoidal rule on X, of log densities."""
    middle = np.logaddexp(log_p, log_q) - np.log(2)
    p, q = np.exp(log_p), np.exp(log_q)
    terms = [p * (log_p - log_q), q * (log_q - log_p), 0.5 * (p * (log_p - middle) + q * (log_q - middle))]
    return [np.trapezoid(t, X) for t in terms]


LOG_P = stats.norm(0.3, 0.7).logpdf(X)


def test_divergences_on_common_nodes_and_their_influences():
    p, q = normal([[0.3]], 0.7), normal(MEANS[:, :1])
    found = on_common_nodes(p, q, common_nodes(p, q))
    exact = divergences(LOG_P, log_mixture())
    np.testing.assert_allclose(found["kl"] + found["kl_bias"], exact[0], rtol=1e-6)
    assert QUANTITIES == ("kl", "kl_reverse", "jsd", "wasserstein")
    # Bias falls as one over the number of draws: halves, here the first draw and the others, have twice as much.
    halves = divergences(LOG_P, log_mixture((1.0, 0.0, 0.0))), divergences(LOG_P, log_mixture((0.0, 0.5, 0.5)))
    biases = np.mean(halves, axis=0) - exact
    values = [found[name][0] for name in QUANTITIES[:3]]
    np.testing.assert_allclose(values, exact - biases, rtol=1e-5)
    assert found["kl_bias"][0] == pytest.approx(biases[0], rel=1e-5)
    for place, name in enumerate(("kl", "kl_reverse", "jsd")):
        assert found[f"{name}_node_error"].tolist() == [0.0]
        influence = found[f"{name}_influence"]
        np.testing.assert_allclose(influence.mean(axis=0), 0.0, atol=1e-9)
        # The influence of a draw is the slope of the divergence as its share grows from a third.
        for draw in range(3):
            eps = 1e-5
            shares = np.full(3, (1 - eps) / 3)
            shares[draw] += eps
            moved = divergences(LOG_P, log_mixture(shares))[place]
            assert influence[draw, 0] == pytest.approx((moved - exact[place]) / eps, rel=1e-3, abs=1e-4)
    assert found["kl_tail_shape"].tolist() == [-np.inf]


def test_on_the_nodes_of_one_distribution():
    """Two rows, whose nodes and weights are their own."""
    p, q = normal([0.3, 2.0], [0.7, 0.4]), normal(MEANS)
    found = on_own_nodes(p, q, expectation_nodes(p, np.random.default_rng(1), deep=False))
    common = on_common_nodes(normal([[0.3, 2.0]], [0.7, 0.4]), q, common_nodes(normal([[0.3, 2.0]], [0.7, 0.4]), q))
    for name in ("kl", "kl_bias"):
        np.testing.assert_allclose(found[name], common[name], rtol=1e-6)
    np.testing.assert_allclose(found["kl_influence"], common["kl_influence"], atol=1e-6)
    np.testing.assert_array_equal(found["kl_node_error"], 0.0)


@pytest.mark.parametrize("rate", [3.0, 4000.0])
def test_sums_by_panels_know_their_error(rate):
    p, q = poisson([[rate]]), poisson([[rate * 1.02], [rate * 0.99]])
    found = on_common_nodes(p, q, common_nodes(p, q))
    x = np.arange(0, int(rate * 1.5) + 60)
    log_p = stats.poisson(rate).logpmf(x)
    each = np.stack([stats.poisson(rate * 1.02).logpmf(x), stats.poisson(rate * 0.99).logpmf(x)])
    log_q = np.logaddexp.reduce(each) - np.log(2)
    exact = np.sum(np.exp(log_p) * (log_p - log_q))
    assert found["kl"][0] + found["kl_bias"][0] == pytest.approx(exact, rel=1e-7)
    for name in QUANTITIES:
        error = found[f"{name}_node_error"][0]
        assert (error > 0) == (rate > 1000)
        assert error < 1e-3 * max(1.0, abs(found[name][0]))


@pytest.mark.parametrize(("nu", "finite"), [(0.9, np.inf), (1.5, np.nan), (3.0, 0.0)])
def test_distances_of_heavy_tails_are_infinite_or_unknown(nu, finite):
    t = family("StudentT")(nu=np.full((1, 1), nu), mu=np.zeros((1, 1)), sigma=1.0)
    other = family("StudentT")(nu=np.full((4, 1), nu), mu=np.linspace(-1, 1, 4)[:, None], sigma=1.0)
    value = on_common_nodes(t, other, common_nodes(t, other))["wasserstein"][0]
    if np.isnan(finite):
        assert np.isnan(value)
    else:
        assert np.isinf(value) == np.isinf(finite)


def test_divergences_by_sampling_agree_within_their_errors(generator):
    p, q = normal([[0.3]], 0.7), normal(MEANS[:, :1])
    nodes = on_common_nodes(p, q, common_nodes(p, q))
    found = by_sampling(p, q, 20_000, generator)
    values = found["kl"] + found["kl_bias"], found["kl_reverse"], found["jsd"]
    for name, value, exact in zip(QUANTITIES, values, divergences(LOG_P, log_mixture()), strict=False):
        error = found[f"{name}_node_error"][0]
        assert 0 < error < 0.05
        assert abs(value[0] - exact) < 4 * error
        np.testing.assert_allclose(found[f"{name}_influence"], nodes[f"{name}_influence"], atol=0.12)
    assert np.isnan(found["wasserstein"][0])
    assert found["wasserstein_influence"].shape == (3, 1)
    forward = by_sampling(p, q, 500, generator, reverse=False)
    assert np.isfinite(forward["kl"]).all()
    for name in QUANTITIES[1:]:
        assert np.isnan(forward[name]).all()
        assert forward[f"{name}_influence"].shape == (3, 1)
        assert np.isnan(forward[f"{name}_node_error"]).all()


def test_rows_are_what_they_are_by_themselves(generator):
    """Rows of any shape, equal ones among them; counts whose sums are of two kinds."""
    rates = np.array([[3.0, 5000.0], [3.0, 40.0]])
    draws = rates * (1 + 0.1 * generator.normal(size=(8, 1, 1)))
    whole = predictive_divergence(poisson(rates), poisson(draws), generator)
    assert whole.kl.shape == whole.wasserstein.shape == (2, 2)
    assert whole.kl_influence.shape == (8, 2, 2)
    assert whole.kl[0, 0] == whole.kl[1, 0]
    for place in np.ndindex(2, 2):
        one = predictive_divergence(poisson([rates[place]]), poisson(draws[:, *place][:, None]), generator)
        for name in ("kl", "kl_reverse", "jsd", "wasserstein", "kl_bias"):
            # Rows of one kind share their panels.
            rel = 1e-4 if name == "wasserstein" else 1e-7
            assert getattr(whole, name)[place] == pytest.approx(getattr(one, name)[0], rel=rel)
        np.testing.assert_allclose(whole.jsd_influence[:, *place], one.jsd_influence[:, 0], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(("draws", "allowed"), [(3, False), (4, True)])
def test_four_draws_are_needed(generator, draws, allowed):
    q = normal(np.linspace(-1, 1, draws)[:, None])
    if allowed:
        assert np.isfinite(predictive_divergence(normal([0.0]), q, generator).kl).all()
    else:
        with pytest.raises(ValueError, match=r"^The posterior predictive needs at least four draws, got 3\.$"):
            predictive_divergence(normal([0.0]), q, generator)


def test_a_mixture_against_itself_is_zero_and_has_no_influence(generator):
    q = normal(np.linspace(-1, 1, 6)[:, None])
    found = predictive_divergence(q, q, generator)
    for name in QUANTITIES:
        np.testing.assert_allclose(getattr(found, name), 0.0, atol=1e-12)
        np.testing.assert_allclose(getattr(found, f"{name}_influence"), 0.0, atol=1e-7)


def test_the_error_of_a_distance_by_panels_holds_that_of_its_panels():
    p, q = poisson([[4000.0]]), poisson([[4080.0], [3960.0]])
    nodes = common_nodes(p, q)
    at_p, at_q = mixture_values(p, nodes.points).log_mean, mixture_values(q, nodes.points).log_mean
    lower = replace(nodes, measure=nodes.panels.lower_weights.reshape(nodes.points.shape))
    whole, rough = (
        distance_and_slope(n, np.where(n.measure > 0, np.exp(at_q) - np.exp(at_p), 0.0)) for n in (nodes, lower)
    )
    assert whole.error[0] > 0
    expected = np.abs(whole.distance - rough.distance) + whole.error
    np.testing.assert_allclose(on_common_nodes(p, q, nodes)["wasserstein_node_error"], expected, rtol=1e-12)


def test_by_sampling_halves_show_the_bias_of_one_mixture_alone(generator):
    rows, mixture = normal([[0.3, 1.0, 2.0]], 0.7), normal(np.linspace(-1.0, 3.0, 4)[:, None] * np.ones(3))
    assert np.all(by_sampling(rows, mixture, 500, generator, reverse=False)["kl_bias"] != 0)
    assert np.all(by_sampling(mixture, mixture, 500, generator, reverse=False)["kl_bias"] == 0)
    # Also of a single row.
    one = normal(np.linspace(-1.0, 3.0, 4)[:, None])
    assert by_sampling(one, one, 500, generator, reverse=False)["kl_bias"].tolist() == [0.0]
