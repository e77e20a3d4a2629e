"""Prior draws of families that PyMC writes as functions of others, all in one call."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.prior_sampler import PriorSampler

N = 4000


@pytest.fixture(scope="module")
def drawn():
    with pm.Model() as model:
        s = pm.HalfCauchy("s", 5.0)
        t = pm.HalfStudentT("t", nu=3, sigma=2.0, shape=3)
        k = pm.Kumaraswamy("k", np.array([2.0, 3.0]), 4.0)
        e = pm.ExGaussian("e", mu=s, sigma=1.0, nu=2.0)
        h = pm.HalfCauchy("h", t, shape=(2, 3))
        a = pm.AsymmetricLaplace("a", kappa=2.0, mu=1.0, b=s)
        pm.Normal("y", e + h.sum() + a + k.sum(), 1, observed=1.0)
    functions = model_functions(model)
    return functions, functions.natural(functions.prior_draws(N, np.random.default_rng(2)))


def test_draws_follow_their_distributions(drawn):
    _, x = drawn
    half_t = stats.t(3, scale=2)
    p_values = [
        stats.kstest(x["s"], stats.halfcauchy(scale=5).cdf).pvalue,
        *(stats.kstest(x["t"][:, j], lambda v: 2 * half_t.cdf(v) - 1).pvalue for j in range(3)),
        *(stats.kstest(x["k"][:, j], lambda v, a=a: 1 - (1 - v**a) ** 4).pvalue for j, a in enumerate((2, 3))),
        stats.kstest(x["e"] - x["s"], stats.exponnorm(2, 0, 1).cdf).pvalue,
        *(stats.kstest((x["h"] / x["t"][:, None])[:, i, j], stats.halfcauchy.cdf).pvalue for i, j in np.ndindex(2, 3)),
        stats.kstest((x["a"] - 1) * x["s"], stats.laplace_asymmetric(2.0).cdf).pvalue,
    ]
    assert min(p_values) > 0.001


def test_elements_are_drawn_apart(drawn):
    _, x = drawn
    ratios = (x["h"] / x["t"][:, None]).reshape(N, -1)
    correlation = np.corrcoef(stats.rankdata(ratios, axis=0).T)
    assert np.abs(correlation - np.eye(6)).max() < 5 / np.sqrt(N)


def test_one_call_makes_all_draws(drawn):
    functions, _ = drawn
    sampler = PriorSampler(functions.model.free_RVs, [v.shape for v in functions.free], {})
    sampler.draw(2, np.random.default_rng(1))
    made, calls = sampler._function, []

    def counted(*arguments):
        calls.append(1)
        return made(*arguments)

    sampler._function = counted
    sampler.draw(50, np.random.default_rng(1))
    assert len(calls) == 1


def test_distributions_without_batches_are_drawn_one_by_one():
    neighbours = np.eye(4, k=1) + np.eye(4, k=-1)
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 1)
        alpha = pm.Beta("alpha", 2, 2)
        pm.CAR("u", mu=np.zeros(4), W=neighbours, alpha=alpha, tau=1 / scale**2, shape=4)
        pm.Normal("y", 0, 1, observed=[0.0])
    draws = model_functions(model).prior_draws(50, np.random.default_rng(1))
    assert draws.shape == (50, 6)
    assert np.isfinite(draws).all()
    assert np.ptp(draws, axis=0).min() > 0
