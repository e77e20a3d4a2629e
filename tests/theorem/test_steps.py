"""Numbers of the steps against closed forms: what they plot, both sides of their checks, and the errors that they allow."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from scipy import special, stats

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.families import family
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.theorem.chebyshev import chebyshev
from pp_mlekl.theorem.density_grid import densities
from pp_mlekl.theorem.empirical_kl import empirical
from pp_mlekl.theorem.exact_tails import mean_tail, moments, observation_tail, sum_tail, two_sided
from pp_mlekl.theorem.identity import _complement_error, constant_difference, one_minimiser
from pp_mlekl.theorem.law_of_large_numbers import law_of_large_numbers, simulate_deviations
from pp_mlekl.theorem.limit import convergence
from pp_mlekl.theorem.proof import SIZES, _check, _setting, _sizes
from pp_mlekl.theorem.setting import LEVEL, STANDARD_ERRORS

EPS = np.finfo(float).eps
MU, SIGMA = 0.5, 2.0
USED, COUNTS = (40, 160, 640), (300, 300, 300)
Y = np.random.default_rng(4).normal(MU, SIGMA, size=25)
SUCCESSES = np.repeat([0, 1], [14, 6])


def setting_of(model, truth):
    functions = model_functions(model)
    generator = np.random.default_rng(1)
    return _setting(functions, as_truth(functions, truth), generator)[0]


@pytest.fixture(scope="module")
def normal():
    """A normal mean: KL = (mu - MU)^2 / (2 SIGMA^2), and J = K = 1 / SIGMA^2."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), SIGMA, observed=Y)
    return setting_of(model, {"mu": MU})


@pytest.fixture(scope="module")
def bernoulli():
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 2, 2), observed=SUCCESSES)
    return setting_of(model, {"p": 0.4})


@pytest.fixture(scope="module")
def deviations(normal):
    return simulate_deviations(normal, USED, COUNTS)


def test_parameters_lie_within_one_observation_of_the_truth(normal):
    np.testing.assert_allclose(normal.curve_values[[0, 20, -1]], MU + 1.5 * SIGMA * np.array([-1, 0, 1]), atol=1e-6)
    assert np.std(normal.cloud) == pytest.approx(SIGMA / np.sqrt(2), rel=0.35)
    assert normal.entropy == pytest.approx(stats.norm(MU, SIGMA).entropy())


def test_divergence_and_cross_entropy(normal):
    step = constant_difference(normal)
    kl = (normal.curve_values - MU) ** 2 / (2 * SIGMA**2)
    np.testing.assert_allclose(step.data["kl"], kl, atol=1e-12)
    np.testing.assert_allclose(step.data["cross_entropy"], kl + stats.norm(MU, SIGMA).entropy(), rtol=1e-12)
    assert step.data.attrs["pseudo_true"] == pytest.approx(MU, abs=1e-6)
    (check,) = step.checks
    assert EPS < check.error < 1e-8


def test_complements_of_probabilities_lose_digits(bernoulli):
    (check,) = constant_difference(bernoulli).checks
    assert EPS < check.error < 1e-8
    z = special.logit(np.array([[0.4], [0.9], [1 - 1e-6]]))
    np.testing.assert_allclose(_complement_error(bernoulli, z), EPS * 0.6 / np.array([0.6, 0.1, 1e-6]), rtol=1e-6)


def test_both_minimisers_agree_as_closely_as_the_minimum_allows(normal):
    step = one_minimiser(normal)
    height, place = step.checks
    assert height.right == pytest.approx(0.0, abs=1e-12)
    assert EPS < height.error < 1e-8
    # An error of the minimum moves its place by the root of twice as much; the difference quotients add their squared step.
    assert 1e-8 <= place.error - np.sqrt(2 * height.error) < 1e-7
    np.testing.assert_allclose(
        -step.data["expected_log_likelihood"], step.data["kl"] + stats.norm(MU, SIGMA).entropy(), rtol=1e-9
    )
    assert step.data.attrs["kl_min"] == height.right


