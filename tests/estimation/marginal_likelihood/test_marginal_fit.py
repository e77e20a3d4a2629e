"""Marginal maximum likelihood against statsmodels, quadrature and closed forms."""

from dataclasses import replace

import golden_models as golden
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, special, stats

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.marginal_likelihood.marginal_fit import _doubted, _laplace_error
from pp_mlekl.estimation.marginal_likelihood.marginal_problem import MarginalProblem
from pp_mlekl.optimize.audit.pipeline import nothing
from pp_mlekl.pymc_model.model_functions import model_functions


def grouped(n_groups=8, n=5, seed=0):
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), n)
    x = generator.normal(size=len(group))
    effect = generator.normal(0, 0.8, n_groups)
    return group, x, effect, generator


def linear_mixed(group, x, y):
    with pm.Model(coords={"group": np.unique(group)}) as model:
        beta = pm.Normal("beta", 0, 10, shape=2)
        tau = pm.HalfNormal("tau", 5)
        sigma = pm.HalfNormal("sigma", 5)
        u = pm.Normal("u", 0, tau, dims="group")
        pm.Normal("y", beta[0] + beta[1] * x + u[group], sigma, observed=y)
    return model


def test_linear_mixed_model_equals_statsmodels():
    import statsmodels.api as sm

    group, x, effect, generator = grouped()
    y = 1.0 + 0.5 * x + effect[group] + generator.normal(0, 0.7, len(x))
    estimate = find_mle(linear_mixed(group, x, y), marginalize=["u"], random_seed=1)
    fit = sm.MixedLM(y, np.stack([np.ones_like(x), x], axis=1), group).fit(reml=False, method="bfgs", gtol=1e-10)
    assert estimate.status == "converged"
    assert estimate.log_likelihood == pytest.approx(fit.llf, abs=1e-8)
    np.testing.assert_allclose(estimate.values["beta"], fit.fe_params, rtol=1e-5)
    assert float(estimate.values["sigma"]) ** 2 == pytest.approx(fit.scale, rel=1e-5)
    assert float(estimate.values["tau"]) ** 2 == pytest.approx(float(np.asarray(fit.cov_re)[0, 0]), rel=1e-5)
    modes = [float(np.asarray(fit.random_effects[g]).ravel()[0]) for g in np.unique(group)]
    np.testing.assert_allclose(estimate.values["u"], modes, rtol=1e-4, atol=1e-6)
    # The model is Gaussian, so Laplace's approximation is exact.
    assert abs(float(estimate.laplace_error)) < 1e-10


@pytest.mark.slow
def test_standard_errors_of_a_linear_mixed_model_are_those_of_the_exact_likelihood():
    group, x, effect, generator = grouped(seed=3)
    y = 1.0 + 0.5 * x + effect[group] + generator.normal(0, 0.7, len(x))
    estimate = find_mle(linear_mixed(group, x, y), marginalize=["u"], random_seed=1)
    design = np.stack([np.ones_like(x), x], axis=1)
    same = (group[:, None] == group[None, :]).astype(float)

    def information(tau, sigma):
        precision = np.linalg.inv(sigma**2 * np.eye(len(y)) + tau**2 * same)
        return design.T @ precision @ design

    expected = np.sqrt(np.diagonal(np.linalg.inv(information(*(float(estimate.values[k]) for k in ("tau", "sigma"))))))
    # The cross-derivatives with the scales are not exactly zero at the observed data, but small.
    np.testing.assert_allclose(estimate.standard_error["beta"], expected, rtol=2e-2)


