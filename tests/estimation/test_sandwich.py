"""Sandwich standard errors and intervals of fitted models."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pp_mlekl.estimation.bootstrap import bootstrap
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.sandwich import sandwich, sandwich_interval

Y = np.random.default_rng(1).standard_t(5, size=120)


@pytest.fixture(scope="module")
def model():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=Y)
    return model


@pytest.fixture(scope="module")
def mle(model):
    return find_mle(model, random_seed=1)


def test_errors_and_intervals_of_a_normal_fit(model, mle):
    error, interval = sandwich(model, mle), sandwich_interval(model, mle, ci_prob=0.9)
    s, u = Y.std(), (Y - Y.mean()) / Y.std()
    influence = {"mu": s * u / 120, "sigma": s * (u**2 - 1) / 240}
    for name, terms in influence.items():
        square = terms**2
        freedom = 2 * np.sum(square) ** 2 / np.sum((square - square.mean()) ** 2)
        assert error[name].item() == pytest.approx(np.sqrt(square.sum()), rel=1e-6)
        half = stats.t.ppf(0.95, freedom) * np.sqrt(square.sum())
        value = mle.values[name].item()
        # A scale's interval is symmetric in its logarithm.
        ends = [value - half, value + half] if name == "mu" else [value * np.exp(k * half / value) for k in (-1, 1)]
        assert interval[name].values == pytest.approx(ends, rel=1e-6)
    assert interval["bound"].values.tolist() == ["lower", "upper"]


def test_probabilities_have_intervals_on_their_own_scale():
    with pm.Model() as model:
        pm.Categorical("y", pm.Dirichlet("p", np.ones(3)), observed=[0] * 20 + [1] * 12 + [2] * 8)
    mle = find_mle(model, random_seed=1)
    error, interval = sandwich(model, mle), sandwich_interval(model, mle)
    np.testing.assert_allclose(error["p"], np.sqrt(np.array([0.25, 0.21, 0.16]) / 40), rtol=1e-6)
    np.testing.assert_allclose(interval["p"].mean("bound"), mle.values["p"])
    assert np.all(np.diff(interval["p"], axis=0) > 2 * 1.9599 * error["p"].values)


def test_wrong_use_is_named(model, mle):
    with pytest.raises(ValueError, match="pass one by find_mle"):
        sandwich_interval(model, find_map(model, random_seed=1))
    with pytest.raises(ValueError, match="between 0 and 1"):
        sandwich_interval(model, mle, ci_prob=95)


def series():
    """A moving average of which the likelihood is one multivariate normal density."""
    n = 30
    e = np.random.default_rng(18).normal(size=n + 1)
    with pm.Model() as model:
        theta, s = pm.Uniform("theta", -1, 1), pm.HalfNormal("s", 3)
        band = (1 + theta**2) * np.eye(n) + theta * (np.eye(n, k=1) + np.eye(n, k=-1))
        pm.MvNormal("y", np.zeros(n), cov=s**2 * band, observed=e[1:] + 0.5 * e[:-1])
    return model


@pytest.mark.slow
def test_one_term_has_no_sandwich_and_no_cases_to_resample():
    model = series()
    best = find_mle(model, random_seed=1)
    functions = (sandwich, sandwich_interval, lambda m, e: bootstrap(m, estimate=e, replicates=5))
    for function in functions:
        with pytest.raises(ValueError, match=r"there is 1 for 2.*bootstrap\(kind='parametric'\)"):
            function(model, best)
    drawn = bootstrap(model, estimate=best, kind="parametric", replicates=100, random_seed=1)
    assert float(drawn.standard_error["s"]) == pytest.approx(float(best.standard_error["s"]), rel=0.3)


def test_a_group_of_one_observation_is_named():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10, shape=2)
        pm.Normal("y", mu[[0, 0, 0, 0, 1]], 1.0, observed=[0.5, 1.5, 0.9, 2.0, 3.0])
    best = find_mle(model, random_seed=1)
    with pytest.raises(ValueError, match=r"error of mu\[1\] would be 0"):
        sandwich(model, best)


def test_as_many_terms_as_parameters_are_too_few():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=[0.5, 1.5])
    with pytest.raises(ValueError, match="there are 2 for 2"):
        sandwich(model, find_mle(model, random_seed=1))
