"""Laplace approximations: exact for normals, tangent in the space asked for, refused where there is no mode."""

import pickle

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from exact_draws import posterior_tree
from scipy import integrate, special, stats

import pp_mlekl as mk
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.posterior.bridge.number_with_error import WithError
from pp_mlekl.posterior.laplace import _shifted

CASES = golden.cases("conjugate.json")


@pytest.mark.parametrize("space", ["natural", "unconstrained"])
def test_a_normal_posterior_is_exact(space):
    case = CASES["linear-regression-d3"]
    model = golden.conjugate(case)
    approximation = mk.laplace(model, space=space, random_seed=1)
    p = case["posterior"]["b"]["params"]
    np.testing.assert_allclose(approximation.mean, p["mu"], rtol=1e-6)
    np.testing.assert_allclose(approximation.covariance, p["cov"], rtol=1e-8)
    z = np.random.default_rng(0).normal(size=(5, 3))
    exact = stats.multivariate_normal(p["mu"], p["cov"]).logpdf(z)
    np.testing.assert_allclose(approximation.log_density(z), exact, rtol=1e-6)
    assert approximation.log_normalizer() == pytest.approx(case["log_evidence"], abs=1e-8)
    tree = posterior_tree(case, model, np.random.default_rng(1))
    evidence = Estimate(value=case["log_evidence"], method="exact")
    for divergence in (approximation.kl_from_posterior(tree, evidence), approximation.kl_to_posterior(evidence)):
        assert float(divergence) == pytest.approx(0, abs=1e-6)


def test_goes_through_pickle():
    approximation = mk.laplace(golden.conjugate(CASES["gamma-poisson-12"]), space="natural", random_seed=1)
    again = pickle.loads(pickle.dumps(approximation))
    z = np.array([[0.5], [0.7]])
    np.testing.assert_array_equal(again.log_density(z), approximation.log_density(z))
    assert again.log_normalizer() == approximation.log_normalizer()
    assert again.tree.identical(approximation.tree)


def test_mean_and_curvature_on_both_scales():
    """A gamma posterior of shape 27: curvature 26 / mode^2 naturally, 27 for the logarithm."""
    model = golden.conjugate(CASES["gamma-poisson-12"])
    natural, free = mk.laplace(model, space="natural"), mk.laplace(model, space="unconstrained")
    assert natural.mean == pytest.approx(26 / 13)
    assert natural.covariance[0, 0] == pytest.approx((26 / 13) ** 2 / 26)
    assert natural.names == ("mu",)
    assert free.mean == pytest.approx(np.log(27 / 13))
    assert free.covariance[0, 0] == pytest.approx(1 / 27)


@pytest.mark.parametrize("space", ["natural", "unconstrained"])
def test_log_density_integrates_to_the_mass_inside(space):
    model = golden.conjugate(CASES["gamma-poisson-12"])
    approximation = mk.laplace(model, space=space)
    mass = integrate.quad(lambda z: np.exp(approximation.log_density(np.array([z]))), -8, 4)[0]
    outside = stats.norm(2, 2 / np.sqrt(26)).cdf(0) if space == "natural" else 0.0
    assert mass == pytest.approx(1 - outside, abs=1e-6)


def test_divergences_from_a_gamma_posterior():
    case = CASES["gamma-poisson-12"]
    model = golden.conjugate(case)
    approximation = mk.laplace(model, random_seed=1)
    evidence = Estimate(value=case["log_evidence"], method="exact")
    tree = posterior_tree(case, model, np.random.default_rng(2))
    normal = stats.norm(np.log(27 / 13), 1 / np.sqrt(27))

    def log_posterior(z):
        return stats.gamma(27, scale=1 / 13).logpdf(np.exp(z)) + z

    z = np.linspace(-2, 3, 20_001)
    forward = np.trapezoid(np.exp(log_posterior(z)) * (log_posterior(z) - normal.logpdf(z)), z)
    backward = np.trapezoid(normal.pdf(z) * (normal.logpdf(z) - log_posterior(z)), z)
    estimates = approximation.kl_from_posterior(tree, evidence), approximation.kl_to_posterior(evidence, random_seed=3)
    for estimate, exact in zip(estimates, (forward, backward), strict=True):
        assert_within(estimate, exact, mcse_below=0.0035)
    assert approximation.pareto_k(random_seed=1) < 0.7