def test_deviations_of_mean_log_likelihoods(normal, deviations):
    """log q = c - (y - mu)^2 / (2 SIGMA^2) has the variance 1/2 + (mu - MU)^2 / SIGMA^2."""
    moved = normal.functions.natural_flat(deviations.at)[:, 0] - MU
    variance = 0.5 + (moved / SIGMA) ** 2
    np.testing.assert_allclose(deviations.variance, variance, rtol=1e-8)
    step = law_of_large_numbers(normal, deviations)
    pointwise, uniform = step.checks
    assert pointwise.right == pytest.approx(-stats.norm(MU, SIGMA).entropy())
    assert pointwise.error == pytest.approx(STANDARD_ERRORS * np.sqrt(0.5 / (640 * 300)), rel=1e-6)
    assert uniform.right == pytest.approx(0.1)
    assert uniform.error == pytest.approx(STANDARD_ERRORS * 0.3 / np.sqrt(300))
    supremum = np.abs(deviations.by_size[-1]).max(axis=0)
    assert uniform.left == np.mean(supremum >= np.sqrt(variance.sum() / 64))
    np.testing.assert_allclose(step.data["theory"], np.sqrt(0.5 / np.array(USED)), rtol=1e-6)
    # The root mean square of 300 deviations is known to 4%.
    np.testing.assert_allclose(step.data["rms"], step.data["theory"], rtol=0.2)
    low, middle, high = (step.data[name][-1] for name in ("supremum_low", "supremum", "supremum_high"))
    np.testing.assert_allclose(
        [low, middle, high], [*np.quantile(supremum, 0.05, keepdims=True), supremum.mean(), np.quantile(supremum, 0.95)]
    )


def test_covariates_have_a_variance_and_sizes_of_their_own():
    x = np.array([0.0, 1.0, 3.0])
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("b", 0, 10) * x, SIGMA, observed=x)
    setting = setting_of(model, {"b": 1.0})
    found = simulate_deviations(setting, (6,), (30,))
    moved = setting.functions.natural_flat(found.at)[:, :1] - 1.0
    np.testing.assert_allclose(found.variance, np.mean(0.5 + (moved * x / SIGMA) ** 2, axis=1), rtol=1e-8)
    assert _sizes(setting, (2, 3, 10, 12)) == (3, 12)


def test_bounds_of_chebyshev(normal, deviations):
    step = chebyshev(normal, deviations)
    eps = np.sqrt(4 * 0.5 / 160)
    assert step.data.attrs["eps"] == pytest.approx(eps, rel=1e-6)
    np.testing.assert_allclose(step.data["bound"], 160 / (4 * np.array(USED)))
    np.testing.assert_array_equal(step.data["frequency"], [np.mean(np.abs(d[0]) >= eps) for d in deviations.by_size])
    np.testing.assert_allclose(step.data["probability"], 2 * stats.norm.sf(step.data["k"]), rtol=1e-6)
    assert step.number == 4
    assert step.data["k"].min() >= 1
    # The mean of n draws is normal, too: eps is two of its standard errors at the size in the middle.
    np.testing.assert_allclose(step.data["exact"], 2 * stats.norm.sf(2 * np.sqrt(np.array(USED) / 160)), rtol=1e-6)
    np.testing.assert_allclose(step.data["exact_bound"], step.data["bound"], rtol=1e-6)
    assert step.data.attrs["exact_eps"] == pytest.approx(2 * SIGMA / np.sqrt(160), rel=1e-6)
    sampled = [check for check in step.checks if check.what.startswith("fraction")]
    for check, limit in zip(sampled, (1 / 4, 1 / 16), strict=True):
        assert check.right == pytest.approx(limit)
        assert check.error == pytest.approx(STANDARD_ERRORS * np.sqrt(limit * (1 - limit) / 300))
    assert {check.error for check in step.checks} - {check.error for check in sampled} == {1e-12}