def test_errors_of_latents_add_their_own_variance_and_that_of_the_mean():
    """Of known scales the conditional variance of an effect is v = 1 / (1 / tau^2 + n / sigma^2), its slope in mu is -v n / sigma^2."""
    tau, sigma, n = 1.5, 0.8, 3
    y = np.array([[0.3, 1.9, 1.1], [2.8, 4.1, 3.0], [-1.2, 0.4, 0.1], [1.5, 3.6, 2.2]])
    with pm.Model() as model:
        mu, u = pm.Normal("mu", 0, 10), pm.Normal("u", 0, tau, shape=4)
        pm.Normal("y", mu + u[:, None], sigma, observed=y)
    estimate = find_mle(model, marginalize=["u"], random_seed=1)
    own = 1 / (1 / tau**2 + n / sigma**2)
    of_mean = (tau**2 + sigma**2 / n) / 4
    assert float(estimate.standard_error["mu"]) == pytest.approx(np.sqrt(of_mean), rel=1e-6)
    np.testing.assert_allclose(estimate.values["u"], own * n / sigma**2 * (y.mean(axis=1) - y.mean()), rtol=1e-6)
    expected = np.sqrt(own + (own * n / sigma**2) ** 2 * of_mean)
    np.testing.assert_allclose(estimate.standard_error["u"], expected, rtol=1e-6)


def test_eight_schools_have_their_marginal_estimate_at_the_boundary():
    expected = golden.cases("degenerate/verdicts.json")["eight-schools-centred"]["mle"]["marginal_likelihood_mle"]
    estimate = find_mle(golden.eight_schools(), marginalize=["theta"], random_seed=1)
    assert estimate.status == "boundary"
    assert float(estimate.values["tau"]) == 0.0
    assert float(estimate.values["mu"]) == pytest.approx(expected["mu"], rel=1e-6)
    assert estimate.log_likelihood == pytest.approx(expected["loglik"], rel=1e-9)
    sigma = golden.columns("degenerate/eight_schools.csv")["sigma"]
    assert float(estimate.standard_error["mu"]) == pytest.approx(np.sum(sigma**-2.0) ** -0.5, rel=1e-4)


def logistic_mixed(group, x, y):
    with pm.Model(coords={"group": np.unique(group)}) as model:
        beta = pm.Normal("beta", 0, 5, shape=2)
        tau = pm.HalfNormal("tau", 2)
        u = pm.Normal("u", 0, tau, dims="group")
        pm.Bernoulli("y", logit_p=beta[0] + beta[1] * x + u[group], observed=y)
    return model


@pytest.mark.slow
def test_logistic_mixed_model_against_quadrature():
    group, x, effect, generator = grouped(n_groups=20, n=8, seed=6)
    eta = 0.3 - 0.8 * x + 1.5 * effect[group]
    y = (generator.random(len(x)) < special.expit(eta)).astype(int)
    estimate = find_mle(logistic_mixed(group, x, y), marginalize=["u"], random_seed=1)
    assert estimate.status == "converged"
    nodes, weights = np.polynomial.hermite.hermgauss(60)

    def exact(parameters):
        b0, b1, log_tau = parameters
        total = 0.0
        for g in np.unique(group):
            rows = group == g
            eta = b0 + b1 * x[rows, None] + np.sqrt(2) * np.exp(log_tau) * nodes
            logs = (y[rows, None] * eta - np.logaddexp(0, eta)).sum(axis=0)
            total += special.logsumexp(logs, b=weights / np.sqrt(np.pi))
        return total

    at = [*np.asarray(estimate.values["beta"]), float(np.log(estimate.values["tau"]))]
    error = estimate.laplace_error
    assert exact(at) - estimate.log_likelihood == pytest.approx(float(error), abs=4 * error.mcse + 1e-6)
    best = optimize.minimize(lambda p: -exact(p), at, method="BFGS", options={"gtol": 1e-8})
    # Laplace's own error: an order of magnitude below the standard errors.
    np.testing.assert_allclose(
        estimate.values["beta"], best.x[:2], atol=0.1 * float(estimate.standard_error["beta"][0])
    )


