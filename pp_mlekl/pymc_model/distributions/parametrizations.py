"""The families' parameters from those of PyMC's random operations, by the operation's class.

PyMC's operations take other parameters than its distributions (a Gamma's scale is 1 / beta). Where PyMC computes
them from the family's own parameters, the graph is followed back, which keeps every digit.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.scalar.basic import Log, Reciprocal, Sub, TrueDiv
from pytensor.scalar.math import Sigmoid
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.linalg.decomposition.cholesky import Cholesky
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.distributions.log_probabilities import log_mean, log_odds, log_weights

Graphs = dict[str, TensorVariable]
Converter = Callable[..., Graphs]


def _named(*names: str) -> Converter:
    return lambda *graphs: dict(zip(names, graphs, strict=True))


def _scalar_inputs(graph: TensorVariable, kind: type) -> list[TensorVariable] | None:
    node = graph.owner
    if node is not None and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kind):
        return node.inputs
    return None


def _double(graph: TensorVariable) -> TensorVariable:
    return graph.astype("float64")


def _inverse(graph: TensorVariable) -> TensorVariable:
    """1 / graph; the denominator itself where the graph is already a reciprocal."""
    if inputs := _scalar_inputs(graph, Reciprocal):
        return inputs[0]
    inputs = _scalar_inputs(graph, TrueDiv)
    if inputs and isinstance(inputs[0], Constant) and np.all(inputs[0].data == 1):
        return inputs[1]
    return 1.0 / _double(graph)


def _exponential(scale: TensorVariable) -> Graphs:
    return {"lam": _inverse(scale)}


def _gamma(alpha: TensorVariable, scale: TensorVariable) -> Graphs:
    return {"alpha": alpha, "beta": _inverse(scale)}


def _negative_binomial(n: TensorVariable, p: TensorVariable) -> Graphs:
    # PyMC makes p = sigmoid(log n - log mu); from p itself a small mu would lose its digits.
    difference = (_scalar_inputs(p, Sigmoid) or [None])[0]
    logs = None if difference is None else _scalar_inputs(difference, Sub)
    log_mu = None if not logs else _scalar_inputs(logs[1], Log)
    if log_mu:
        return {"mu": log_mu[0], "alpha": n}
    return {"mu": _double(n) * (1.0 - _double(p)) / _double(p), "alpha": n}


def _with_log_odds(p: TensorVariable) -> Graphs:
    logit_p = log_odds(p)
    return {"p": p} if logit_p is None else {"logit_p": logit_p}


def _binomial(n: TensorVariable, p: TensorVariable) -> Graphs:
    return {"n": n, **_with_log_odds(p)}


def _categories(p: TensorVariable) -> Graphs:
    logit_p = log_weights(p)
    return {"p": p} if logit_p is None else {"logit_p": logit_p}


def _multinomial(n: TensorVariable, p: TensorVariable) -> Graphs:
    return {"n": n, **_categories(p)}


def _poisson(mu: TensorVariable) -> Graphs:
    log_mu = log_mean(mu)
    return {"mu": mu} if log_mu is None else {"log_mu": log_mu}


def _rice(b: TensorVariable, sigma: TensorVariable) -> Graphs:
    inputs = _scalar_inputs(b, TrueDiv)
    nu = inputs[0] if inputs and inputs[1] is sigma else _double(b) * sigma
    return {"nu": nu, "sigma": sigma}


def _half_normal(_: TensorVariable, sigma: TensorVariable) -> Graphs:
    return {"sigma": sigma}


def _half_cauchy(*graphs: TensorVariable) -> Graphs:
    return {"beta": graphs[-1]}


def _hypergeometric(good: TensorVariable, bad: TensorVariable, n: TensorVariable) -> Graphs:
    return {"N": good + bad, "k": good, "n": n}


def _product(chol: TensorVariable) -> TensorVariable:
    """L L' of a Cholesky factor; the matrix itself where the graph computes the factor from it."""
    node = chol.owner
    if node is not None and isinstance(node.op, Blockwise) and isinstance(node.op.core_op, Cholesky):
        return node.inputs[0]
    if node is not None and isinstance(node.op, Cholesky):
        return node.inputs[0]
    return chol @ chol.mT


def _wishart(nu: TensorVariable, scale_chol: TensorVariable) -> Graphs:
    return {"nu": nu, "V": _product(scale_chol)}


def _matrix_normal(mu: TensorVariable, rows: TensorVariable, columns: TensorVariable) -> Graphs:
    return {"mu": mu, "rowcov": _product(rows), "colcov": _product(columns)}