@pytest.mark.parametrize("distance", [1.4, 1.5, 1.6, 0.5, 0.4])
def test_tails_of_counts_include_their_ends(distance):
    p = family("Poisson")(mu=2.5)
    values = [y for y in range(40) if abs(y - 2.5) >= distance]
    tail = stats.poisson(2.5).pmf(values).sum()
    assert two_sided(p, 2.5, np.array(distance)) == pytest.approx(tail, rel=1e-10)
    assert sum_tail(stats.poisson(2.5 * 4), 4, 2.5, distance, True) == pytest.approx(
        sum(stats.poisson(10).pmf(y) for y in range(99) if abs(y / 4 - 2.5) >= distance), rel=1e-10
    )


def test_default_sizes_are_accepted():
    _check(SIZES, 30)
    with pytest.raises(ValueError, match="increasing"):
        _check(SIZES[::-1], 30)


def test_excess_divergence_at_one_size(normal):
    """The excess of a normal mean is (mean - MU)^2 / (2 SIGMA^2); n times it is half a chi-squared variable exactly."""
    step = convergence(normal, (50,), (400,))
    data = step.data
    mean, law = step.checks
    scaled = data["scaled"].values
    assert mean.left == pytest.approx(scaled.mean()) == pytest.approx(50 * float(data["excess"][0]))
    assert mean.right == data.attrs["half_trace"] == pytest.approx(0.5)
    assert mean.error == pytest.approx(STANDARD_ERRORS * np.sqrt(2) / 2 / np.sqrt(400))
    assert float(data["theory"][0]) == pytest.approx(1 / 100)
    assert float(data["excess_error"][0]) == pytest.approx(scaled.std(ddof=1) / 50 / np.sqrt(400))
    assert float(data["distance"][0]) == pytest.approx(np.sqrt(2 * float(data["excess"][0])), rel=1e-6)
    np.testing.assert_allclose(data["limit_cdf"], stats.chi2(1).cdf(2 * data["x"]), atol=1e-6)
    assert law.left == pytest.approx(stats.kstest(scaled, lambda x: stats.chi2(1).cdf(2 * x)).statistic, abs=1e-6)
    third = 2 * np.sqrt(2 / np.pi)
    assert law.error == pytest.approx(stats.kstwo.isf(LEVEL, 400) + 0.4748 * third / np.sqrt(50), rel=1e-3)
    assert (data.attrs["last"], float(data["exists"][0])) == (50, 1.0)


def test_excess_divergence_at_several_sizes(normal):
    step = convergence(normal, (20, 80), (300, 200))
    mean, _, shrinks = step.checks
    scaled = step.data["excess"].values * [20, 80]
    errors = step.data["excess_error"].values * [20, 80]
    of_law = STANDARD_ERRORS * np.sqrt(2) / 2 / np.sqrt(200)
    remainder = (abs(np.diff(scaled)[0]) + STANDARD_ERRORS * np.hypot(*errors)) / 3
    assert mean.left == pytest.approx(scaled[1])
    assert mean.error == pytest.approx(of_law + remainder)
    np.testing.assert_allclose([shrinks.left, shrinks.right], step.data["excess"].values[::-1])
    # Only sizes with all data sets show the distribution.
    assert (len(step.data["scaled"]), step.data.attrs["last"]) == (300, 20)


def test_data_that_are_continuous(normal):
    step = empirical(normal)
    (lowest,) = step.checks
    cross = [-np.mean(stats.norm(mu, SIGMA).logpdf(Y)) for mu in normal.curve_values]
    np.testing.assert_allclose(step.data["objective"], cross, rtol=1e-10)
    assert lowest.left == pytest.approx(-np.mean(stats.norm(Y.mean(), SIGMA).logpdf(Y)))
    assert lowest.error == pytest.approx(EPS * 33 * (1 + lowest.left))
    assert step.data.attrs["mle"] == pytest.approx(Y.mean())


def test_data_that_are_counts(bernoulli):
    step = empirical(bernoulli)
    identity, lowest = step.checks
    p, share = bernoulli.curve_values, 0.3
    kl = share * np.log(share / p) + (1 - share) * np.log((1 - share) / (1 - p))
    np.testing.assert_allclose(step.data["objective"], kl, rtol=1e-9, atol=1e-12)
    assert identity.gap <= identity.error < 1e-11
    assert lowest.left == pytest.approx(0.0, abs=1e-12)
    assert lowest.error == pytest.approx(EPS * 28)


