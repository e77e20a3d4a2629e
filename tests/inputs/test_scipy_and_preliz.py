"""SciPy's and PreliZ' distributions keep their densities, as families or with their own functions."""

import numpy as np
import pytest
from scipy import stats

import pp_mlekl as mk
from pp_mlekl.divergences.families.registry import FAMILIES
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.inputs.read import as_distribution, is_distribution
from pp_mlekl.inputs.scipy import _ANYWHERE, _FROM_ZERO, _MULTIVARIATE, _STANDARD

CONTINUOUS = [
    stats.norm(1, 2),
    stats.lognorm(0.5, scale=2),
    stats.halfnorm(scale=2),
    stats.expon(scale=3),
    stats.gamma(2, scale=3),
    stats.chi2(3, scale=2),
    stats.erlang(2, scale=3),
    stats.vonmises(1.7, loc=0.5),
    stats.beta(2, 3, loc=1, scale=2),
    stats.invgamma(3, scale=2),
    stats.beta(2, 3),
    stats.laplace(1, 2),
    stats.laplace_asymmetric(2, 1, 3),
    stats.cauchy(1, 2),
    stats.halfcauchy(scale=2),
    stats.gumbel_r(1, 2),
    stats.weibull_min(2, scale=3),
    stats.pareto(3, scale=2),
    stats.uniform(1, 2),
    stats.invgauss(0.5, loc=1, scale=2),
    stats.logistic(1, 2),
    stats.truncnorm(-1, 2, 1, 2),
    stats.t(3, 1, 2),
    stats.skewnorm(2, 1, 2),
    stats.exponnorm(2, 1, 2),
    stats.moyal(1, 2),
    stats.triang(0.3, 1, 2),
    stats.rice(2, scale=3),
    stats.jf_skew_t(2, 3, 1, 2),
    stats.gamma(2, loc=1, scale=3),
    stats.gumbel_l(1, 2),
    stats.rv_histogram(np.histogram([1.0, 2.0, 2.5, 3.0], bins=3), density=True)(),
]
DISCRETE = [
    stats.bernoulli(0.3),
    stats.binom(5, 0.3),
    stats.poisson(2),
    stats.poisson(2, loc=1),
    stats.geom(0.3),
    stats.nbinom(3, 0.2),
    stats.randint(2, 6),
    stats.randint(2, 6, loc=3),
    stats.betabinom(5, 2, 3),
    stats.hypergeom(10, 4, 5),
    stats.skellam(2, 3),
]
VECTORS = [
    stats.multivariate_normal([1, 2], [[2, 0.3], [0.3, 1]]),
    stats.multivariate_t([1, 2], [[2, 0.3], [0.3, 1]], df=3),
    stats.dirichlet([1, 2.0]),
    stats.multinomial(3, [0.2, 0.8]),
    stats.dirichlet_multinomial([1, 2.0], 3),
    stats.wishart(3, np.eye(2)),
    stats.invwishart(4, np.eye(2) + 0.2),
    stats.matrix_normal(np.zeros((2, 2)), np.eye(2), 2 * np.eye(2)),
]


def test_every_family_that_is_known_is_among_them():
    names = {frozen.dist.name for frozen in (*CONTINUOUS, *DISCRETE)}
    assert {*_ANYWHERE, *_FROM_ZERO, *_STANDARD, "vonmises"} <= names
    assert set(_MULTIVARIATE) == {type(frozen).__name__ for frozen in VECTORS}
    # Where there is a scale it is not 1: a wrong use of it would not show.
    assert all(f.kwds.get("scale", 1) != 1 for f in CONTINUOUS if f.dist.name in _FROM_ZERO)


def _id(frozen):
    return frozen.dist.name