def test_mass_outside_the_support_is_an_infinite_divergence():
    case = CASES["dirichlet-multinomial-3"]
    model = golden.conjugate(case)
    approximation = mk.laplace(model, space="natural", random_seed=1)
    np.testing.assert_allclose(approximation.mean, case["map_natural"]["p"], rtol=1e-6)
    np.testing.assert_allclose(approximation.covariance.sum(axis=0), 0, atol=1e-12)
    assert "outside" in approximation.warnings[0]
    reverse = approximation.kl_to_posterior(Estimate(value=case["log_evidence"], method="exact"), random_seed=1)
    assert float(reverse) == np.inf
    assert "infinite" in reverse.warnings[0]


def test_tree_has_groups_that_arviz_reads():
    with pm.Model(coords={"side": ["left", "right"]}) as model:
        mu = pm.Normal("mu", 0, 1, dims="side")
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu[:, None], sigma, observed=np.random.default_rng(0).normal(size=(2, 10)))
    tree = mk.laplace(model, draws=200, random_seed=1).tree
    posterior = tree["posterior"].to_dataset()
    assert dict(posterior.sizes) == {"chain": 1, "draw": 200, "side": 2}
    assert list(posterior["side"].values) == ["left", "right"]
    assert list(tree["fit"]["rows"].values) == ["mu[left]", "mu[right]", "sigma_log__"]


def test_without_a_mode_there_is_no_approximation():
    with pytest.raises(ValueError, match="status"):
        mk.laplace(golden.eight_schools(), space="natural", random_seed=1)
    with pytest.raises(ValueError, match=r"natural.*unconstrained"):
        mk.laplace(golden.conjugate(CASES["gamma-poisson-12"]), space="log")


@pytest.mark.slow
def test_errors_of_the_divergences_cover():
    case = CASES["gamma-exponential-8"]
    model = golden.conjugate(case)
    approximation = mk.laplace(model, random_seed=1)
    p = case["posterior"]["lam"]["params"]
    normal = stats.norm(approximation.mean[0], np.sqrt(approximation.covariance[0, 0]))
    z = np.linspace(-6, 4, 50_001)
    log_posterior = stats.gamma(p["alpha"], scale=1 / p["beta"]).logpdf(np.exp(z)) + z
    forward = np.trapezoid(np.exp(log_posterior) * (log_posterior - normal.logpdf(z)), z)
    backward = np.trapezoid(normal.pdf(z) * (normal.logpdf(z) - log_posterior), z)
    scores = {"forward": [], "backward": []}
    for seed in range(200):
        tree = posterior_tree(case, model, np.random.default_rng(seed))
        evidence = mk.log_evidence(model, tree, random_seed=10_000 + seed)
        there = approximation.kl_from_posterior(tree, evidence)
        back = approximation.kl_to_posterior(evidence, random_seed=20_000 + seed)
        scores["forward"].append((float(there) - forward) / there.mcse)
        scores["backward"].append((float(back) - backward) / back.mcse)
    for direction, values in scores.items():
        covered = np.mean(np.abs(values) < 1.96)
        print(f"Laplace {direction}: {covered:.1%}, largest {np.max(np.abs(values)):.2f}")
        assert 0.90 <= covered <= 0.995, direction


@pytest.fixture(scope="module")
def rate():
    """A rate with a gamma posterior, and the functions of its normal approximation on the logarithmic scale."""
    y = np.random.default_rng(0).gamma(1.0, 1.0, size=6)
    with pm.Model() as model:
        pm.Exponential("y", pm.Gamma("rate", 2.0, 1.0), observed=y)
    a, b = 2.0 + len(y), 1.0 + y.sum()
    return model, a, b