def test_densities_that_are_plotted(normal, bernoulli):
    found = densities(normal)
    y = found["y"].values
    np.testing.assert_allclose([y[0], y[-1]], MU + SIGMA * stats.norm.isf(0.002) * np.array([-1, 1]), rtol=0.02)
    for name in ("truth", "fitted"):
        np.testing.assert_allclose(found[name], stats.norm(MU, SIGMA).pdf(y), rtol=1e-5)
    counts = densities(bernoulli)
    np.testing.assert_array_equal(counts["y"], [0, 1])
    np.testing.assert_allclose(counts["truth"], [0.6, 0.4])
    assert (found.attrs["discrete"], counts.attrs["discrete"]) == (0, 1)


def test_the_curve_and_the_cloud_have_their_sizes(normal):
    assert (normal.curve.shape, normal.cloud.shape) == ((41, 1), (40, 1))
    assert normal.label == "mu"
    assert normal.rounding(3.0) == EPS * 3.0 * (8 + normal.pseudo_true.problem.nodes.weights.size)
    assert normal.rounding(np.array([1.0, -4.0])) == pytest.approx(normal.rounding(4.0))
    assert normal.coarse.weights.size < normal.pseudo_true.problem.nodes.weights.size


def test_divergences_are_means_over_rows_with_their_errors(normal, monkeypatch):
    """Of estimates made by hand: two parameters and 25 rows."""
    value = np.arange(50.0).reshape(2, 25)
    made = Estimate(value=value, mcse=np.full((2, 25), 0.5), method="Monte Carlo")
    monkeypatch.setattr("pp_mlekl.theorem.setting.kl_divergence", lambda p, q: made)
    kl, error, closed = normal.kl(normal.curve[:2])
    np.testing.assert_allclose(kl, value.mean(axis=1))
    np.testing.assert_allclose(error, 0.5 / np.sqrt(25))
    assert not closed
    exact = Estimate(value=value, mcse=0.0, method="closed form")
    monkeypatch.setattr("pp_mlekl.theorem.setting.kl_divergence", lambda p, q: exact)
    assert normal.kl(normal.curve[:2])[2]


def test_an_entropy_without_a_closed_form_is_integrated(normal, monkeypatch):
    again = dataclasses.replace(normal)
    monkeypatch.setattr(type(next(iter(normal.truth.distributions.values()))), "entropy", lambda self: None)
    assert again.entropy == pytest.approx(stats.norm(MU, SIGMA).entropy(), rel=1e-9)


@pytest.mark.parametrize(
    ("name", "parameters", "exact"),
    [
        ("Normal", {"mu": 0.3, "sigma": 2.0}, stats.norm(0.3, 2.0)),
        ("Exponential", {"lam": 2.0}, stats.expon(scale=0.5)),
        ("Gamma", {"alpha": 3.0, "beta": 2.0}, stats.gamma(3.0, scale=0.5)),
        ("Bernoulli", {"p": 0.3}, stats.bernoulli(0.3)),
        ("Poisson", {"mu": 1.7}, stats.poisson(1.7)),
        ("NegativeBinomial", {"mu": 2.0, "alpha": 3.0}, stats.nbinom(3.0, 0.6)),
    ],
)
def test_tails_of_sums(name, parameters, exact):
    """One observation by its own distribution; of n the variance, which is n times that of one, decides on the bound."""
    p = family(name)(**parameters)
    setting = SimpleNamespace(truth=SimpleNamespace(distributions={"y": p}))
    sizes = np.array([1, 4, 16])
    found = mean_tail(setting, sizes)
    assert moments(p) == pytest.approx((exact.mean(), exact.var()))
    assert found.eps == pytest.approx(np.sqrt(4 * exact.var() / 4))
    np.testing.assert_allclose(found.bound, exact.var() / (sizes * found.eps**2))
    low, high = exact.mean() - found.eps, exact.mean() + found.eps
    # Of counts the upper end belongs to the tail.
    upper = exact.sf(np.ceil(high - 1e-9) - 1) if p.discrete else exact.sf(high)
    lower = exact.cdf(np.floor(low + 1e-9)) if p.discrete else exact.cdf(low)
    assert found.probability[0] == pytest.approx(lower + upper, rel=1e-9)
    assert found.probability[2] < found.bound[2] == pytest.approx(1 / 16)
    # A sum of four is that of two sums of two.
    draws = exact.rvs((20_000, 4), random_state=1).mean(axis=1)
    assert found.probability[1] == pytest.approx(np.mean(np.abs(draws - exact.mean()) >= found.eps - 1e-12), abs=0.01)