def _kronecker_normal(mu: TensorVariable, sigma: TensorVariable, *covs: TensorVariable) -> Graphs:
    cov = covs[0]
    for other in covs[1:]:
        cov = pt.linalg.kron(cov, other)
    return {"mu": mu, "cov": cov + _double(sigma) ** 2 * pt.eye(cov.shape[-1])}


def _car(mu: TensorVariable, W: TensorVariable, alpha: TensorVariable, tau: TensorVariable, _: object) -> Graphs:
    precision = _double(tau) * (pt.diag(_double(W).sum(axis=-1)) - _double(alpha) * _double(W))
    return {"mu": mu, "cov": pt.linalg.inv(precision)}


PARAMETRIZATIONS: Mapping[str, tuple[str, Converter]] = {
    "NormalRV": ("Normal", _named("mu", "sigma")),
    "HalfNormalRV": ("HalfNormal", _half_normal),
    "LogNormalRV": ("LogNormal", _named("mu", "sigma")),
    "LogitNormal": ("LogitNormal", _named("mu", "sigma")),
    "SkewNormalRV": ("SkewNormal", _named("mu", "sigma", "alpha")),
    "ExponentialRV": ("Exponential", _exponential),
    "GammaRV": ("Gamma", _gamma),
    "InvGammaRV": ("InverseGamma", _named("alpha", "beta")),
    "BetaRV": ("Beta", _named("alpha", "beta")),
    "KumaraswamyRV": ("Kumaraswamy", _named("a", "b")),
    "LaplaceRV": ("Laplace", _named("mu", "b")),
    "AsymmetricLaplaceRV": ("AsymmetricLaplace", _named("b", "kappa", "mu")),
    "CauchyRV": ("Cauchy", _named("alpha", "beta")),
    "HalfCauchyRV": ("HalfCauchy", _half_cauchy),
    "GumbelRV": ("Gumbel", _named("mu", "beta")),
    "WeibullBetaRV": ("Weibull", _named("alpha", "beta")),
    "ParetoRV": ("Pareto", _named("alpha", "m")),
    "PolyaGammaRV": ("PolyaGamma", _named("h", "z")),
    "InterpolatedRV": ("Interpolated", lambda x, pdf, _: {"x_points": x, "pdf_points": pdf}),
    "UniformRV": ("Uniform", _named("lower", "upper")),
    "VonMisesRV": ("VonMises", _named("mu", "kappa")),
    "WaldRV": ("Wald", _named("mu", "lam", "alpha")),
    "LogisticRV": ("Logistic", _named("mu", "s")),
    "TruncatedNormalRV": ("TruncatedNormal", _named("mu", "sigma", "lower", "upper")),
    "StudentTRV": ("StudentT", _named("nu", "mu", "sigma")),
    "HalfStudentTRV": ("HalfStudentT", _named("nu", "sigma")),
    "ExGaussianRV": ("ExGaussian", _named("mu", "sigma", "nu")),
    "MoyalRV": ("Moyal", _named("mu", "sigma")),
    "TriangularRV": ("Triangular", _named("lower", "c", "upper")),
    "RiceRV": ("Rice", _rice),
    "SkewStudentTRV": ("SkewStudentT", _named("a", "b", "mu", "sigma")),
    "BernoulliRV": ("Bernoulli", _with_log_odds),
    "BinomialRV": ("Binomial", _binomial),
    "PoissonRV": ("Poisson", _poisson),
    "GeometricRV": ("Geometric", _with_log_odds),
    "NegBinomialRV": ("NegativeBinomial", _negative_binomial),
    "CategoricalRV": ("Categorical", _categories),
    "DiscreteUniformRV": ("DiscreteUniform", _named("lower", "upper")),
    "DiscreteWeibullRV": ("DiscreteWeibull", _named("q", "beta")),
    "BetaBinomialRV": ("BetaBinomial", _named("n", "alpha", "beta")),
    "HyperGeometricRV": ("HyperGeometric", _hypergeometric),
    "MvNormalRV": ("MvNormal", _named("mu", "cov")),
    "MvStudentTRV": ("MvStudentT", _named("nu", "mu", "scale")),
    "DirichletRV": ("Dirichlet", _named("a")),
    "MultinomialRV": ("Multinomial", _multinomial),
    "DirichletMultinomialRV": ("DirichletMultinomial", _named("n", "a")),
    "WishartRV": ("Wishart", _wishart),
    "MatrixNormalRV": ("MatrixNormal", _matrix_normal),
    "LKJCorrRV": ("LKJCorr", _named("n", "eta")),
    "KroneckerNormalRV": ("MvNormal", _kronecker_normal),
    "CARRV": ("MvNormal", _car),
}