@pytest.mark.slow
def test_derivatives_of_the_approximation():
    group, x, effect, generator = grouped(n_groups=4, n=6, seed=2)
    y = (generator.random(len(x)) < stats.norm.cdf(effect[group])).astype(int)
    functions = model_functions(logistic_mixed(group, x, y), None, ("u",))
    problem = MarginalProblem(functions=functions, kind="mle", latents=("u",))
    theta = np.array([0.2, -0.4, -0.3])
    _, gradient, hessian = problem.objective.hessian(theta[None])
    step = 1e-4
    shifted = theta + step * np.concatenate([np.eye(3), -np.eye(3)])
    values, gradients, _ = problem.objective.hessian(shifted)
    np.testing.assert_allclose(gradient[0], (values[:3] - values[3:]) / (2 * step), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(hessian[0], (gradients[:3] - gradients[3:]) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("names", [["nothing"], [], "nothing", ["mu", "tau", "theta"]])
def test_wrong_names_are_refused(names):
    with pytest.raises(ValueError, match="marginalize"):
        find_mle(golden.eight_schools(), marginalize=names)


@pytest.mark.slow
def test_latents_without_variance_rest_exactly_at_their_limit():
    """Between groups there is less spread than chance would give, so tau = 0 and every effect is 0, and known to be."""
    group = np.repeat(np.arange(6), 4)
    y = np.tile([-1.0, 0.5, 1.5, -1.0], 6) + 0.01 * np.random.default_rng(0).normal(size=24)
    with pm.Model() as model:
        mu, tau, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
        u, v = pm.Normal("u", 0, tau, shape=6), pm.Normal("v", mu, tau, shape=6)
        pm.Normal("y", v[group] + u[group], sigma, observed=y)
    estimate = find_mle(model, marginalize=["u", "v"], random_seed=1)
    assert estimate.status == "boundary"
    np.testing.assert_array_equal(estimate.values["u"], 0.0)
    np.testing.assert_array_equal(estimate.standard_error["u"], 0.0)
    np.testing.assert_allclose(estimate.values["v"], float(estimate.values["mu"]), atol=1e-8)
    np.testing.assert_allclose(estimate.standard_error["v"], float(estimate.standard_error["mu"]), rtol=1e-7)
    assert np.isnan(float(estimate.standard_error["tau"]))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "status"), [(6, "converged"), pytest.param(4, "boundary", marks=pytest.mark.slow)])
def test_local_level_equals_its_multivariate_normal(seed, status):
    """All latents of a random walk are one block; of a normal integrand Laplace's approximation is exact."""
    walk, noise = (np.random.default_rng(s).normal(0, scale, 20) for s, scale in ((seed, 0.7), (seed + 1, 0.5)))
    y = np.cumsum(walk) + noise
    with pm.Model() as model:
        tau, sigma = pm.HalfNormal("tau", 1), pm.HalfNormal("sigma", 1)
        u = pm.GaussianRandomWalk("u", mu=0, sigma=tau, init_dist=pm.Normal.dist(0, 2), shape=20)
        pm.Normal("y", u, sigma, observed=y)
    estimate = find_mle(model, marginalize=["u"], random_seed=1)
    steps = np.minimum(*np.indices((20, 20)))

    def minus_log_likelihood(variances):
        covariance = 4 + steps * variances[0] + variances[1] * np.eye(20)
        return -stats.multivariate_normal(np.zeros(20), covariance).logpdf(y)

    options = {"bounds": [(0, None), (1e-6, None)], "options": {"ftol": 1e-14, "gtol": 1e-9}}
    found = [optimize.minimize(minus_log_likelihood, start, **options) for start in ([0.5, 0.5], [0.0, 0.5])]
    exact = min(found, key=lambda end: end.fun)
    assert estimate.status == status
    assert estimate.settings["blocks"] == 1
    assert estimate.log_likelihood == pytest.approx(-exact.fun, abs=1e-6)
    squares = [float(estimate.values[name]) ** 2 for name in ("tau", "sigma")]
    np.testing.assert_allclose(squares, exact.x, rtol=1e-4, atol=1e-12)


