"""Log evidence against exact values, reference posteriors and PyMC's SMC; honest failures."""

import warnings

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from exact_draws import posterior_tree
from posteriordb_models import LOG_PRIOR_MASS, MODELS, model_and_draws
from scipy import stats
from tiers import slow_if

import pp_mlekl as mk
from pp_mlekl.posterior.bridge.bridge_sampling import bridge_sampling
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.draws.normalized_prior import prior_mass
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.draws.smc import last_stage
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.utils.warning_attributes import read_warnings

CASES = golden.cases("conjugate.json")


def _tree(**arrays):
    dataset = {k: (("chain", "draw", *[f"{k}_{i}" for i in range(a.ndim - 2)]), a) for k, a in arrays.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(dataset)})


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_reference_posteriors(name):
    model, tree, numbers = model_and_draws(name)
    if "log_evidence" in numbers:
        exact, estimate = numbers["log_evidence"], mk.log_evidence(model, tree, random_seed=3)
        value, error = float(estimate), float(estimate.mcse)
    else:
        # Improper priors: no evidence for users, but the normaliser is there to be compared.
        exact, functions = numbers["log_normaliser"], model_functions(model)
        z = unconstrained_draws(functions, tree)
        result = bridge_sampling(z, lambda p: functions.value(p, a=1.0, b=1.0), np.random.default_rng(3))
        value, error = result.log_normalizer, result.standard_error
    reference = exact["value"] - LOG_PRIOR_MASS.get(name, 0.0)
    assert abs(value - reference) < 4 * np.hypot(error, exact["error"])
    assert error < 0.1


@pytest.mark.parametrize("method", ["bridge", "smc", "laplace"])
def test_improper_prior_has_no_evidence(method):
    with pm.Model() as model:
        mu = pm.Flat("mu")
        pm.Normal("y", mu, 1, observed=[0.3, 0.7])
    tree = _tree(mu=np.random.default_rng(0).normal(0.5, 0.7, size=(4, 500)))
    estimate = mk.log_evidence(model, tree, method=method, random_seed=1)
    assert np.isnan(float(estimate))
    assert np.isnan(estimate.mcse)
    assert "mu is improper" in estimate.warnings[0]


def regression(d, n, generator):
    """A regression with d coefficients, exact posterior draws of it as (4, 1000), and its exact log evidence."""
    x = generator.normal(size=(n, d))
    y = x @ generator.normal(size=d) * 0.3 + generator.normal(size=n)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 0.5, shape=d)
        pm.Normal("y", x @ b, 1.0, observed=y)
    covariance = np.linalg.inv(x.T @ x + 4 * np.eye(d))
    exact = stats.multivariate_normal(np.zeros(n), np.eye(n) + 0.25 * x @ x.T).logpdf(y)
    chol = np.linalg.cholesky(covariance)

    def draw(generator):
        return _tree(b=covariance @ x.T @ y + generator.normal(size=(4, 1000, d)) @ chol.T)

    return model, draw, float(exact)


@pytest.mark.parametrize("d", slow_if([20, 50], [50]))
def test_many_coefficients(d):
    model, draw, exact = regression(d, 2 * d, np.random.default_rng(d))
    estimate = mk.log_evidence(model, draw(np.random.default_rng(1)), random_seed=2)
    assert_within(estimate, exact, mcse_below=0.015)
    assert abs(float(estimate) - exact) < 0.03 * d / 20


@pytest.mark.slow
@pytest.mark.parametrize("space", ["natural", "unconstrained"])
@pytest.mark.parametrize("name", ["gamma-poisson-12", "dirichlet-multinomial-3", "normal-known-6"])
def test_laplace_reports_its_error(name, space):
    case = CASES[name]
    estimate = mk.log_evidence(golden.conjugate(case), method="laplace", space=space, random_seed=1)
    assert abs(float(estimate) - case["log_evidence"]) < 4 * estimate.mcse + 1e-9
    assert estimate.mcse < 0.15


