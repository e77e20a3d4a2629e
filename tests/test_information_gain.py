"""Divergences between prior and posterior against exact values of conjugate models."""

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from exact_draws import posterior_tree

import pp_mlekl as mk

CASES = golden.cases("conjugate.json")
JOINT = {
    "log_evidence": "log_evidence",
    "kl_posterior_prior": "kl_post_prior",
    "kl_prior_posterior": "kl_prior_post",
    "model_dimensionality": "bayesian_model_dimensionality",
}


def _scores(case, model, seed):
    tree = posterior_tree(case, model, np.random.default_rng(seed))
    gained = mk.information_gain(model, tree, random_seed=seed)
    joint = gained["joint"]
    scores = {k: (float(joint[k]) - case[exact]) / float(joint[f"{k}_mcse"]) for k, exact in JOINT.items()}
    for name, exact in case["marginal_kl_post_prior"].items():
        error = gained["marginal"][name].values - np.asarray(exact, dtype=float)
        scores[name] = error / gained["marginal_mcse"][name].values
    return scores, gained


@pytest.mark.parametrize("name", CASES)
def test_conjugate_models(name):
    case = CASES[name]
    scores, gained = _scores(case, golden.conjugate(case), 11)
    for quantity, score in scores.items():
        assert np.max(np.abs(score)) < 5, (quantity, score)
    assert abs(float(gained["joint"]["log_evidence"]) - case["log_evidence"]) < 0.03
    assert 0 <= float(gained["joint"]["jsd"]) <= np.log(2)


def test_gap_is_joint_less_marginals():
    case = CASES["linear-regression-d3"]
    _, gained = _scores(case, golden.conjugate(case), 3)
    joint = gained["joint"]
    gap, error = float(joint["dependence_gap"]), float(joint["dependence_gap_mcse"])
    assert abs(gap + case["sum_marginals_minus_joint"]) < 4 * error


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


def test_infinite_is_said():
    """-log L has no mean under the prior: 1 / sigma^2 has none under a half-normal."""
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", 0, sigma, observed=[0.5, -1.0, 2.0])
    tree = mk.laplace(model, draws=2000, random_seed=1).tree
    gained = mk.information_gain(model, tree, random_seed=1)
    assert float(gained["joint"]["kl_prior_posterior"]) == np.inf
    assert "infinite" in " ".join(gained.attrs["warnings"])


def test_impossible_prior_region_is_infinite():
    with pm.Model() as model:
        top = pm.Uniform("top", 0, 10)
        pm.Uniform("y", 0, top, observed=[1.0, 4.0])
    draws = 4.0 / (1 - np.random.default_rng(2).uniform(size=(4, 1000)) * 0.6)
    joint = mk.information_gain(model, _tree(top=draws), random_seed=1)["joint"]
    assert float(joint["kl_prior_posterior"]) == np.inf


def _tree(**arrays):
    return xr.DataTree.from_dict(
        {"posterior": xr.Dataset({name: (("chain", "draw"), a) for name, a in arrays.items()})}
    )


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
    with pytest.raises(ValueError, match="no free variable"):
        mk.information_gain(model, tree, var_names=["nope"])
    with pytest.raises(ValueError, match="too few"):
        mk.log_evidence(model, posterior_tree(case, model, np.random.default_rng(0), draws=10))
    with pytest.raises(ValueError, match='"bridge", "smc" or "laplace"'):
        mk.log_evidence(model, tree, method="guess")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma-poisson-12", "normal-inversegamma-10", "linear-regression-d3"])
def test_errors_cover(name):
    """95% intervals of every reported error cover in 90-99% of 200 replicates."""
    case = CASES[name]
    model = golden.conjugate(case)
    scores = {k: [] for k in JOINT}
    for seed in range(200):
        for k, score in _scores(case, model, seed)[0].items():
            if k in scores:
                scores[k].append(score)
    for k, values in scores.items():
        covered = np.mean(np.abs(values) < 1.96)
        print(f"{name} {k}: {covered:.1%}, largest {np.max(np.abs(values)):.2f}")
        assert 0.90 <= covered <= 0.995, k