@pytest.mark.slow
def test_correlated_intercepts_and_slopes_equal_statsmodels():
    import statsmodels.api as sm

    generator = np.random.default_rng(2)
    group, x = np.repeat(np.arange(8), 5), generator.normal(size=40)
    effects = generator.multivariate_normal([0, 0], [[0.6, 0.2], [0.2, 0.3]], size=8)[group]
    y = 1 + effects[:, 0] + (0.5 + effects[:, 1]) * x + generator.normal(0, 0.5, 40)
    with pm.Model() as model:
        b, s = pm.Normal("b", 0, 5, shape=2), pm.HalfNormal("s", 1)
        tau, rho = pm.HalfNormal("tau", 1, shape=2), pm.Uniform("rho", -1, 1)
        between = rho * tau[0] * tau[1]
        cov = pt.stack([pt.stack([tau[0] ** 2, between]), pt.stack([between, tau[1] ** 2])])
        u = pm.MvNormal("u", mu=np.zeros(2), cov=cov, shape=(8, 2))
        pm.Normal("y", b[0] + u[group, 0] + (b[1] + u[group, 1]) * x, s, observed=y)
    estimate = find_mle(model, marginalize=["u"], random_seed=1)
    design = np.column_stack([np.ones(40), x])
    fitted = sm.MixedLM(y, design, group, exog_re=design).fit(reml=False, method=["bfgs", "lbfgs"])
    assert estimate.status == "converged"
    assert estimate.log_likelihood == pytest.approx(fitted.llf, abs=1e-6)
    np.testing.assert_allclose(estimate.values["b"], fitted.fe_params, rtol=1e-5)
    np.testing.assert_allclose(estimate.standard_error["b"], fitted.bse_fe, rtol=1e-3)
    np.testing.assert_allclose(estimate.values["tau"].values ** 2, np.diagonal(fitted.cov_re), rtol=1e-3)


def test_latents_too_far_from_normal_are_told():
    """All or nothing in every group: the exact marginal likelihood rises on to tau = infinity, Laplace's does not."""
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 2)
        a = pm.Normal("a", pm.Normal("mu", 0, 2), tau, shape=6)
        pm.Binomial("y", n=20, logit_p=a, observed=[0, 20, 20, 0, 20, 0])
    estimate = find_mle(model, marginalize=["a"], random_seed=2)
    assert any("Laplace's approximation is not good enough" in warning for warning in estimate.warnings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "shift"),
    [(1e-6, 0.0), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((3e3, 1e6), (1.0, 0.0)))],
)
def test_units_do_not_decide_whether_there_is_a_maximum(unit, shift):
    """The same data in other units, against statsmodels in the first: the log-likelihood moves by n log(unit)."""
    import statsmodels.api as sm

    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 4)
    x, u, e = generator.normal(size=80), generator.normal(size=20), generator.normal(size=80)
    y = 1 + 0.3 * x + u[group] + e
    fit = sm.MixedLM(y, np.stack([np.ones(80), x], axis=1), group).fit(reml=False, method="bfgs", gtol=1e-10)
    with pm.Model() as model:
        b = pm.Normal("b", shift, 1e4 if shift else 1.0, shape=2)
        s, t = pm.HalfNormal("s", 1e4 if shift else 1.0), pm.HalfNormal("t", 1e4 if shift else 1.0)
        effect = pm.Normal("u", 0, t, shape=20)
        pm.Normal("y", b[0] + b[1] * x + effect[group], s, observed=shift + unit * y)
    estimate = find_mle(model, marginalize=["u"], random_seed=1)
    assert estimate.status == "converged"
    assert estimate.log_likelihood + 80 * np.log(unit) == pytest.approx(fit.llf, abs=1e-5)
    assert float(estimate.values["t"]) / unit == pytest.approx(float(np.sqrt(fit.cov_re[0, 0])), rel=1e-5)