def test_a_posterior_of_heavy_tails():
    """theta ~ StudentT(3), one vague observation: the posterior has nearly the prior's tails."""
    with pm.Model() as model:
        theta = pm.StudentT("theta", nu=3, mu=0, sigma=1, shape=4)
        pm.Normal("y", theta, 50.0, observed=np.zeros(4))
    draws = np.random.default_rng(1).standard_t(3, size=(4, 1000, 4))
    x = np.linspace(-400, 400, 400_001)
    one = np.trapezoid(stats.t(3).pdf(x) * stats.norm(0, 50).pdf(x), x)
    keep = np.exp(-0.5 * (draws / 50) ** 2).prod(axis=-1) > 0.5
    assert keep.all()
    estimate = mk.log_evidence(model, _tree(theta=draws), random_seed=1)
    assert abs(float(estimate) - 4 * np.log(one)) < 4 * estimate.mcse < 0.01


def test_same_seed_same_number():
    case = CASES["gamma-poisson-12"]
    model = golden.conjugate(case)
    tree = posterior_tree(case, model, np.random.default_rng(0))
    first, second = (mk.log_evidence(model, tree, random_seed=1) for _ in range(2))
    assert float(first) == float(second)
    assert first.mcse == second.mcse


def test_tree_without_draws_is_sampled_and_no_tree_is_refused():
    case = CASES["gamma-poisson-12"]
    model = golden.conjugate(case)
    found = mk.log_evidence(model, xr.DataTree(), random_seed=1)
    assert_within(found, case["log_evidence"], sigmas=5, mcse_below=0.00035)
    dataset = xr.Dataset({"mu": (("chain", "draw"), np.ones((4, 100)))})
    for of in (mk.log_evidence, mk.information_gain):
        with pytest.raises(TypeError, match=r"idata must be a DataTree .*Dataset"):
            of(model, dataset)


def test_stuck_chains_are_refused():
    """Four chains that hardly move are worth a few independent draws, whatever their length."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=[0.3])
    walk = np.cumsum(np.random.default_rng(0).normal(size=(4, 1000)) * 0.01, axis=1)
    estimate = mk.log_evidence(model, _tree(mu=walk), random_seed=1)
    assert np.isnan(float(estimate))
    assert "effective sample size" in estimate.warnings[0]


def test_draws_of_another_posterior_are_refused():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 0.01, observed=[5.0])
    draws = np.random.default_rng(0).normal(size=(4, 500))
    assert np.isnan(float(mk.log_evidence(model, _tree(mu=draws), random_seed=1)))


def test_chains_in_different_modes_are_refused():
    """Two chains at either mode of a mixture's labels, each of them well mixed where it is."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.NormalMixture("y", w=[0.5, 0.5], mu=mu, sigma=1.0, observed=np.repeat([-3.0, 3.0], 20))
    draws = np.random.default_rng(0).normal([-3, 3], 0.2, size=(4, 1000, 2))
    draws[2:] = draws[2:, :, ::-1]
    estimate = mk.log_evidence(model, _tree(mu=draws), random_seed=1)
    assert np.isnan(float(estimate))
    assert "different modes" in estimate.warnings[0]


def test_laplace_without_a_mode_is_no_evidence():
    """The density of the centred eight schools rises without bound as tau falls."""
    estimate = mk.log_evidence(golden.eight_schools(), method="laplace", random_seed=1)
    assert np.isnan(float(estimate))
    assert "status" in estimate.warnings[0]


def test_last_stage_of_padded_chains():
    """PyMC pads the chain that needed fewer stages with NaN, or keeps a list for each chain."""
    assert last_stage(np.array([np.nan, -5.0, -4.0, np.nan, np.nan])) == -4.0
    assert last_stage(np.array([[np.nan, -3.5]], dtype=object)) == -3.5
    assert np.isnan(last_stage(np.array([np.nan, np.nan])))


