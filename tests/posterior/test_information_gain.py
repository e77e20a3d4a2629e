"""Divergences between prior and posterior against exact values of conjugate models."""

from functools import cache

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from exact_draws import posterior_tree
from scipy import special, stats
from tiers import LIKE_ANOTHER, slow_if

import pp_mlekl as mk
from pp_mlekl.posterior.marginal_information_gain import drawn_gain
from pp_mlekl.utils.warning_attributes import read_warnings

CASES = golden.cases("conjugate.json")
JOINT = {
    "log_evidence": "log_evidence",
    "kl_posterior_prior": "kl_post_prior",
    "kl_prior_posterior": "kl_prior_post",
    "model_dimensionality": "bayesian_model_dimensionality",
}


def _scores(case, model, seed):
    tree = posterior_tree(case, model, np.random.default_rng(seed))
    gained = mk.information_gain(model, tree, random_seed=10_000 + seed)
    joint = gained["joint"]
    scores = {k: (float(joint[k]) - case[exact]) / float(joint[f"{k}_mcse"]) for k, exact in JOINT.items()}
    for name, exact in case["marginal_kl_post_prior"].items():
        error = gained["marginal"][name].values - np.asarray(exact, dtype=float)
        scores[name] = error / gained["marginal_mcse"][name].values
    if case["sum_marginals_minus_joint"] is not None:
        gap = float(joint["dependence_gap"]) + case["sum_marginals_minus_joint"]
        scores["dependence_gap"] = gap / float(joint["dependence_gap_mcse"])
    return scores, gained


@pytest.mark.parametrize("name", slow_if(CASES, (*LIKE_ANOTHER, "beta-binomial-groups")))
def test_conjugate_models(name):
    case = CASES[name]
    scores, gained = _scores(case, golden.conjugate(case), 11)
    for quantity, score in scores.items():
        assert np.max(np.abs(score)) < 5, (quantity, score)
    assert abs(float(gained["joint"]["log_evidence"]) - case["log_evidence"]) < 0.03
    assert 0 <= float(gained["joint"]["jsd"]) <= np.log(2)


@pytest.mark.parametrize(("prior", "told"), [("simplex", True), ("zero sum", True), ("normal", False)])
def test_elements_that_determine_each_other_give_a_warning(prior, told):
    generator = np.random.default_rng(0)
    with pm.Model() as model:
        if prior == "simplex":
            p, draws = pm.Dirichlet("p", np.ones(2)), generator.dirichlet([3, 5], size=(4, 1000))
        elif prior == "zero sum":
            p = pm.ZeroSumNormal("p", 1, shape=2)
            draws = generator.normal(size=(4, 1000, 1)) * 0.3 * np.array([1.0, -1.0])
        else:
            p, draws = pm.Normal("p", 0, 1, shape=2), generator.normal(scale=0.3, size=(4, 1000, 2))
        pm.Normal("y", p[0], 0.5, observed=0.2)
    gained = mk.information_gain(model, _tree(p=draws), log_evidence=mk.Estimate(value=-1.0, method=""), random_seed=1)
    assert any(w.startswith("dependence_gap: the elements of p") for w in read_warnings(gained.attrs)) == told


def test_same_seed_same_numbers():
    case = CASES["gamma-poisson-12"]
    model = golden.conjugate(case)
    first, second = (_scores(case, model, 5)[1] for _ in range(2))
    assert first.identical(second)


def test_scale_of_the_parameter_does_not_matter():
    """The same model in other units has the same divergences."""
    generator = np.random.default_rng(0)
    results = []
    for unit in (1.0, 1000.0):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 2 * unit)
            pm.Normal("y", mu, unit, observed=np.array([0.3, 1.2, 0.8]) * unit)
        variance = 1 / (1 / 4 + 3)
        draws = generator.normal(2.3 * variance, np.sqrt(variance), size=(4, 1000)) * unit
        gained = mk.information_gain(model, _tree(mu=draws), random_seed=2)
        results.append(float(gained["joint"]["kl_posterior_prior"]))
    assert results[0] == pytest.approx(results[1], abs=1e-2)