def test_errors_of_laplace_are_the_spread_over_seeds(rate):
    model, a, b = rate
    fit = mk.laplace(model, random_seed=1)
    # The density of log(rate) is that of a log gamma; its mode is log(a / b), its curvature there -a.
    assert fit.mode.flat == pytest.approx(np.log(a / b))
    assert fit.covariance == pytest.approx(1 / a)
    log_z = special.gammaln(a) - a * np.log(b)
    mean, sd = np.log(a / b), 1 / np.sqrt(a)
    normal = stats.norm(mean, sd)
    posterior = stats.loggamma(a, loc=-np.log(b))
    exact = {
        "evidence": log_z,
        "to": integrate.quad(lambda z: normal.pdf(z) * (normal.logpdf(z) - posterior.logpdf(z)), mean - 8, mean + 8)[0],
        "from": integrate.quad(
            lambda z: posterior.pdf(z) * (posterior.logpdf(z) - normal.logpdf(z)), mean - 8, mean + 8
        )[0],
    }
    known = Estimate(value=log_z, mcse=0.0, method="closed form", direction="log Z")
    found = {name: [] for name in exact}
    for seed in range(40):
        draws = np.random.default_rng(seed).gamma(a, 1 / b, size=(4, 500))
        tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"rate": (("chain", "draw"), draws)})})
        found["evidence"].append(fit.importance_sampled(2000, random_seed=seed))
        found["to"].append(fit.kl_to_posterior(known, 2000, random_seed=seed))
        found["from"].append(fit.kl_from_posterior(tree, known))
    for name, estimates in found.items():
        values, errors = np.array([[e.value, e.mcse] for e in estimates]).T
        error = np.sqrt(np.mean(errors**2))
        # The spread of 40 values is known to 11%.
        assert 0.7 < error / values.std(ddof=1) < 1.4, name
        assert abs(values.mean() - exact[name]) < 4 * error / np.sqrt(40), name


def test_the_error_of_the_evidence_is_in_that_of_the_divergence(rate):
    model, *_ = rate
    fit = mk.laplace(model, random_seed=1)
    sure, unsure = (Estimate(value=-5.0, mcse=s, method="given", direction="log Z") for s in (0.0, 0.1))
    errors = [fit.kl_to_posterior(e, 1000, random_seed=1).mcse for e in (sure, unsure)]
    assert errors[1] == pytest.approx(np.hypot(errors[0], 0.1))


EVIDENCE = Estimate(value=2.0, mcse=0.1, method="", direction="log Z", warnings=("about Z",))
LOG_Z = WithError(value=2.0, rest=0.01)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("shape", [(2000,), (4, 500)])
def test_divergences_are_means_of_log_ratios_and_log_z(sign, shape):
    log_ratio = np.random.default_rng(1).normal(3.0, 2.0, size=shape)
    found = _shifted(log_ratio, sign, LOG_Z, EVIDENCE, "KL(a||b)")
    assert found.value == pytest.approx(log_ratio.mean() + sign * 2.0)
    # Independent draws: their error is that of any mean.
    assert found.mcse == pytest.approx(np.hypot(2.0 / np.sqrt(2000), 0.1), rel=0.02)
    assert (found.direction, found.warnings) == ("KL(a||b)", ("about Z",))


def test_an_autocorrelated_log_ratio_has_a_larger_error():
    x = np.random.default_rng(2).normal(size=(4, 2000))
    for t in range(1, 2000):
        x[:, t] = 0.8 * x[:, t - 1] + 0.6 * x[:, t]
    found = _shifted(x, 1.0, WithError(value=0.0), EVIDENCE, "")
    # (1 + 0.8) / (1 - 0.8) = 9 times the variance.
    assert found.mcse == pytest.approx(3 / np.sqrt(8000), rel=0.15)


@pytest.mark.parametrize(("shape", "warned"), [(0.5, False), (0.9, True)])
def test_a_heavy_tail_of_the_log_ratio_is_warned_of(shape, warned):
    log_ratio = stats.genpareto(shape).ppf((np.arange(20_000) + 0.5) / 20_000)
    found = _shifted(log_ratio, 1.0, LOG_Z, EVIDENCE, "")
    assert len(found.warnings) == 1 + warned
    assert any("Pareto k" in w for w in found.warnings) == warned


def test_mass_where_the_other_density_is_zero_is_an_infinite_divergence():
    log_ratio = np.zeros(400)
    log_ratio[:3] = np.inf
    found = _shifted(log_ratio, 1.0, LOG_Z, EVIDENCE, "")
    assert (found.value, found.mcse) == (np.inf, 0.0)
    assert "0.75%" in found.warnings[0]