def test_smc_under_the_same_interface():
    """Two normal observations: log Z is known, and four runs of PyMC's SMC agree with it within their error."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    estimate = mk.log_evidence(model, method="smc", random_seed=1)
    exact = stats.multivariate_normal(np.zeros(2), np.eye(2) + 1).logpdf([0.5, 1.5])
    assert abs(float(estimate) - exact) < 6 * estimate.mcse + 0.01
    assert 0 < estimate.mcse < 0.05


def ordered_mixture():
    """Two normals of unknown means, in order: by symmetry the evidence is that of the same model without an order."""
    y = np.array([-1.0, 0.5, 2.0])
    with pm.Model() as model:
        order = pm.distributions.transforms.ordered
        mu = pm.Normal("mu", 0, 2, shape=2, transform=order, initval=np.array([-1.0, 1.0]))
        pm.NormalMixture("y", w=[0.5, 0.5], mu=mu, sigma=1.0, observed=y)
    grid = np.linspace(-16, 16, 1601)
    one = stats.norm.pdf(y[:, None], grid, 1)
    likelihood = np.prod(0.5 * one[:, :, None] + 0.5 * one[:, None, :], axis=0)
    prior = stats.norm.pdf(grid, 0, 2)
    exact = np.log(prior @ likelihood @ prior * (grid[1] - grid[0]) ** 2)
    # Draws by their weights on the grid, jittered within a cell.
    generator = np.random.default_rng(1)
    p = (likelihood * np.outer(prior, prior)).ravel()
    i, j = np.unravel_index(generator.choice(p.size, size=4000, p=p / p.sum()), likelihood.shape)
    mu_draws = grid[np.sort(np.stack([i, j], axis=-1))] + generator.uniform(-0.01, 0.01, size=(4000, 2))
    return model, _tree(mu=np.sort(mu_draws.reshape(4, 1000, 2))), float(exact)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["bridge", "smc", "laplace"])
def test_an_ordered_prior_is_normalised_by_every_method(method):
    model, idata, exact = ordered_mixture()
    estimate = mk.log_evidence(model, idata, method=method, random_seed=1)
    # A Laplace approximation is as wrong as it says: the order cuts the posterior off.
    assert abs(float(estimate) - exact) < 4 * estimate.mcse + 0.001
    assert abs(float(estimate) - exact) < (0.5 if method == "laplace" else 0.1)


def test_transforms_that_restrict_elements_of_different_priors():
    """P(a < b) for a ~ N(0, 1), b ~ N(1, 1) is Phi(1 / sqrt 2)."""
    with pm.Model() as model:
        order = pm.distributions.transforms.ordered
        pm.Normal("mu", np.array([0.0, 1.0]), 1, shape=2, transform=order, initval=np.array([0.0, 1.0]))
        pm.Normal("y", model["mu"].sum(), 1, observed=0.0)
    mass = prior_mass(model_functions(model))
    assert abs(mass.log_mass - stats.norm.logcdf(1 / np.sqrt(2))) < 4 * mass.standard_error
    assert 0 < mass.standard_error < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("initval", [0.2, "support_point", "prior"])
def test_smc_starts_from_the_prior_whatever_the_initval(initval):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2, initval=initval)
        pm.Normal("y", mu, 1, observed=[2.0, 3.0])
    exact = stats.multivariate_normal(np.zeros(2), np.eye(2) + 4).logpdf([2.0, 3.0])
    estimate = mk.log_evidence(model, method="smc", random_seed=1)
    assert 0 < estimate.mcse < 0.1
    assert abs(float(estimate) - exact) < 5 * estimate.mcse + 0.01


def test_smc_runs_without_spread_are_a_failure():
    """A likelihood that no particle changes gives all runs the same estimate."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", 0 * mu, 1, observed=[0.5])
    estimate = mk.log_evidence(model, method="smc", random_seed=1)
    assert np.isnan(float(estimate))
    assert estimate.warnings


@pytest.mark.slow
def test_divergent_chains_are_reported_by_the_evidence():
    """The centred eight schools: the sampler misses the neck of the funnel, and log Z is off by far more than its error."""
    model = golden.eight_schools()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        idata = sample(model, random_seed=1)
    estimate = mk.log_evidence(model, idata, random_seed=1)
    gain = mk.information_gain(model, idata, var_names=(), random_seed=1)
    # By quadrature; independent of the parametrisation, so the non-centred model is within its error of it.
    exact = -31.3113
    right = mk.log_evidence(*model_and_draws("eight_schools_noncentered")[:2], random_seed=1)
    print(estimate, right, read_warnings(gain.attrs))
    assert right.warnings == ()
    assert abs(float(right) - exact) < 4 * right.mcse < 0.05
    assert any("diverged" in w for w in estimate.warnings)
    assert any("diverged" in w for w in read_warnings(gain.attrs))