def test_infinite_information_is_reported():
    """-log L has no mean under the prior: 1 / sigma^2 has none under a half-normal."""
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", 0, sigma, observed=[0.5, -1.0, 2.0])
    tree = mk.laplace(model, draws=2000, random_seed=1).tree
    gained = mk.information_gain(model, tree, random_seed=1)
    assert float(gained["joint"]["kl_prior_posterior"]) == np.inf
    assert "infinite" in " ".join(read_warnings(gained.attrs))


def test_impossible_prior_region_is_infinite():
    with pm.Model() as model:
        top = pm.Uniform("top", 0, 10)
        pm.Uniform("y", 0, top, observed=[1.0, 4.0])
    draws = 4.0 / (1 - np.random.default_rng(2).uniform(size=(4, 1000)) * 0.6)
    joint = mk.information_gain(model, _tree(top=draws), random_seed=1)["joint"]
    assert float(joint["kl_prior_posterior"]) == np.inf


def _tree(**arrays):
    dataset = {k: (("chain", "draw", *[f"{k}_{i}" for i in range(a.ndim - 2)]), a) for k, a in arrays.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(dataset)})


def test_random_parents_are_averaged_out():
    """theta ~ Normal(mu, 1), mu ~ Normal(0, 2): the prior of theta is Normal(0, sqrt(5))."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        theta = pm.Normal("theta", mu, 1)
        pm.Normal("y", theta, 1, observed=1.0)
    generator = np.random.default_rng(4)
    covariance = np.linalg.inv(np.linalg.inv([[4.0, 4.0], [4.0, 5.0]]) + np.diag([0.0, 1.0]))
    draws = generator.multivariate_normal(covariance @ [0.0, 1.0], covariance, size=(4, 1000))
    gained = mk.information_gain(model, _tree(mu=draws[..., 0], theta=draws[..., 1]), random_seed=1)
    v, m = covariance[1, 1], covariance[1, 1]
    exact = 0.5 * (v / 5 + m**2 / 5 - 1 - np.log(v / 5))
    error = float(gained["marginal_mcse"]["theta"])
    assert abs(float(gained["marginal"]["theta"]) - exact) < 5 * error


def test_wrong_use():
    with pm.Model() as flat:
        a = pm.Flat("a")
        pm.Normal("y", a, 1, observed=[1.0])
    with pytest.raises(ValueError, match="improper"):
        mk.information_gain(flat, _tree(a=np.zeros((4, 100))))
    case = CASES["gamma-poisson-12"]
    model = golden.conjugate(case)
    tree = posterior_tree(case, model, np.random.default_rng(0))
    with pytest.raises(ValueError, match="var_names must be"):
        mk.information_gain(model, tree, var_names=["nope"])
    with pytest.raises(ValueError, match="Too few draws"):
        mk.log_evidence(model, posterior_tree(case, model, np.random.default_rng(0), draws=10))
    with pytest.raises(ValueError, match="'bridge'"):
        mk.log_evidence(model, tree, method="guess")


@pytest.mark.parametrize(
    "name",
    slow_if(
        ["gamma-poisson-12", "normal-known-6", "beta-bernoulli-13of20", "gamma-exponential-8"],
        ["beta-bernoulli-13of20", "gamma-exponential-8"],
    ),
)
def test_bounded_divergences(name):
    """Jensen-Shannon, total variation and Hellinger against quadrature."""
    case = CASES[name]
    exact = bounded(case)
    model = golden.conjugate(case)
    joint = mk.information_gain(
        model, posterior_tree(case, model, np.random.default_rng(6)), var_names=(), random_seed=7
    )["joint"]
    for quantity, value in exact.items():
        assert_within(float(joint[quantity]), value, mcse=float(joint[f"{quantity}_mcse"]), mcse_below=0.008)
        assert float(joint[f"{quantity}_mcse"]) < 0.02


LAWS = {
    "Beta": lambda p: stats.beta(p["alpha"], p["beta"]),
    "Gamma": lambda p: stats.gamma(p["alpha"], scale=1 / p["beta"]),
    "Normal": lambda p: stats.norm(p["mu"], p["sigma"]),
}


def bounded(case):
    """Bounded divergences of a case with one parameter, by the trapezoid rule."""
    posterior, prior = (LAWS[v["dist"]](v["params"]) for (v,) in (case["posterior"].values(), case["prior"].values()))
    x = np.unique(np.concatenate([np.linspace(d.ppf(1e-12), d.isf(1e-12), 100_001) for d in (posterior, prior)]))
    p, q = posterior.pdf(x), prior.pdf(x)
    halves = special.rel_entr(p, (p + q) / 2) + special.rel_entr(q, (p + q) / 2)
    return {
        "jsd": np.trapezoid(halves, x) / 2,
        "total_variation": np.trapezoid(np.abs(p - q), x) / 2,
        "hellinger_squared": 1 - np.trapezoid(np.sqrt(p * q), x),
    }


def test_bounded_divergences_when_prior_draws_never_reach_the_posterior():
    """KL of 12 nats: no prior draw of 4,000 reaches the posterior; posterior draws bound the distance from ln 2 and 1."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1e5)
        pm.Normal("y", mu, 1, observed=[3.0])
    draws = np.random.default_rng(1).normal(3, 1, size=(4, 1000))
    joint = mk.information_gain(model, _tree(mu=draws), random_seed=1)["joint"]
    assert np.log(2) - 1e-3 < float(joint["jsd"]) <= np.log(2)
    assert 1 - 1e-2 < float(joint["hellinger_squared"]) <= 1
    assert 1 - 1e-3 < float(joint["total_variation"]) <= 1


