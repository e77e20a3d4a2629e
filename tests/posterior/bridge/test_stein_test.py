"""Stein's identity as a test of draws: how often it fails draws of the right density, what it sees, and where it does not hold."""

import numpy as np
import pytest
from scipy import stats
from tiers import slow_if

from pp_mlekl.posterior.bridge.stein_test import dependence_test, has_jump, stein_test
from pp_mlekl.utils.effective_size import effective_size, effective_sizes

DENSITIES = {
    # A random source of (n, d) draws and the gradient of the log density.
    "normal": (lambda g, shape: g.normal(size=shape), lambda z: -z),
    "logistic": (lambda g, shape: g.logistic(size=shape), lambda z: -np.tanh(z / 2)),
    "log of a gamma": (lambda g, shape: np.log(g.gamma(1.5, size=shape)), lambda z: 1.5 - np.exp(z)),
    "Student t": (lambda g, shape: g.standard_t(3, size=shape), lambda z: -4 * z / (3 + z**2)),
}


@pytest.mark.parametrize("name", slow_if(DENSITIES, ["logistic", "log of a gamma", "Student t"]))
def test_right_draws_exceed_a_limit_at_its_nominal_rate(name):
    """A limit exceeded in one of 20 sets, a rate that a few hundred sets can show."""
    source, gradient = DENSITIES[name]
    generator = np.random.default_rng(1)
    exceeded = []
    for _ in range(400):
        z = source(generator, (4, 500, 2))
        test = stein_test(z, gradient(z), np.zeros(2, bool))
        exceeded.append(test.largest > stats.norm.isf(0.05 / (2 * test.scores.size)))
    # Chains and their union, location and spread depend on one another, so that Bonferroni's rate is an upper bound.
    assert 0.01 <= np.mean(exceeded) <= 0.085


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSITIES)
def test_rate_of_cautions(name):
    source, gradient = DENSITIES[name]
    generator = np.random.default_rng(2)
    tests = []
    for _ in range(3_000):
        z = source(generator, (4, 500, 2))
        tests.append(stein_test(z, gradient(z), np.zeros(2, bool)))
    cautions, refusals = (np.mean([t.largest > getattr(t, limit) for t in tests]) for limit in ("caution", "refusal"))
    print(f"{name}: cautions {cautions:.2e}, refusals {refusals:.2e}")
    assert cautions <= 0.004
    assert refusals == 0


def test_autocorrelation_is_taken_into_account():
    """A first-order autoregression with coefficient 0.9 has 19 times the variance of a mean of independent draws."""
    generator = np.random.default_rng(3)
    largest = []
    for _ in range(40):
        z = generator.normal(size=(4, 2000, 1)) * np.sqrt(1 - 0.9**2)
        z[:, 0] /= np.sqrt(1 - 0.9**2)
        for t in range(1, 2000):
            z[:, t] += 0.9 * z[:, t - 1]
        test = stein_test(z, -z, np.zeros(1, bool))
        largest.append(test.largest / test.caution)
    assert max(largest) < 1


@pytest.mark.parametrize(
    ("change", "kind"),
    [(lambda z: z + 0.15, 0), (lambda z: 1.1 * z, 1), (lambda z: z / 1.1, 1)],
    ids=["shift", "wide", "narrow"],
)
def test_shift_and_spread_are_detected(change, kind):
    z = change(np.random.default_rng(4).normal(size=(4, 1000, 3)))
    test = stein_test(z, -z, np.zeros(3, bool))
    assert np.nanmax(np.abs(test.scores[-1, kind])) > test.refusal


def test_one_chain_of_another_density_is_the_only_one_named():
    z = np.random.default_rng(5).normal(size=(4, 1000, 2))
    z[2, :, 1] += 0.4
    test = stein_test(z, -z, np.zeros(2, bool))
    beyond = np.abs(test.scores[:4, 0, 1]) > test.refusal
    assert beyond.tolist() == [False, False, True, False]


def test_angles_have_no_test_of_spread():
    z = np.random.default_rng(6).uniform(-np.pi, np.pi, size=(4, 1000, 1))
    assert np.isnan(stein_test(z, np.zeros_like(z), np.ones(1, bool)).scores[:, 1]).all()


def test_constant_or_few_draws_are_not_judged():
    z = np.zeros((4, 1000, 1))
    assert stein_test(z, -z, np.zeros(1, bool)).largest == 0
    few = np.random.default_rng(0).normal(size=(2, 10, 1)) + 10
    assert stein_test(few, -few, np.zeros(1, bool)).largest == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda z: -0.5 * z**2, False),
        (lambda z: -np.abs(z), False),
        (lambda z: -0.5 * (z * 1e3) ** 2, False),
        (lambda z: np.where(z > 0, -z, -z - 0.7), True),
        (lambda z: np.where(z > -3.2, -z, -np.inf), True),
    ],
    ids=["normal", "kink", "narrow", "jump", "support"],
)
def test_jumps_are_distinguished_from_kinks(value, expected):
    generator = np.random.default_rng(1)
    draws = generator.normal(size=(4, 500, 1))

    def value_gradient(z):
        step = 1e-7
        with np.errstate(invalid="ignore"):
            slope = (value(z[..., 0] + step) - value(z[..., 0] - step)) / (2 * step)
        return value(z[..., 0]), slope[..., None]

    assert has_jump(value_gradient, draws, generator) is expected


def test_sizes_of_columns_are_those_of_each():
    values = np.cumsum(np.random.default_rng(0).normal(size=(4, 300, 3)), axis=1) * [0.1, 0.0, 1.0]
    np.testing.assert_allclose(effective_sizes(values), [effective_size(values[..., j]) for j in range(3)], rtol=1e-12)


