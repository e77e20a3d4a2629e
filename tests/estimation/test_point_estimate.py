"""A point estimate keeps its model, and its methods give what the functions give."""

import copy
import pickle

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pp_mlekl as mk


@pytest.fixture(scope="module")
def model() -> pm.Model:
    y = np.random.default_rng(1).normal(1.0, 2.0, 40)
    with pm.Model(coords={"row": np.arange(40)}) as model:
        mu = pm.Normal("mu", 0.0, 10.0)
        sigma = pm.HalfNormal("sigma", 5.0)
        shares = pm.Dirichlet("shares", np.ones(3))
        pm.Deterministic("ratio", mu / sigma)
        pm.Normal("y", mu, sigma, observed=y, dims="row")
        pm.Categorical("kind", shares, observed=[0] * 5 + [1] * 10 + [2] * 15)
    return model


@pytest.fixture(scope="module")
def mle(model):
    return mk.find_mle(model, random_seed=1)


def test_methods_are_the_functions(model, mle):
    assert mle.model is model
    assert mle.sandwich().equals(mk.sandwich(model, mle))
    assert mle.interval(ci_prob=0.8).equals(mk.wald_interval(model, mle, ci_prob=0.8))
    assert mle.interval("sandwich", ci_prob=0.8).equals(mk.sandwich_interval(model, mle, ci_prob=0.8))
    assert mle.profile("sigma").interval.equals(mk.profile(model, mle, var_names=["sigma"]).interval)
    assert mle.delta_method("ratio").summary().equals(mk.delta_method(model, mle, var_names=["ratio"]).summary())
    draws = mle.bootstrap(kind="parametric", replicates=20, random_seed=1).draws
    assert draws.equals(mk.bootstrap(model, mle, kind="parametric", replicates=20, random_seed=1).draws)
    cases = mk.bootstrap(model, mle, random_seed=1).interval(ci_prob=0.8)
    assert mle.interval("bootstrap", ci_prob=0.8, random_seed=1).equals(cases)


def test_profile_interval_on_own_dims(model, mle):
    found = mle.interval("profile", ci_prob=0.8)
    exact = mk.profile(model, mle, ci_prob=0.8).interval
    for name in ("mu", "sigma"):
        np.testing.assert_allclose(found[name].values, exact.sel(parameter=name).values, rtol=1e-9)
    # A simplex has no coordinate of its own for each element.
    assert np.isnan(found["shares"]).all()
    assert found["bound"].values.tolist() == ["lower", "upper"]


@pytest.mark.parametrize(
    ("arguments", "named"), [({"method": "hpd"}, "hpd"), ({"ci_prob": 95}, "95"), ({"ci_prob": 1.0}, "1.0")]
)
def test_interval_refuses(mle, arguments, named):
    with pytest.raises(ValueError, match=named):
        mle.interval(**arguments)


def test_use_of_potentials_stays_with_the_estimate():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=[0.4, 1.2, 0.9, 1.5])
        pm.Potential("soft", -0.5 * (mu - 3.0) ** 2)
    estimate = mk.find_mle(model, potentials="likelihood", random_seed=1)
    function = mk.profile(model, estimate, potentials="likelihood").interval
    assert estimate.profile().interval.equals(function)


def test_copies_keep_the_model_and_pickles_leave_it(model, mle):
    for other in (copy.copy(mle), copy.deepcopy(mle)):
        assert other.model is model
        assert other.sandwich().equals(mle.sandwich())
    stored = pickle.dumps(mle)
    assert len(stored) < 50_000
    other = pickle.loads(stored)
    assert other.model is None
    assert other.summary().equals(mle.summary())
    assert mk.sandwich(model, other).equals(mle.sandwich())
    with pytest.raises(ValueError, match=r"mk\.profile\(model, estimate\)"):
        other.sandwich()


def test_laplace_stands_on_an_estimate(model):
    mode = mk.find_map(model, space="unconstrained", random_seed=1)
    approximation = mk.laplace(model, mode)
    assert approximation.mode is mode
    assert isinstance(mk.laplace(model, space="natural", random_seed=1).mode, mk.PointEstimate)
    again = pickle.loads(pickle.dumps(approximation))
    assert again.mode.model is again.functions.model
    assert again.log_normalizer() == approximation.log_normalizer()
    with pytest.raises(ValueError, match="natural"):
        mk.laplace(model, mode, space="natural")


def test_information_criteria_count_free_coordinates_and_terms(mle):
    y = np.random.default_rng(1).normal(1.0, 2.0, 40)
    counts = np.array([5, 10, 15])
    log_likelihood = stats.norm.logpdf(y, y.mean(), y.std()).sum() + counts @ np.log(counts / 30)
    assert mle.log_likelihood == pytest.approx(log_likelihood, rel=1e-9)
    # mu, sigma and two of three shares; forty rows of y and thirty of kind.
    assert mle.aic == pytest.approx(2 * 4 - 2 * log_likelihood, rel=1e-9)
    assert mle.bic == pytest.approx(4 * np.log(70) - 2 * log_likelihood, rel=1e-9)


def test_the_local_maximum_beside_an_unbounded_density():
    # A lognormal peak at s = 1, and a density in log(s) that passes its height at exp(-12).
    with pm.Model() as model:
        log = pm.math.log(pm.HalfFlat("s"))
        pm.Potential("p", pm.math.log(pm.math.exp(-log - 12) + pm.math.exp(-(log**2) / 2)))
        pm.Normal("y", 0, 1, observed=[0.0])
    estimate = mk.find_map(model, potentials="prior", random_seed=1)
    assert estimate.status == "unbounded"
    assert np.isnan(estimate.values["s"])
    local = estimate.local_maximum
    assert local.status == "converged"
    assert local.local_maximum is None
    assert float(local.values["s"]) == pytest.approx(1.0, abs=1e-4)
    assert float(local.standard_error["s"]) == pytest.approx(1.0, abs=1e-4)
    # That it is no more than a local one is said.
    assert any("grows without limit" in warning for warning in local.warnings)
    restored = pickle.loads(pickle.dumps(estimate))
    assert restored.local_maximum.model is None
    assert copy.deepcopy(estimate).local_maximum.model is model