@pytest.mark.slow
def test_the_error_of_laplaces_error_holds_for_skewed_latents():
    """Gamma-Poisson counts one to a group: importance sampling with many seeds against the closed form."""
    generator = np.random.default_rng(3)
    y = generator.negative_binomial(0.9, 0.3, 60)
    with pm.Model() as model:
        mu, k = pm.Gamma("mu", 2, 1), pm.Gamma("k", 2, 1)
        rate = pm.Gamma("rate", k, k, shape=60)
        pm.Poisson("y", mu * rate, observed=y)
    estimate = find_mle(model, marginalize=["rate"], random_seed=1)
    mu, k = float(estimate.values["mu"]), float(estimate.values["k"])
    exact = float(np.sum(stats.nbinom.logpmf(y, k, k / (k + mu)))) - estimate.log_likelihood
    problem = MarginalProblem(functions=model_functions(model, None, ("rate",)), kind="mle", latents=("rate",))
    found = [_laplace_error(problem, estimate.flat[None], np.random.default_rng(seed)) for seed in range(200)]
    beyond = np.mean([abs(float(e) - exact) > 2 * e.mcse for e in found])
    assert beyond < 0.09


def test_an_integral_that_does_not_exist_is_refused():
    group = np.repeat(np.arange(5), 4)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 1)
        u = pm.Flat("u", shape=6)
        pm.Normal("y", u[group], s, observed=np.random.default_rng(0).normal(size=20))
    with pytest.raises(ValueError, match="proper prior"):
        find_mle(model, marginalize=["u"], random_seed=1)


@pytest.mark.slow
def test_where_there_is_no_maximum_latents_have_no_values():
    group = np.repeat(np.arange(5), 3)
    with pm.Model() as model:
        s, t = pm.HalfNormal("s", 1), pm.HalfNormal("t", 1)
        u = pm.Normal("u", 0, t, shape=5)
        pm.Normal("y", u[group], s, observed=np.array([0.3, -1.0, 0.7, 2.0, 0.1])[group])
    estimate = find_mle(model, marginalize=["u"], random_seed=1)
    assert estimate.status == "unbounded"
    assert "s -> 0" in estimate.warnings[0]
    assert np.isnan(estimate.values["u"]).all()
    assert np.isnan(estimate.standard_error["u"]).all()


@pytest.mark.slow
def test_latents_with_a_kink_come_to_an_end_with_the_reason():
    generator = np.random.default_rng(41)
    group = np.repeat(np.arange(8), 6)
    y = generator.normal(0, 0.8, 8)[group] + generator.normal(size=48)
    with pm.Model() as model:
        mu, t, s = pm.Normal("mu", 0, 3), pm.HalfNormal("t", 1), pm.HalfNormal("s", 1)
        u = pm.Laplace("u", 0, t, shape=8)
        pm.Normal("y", mu + u[group], s, observed=y)
    estimate = find_mle(model, marginalize=["u"], random_seed=1)
    assert estimate.status == "failed"
    assert "one smooth mode" in estimate.warnings[-1]


@pytest.fixture(scope="module")
def binary():
    group, x, effect, generator = grouped(n_groups=4, n=3, seed=2)
    y = (generator.random(len(x)) < stats.norm.cdf(effect[group])).astype(int)
    functions = model_functions(logistic_mixed(group, x, y), None, ("u",))
    return MarginalProblem(functions=functions, kind="mle", latents=("u",))