def test_without_evidence_there_is_no_number():
    """If bridge sampling failed, all numbers that depend on log Z are NaN."""
    model, tree, *_ = _two_normals(1)
    failed = mk.Estimate(value=np.nan, mcse=np.nan, method="bridge sampling", warnings=("No overlap.",))
    gained = mk.information_gain(model, tree, log_evidence=failed, var_names=(), random_seed=1)
    for name in ("kl_posterior_prior", "kl_prior_posterior", "jsd", "total_variation", "hellinger_squared"):
        assert np.isnan(float(gained["joint"][name])), name
    assert "No overlap." in read_warnings(gained.attrs)


def test_chain_that_stays_at_its_largest_value():
    """A sampler that rejects proposals in a tail repeats a draw there; four repeats are not an atom."""
    model, tree, *_ = _two_normals(1)
    before = mk.information_gain(model, tree, random_seed=1)
    a = tree["posterior"]["a"].values.copy()
    a[0, 100:104] = a.max() + 0.01
    after = mk.information_gain(model, _tree(a=a, b=tree["posterior"]["b"].values), random_seed=1)
    error = float(before["marginal_mcse"]["a"])
    assert abs(float(after["marginal"]["a"]) - float(before["marginal"]["a"])) < error
    assert np.isfinite(float(after["joint"]["dependence_gap"]))
    assert not any("a: " in w for w in read_warnings(after.attrs))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_an_atom_affects_only_its_own_element(share):
    model, tree, *_ = _two_normals(1)
    generator = np.random.default_rng(2)
    a, b = (tree["posterior"][name].values.copy() for name in "ab")
    a[generator.uniform(size=a.shape) < share] = 0.25
    gained = mk.information_gain(model, _tree(a=a, b=b), random_seed=1)
    assert np.isnan(float(gained["marginal"]["a"]))
    assert np.isfinite(float(gained["marginal"]["b"]))
    # Half the draws at one value are no draws of the posterior, which the joint numbers need; a marginal needs its own draws alone.
    refused = any("do not come from this model" in w for w in read_warnings(gained.attrs))
    assert np.isnan(float(gained["joint"]["kl_posterior_prior"])) == refused == (share == 0.5)
    assert any(w.startswith("a: ") and "no density" in w for w in read_warnings(gained.attrs))