def test_units_and_origins_of_coordinates_change_no_score():
    """z' = a + s z has the gradient g / s; coordinates of scales far apart are judged each by itself."""
    z = np.random.default_rng(7).standard_t(4, size=(4, 300, 3))
    gradients = -5 * z / (4 + z**2)
    scale, origin = np.array([1e-6, 1.0, 1e5]), np.array([1.0, -3.0, 1e7])
    plain = stein_test(z, gradients, np.zeros(3, bool))
    moved = stein_test(origin + scale * z, gradients / scale, np.zeros(3, bool))
    np.testing.assert_allclose(moved.scores, plain.scores, rtol=1e-6, atol=1e-6)
    alone = [stein_test(z[..., [j]], gradients[..., [j]], np.zeros(1, bool)).scores[..., 0] for j in range(3)]
    np.testing.assert_allclose(plain.scores, np.stack(alone, axis=-1), rtol=1e-10)


def test_limits_are_those_of_bonferroni():
    z = np.random.default_rng(8).normal(size=(3, 400, 2))
    test = stein_test(z, -z, np.array([False, True]))
    # Four sets of draws, two coordinates for location and one for spread.
    assert np.isfinite(test.scores).sum() == 12
    np.testing.assert_allclose([test.caution, test.refusal], stats.norm.isf(np.array([1e-3, 1e-6]) / 24))


def test_location_and_spread_are_stein_means_over_their_errors():
    """The effective size of independent draws is nearly their number."""
    z = np.random.default_rng(9).normal(0.1, 1.2, size=(4, 1000, 1))
    test = stein_test(z, -z, np.zeros(1, bool))
    low, centre, high = np.quantile(z, (0.25, 0.5, 0.75))
    u = (z - centre) / ((high - low) / 1.349)
    spread = (high - low) / 1.349
    terms = [-spread * z, -spread * z * u / np.sqrt(1 + u**2) + (1 + u**2) ** -1.5]
    expected = [np.mean(t) / np.std(t) * np.sqrt(t.size) for t in terms]
    np.testing.assert_allclose(test.scores[-1, :, 0], expected, rtol=0.1)


def test_many_coordinates_are_taken_in_pieces():
    z = np.random.default_rng(10).normal(size=(2, 200, 230))
    test = stein_test(z, -z, np.zeros(230, bool))
    last = stein_test(z[..., -1:], -z[..., -1:], np.zeros(1, bool))
    np.testing.assert_allclose(test.scores[..., -1:], last.scores, rtol=1e-12)
    assert np.isfinite(test.scores[-1]).all()


@pytest.mark.parametrize(("draws", "judged"), [(30, True), (10, False)])
def test_fewer_than_fifty_independent_draws_are_not_judged(draws, judged):
    z = np.random.default_rng(11).normal(size=(4, draws, 1))
    test = stein_test(z, -z, np.zeros(1, bool))
    assert np.isfinite(test.scores[-1]).all() == judged
    assert np.isnan(test.scores[:-1]).all()


@pytest.mark.parametrize("name", slow_if(DENSITIES, ["logistic", "log of a gamma"]))
def test_dependence_of_right_draws_exceeds_a_limit_at_its_nominal_rate(name):
    """A limit exceeded in one of 20 sets; the three pairs of three independent coordinates."""
    source, gradient = DENSITIES[name]
    generator = np.random.default_rng(12)
    exceeded = []
    for _ in range(400):
        z = source(generator, (4, 250, 3))
        exceeded.append(dependence_test(z, gradient(z)).largest > stats.norm.isf(0.05 / 6))
    assert 0.02 <= np.mean(exceeded) <= 0.085


def test_a_wrong_correlation_is_detected_and_the_right_one_is_not():
    generator = np.random.default_rng(13)
    covariance = np.array([[1.0, 0.5], [0.5, 1.0]])
    z = generator.normal(size=(4, 1000, 2))
    correlated = z @ np.linalg.cholesky(covariance).T
    precision = np.linalg.inv(covariance)
    right, wrong = (dependence_test(x, -x @ precision) for x in (correlated, z))
    assert right.largest < right.caution
    assert wrong.largest > wrong.refusal
    # The margins of a normal whose conditional variances are right: only the dependence differs.
    mean_field = z / np.sqrt(np.diag(precision))
    assert stein_test(mean_field, -mean_field @ precision, np.zeros(2, bool)).largest < wrong.caution
    assert dependence_test(mean_field, -mean_field @ precision).largest > wrong.refusal
    assert wrong.pairs.tolist() == [[0, 1]]
    np.testing.assert_allclose([wrong.caution, wrong.refusal], stats.norm.isf(np.array([1e-3, 1e-6]) / 2))


def test_dependence_needs_two_coordinates_and_not_too_many():
    generator = np.random.default_rng(14)
    for d, pairs in ((1, 0), (45, 990), (46, 0)):
        z = generator.normal(size=(2, 60, d))
        test = dependence_test(z, -z)
        assert len(test.pairs) == len(test.scores) == pairs
        assert test.largest <= test.refusal


def test_units_and_origins_change_no_score_of_dependence():
    z = np.random.default_rng(15).normal(size=(4, 300, 3))
    scale, origin = np.array([1e-6, 1.0, 1e5]), np.array([1.0, -3.0, 1e7])
    moved = dependence_test(origin + scale * z, -z / scale)
    np.testing.assert_allclose(moved.scores, dependence_test(z, -z).scores, rtol=1e-6, atol=1e-6)