def test_tails_of_the_first_row():
    rows = family("Normal")(mu=np.array([[1.0, 2.0]]), sigma=2.0)
    found = observation_tail(SimpleNamespace(truth=SimpleNamespace(distributions={"y": rows, "z": None})))
    assert found.k.tolist() == [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0]
    np.testing.assert_allclose(found.probability, 2 * stats.norm.sf(found.k), rtol=1e-6)
    for p in (
        family("MvNormal")(mu=np.zeros(2), cov=np.eye(2)),
        family("Cauchy")(alpha=0.0, beta=1.0),
        family("StudentT")(nu=1.9, mu=0.0, sigma=1.0),
        family("Bernoulli")(p=0.0),
    ):
        setting = SimpleNamespace(truth=SimpleNamespace(distributions={"y": p}))
        assert observation_tail(setting) is None
    heavy = SimpleNamespace(truth=SimpleNamespace(distributions={"y": family("StudentT")(nu=2.5, mu=0.0, sigma=1.0)}))
    exact = 2 * stats.t(2.5).sf(observation_tail(heavy).k * np.sqrt(5.0))
    np.testing.assert_allclose(observation_tail(heavy).probability, exact, rtol=1e-6)
    beta = SimpleNamespace(truth=SimpleNamespace(distributions={"y": family("Beta")(alpha=2.0, beta=3.0)}))
    assert mean_tail(beta, np.array([1, 2])) is None


def test_chebyshev_has_seven_checks_at_the_most(normal):
    sizes = (40, 80, 160, 320, 640, 1280, 2560)
    step = chebyshev(normal, simulate_deviations(normal, sizes, (30,) * 7))
    equality, *others = step.checks
    assert (equality.left, equality.right, equality.error) == (pytest.approx(0.25), 0.25, 1e-12)
    assert [c.what for c in others[:3]] == [
        f"P(|Y - mean| >= {k} sd) of the first row against 1 / k^2" for k in ("1.5", "2", "3")
    ]
    assert [c.right for c in others[:3]] == pytest.approx([1 / 2.25, 1 / 4, 1 / 9])
    # eps is that of 320 observations, the one in the middle: bounds below 1 are those of 160 and more.
    assert [c.what.rpartition("n = ")[2] for c in others[3:6]] == ["160", "320", "640"]
    assert [c.what.partition(" of the first")[0] for c in others[6:]] == [
        "exact P(|mean of 160 draws", "exact P(|mean of 320 draws"
    ]  # fmt: skip
    assert all(c.bound for c in others)
    assert not equality.bound


def test_deviations_do_not_depend_on_how_many_are_in_memory(normal, monkeypatch):
    def simulated():
        generator = np.random.default_rng(3)
        return simulate_deviations(dataclasses.replace(normal, generator=generator), (40,), (50,))

    whole = simulated()
    assert whole.at.shape == (1 + 9 + 6, 1)
    np.testing.assert_array_equal(whole.at[1:10], normal.curve[::5])
    np.testing.assert_allclose(whole.expected, -normal.cross_entropy(whole.at))
    monkeypatch.setattr("pp_mlekl.theorem.law_of_large_numbers._CHUNK", 40 * 16 * 7)
    parts = simulated()
    assert [d.shape for d in parts.by_size] == [(16, 50)]
    # The first 7 are the same draws.
    np.testing.assert_array_equal(parts.by_size[0][:, :7], whole.by_size[0][:, :7])


def test_densities_have_their_points_and_the_truths_name(normal, bernoulli):
    found = densities(normal)
    assert found.sizes == {"y": 240}
    ends = MU + SIGMA * stats.norm.isf(2e-3) * np.array([-1, 1])
    np.testing.assert_allclose(found["y"], np.linspace(*ends, 242)[1:-1], rtol=1e-9)
    assert found.attrs == {"variable": "y", "discrete": 0}