@cache
def _two_normals(seed):
    """a, b ~ Normal(0, 1), data on a + b: exact posterior draws, their covariance and mean."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Deterministic("total", a + b)
        pm.Normal("y", a + b, 0.5, observed=[1.0])
    covariance = np.linalg.inv(np.eye(2) + 4 * np.ones((2, 2)))
    mean = covariance @ [4.0, 4.0]
    draws = np.random.default_rng(seed).multivariate_normal(mean, covariance, size=(4, 1000))
    return model, _tree(a=draws[..., 0], b=draws[..., 1]), mean, covariance


def normal_kl(mean, variance, prior_variance):
    ratio = variance / prior_variance
    return 0.5 * (ratio + mean**2 / prior_variance - 1 - np.log(ratio))


def test_groups_and_deterministics():
    model, tree, mean, covariance = _two_normals(3)
    gained = mk.information_gain(
        model, tree, var_names=["a", "total"], groups={"both": ["a", "b"]}, reverse=True, random_seed=1
    )
    ones = np.ones(2)
    exact = {
        "a": (normal_kl(mean[0], covariance[0, 0], 1.0), normal_kl(mean[0] / 1, 1.0, covariance[0, 0])),
        "total": (normal_kl(ones @ mean, ones @ covariance @ ones, 2.0), None),
    }
    assert_within(
        float(gained["marginal"]["a"]), exact["a"][0], mcse=float(gained["marginal_mcse"]["a"]), mcse_below=0.011
    )
    assert_within(
        float(gained["marginal"]["total"]),
        exact["total"][0],
        mcse=float(gained["marginal_mcse"]["total"]),
        mcse_below=0.038,
    )
    reverse = float(gained["marginal_reverse"]["a"])
    assert_within(reverse, exact["a"][1], mcse=float(gained["marginal_reverse_mcse"]["a"]), mcse_below=0.038)
    joint = 0.5 * (np.trace(covariance) + mean @ mean - 2 - np.log(np.linalg.det(covariance)))
    group = gained["group"]
    assert_within(float(group["both"]), joint, mcse=float(group["both_mcse"]), mcse_below=0.016)
    # The group holds all parameters: its divergence, by another route, is the joint one.
    joint_mcse = float(gained["joint"]["kl_posterior_prior_mcse"])
    whole = float(gained["joint"]["kl_posterior_prior"])
    assert_within(float(group["both"]), whole, mcse=np.hypot(joint_mcse, float(group["both_mcse"])), mcse_below=0.1)


def test_autocorrelated_draws_have_a_larger_error_of_the_marginal():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=[1.0])
    independent = np.random.default_rng(4).normal(size=(4, 1000))
    chains = independent.copy()
    for t in range(1, 1000):
        chains[:, t] = 0.9 * chains[:, t - 1] + np.sqrt(1 - 0.9**2) * independent[:, t]
    errors = [
        float(mk.information_gain(model, _tree(mu=0.5 + np.sqrt(0.5) * z), random_seed=1)["marginal_mcse"]["mu"])
        for z in (independent, chains)
    ]
    # Squares of an autoregression have the autocorrelation 0.81: three times the error.
    assert 2 < errors[1] / errors[0] < 4.5


def test_multivariate_prior_has_normal_marginals():
    scale = np.array([[2.0, 0.6], [0.6, 1.0]])
    with pm.Model() as model:
        b = pm.MvNormal("b", np.zeros(2), cov=scale)
        pm.Normal("y", b, 1.0, observed=[1.0, -0.5])
    covariance = np.linalg.inv(np.linalg.inv(scale) + np.eye(2))
    mean = covariance @ [1.0, -0.5]
    draws = np.random.default_rng(2).multivariate_normal(mean, covariance, size=(4, 1000))
    gained = mk.information_gain(model, _tree(b=draws), random_seed=1)
    exact = normal_kl(mean, np.diag(covariance), np.diag(scale))
    error = np.abs(gained["marginal"]["b"].values - exact)
    assert np.all(error < 4 * gained["marginal_mcse"]["b"].values)


def test_a_prior_without_a_known_marginal_uses_draws():
    with pm.Model() as model:
        walk = pm.GaussianRandomWalk("walk", mu=0, sigma=1, init_dist=pm.Normal.dist(0, 1), shape=3)
        pm.Normal("y", walk, 1.0, observed=[0.5, 1.0, 1.5])
    prior = np.minimum.outer(np.arange(1, 4), np.arange(1, 4)).astype(float)
    covariance = np.linalg.inv(np.linalg.inv(prior) + np.eye(3))
    mean = covariance @ [0.5, 1.0, 1.5]
    draws = np.random.default_rng(2).multivariate_normal(mean, covariance, size=(4, 1000))
    gained = mk.information_gain(model, _tree(walk=draws), random_seed=1)
    exact = normal_kl(mean, np.diag(covariance), np.diag(prior))
    assert_within(
        gained["marginal"]["walk"].values, exact, mcse=gained["marginal_mcse"]["walk"].values, sigmas=5, mcse_below=0.03
    )
    assert any("not known in closed form" in w for w in read_warnings(gained.attrs))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma-poisson-12", "normal-inversegamma-10", "linear-regression-d3"])
def test_errors_cover(name):
    """95% intervals of every reported error cover in 90-99% of 200 replicates, those of the marginals up to always."""
    case = CASES[name]
    model = golden.conjugate(case)
    scores = {}
    for seed in range(200):
        for k, score in _scores(case, model, seed)[0].items():
            scores.setdefault(k, []).append(np.ravel(score))
    for k, values in scores.items():
        covered = np.mean(np.abs(values) < 1.96)
        print(f"{name} {k}: {covered:.1%}, largest {np.max(np.abs(values)):.2f}")
        assert 0.90 <= covered <= (0.995 if k in JOINT else 1.0), k


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma-poisson-12", "normal-known-6", "beta-bernoulli-13of20"])
def test_errors_of_bounded_divergences_cover(name):
    case = CASES[name]
    model, exact, scores = golden.conjugate(case), bounded(case), {}
    for seed in range(200):
        tree = posterior_tree(case, model, np.random.default_rng(seed))
        joint = mk.information_gain(model, tree, var_names=(), random_seed=seed)["joint"]
        for k, value in exact.items():
            scores.setdefault(k, []).append((float(joint[k]) - value) / float(joint[f"{k}_mcse"]))
    for k, values in scores.items():
        covered = np.mean(np.abs(values) < 1.96)
        print(f"{name} {k}: {covered:.1%}, largest {np.max(np.abs(values)):.2f}")
        assert 0.90 <= covered <= 0.995, k


def test_evidence_of_the_same_draws_shares_its_error_with_them():
    """The covariance of log Z and the mean log-likelihood counts only if both come from the same draws."""
    case = CASES["gamma-poisson-12"]
    model = golden.conjugate(case)
    trees = [posterior_tree(case, model, np.random.default_rng(seed)) for seed in (1, 2)]
    evidence = mk.log_evidence(model, trees[0], random_seed=3)
    alone = mk.Estimate(value=float(evidence), mcse=evidence.mcse, method="alone")
    errors = {}
    for name, tree, given in (("same", trees[0], evidence), ("alone", trees[0], alone), ("other", trees[1], evidence)):
        joint = mk.information_gain(model, tree, log_evidence=given, var_names=(), random_seed=4)["joint"]
        errors[name] = float(joint["kl_posterior_prior_mcse"])
        assert float(joint["log_evidence_mcse"]) == pytest.approx(evidence.mcse)
    assert errors["same"] != errors["alone"]
    assert errors["other"] == pytest.approx(errors["alone"], rel=0.2)


def test_potential_of_the_prior_is_part_of_it():
    """Normal(0, 1) times exp(-mu^2 / 2) is Normal(0, 1 / sqrt 2) times 1 / sqrt 2."""
    y = np.array([0.5, 1.5])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("tilt", -0.5 * mu**2)
        pm.Normal("y", mu, 1, observed=y)
    variance = 1 / (2 + 2)
    draws = np.random.default_rng(1).normal(variance * y.sum(), np.sqrt(variance), size=(4, 1000))
    gained = mk.information_gain(model, _tree(mu=draws), potentials="prior", random_seed=2)
    joint, exact = gained["joint"], normal_kl(variance * y.sum(), variance, 0.5)
    proper = stats.multivariate_normal(np.zeros(2), np.eye(2) + 0.5).logpdf(y)
    reverse = normal_kl(variance * y.sum(), 0.5, variance)
    for key, value, most in (
        ("log_prior_normalizer", -0.5 * np.log(2), 0.0065),
        ("log_evidence", proper - 0.5 * np.log(2), 0.0065),
        ("kl_posterior_prior", exact, 0.0065),
        ("kl_prior_posterior", reverse, 0.038),
    ):
        assert_within(float(joint[key]), value, mcse=float(joint[f"{key}_mcse"]), mcse_below=most)
        assert float(joint[f"{key}_mcse"]) > 0, key
    assert_within(float(gained["marginal"]["mu"]), exact, mcse=float(gained["marginal_mcse"]["mu"]), mcse_below=0.029)
    assert any("not normalised" in w for w in read_warnings(gained.attrs))


def test_potential_that_leaves_nothing_of_the_prior_is_refused():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("far", -0.5 * ((mu - 6) / 0.01) ** 2)
        pm.Normal("y", mu, 1, observed=[6.0])
    tree = _tree(mu=np.random.default_rng(1).normal(6, 0.01, size=(4, 500)))
    with pytest.raises(ValueError, match="far"):
        mk.information_gain(model, tree, potentials="prior", random_seed=2)


def test_ordered_prior_is_normalised():
    """Two normals in order have half the mass of two normals: the divergence from them is smaller by log 2."""
    y = np.array([-1.0, 1.0])
    with pm.Model() as model:
        transform = pm.distributions.transforms.ordered
        mu = pm.Normal("mu", 0, 2, shape=2, transform=transform, initval=np.array([-1.0, 1.0]))
        pm.Normal("y", mu, 0.2, observed=y)
    variance = 1 / (1 / 4 + 25)
    draws = np.sort(np.random.default_rng(1).normal(25 * variance * y, np.sqrt(variance), size=(4, 1000, 2)))
    joint = mk.information_gain(model, _tree(mu=draws), var_names=(), random_seed=2)["joint"]
    exact = normal_kl(25 * variance * y, variance, 4.0).sum() - np.log(2)
    evidence = stats.norm(0, np.sqrt(4 + 0.04)).logpdf(y).sum() + np.log(2)
    assert float(joint["log_prior_normalizer"]) == 0
    assert_within(float(joint["log_evidence"]), evidence, mcse=float(joint["log_evidence_mcse"]), mcse_below=0.01)
    assert_within(
        float(joint["kl_posterior_prior"]), exact, mcse=float(joint["kl_posterior_prior_mcse"]), mcse_below=0.0037
    )


def _regression_of(d, generator):
    """d coefficients with a normal posterior, and a rate with a gamma one: their divergences, and a maker of draws."""
    x = generator.normal(size=(2 * d, d))
    y = x @ generator.normal(size=d) * 0.3 + generator.normal(size=2 * d)
    with pm.Model() as model:
        b, rate = pm.Normal("b", 0, 0.5, shape=d), pm.Gamma("rate", 3, 3)
        pm.Normal("y", x @ b, 1.0, observed=y)
        pm.Poisson("c", rate, observed=[2, 0, 1])
    covariance = np.linalg.inv(x.T @ x + 4 * np.eye(d))
    mean = covariance @ x.T @ y
    of_b = 0.5 * (4 * np.trace(covariance) + 4 * mean @ mean - d - np.linalg.slogdet(4 * covariance)[1])
    of_rate = 3 * special.digamma(6) - special.gammaln(6) + special.gammaln(3) + 3 * np.log(2) - 3
    chol = np.linalg.cholesky(covariance)

    def draw(generator):
        b = mean + generator.normal(size=(4, 1000, d)) @ chol.T
        return _tree(b=b, rate=generator.gamma(6, 1 / 6, size=(4, 1000)))

    return model, draw, of_b, of_b + of_rate


def test_group_is_normal_after_a_check():
    model, draw, of_b, of_both = _regression_of(5, np.random.default_rng(5))
    groups = {"coefficients": ["b"], "everything": ["b", "rate"]}
    group = mk.information_gain(model, draw(np.random.default_rng(1)), var_names=(), groups=groups, random_seed=1)[
        "group"
    ]
    assert "normal (p =" in group.attrs["coefficients"]
    assert "neighbours" in group.attrs["everything"]
    for name, exact, most in (("coefficients", of_b, 0.03), ("everything", of_both, 0.038)):
        assert_within(float(group[name]), exact, mcse=float(group[f"{name}_mcse"]), mcse_below=most)


def test_a_group_with_a_random_parent_outside_uses_draws():
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 1)
        b = pm.Normal("b", 0, scale, shape=2)
        pm.Normal("y", b, 1, observed=[0.5, 1.0])
    generator = np.random.default_rng(1)
    scale = np.abs(generator.normal(size=(4, 100, 1))) + 0.3
    tree = _tree(scale=scale[..., 0], b=generator.normal(0.3, 0.7, size=(4, 100, 2)) * scale)
    groups = {"outside": ["b"], "inside": ["b", "scale"]}
    group = mk.information_gain(model, tree, var_names=(), groups=groups, random_seed=1)["group"]
    assert "exact log prior" not in group.attrs["outside"]
    assert "exact log prior" in group.attrs["inside"]


@pytest.mark.slow
def test_errors_of_a_normal_group_cover():
    model, draw, of_b, _ = _regression_of(10, np.random.default_rng(10))
    scores = []
    for seed in range(200):
        tree = draw(np.random.default_rng(seed))
        group = mk.information_gain(model, tree, var_names=(), groups={"b": ["b"]}, random_seed=seed)["group"]
        scores.append((float(group["b"]) - of_b) / float(group["b_mcse"]))
    covered = np.mean(np.abs(scores) < 1.96)
    print(f"group of ten coefficients: {covered:.1%}, largest {np.max(np.abs(scores)):.2f}")
    assert 0.90 <= covered <= 0.995


@pytest.mark.parametrize(("shift", "covered"), [(0.3, True), (8.0, False)])
def test_a_reverse_gain_needs_draws_of_the_posterior_where_the_prior_has_mass(shift, covered):
    generator = np.random.default_rng(1)
    posterior, prior = generator.normal(shift, 1.0, size=(4, 500, 1)), generator.normal(size=(2000, 1))
    gain = drawn_gain(posterior, prior, "a", generator, reverse=True)
    assert np.isfinite(gain.values[0]) == covered
    if covered:
        assert_within(gain.values[0], shift**2 / 2, mcse=gain.errors[0], mcse_below=0.04)
    else:
        assert gain.warnings[0].startswith("a: ")
