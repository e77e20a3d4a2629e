"""PyMC variables as distributions: densities as PyMC's, parameters in double precision, batches as the model's."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from pp_mlekl.pymc_model.distributions.from_pymc import distribution_of, observed_distributions
from pp_mlekl.pymc_model.interpreter.lazy_function import interpreted
from pp_mlekl.pymc_model.model_functions import model_functions

# Parameters that float32 does not hold, so that PyMC's own density is computed in double precision.
UNIVARIATE = {
    "Normal": lambda: pm.Normal.dist(0.1, 1.3),
    "HalfNormal": lambda: pm.HalfNormal.dist(2.1),
    "LogNormal": lambda: pm.LogNormal.dist(0.1, 1.1),
    "LogitNormal": lambda: pm.LogitNormal.dist(0.1, 1.1),
    "SkewNormal": lambda: pm.SkewNormal.dist(mu=0.1, sigma=1.1, alpha=2.3),
    "Exponential": lambda: pm.Exponential.dist(3.1),
    "Gamma": lambda: pm.Gamma.dist(2.1, 3.3),
    "InverseGamma": lambda: pm.InverseGamma.dist(2.1, 3.3),
    "ChiSquared": lambda: pm.ChiSquared.dist(3.3),
    "Beta": lambda: pm.Beta.dist(2.1, 3.3),
    "Kumaraswamy": lambda: pm.Kumaraswamy.dist(2.1, 3.3),
    "Laplace": lambda: pm.Laplace.dist(0.1, 1.1),
    "AsymmetricLaplace": lambda: pm.AsymmetricLaplace.dist(kappa=2.1, mu=1.1, b=3.3),
    "Cauchy": lambda: pm.Cauchy.dist(0.1, 1.1),
    "HalfCauchy": lambda: pm.HalfCauchy.dist(2.1),
    "Gumbel": lambda: pm.Gumbel.dist(0.1, 1.1),
    "Weibull": lambda: pm.Weibull.dist(2.1, 3.3),
    "Pareto": lambda: pm.Pareto.dist(2.1, 3.3),
    "Uniform": lambda: pm.Uniform.dist(0.1, 1.1),
    "VonMises": lambda: pm.VonMises.dist(0.1, 1.1),
    "Wald": lambda: pm.Wald.dist(mu=1.1, lam=2.1, alpha=0.3),
    "Logistic": lambda: pm.Logistic.dist(0.1, 1.1),
    "TruncatedNormal": lambda: pm.TruncatedNormal.dist(0.1, 1.1, lower=-1.1, upper=2.1),
    "StudentT": lambda: pm.StudentT.dist(nu=3.3, mu=0.1, sigma=1.1),
    "HalfStudentT": lambda: pm.HalfStudentT.dist(nu=3.3, sigma=2.1),
    "ExGaussian": lambda: pm.ExGaussian.dist(mu=0.1, sigma=1.1, nu=2.1),
    "Moyal": lambda: pm.Moyal.dist(0.1, 1.1),
    "Triangular": lambda: pm.Triangular.dist(lower=0.1, upper=1.1, c=0.3),
    "Interpolated": lambda: pm.Interpolated.dist(np.array([0.1, 0.7, 1.9, 2.3]), np.array([0.3, 1.1, 0.7, 0.1])),
    "Rice": lambda: pm.Rice.dist(nu=1.1, sigma=1.3),
    "SkewStudentT": lambda: pm.SkewStudentT.dist(a=1.1, b=2.1, mu=0.1, sigma=1.3),
    "Bernoulli": lambda: pm.Bernoulli.dist(0.3),
    "BernoulliLogit": lambda: pm.Bernoulli.dist(logit_p=0.3),
    "Binomial": lambda: pm.Binomial.dist(5, 0.3),
    "Poisson": lambda: pm.Poisson.dist(3.3),
    "Geometric": lambda: pm.Geometric.dist(0.3),
    "NegativeBinomial": lambda: pm.NegativeBinomial.dist(mu=3.3, alpha=2.1),
    "NegativeBinomialP": lambda: pm.NegativeBinomial.dist(p=0.3, n=2.1),
    "Categorical": lambda: pm.Categorical.dist([0.2, 0.8]),
    "DiscreteUniform": lambda: pm.DiscreteUniform.dist(0, 5),
    "DiscreteWeibull": lambda: pm.DiscreteWeibull.dist(0.3, 2.1),
    "BetaBinomial": lambda: pm.BetaBinomial.dist(2.1, 3.3, 5),
    "HyperGeometric": lambda: pm.HyperGeometric.dist(10, 5, 3),
    "OrderedLogistic": lambda: pm.OrderedLogistic.dist(eta=0.1, cutpoints=[0.1, 1.1]),
    "ZeroInflatedPoisson": lambda: pm.ZeroInflatedPoisson.dist(0.3, 2.1),
    "ZeroInflatedBinomial": lambda: pm.ZeroInflatedBinomial.dist(0.3, 5, 0.7),
    "ZeroInflatedNegativeBinomial": lambda: pm.ZeroInflatedNegativeBinomial.dist(psi=0.3, mu=2.1, alpha=3.3),
    "HurdlePoisson": lambda: pm.HurdlePoisson.dist(0.3, 2.1),
    "HurdleNegativeBinomial": lambda: pm.HurdleNegativeBinomial.dist(0.3, 2.1, 3.3),
    "HurdleGamma": lambda: pm.HurdleGamma.dist(0.3, 2.1, 3.3),
    "HurdleLogNormal": lambda: pm.HurdleLogNormal.dist(0.3, 0.1, 1.1),
    "Censored": lambda: pm.Censored.dist(pm.Normal.dist(0.1, 1.1), lower=-1.1, upper=1.1),
    "Truncated": lambda: pm.Truncated.dist(pm.Gamma.dist(2.1, 1.1), lower=0.3, upper=3.3),
    "TruncatedPoisson": lambda: pm.Truncated.dist(pm.Poisson.dist(2.1), lower=1, upper=None),
    "Mixture": lambda: pm.Mixture.dist([0.3, 0.7], [pm.Normal.dist(0.1, 1.1), pm.StudentT.dist(nu=3.3, sigma=1.1)]),
    "NormalMixture": lambda: pm.NormalMixture.dist([0.3, 0.7], [0.1, 1.1], [1.1, 2.1]),
    "PoissonMixture": lambda: pm.Mixture.dist([0.3, 0.7], pm.Poisson.dist([1.1, 2.1])),
    "CustomDist": lambda: pm.CustomDist.dist(0.1, 1.1, dist=lambda m, s, size: pm.Normal.dist(m, s, size=size)),
}
MULTIVARIATE = {
    "MvNormal": lambda: pm.MvNormal.dist([0.1, 0.2], [[1.1, 0.3], [0.3, 2.1]]),
    "MvNormalTau": lambda: pm.MvNormal.dist([0.1, 0.2], tau=[[1.1, 0.3], [0.3, 2.1]]),
    "MvStudentT": lambda: pm.MvStudentT.dist(nu=3.3, mu=[0.1, 0.2], scale=[[1.1, 0.3], [0.3, 2.1]]),
    "Dirichlet": lambda: pm.Dirichlet.dist([1.1, 2.1, 3.3]),
    "Multinomial": lambda: pm.Multinomial.dist(5, [0.2, 0.3, 0.5]),
    "DirichletMultinomial": lambda: pm.DirichletMultinomial.dist(5, [1.1, 2.1, 3.3]),
    "Wishart": lambda: pm.Wishart.dist(5, np.array([[1.1, 0.3], [0.3, 2.1]])),
    "MatrixNormal": lambda: pm.MatrixNormal.dist(mu=np.zeros((2, 3)), rowcov=np.eye(2) * 1.1, colcov=np.eye(3) * 0.7),
    "MvNormalMixture": lambda: pm.Mixture.dist(
        [0.3, 0.7], [pm.MvNormal.dist([0.1, 0.2], np.eye(2) * 1.1), pm.MvStudentT.dist(nu=3.3, scale=np.eye(2))]
    ),
    "MvNormalMixtureOfOneVariable": lambda: pm.Mixture.dist(
        [0.3, 0.7], pm.MvNormal.dist(np.array([[0.1, 0.2], [1.3, 2.1]]), np.eye(2) * 1.1)
    ),
    "KroneckerNormal": lambda: pm.KroneckerNormal.dist(mu=np.zeros(4), covs=[np.eye(2) * 1.1, np.eye(2)], sigma=0.3),
}


def _pymc_log_density(variable, x):
    with pytensor.config.change_flags(cxx=""):
        graph = pm.logp(variable, pt.as_tensor(np.asarray(x).astype(variable.type.dtype)), warn_rvs=False)
        return interpreted([], [graph])()[0]


# PyMC's own matrix normal calls a function that PyTensor means to rename.
@pytest.mark.filterwarnings("ignore:pytensor.tensor.linalg.trace:FutureWarning")
@pytest.mark.parametrize("name", [*UNIVARIATE, *MULTIVARIATE])
def test_density_is_that_of_pymc(name):
    variable = (UNIVARIATE | MULTIVARIATE)[name]()
    distribution = distribution_of(variable)
    assert distribution.batch_shape == ()
    for x in distribution.sample((5,), np.random.default_rng(1)):
        # PyMC adds some constants in single precision: 1e-7 of the log density.
        np.testing.assert_allclose(distribution.log_density(x), _pymc_log_density(variable, x), rtol=1e-6, atol=3e-7)


def test_literals_that_float32_holds_lose_no_digit():
    # PyTensor's own 1 / 3 would be 0.33333334, and 1 / (1 / 3) would round.
    gamma = distribution_of(pm.Gamma.dist(2, 3))
    assert (float(gamma.alpha), float(gamma.beta)) == (2.0, 3.0)
    assert float(distribution_of(pm.Gamma.dist(mu=2, sigma=3)).beta) == pytest.approx(2 / 9, rel=1e-15)
    assert float(distribution_of(pm.Normal.dist(0, tau=3)).sigma) == pytest.approx(3**-0.5, rel=1e-15)
    assert float(distribution_of(pm.NegativeBinomial.dist(mu=1e-9, alpha=1e6)).mu) == 1e-9
    assert float(distribution_of(pm.Beta.dist(mu=0.25, sigma=0.125)).alpha) == pytest.approx(2.75, rel=1e-15)


def test_shape_of_the_variable_is_the_batch_shape():
    assert distribution_of(pm.Gamma.dist(2, [3, 4], shape=(3, 2))).batch_shape == (3, 2)
    assert distribution_of(pm.MvNormal.dist(np.zeros(2), np.eye(2), shape=(4, 2))).batch_shape == (4,)
    with pm.Model(coords={"site": range(3)}):
        assert distribution_of(pm.Normal("x", 0, 1, dims="site")).batch_shape == (3,)


def test_random_parents_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"must be constant.*pm\.do"):
        distribution_of(pm.Normal.dist(pm.Normal.dist(0, 1), 1))


def test_unknown_family_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match="improper"):
        distribution_of(pm.Flat.dist())
    with pytest.raises(TypeError, match=r"AR; give draws of it, e\.g\. pm\.draw"):
        distribution_of(pm.AR.dist([0.5], init_dist=pm.Normal.dist(0, 1), steps=4))


def _regression(x):
    b, s = pm.Normal("b", 0, 1, shape=2), pm.HalfNormal("s", 1)
    pm.Normal("y", b[0] + b[1] * x, s, observed=x**2)
    pm.Gamma("g", s, 3.0, observed=np.abs(x))
    pm.NegativeBinomial("n", mu=pm.math.exp(b[0] * x), alpha=s, observed=np.arange(len(x)))


def _mixtures(x):
    w, mu = pm.Dirichlet("w", np.ones(2)), pm.Normal("mu", 0, 1, shape=2)
    pm.NormalMixture("y", w, mu, [1.0, 2.0], observed=x)
    pm.Mixture("m", w, [pm.Normal.dist(mu[0] * x, 1.0), pm.StudentT.dist(nu=3, mu=mu[1], sigma=2.0)], observed=x)
    pm.ZeroInflatedPoisson("z", w[0], pm.math.exp(x * mu[0]), observed=np.arange(len(x)))
    pm.HurdleGamma("h", w[0], 2.0, 1.0, observed=np.abs(np.round(x)))


def _bounded(x):
    mu = pm.Normal("mu", 0, 1)
    pm.Censored("c", pm.Normal.dist(mu, 1.0), lower=-1, upper=1, observed=np.clip(x, -1, 1))
    pm.Truncated("t", pm.Gamma.dist(pm.math.exp(mu), 1.0), lower=0.1, upper=5.0, observed=np.clip(np.abs(x), 0.2, 4))


def _vectors(x):
    a = pm.Normal("a", 0, 1, shape=3)
    pm.MvNormal("v", a[:2], np.eye(2), observed=x[:6].reshape(3, 2))
    pm.Multinomial("m", 10, pm.math.softmax(a), observed=[[3, 3, 4], [2, 4, 4]])
    parts = [pm.MvNormal.dist(a[:2], np.eye(2)), pm.MvNormal.dist(a[1:], 2 * np.eye(2))]
    pm.Mixture("mv", pm.math.softmax(a[:2]), parts, observed=x[:6].reshape(3, 2))
    pm.OrderedLogistic("o", eta=x * a[2], cutpoints=[-1.0, 1.0], observed=np.arange(len(x)) % 3)
    pm.StudentT("s", nu=4, mu=a, sigma=pm.math.exp(a[0]), observed=x[:6].reshape(2, 3))


@pytest.mark.parametrize("build", [_regression, _mixtures, _bounded, _vectors])
def test_observed_distributions_have_the_pointwise_likelihood(build):
    generator = np.random.default_rng(3)
    with pm.Model() as model:
        build(generator.normal(size=7))
    functions = model_functions(model)
    z = functions.initial_point() + 0.1 * generator.normal(size=(2, 3, functions.size))
    expected = functions.pointwise(z)
    batched, single = observed_distributions(functions, z), observed_distributions(functions, z[0, 0])
    for observed in functions.observed:
        assert batched[observed.name].batch_shape == (2, 3, *observed.shape)
        assert single[observed.name].batch_shape == observed.shape
        value = batched[observed.name].log_density(observed.value).reshape(2, 3, -1)
        np.testing.assert_allclose(value, expected[..., observed.pointwise], rtol=1e-9, atol=1e-12)
        value = single[observed.name].log_density(observed.value).ravel()
        np.testing.assert_allclose(value, expected[0, 0, observed.pointwise], rtol=1e-9, atol=1e-12)