def test_the_gradient_alone_is_that_with_the_hessian(binary):
    theta = np.array([[0.2, -0.4, -0.3], [1.0, 0.1, 0.4]])
    value, gradient = binary.objective.gradient(theta)
    both = binary.objective.hessian(theta)
    np.testing.assert_allclose(value, both[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, both[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("status", "value", "mcse", "expected"),
    [
        ("boundary", -8.3, 0.05, "failed"),
        ("at_infinity", 104.0, 0.05, "failed"),
        ("not_identified", 0.1, 0.5, "failed"),
        ("boundary", 0.0, 0.0, "boundary"),
        ("unbounded", 1.0, 0.05, "unbounded"),
        ("converged", 0.3, 0.5, "converged"),
    ],
)
def test_a_large_error_of_the_approximation_is_the_verdict(binary, status, value, mcse, expected):
    verdict = replace(nothing(3, binary.space), status=status, z=np.zeros(3), value=-5.0, warnings=("what it says",))
    error = Estimate(value=value, mcse=mcse, method="importance sampling", direction="log(exact / Laplace)")
    found = _doubted(binary, verdict, error, np.random.default_rng(0))
    assert found.status == expected
    doubted = expected == "failed" or mcse > 0.1
    assert any("Laplace" in warning for warning in found.warnings) == doubted


@pytest.mark.parametrize(("log_tau", "settled"), [(1.5, False), (-1.0, True)])
def test_laplaces_error_at_a_point_is_that_of_quadrature(binary, log_tau, settled):
    """Wide latents are sampled again from Student's distribution; both ways to within the error that is named."""
    group, x, effect, generator = grouped(n_groups=4, n=3, seed=2)
    y = (generator.random(len(x)) < stats.norm.cdf(effect[group])).astype(int)
    theta = np.array([[0.2, -0.4, log_tau]])
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    u = nodes[:, None] * np.exp(log_tau)
    terms = np.log(special.expit((2 * y - 1) * (0.2 - 0.4 * x + u)))
    groups = np.stack([terms[:, group == g].sum(axis=1) for g in range(4)], axis=1)
    exact = special.logsumexp(groups, b=weights[:, None] / np.sqrt(2 * np.pi), axis=0).sum()
    z, _ = binary.modes(binary.full(theta))
    found = [_laplace_error(binary, z, np.random.default_rng(seed)) for seed in range(12)]
    errors = np.array([e.mcse for e in found])
    expected = exact - binary.objective.value(theta)[0]
    assert (abs(expected) < 0.02) == settled
    scores = (np.array([float(e) for e in found]) - expected) / errors
    assert abs(scores.mean()) < 4 / np.sqrt(12)
    assert 0.5 < scores.std() < 1.7
    # Of 1000 draws in pairs, and of other numbers of them.
    few = np.mean([_laplace_error(binary, z, np.random.default_rng(seed), 250).mcse for seed in range(12)])
    assert few / errors.mean() == pytest.approx(2.0, rel=0.2)
    assert (found[0].method, found[0].direction) == ("importance sampling", "log(exact / Laplace)")


def test_words_of_doubts_about_the_approximation(binary):
    def found(status, value, mcse):
        verdict = replace(nothing(3, binary.space), status=status, z=np.zeros(3), value=-5.0, warnings=("before",))
        error = Estimate(value=value, mcse=mcse, method="importance sampling", direction="log(exact / Laplace)")
        return _doubted(binary, verdict, error, np.random.default_rng(0))

    poor = "Laplace's approximation is not good enough here: "
    advice = "It fails for groups of few or extreme counts; sample the posterior instead."
    far = f"{poor}it is off by -2 nats where the search ended (boundary). {advice}"
    assert found("boundary", -2.0, 0.05).warnings == (far,)
    # 1.92 nats either way, and an error of importance sampling of a tenth.
    assert found("boundary", 1.93, 0.05).status == "failed"
    for value in (1.91, -1.91):
        assert (found("boundary", value, 0.05).status, found("boundary", value, 0.05).warnings) == (
            "boundary",
            ("before",),
        )
    unknown = (
        f"{poor}the latents' densities are so far from normal that importance sampling cannot estimate its error (by "
        f"0.31 +- 0.11 nats). {advice}"
    )
    for status, expected in (("converged", "converged"), ("multimodal", "multimodal"), ("boundary", "failed")):
        doubted = found(status, 0.31, 0.11)
        assert (doubted.status, doubted.warnings) == (expected, ("before", unknown))
    assert found("boundary", 0.31, 0.09).warnings == found("failed", 9.0, np.nan).warnings == ("before",)
    assert found("boundary", np.nan, np.nan).status == "failed"
