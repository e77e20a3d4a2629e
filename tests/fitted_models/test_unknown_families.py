"""Observed variables of families that the engine does not know: Monte Carlo against closed forms."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.pseudo_true.find_pseudo_true import pseudo_true
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence

Y = np.random.default_rng(2).normal(1.0, 1.5, size=20)


def custom_model(y=Y, random=True):
    def log_density(value, mu):
        return pm.logp(pm.Normal.dist(mu, 1.0), value)

    def draw(mu, rng=None, size=None):
        return rng.normal(mu, 1.0, size=size)

    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        pm.CustomDist("y", mu, logp=log_density, random=draw if random else None, observed=y)
    return model


@pytest.fixture(scope="module")
def model():
    return custom_model()


@pytest.fixture(scope="module")
def mle(model):
    return find_mle(model, random_seed=1)


def draws_of_mu(draws=250, seed=5):
    values = np.random.default_rng(seed).normal(Y.mean(), 0.4, size=(4, draws))
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), values)})})


def test_plug_in_and_predictive_against_the_closed_form(model, mle):
    result = fitted_divergence(
        model,
        {"mu": 1.0},
        idata=draws_of_mu(),
        estimates={"mle": mle},
        estimators=["mle", "posterior_predictive"],
        random_seed=1,
    )
    shift = Y.mean() - 1.0
    exact = {
        "mle": 10 * shift**2,
        "posterior_predictive": 10 * (np.log(1.16) + (1 + shift**2) / 1.16 - 1),
    }
    for (name, value), most in zip(exact.items(), (0.0078, 0.039), strict=True):
        found = result.sel(estimator=name)
        assert_within(found["kl"].item(), value, mcse=found["kl_mcse"].item(), sigmas=4.5, mcse_below=most)
    reverse = result.sel(estimator="mle")
    assert_within(
        reverse["kl_reverse"].item(),
        exact["mle"],
        mcse=reverse["kl_reverse_mcse"].item(),
        sigmas=4.5,
        mcse_below=0.0078,
    )
    assert 0 < reverse["jsd"].item() < np.log(2)
    assert np.isnan(result["wasserstein"]).all()


@pytest.mark.slow
def test_the_error_of_the_sampled_divergence_covers(model, mle):
    exact = 10 * (Y.mean() - 1.0) ** 2
    z = []
    for seed in range(100):
        result = fitted_divergence(model, {"mu": 1.0}, estimates={"mle": mle}, estimators=["mle"], random_seed=seed)
        z.append([(result[k].item() - exact) / result[f"{k}_mcse"].item() for k in ("kl", "kl_reverse")])
    covered = np.mean(np.abs(z) < 1.96, axis=0)
    assert np.all(covered > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 100))


def test_a_truth_of_a_known_family_and_a_model_of_another(model, mle):
    result = fitted_divergence(
        model, pm.Normal.dist(0.5, 1.0), estimates={"mle": mle}, estimators=["mle"], random_seed=1
    )
    assert_within(
        result["kl"].item(), 10 * (Y.mean() - 0.5) ** 2, mcse=result["kl_mcse"].item(), sigmas=4.5, mcse_below=0.045
    )
    assert abs(result["kl_theory"].item() - 0.5) < 4.5 * 0.02
    fixed = pm.do(custom_model(), {"mu": np.array(0.5)})
    other = fitted_divergence(model, fixed, estimates={"mle": mle}, estimators=["mle"], random_seed=1)
    assert_within(
        other["kl"].item(), 10 * (Y.mean() - 0.5) ** 2, mcse=other["kl_mcse"].item(), sigmas=4.5, mcse_below=0.045
    )
    with pm.Model() as normal:
        mu = pm.Normal("mu", 0, 5)
        pm.Normal("y", mu, 1.0, observed=Y)
    third = fitted_divergence(normal, fixed, estimates={"mle": mle}, estimators=["mle"], random_seed=1)
    assert_within(
        third["kl"].item(), 10 * (Y.mean() - 0.5) ** 2, mcse=third["kl_mcse"].item(), sigmas=4.5, mcse_below=0.045
    )


@pytest.mark.slow
def test_a_random_walk_is_one_joint_density():
    y = np.cumsum(np.random.default_rng(3).normal(0, 0.6, size=20))
    with pm.Model() as walk:
        sigma = pm.HalfNormal("sigma", 1)
        pm.GaussianRandomWalk("y", sigma=sigma, init_dist=pm.Normal.dist(0, 1), observed=y)
    mle = find_mle(walk, random_seed=1)
    result = fitted_divergence(walk, {"sigma": 0.5}, estimates={"mle": mle}, estimators=["mle"], random_seed=1)
    s = np.sqrt(np.mean(np.diff(y) ** 2))
    exact = 19 * (np.log(s / 0.5) + 0.125 / s**2 - 0.5)
    assert result["kl_pointwise"].shape == (1,)
    assert_within(result["kl"].item(), exact, mcse=result["kl_mcse"].item(), sigmas=4.5, mcse_below=0.15)
    star = pseudo_true(walk, {"sigma": 0.5}, random_seed=1)
    assert star.values["sigma"].item() == pytest.approx(0.5)
    assert star.kl_min == pytest.approx(0.0, abs=1e-12)


def test_without_a_random_function_the_reverse_is_not_given():
    model = custom_model(random=False)
    with pytest.raises(ValueError, match="PyMC cannot draw 'y'"):
        fitted_divergence(model, {"mu": 1.0}, estimators=["mle"], random_seed=1)
    result = fitted_divergence(model, pm.Normal.dist(0.5, 1.0), estimators=["mle"], random_seed=1)
    assert_within(
        result["kl"].item(), 10 * (Y.mean() - 0.5) ** 2, mcse=result["kl_mcse"].item(), sigmas=4.5, mcse_below=0.045
    )
    assert np.isnan(result["kl_reverse"]).all()
    assert "kl_reverse and jsd" in result.attrs["warnings"]


def test_heavy_tailed_log_ratios_give_a_warning(model, mle):
    # E[(log ratio)^2] is infinite: squares of a Student t with three degrees of freedom.
    result = fitted_divergence(
        model, pm.StudentT.dist(nu=2.2, mu=0, sigma=1), estimates={"mle": mle}, estimators=["mle"], random_seed=1
    )
    assert "heavy tail" in result.attrs["warnings"]
