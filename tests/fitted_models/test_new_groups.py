"""New groups: against the closed form of a normal hierarchy, and the same for both parametrisations."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SD = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


@pytest.fixture(scope="module")
def centred():
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, SD, observed=Y)
    return model


@pytest.fixture(scope="module")
def noncentred():
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, shape=8)
        pm.Normal("y", mu + tau * eta, SD, observed=Y)
    return model


def hyperparameters(seed=1, draws=1000):
    generator = np.random.default_rng(seed)
    return generator.normal(6, 3, size=(4, draws)), np.exp(generator.normal(1.5, 0.5, size=(4, draws)))


def tree_of(name, effects, mu, tau):
    dims = ("chain", "draw")
    return xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"mu": (dims, mu), "tau": (dims, tau), name: ((*dims, "group"), effects)})}
    )


def normal_kl(m1, v1, m2, v2):
    return 0.5 * (np.log(v2 / v1) + (v1 + (m1 - m2) ** 2) / v2 - 1)


def test_a_plug_in_of_new_groups_against_the_closed_form(noncentred):
    estimate = find_mle(noncentred, marginalize=["eta"], random_seed=1)
    mu, tau = 4.0, 5.0
    result = fitted_divergence(
        noncentred,
        {"mu": mu, "tau": tau, "eta": np.zeros(8)},
        estimates={"mle": estimate},
        estimators=["mle"],
        new_groups=["eta"],
        random_seed=1,
    )
    fitted = estimate.values["mu"].item(), estimate.values["tau"].item()
    exact = normal_kl(mu, tau**2 + SD**2, fitted[0], fitted[1] ** 2 + SD**2)
    assert_within(result["kl"].item(), exact.sum(), mcse=result["kl_mcse"].item(), sigmas=4.5, mcse_below=0.0105)
    errors = result["kl_pointwise_mcse"].values[0]
    assert np.all(np.abs(result["kl_pointwise"].values[0] - exact) < 4.5 * errors)
    assert "new groups (eta" in result.attrs["scope"]
    assert np.isnan(result["kl_theory"]).all()


def test_the_predictive_of_new_groups_is_the_same_in_both_parametrisations(centred, noncentred):
    mu, tau = hyperparameters(draws=250)
    effects = np.random.default_rng(2).normal(size=(*mu.shape, 8))
    found = [
        fitted_divergence(
            model,
            {"mu": 4.0, "tau": 5.0, name: np.zeros(8)},
            idata=tree_of(name, values, mu, tau),
            estimators=["posterior_predictive"],
            new_groups=name,
            random_seed=1,
        )
        for model, name, values in (
            (noncentred, "eta", effects),
            (centred, "theta", mu[..., None] + tau[..., None] * effects),
        )
    ]
    kl, error = [r["kl"].item() for r in found], [r["kl_mcse"].item() for r in found]
    assert abs(kl[0] - kl[1]) < 4.5 * np.hypot(*error)
    # The exact mixture over the hyperparameters, whose group effects are integrated out in closed form.
    spread = np.sqrt(tau.ravel()[:, None] ** 2 + SD**2)
    x = np.linspace(-300, 300, 1201)[:, None, None]
    q = np.mean(np.exp(-0.5 * ((x - mu.ravel()[:, None]) / spread) ** 2) / spread, axis=1) / np.sqrt(2 * np.pi)
    true_spread = np.sqrt(25 + SD**2)
    p = np.exp(-0.5 * ((x[:, 0] - 4.0) / true_spread) ** 2) / true_spread / np.sqrt(2 * np.pi)
    exact = np.sum(p * np.log(p / q), axis=0).sum() * 0.5
    for value, mcse in zip(kl, error, strict=True):
        assert_within(value, exact, mcse=mcse, sigmas=4.5, mcse_below=0.0133)


def test_a_joint_likelihood_without_hyperparameters_has_no_new_groups(centred):
    estimate = find_mle(centred, random_seed=1)
    result = fitted_divergence(
        centred,
        {"mu": 4.0, "tau": 5.0, "theta": np.zeros(8)},
        estimates={"mle": estimate},
        estimators=["mle"],
        new_groups=["theta"],
        random_seed=1,
    )
    assert np.isnan(result["kl"].item())
    assert "does not contain mu, tau" in result.attrs["warnings"]


def test_held_out_draws_are_scored_by_new_groups(noncentred):
    mu, tau = hyperparameters()
    tree = tree_of("eta", np.full((*mu.shape, 8), 2.0), mu, tau)
    held_out = np.random.default_rng(3).normal(4.0, np.sqrt(25 + SD**2), size=(400, 8))
    same, new = (
        fitted_divergence(
            noncentred, held_out, idata=tree, estimators=["posterior_predictive"], new_groups=g, random_seed=1
        )["log_score"].item()
        for g in ((), ("eta",))
    )
    spread = np.sqrt(tau.ravel() ** 2 + SD[:, None, None] ** 2)
    log_q = -0.5 * ((held_out.T[..., None] - mu.ravel()) / spread) ** 2 - np.log(spread * np.sqrt(2 * np.pi))
    exact = np.logaddexp.reduce(log_q, axis=-1).sum() / 400 - 8 * np.log(mu.size)
    assert abs(new - exact) < 0.05
    assert abs(same - exact) > 0.5


def test_names_that_are_not_free_variables_are_refused(centred):
    with pytest.raises(ValueError, match="'nu'; the free variables are mu, tau, theta"):
        fitted_divergence(centred, {"mu": 4.0, "tau": 5.0, "theta": np.zeros(8)}, new_groups="nu")
