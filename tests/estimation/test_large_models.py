"""Models of many parameters: Hessian-vector products find what whole Hessians find, in memory that grows with d alone."""

import tracemalloc

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import linalg

from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.optimize import objective


def poisson_groups(groups):
    """A hyperparameter that all others touch: the Hessian is an arrow."""
    rng = np.random.default_rng(1)
    place = np.repeat(np.arange(groups), 4)
    counts = rng.poisson(np.exp(0.5 + 0.6 * rng.normal(size=groups))[place])
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 2), pm.HalfNormal("tau", 1)
        u = pm.Normal("u", 0, 1, shape=groups)
        pm.Poisson("y", pt.exp(mu + tau * u[place]), observed=counts)
    return model


def logistic(coefficients, rows):
    """A Hessian without zeros."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(rows, coefficients))
    y = rng.random(rows) < 1 / (1 + np.exp(-x @ rng.normal(size=coefficients) / np.sqrt(coefficients)))
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1, shape=coefficients)
        pm.Bernoulli("y", logit_p=pm.math.dot(x, b), observed=y.astype(int))
    return model


def sum_of_two(size):
    rng = np.random.default_rng(3)
    with pm.Model() as model:
        a, s, t = pm.Normal("a", 0, 1, shape=size - 2), pm.Normal("s", 0, 1), pm.Normal("t", 0, 1)
        pm.Normal("y", a[:, None], 1, observed=rng.normal(size=(size - 2, 3)))
        pm.Normal("w", s + t, 1, observed=[1.0, 2.0])
    return model


def rates_with_a_zero(size):
    counts = np.random.default_rng(4).poisson(3, size=(size, 5)) + 1
    counts[7] = 0
    with pm.Model() as model:
        pm.Poisson("y", pm.Gamma("rate", 2, 1, shape=size)[:, None], observed=counts)
    return model


def product_of_two(size):
    rng = np.random.default_rng(5)
    with pm.Model() as model:
        w, x = pm.Normal("w", 0, 1), pm.Normal("x", 0, 1, shape=size - 1)
        pm.Normal("y", w * x, 0.1, observed=0.5 + 0.1 * rng.normal(size=size - 1))
    return model


def centred(size):
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
        theta = pm.Normal("theta", mu, tau, shape=size - 2)
        pm.Normal("y", theta, 1, observed=np.random.default_rng(6).normal(size=size - 2))
    return model


def by_products(monkeypatch, find, model, **options):
    monkeypatch.setattr(objective, "LARGE", 20)
    return find(model, random_seed=1, **options)


@pytest.mark.parametrize(
    ("model", "space"),
    [
        pytest.param(poisson_groups(40), "unconstrained", marks=pytest.mark.slow),
        (logistic(30, 200), "natural"),
        (rates_with_a_zero(30), "unconstrained"),
    ],
)
def test_both_ways_agree(monkeypatch, model, space):
    whole = find_map(model, space=space, random_seed=1)
    products = by_products(monkeypatch, find_map, model, space=space)
    assert whole.status == products.status == "converged"
    assert not products.warnings
    assert products.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(products.flat, whole.flat, rtol=1e-9, atol=1e-9)
    for name in whole.standard_error:
        np.testing.assert_allclose(products.standard_error[name], whole.standard_error[name], rtol=1e-9)
    assert products.audit.rank == products.audit.size == len(whole.flat)
    assert np.isnan(products.covariance.values).all()


@pytest.mark.parametrize(
    ("build", "find", "status", "words"),
    [
        (sum_of_two, find_mle, "not_identified", "s + t is identified"),
        (rates_with_a_zero, find_mle, "boundary", r"rate[7] = 0"),
        pytest.param(centred, find_map, "unbounded", "tau -> 0", marks=pytest.mark.slow),
    ],
)
def test_verdicts_by_products(monkeypatch, build, find, status, words):
    estimate = by_products(monkeypatch, find, build(30))
    assert estimate.status == status
    assert words in estimate.warnings[0]
    assert all(np.isnan(error).all() for error in estimate.standard_error.values())


@pytest.mark.slow
def test_saddle_is_left(monkeypatch):
    """The initial point is a saddle at which the gradient vanishes; two maxima differ by the sign of all parameters."""
    model = product_of_two(30)
    whole = find_map(model, random_seed=1)
    for starts in (1, 10):
        estimate = by_products(monkeypatch, find_map, model, starts=starts)
        assert estimate.status == "multimodal"
        assert "2 maxima" in estimate.warnings[0]
        assert estimate.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-9)


@pytest.mark.slow
def test_standard_errors_of_chosen_variables(monkeypatch):
    model = poisson_groups(40)
    whole = find_map(model, random_seed=1)
    estimate = by_products(monkeypatch, find_map, model, standard_errors=["mu"])
    np.testing.assert_allclose(estimate.standard_error["mu"], whole.standard_error["mu"], rtol=1e-9)
    assert np.isnan(estimate.standard_error["u"]).all()
    assert np.isfinite(estimate.covariance.values).sum() == 1
    with pytest.raises(ValueError, match="standard_errors must be among mu, tau, u"):
        find_map(model, standard_errors=["nu"])


@pytest.mark.parametrize(
    ("model", "names"), [(poisson_groups(40), ["tau", "u"]), (logistic(30, 200), ["b"])], ids=["sparse", "dense"]
)
def test_covariance_of_chosen_variables(monkeypatch, model, names):
    whole = find_map(model, random_seed=1).covariance
    covariance = by_products(monkeypatch, find_map, model, standard_errors=names).covariance
    assert covariance.shape == whole.shape
    chosen = [label for label in whole["parameter"].values if label.split("[")[0] in names]
    block = {"parameter": chosen, "parameter_": chosen}
    np.testing.assert_allclose(covariance.sel(block), whole.sel(block), rtol=1e-7, atol=1e-9 * float(abs(whole).max()))
    assert np.isfinite(covariance.values).sum() == len(chosen) ** 2
    others = np.setdiff1d(whole["parameter"].values, chosen)
    assert np.isnan(covariance.sel(parameter=others)).all()


@pytest.mark.slow
def test_shallow_side_is_told_of(monkeypatch):
    """Beside many others a small variance, on whose other side the likelihood hardly falls."""
    generator = np.random.default_rng(1)
    y = 1 + generator.normal(0, 0.8, (8, 1)) + generator.normal(0, 1, (8, 4))
    with pm.Model() as model:
        mu, tau, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
        pm.Normal("mean", mu, pm.math.sqrt(tau**2 + sigma**2 / 4), observed=y.mean(axis=1))
        pm.Normal("contrasts", 0, sigma, observed=y @ linalg.helmert(4).T)
        pm.Normal("w", pm.Normal("a", 0, 1, shape=27)[:, None], 1, observed=generator.normal(size=(27, 3)))
    whole = find_mle(model, random_seed=1)
    products = by_products(monkeypatch, find_mle, model)
    for estimate in (whole, products):
        assert estimate.status == "converged"
        assert "hardly falls as log(tau)" in estimate.warnings[0]
    for name in whole.standard_error:
        np.testing.assert_allclose(products.standard_error[name], whole.standard_error[name], rtol=1e-7)


def test_dear_standard_errors_are_refused_with_a_remedy():
    with pm.Model() as model:
        common, b = pm.Normal("common", 0, 1), pm.Normal("b", 0, 1, shape=1100)
        x = np.random.default_rng(7).normal(size=(40, 1100))
        pm.Normal("y", common + pm.math.dot(x, b) / 30, 1, observed=np.random.default_rng(8).normal(size=40))
    estimate = find_map(model, random_seed=1, starts=1)
    assert estimate.status == "converged"
    assert "standard_errors=[...]" in estimate.warnings[0]
    design = np.c_[np.ones(40), x / 30]
    exact = np.linalg.inv(design.T @ design + np.eye(1101))
    asked = find_map(model, random_seed=1, starts=1, standard_errors=["common"])
    assert float(asked.standard_error["common"]) == pytest.approx(np.sqrt(exact[0, 0]), rel=1e-9)
    assert not asked.warnings


@pytest.mark.slow
def test_memory_does_not_grow_with_the_square():
    """From 1,250 to 5,000 parameters: a single whole Hessian would take 200 MB in the end, sixteen times as much."""
    peaks = {}
    for size in (1250, 2500, 5000):
        model = poisson_groups(size - 2)
        tracemalloc.start()
        estimate = find_map(model, space="unconstrained", random_seed=1)
        peaks[size] = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        assert estimate.status == "converged"
        assert not any(np.isnan(error).any() for error in estimate.standard_error.values())
    print({size: f"{peak:.0f} MB" for size, peak in peaks.items()})
    assert peaks[5000] < 150
    assert peaks[5000] < 5 * peaks[1250]