def test_chains_that_disagree_are_reported_by_the_evidence():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1, observed=[0.3])
    draws = np.random.default_rng(0).normal(0.3, 1, size=(4, 1000))
    draws[0] -= 0.4
    diverging = np.zeros((4, 1000), dtype=bool)
    diverging[:, :3] = True
    idata = _tree(mu=np.random.default_rng(0).normal(0.3 / 1.01, np.sqrt(1 / 1.01), size=(4, 1000)))
    assert mk.log_evidence(model, idata, random_seed=1).warnings == ()
    idata["sample_stats"] = xr.DataTree(xr.Dataset({"diverging": (("chain", "draw"), diverging)}))
    assert any("diverged" in w for w in mk.log_evidence(model, idata, random_seed=1).warnings)
    assert np.isnan(float(mk.log_evidence(model, _tree(mu=draws), random_seed=1)))


@pytest.mark.slow
def test_infinite_evidence_is_no_number():
    """Equal data: the likelihood grows as sigma^-5 where it is 0, faster than the prior falls; there is no posterior."""
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", 0.0, sigma, observed=np.zeros(5))
    for seed in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = sample(model, draws=1000, chains=4, random_seed=seed)
            estimate = mk.log_evidence(model, tree, random_seed=seed)
        print(estimate.warnings)
        assert np.isnan(float(estimate))
        assert estimate.warnings


@pytest.mark.slow
def test_smc_agrees():
    model, tree, _ = model_and_draws("eight_schools_noncentered")
    bridge = mk.log_evidence(model, tree, random_seed=1)
    smc = mk.log_evidence(model, method="smc", random_seed=1)
    print(f"bridge {float(bridge):.4f} +- {bridge.mcse:.4f}, SMC {float(smc):.4f} +- {smc.mcse:.4f}")
    assert_within(float(bridge), float(smc), mcse=np.hypot(bridge.mcse, smc.mcse), mcse_below=0.021)


def autoregressive(case, model, generator, phi=0.6, draws=1000):
    """Autocorrelated draws with exactly the posterior of a one-parameter conjugate case, by its quantiles."""
    ((name, p),) = case["posterior"].items()
    law = {
        "Gamma": lambda q: stats.gamma(q["alpha"], scale=1 / q["beta"]),
        "Beta": lambda q: stats.beta(q["alpha"], q["beta"]),
        "Normal": lambda q: stats.norm(q["mu"], q["sigma"]),
    }[p["dist"]](p["params"])
    x = generator.normal(size=(4, draws)) * np.sqrt(1 - phi**2)
    x[:, 0] /= np.sqrt(1 - phi**2)
    for t in range(1, draws):
        x[:, t] += phi * x[:, t - 1]
    return _tree(**{name: law.ppf(stats.norm.cdf(x))})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma-poisson-12", "beta-bernoulli-13of20", "normal-known-6"])
def test_error_covers_with_autocorrelated_draws(name):
    case = CASES[name]
    model = golden.conjugate(case)
    scores = {"log_evidence": [], "kl_post_prior": []}
    for seed in range(200):
        tree = autoregressive(case, model, np.random.default_rng(seed))
        joint = mk.information_gain(model, tree, var_names=(), random_seed=10_000 + seed)["joint"]
        for key, exact in (("log_evidence", "log_evidence"), ("kl_posterior_prior", "kl_post_prior")):
            scores[exact].append((float(joint[key]) - case[exact]) / float(joint[f"{key}_mcse"]))
    for quantity, values in scores.items():
        covered = np.mean(np.abs(values) < 1.96)
        print(f"{name} {quantity}: {covered:.1%}, largest {np.max(np.abs(values)):.2f}")
        assert 0.90 <= covered <= 0.995, quantity


@pytest.mark.slow
def test_fifty_coefficients_within_three_errors():
    model, draw, exact = regression(50, 100, np.random.default_rng(50))
    scores = []
    for seed in range(100):
        estimate = mk.log_evidence(model, draw(np.random.default_rng(seed)), random_seed=10_000 + seed)
        scores.append(abs(float(estimate) - exact) / estimate.mcse)
    print(f"d = 50: {np.mean(np.array(scores) < 3):.0%} within 3 errors, largest {max(scores):.2f}")
    assert np.sum(np.array(scores) < 3) >= 99