@pytest.mark.parametrize(("rate", "bars"), [(90.0, True), (130.0, False)])
def test_counts_of_less_than_sixty_values_are_bars(normal, rate, bars):
    p = family("Poisson")(mu=np.full(25, rate))
    assert (stats.poisson(rate).isf(2e-3) - stats.poisson(rate).ppf(2e-3) < 60) == bars
    found = densities(dataclasses.replace(normal, truth=SimpleNamespace(distributions={"y": p})))
    assert (len(found.data_vars) > 0) == bars
    if bars:
        y = found["y"].values
        assert (y[0], y[-1]) == (stats.poisson(rate).ppf(2e-3), stats.poisson(rate).isf(2e-3))
        np.testing.assert_allclose(found["truth"], stats.poisson(rate).pmf(y))


def test_data_sets_that_are_fitted_in_batches_have_the_same_law(normal, monkeypatch):
    def fitted():
        return convergence(dataclasses.replace(normal, generator=np.random.default_rng(3)), (50,), (90,))

    whole = fitted()
    monkeypatch.setattr("pp_mlekl.theorem.limit._BATCH_TERMS", 50 * 40)
    parts = fitted()
    assert whole.data["scaled"].shape == parts.data["scaled"].shape == (90,)
    np.testing.assert_allclose(parts.data["scaled"][:40], whole.data["scaled"][:40], rtol=1e-6)
    assert whole.note == ""
    assert whole.data["x"].shape == (60,)
    np.testing.assert_allclose(whole.data["x"][[0, -1]], stats.chi2(1).ppf([0.01, 0.99]) / 2, rtol=1e-4)


def test_data_without_a_maximum_are_counted(bernoulli):
    """Samples of four of the probability .4 are of one kind with probability .6^4 + .4^4 = .155."""
    step = convergence(bernoulli, (4,), (200,))
    share = float(step.data["exists"][0])
    assert share == pytest.approx(1 - 0.6**4 - 0.4**4, abs=4 * np.sqrt(0.155 * 0.845 / 200))
    assert step.note == f"Data sets without an interior maximum (infinite KL): {1 - share:.1%} at n = 4."
    assert (step.checks, step.data.attrs["last"], len(step.data["scaled"])) == ((), 0, 0)


def test_too_few_data_have_no_law(normal):
    step = convergence(normal, (1,), (30,))
    assert [c.what.partition(" at")[0] for c in step.checks] == ["n times the mean excess KL"]
    assert step.note.startswith("At these sizes the bounds on the distance from the limit exceed 1")


def test_the_likelihood_of_separated_data_is_not_compared():
    x = np.linspace(-2, 2, 8)
    with pm.Model() as model:
        pm.Bernoulli("y", logit_p=pm.Normal("b", 0, 2) * x, observed=(x > 0).astype(int))
    step = empirical(setting_of(model, {"b": 1.0}))
    assert (step.status, step.title) == ("not applicable", "For the observed data the identity is exact")
    assert step.note == (
        "The likelihood of the observed data has no regular maximum (at_infinity), so there is nothing to compare."
    )


def test_what_is_said_of_observed_data(normal, bernoulli):
    continuous, counts = empirical(normal), empirical(bernoulli)
    assert (continuous.data.attrs["what"], counts.data.attrs["what"]) == (
        "cross-entropy of the data, -log L / n", "KL(empirical||model)"
    )  # fmt: skip
    assert "so KL(empirical||model) is infinite at every parameter" in continuous.note
    assert counts.note == ""
    assert continuous.checks[0].what == "cross-entropy at the MLE against the smallest at 81 other parameter values"
    assert [c.what for c in counts.checks] == [
        "KL(empirical||model) against -log L / n - H(empirical), worst of 82 parameter values",
        "KL at the MLE against the smallest at 81 other parameter values",
    ]
    assert [c.bound for c in counts.checks] == [False, True]
    assert continuous.data.attrs["parameter"] == "mu"