@pytest.mark.parametrize("frozen", CONTINUOUS, ids=_id)
def test_continuous(frozen):
    x = frozen.rvs(20, random_state=1)
    np.testing.assert_allclose(as_distribution(frozen).log_density(x), frozen.logpdf(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("frozen", DISCRETE, ids=_id)
def test_discrete(frozen):
    x = frozen.rvs(20, random_state=1)
    distribution = as_distribution(frozen)
    assert distribution.discrete
    np.testing.assert_allclose(distribution.log_density(x), frozen.logpmf(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("frozen", VECTORS, ids=lambda f: type(f).__name__)
def test_vectors(frozen):
    distribution = as_distribution(frozen)
    x = distribution.sample((), np.random.default_rng(1))
    expected = frozen.logpmf(x) if distribution.discrete else frozen.logpdf(x)
    np.testing.assert_allclose(distribution.log_density(x), expected, rtol=1e-10)


def test_a_distribution_without_a_family_is_integrated():
    # KL is the same after x -> -x, which makes a left Gumbel a right one.
    left = kl_divergence(as_distribution(stats.gumbel_l(1, 2)), as_distribution(stats.gumbel_l(1, 3)))
    right = kl_divergence(as_distribution(stats.gumbel_r(-1, 2)), as_distribution(stats.gumbel_r(-1, 3)))
    assert left.method != "closed form"
    assert float(left) == pytest.approx(float(right), rel=1e-8)
    same = as_distribution(stats.gumbel_l(1, 2))
    assert float(kl_divergence(same, as_distribution(stats.gumbel_l(1, 2)))) == 0.0


def test_parameters_broadcast():
    assert as_distribution(stats.norm(np.zeros((3, 1)), [1.0, 2.0])).batch_shape == (3, 2)
    assert as_distribution(stats.gumbel_l(np.zeros((3, 1)), [1.0, 2.0])).select((0, 1)).scale == 2.0


def test_unknown_vector_distribution_is_refused():
    with pytest.raises(TypeError, match="multivariate_hypergeom has no family"):
        as_distribution(stats.multivariate_hypergeom([3, 4], 2))


def test_other_objects_are_refused_in_one_line():
    assert not is_distribution(np.zeros(3))
    with pytest.raises(TypeError, match=r"PyMC.*SciPy.*PreliZ.*got int"):
        as_distribution(3)


@pytest.mark.parametrize(
    "dist",
    [
        stats.norm,
        stats.poisson,
        stats.multivariate_normal,
        stats.rv_discrete(values=([0, 1, 5], [0.2, 0.3, 0.5])),
        stats.rv_histogram(np.histogram([0.0, 1.0, 1.5], 2)),
    ],
)
def test_scipy_distributions_have_to_be_called(dist):
    for refused in (lambda: as_distribution(dist), lambda: mk.kl_divergence(dist, "Normal(0, 1)")):
        with pytest.raises(TypeError, match=r"called first, .*: dist\(\)"):
            refused()


PRELIZ = {
    "Gamma": lambda pz: pz.Gamma(mu=2, sigma=1),
    "NegativeBinomial": lambda pz: pz.NegativeBinomial(2, 3),
    "Wald": lambda pz: pz.Wald(1, 2),
    "SkewNormal": lambda pz: pz.SkewNormal(0, 1, 2),
    "Triangular": lambda pz: pz.Triangular(0, 0.5, 1),
    "Truncated": lambda pz: pz.Truncated(pz.Normal(0, 1), -1, 1),
    "Censored": lambda pz: pz.Censored(pz.Normal(0, 1), -1, 1),
    "HurdleGamma": lambda pz: pz.Hurdle(pz.Gamma(2, 1), 0.8),
    "Mixture": lambda pz: pz.Mixture([pz.Normal(0, 1), pz.Normal(2, 1)], [0.2, 0.8]),
    "PrelizLogLogistic": lambda pz: pz.LogLogistic(2, 3),
    "PrelizBetaScaled": lambda pz: pz.BetaScaled(2, 3, -1, 2),
}


@pytest.mark.parametrize("name", PRELIZ)
def test_preliz(name):
    preliz = pytest.importorskip("preliz")
    dist = PRELIZ[name](preliz)
    distribution = as_distribution(dist)
    assert type(distribution).__name__ == name
    assert (name in FAMILIES) != name.startswith("Preliz")
    assert distribution.discrete == (name == "NegativeBinomial")
    x = distribution.sample((20,), np.random.default_rng(1))
    np.testing.assert_allclose(distribution.log_density(x), dist.logpdf(x), rtol=1e-9, atol=1e-9)


def test_preliz_without_parameters_is_refused():
    preliz = pytest.importorskip("preliz")
    with pytest.raises(ValueError, match="no parameters yet"):
        as_distribution(preliz.Normal())
