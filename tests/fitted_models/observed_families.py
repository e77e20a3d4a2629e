"""Models of one observed variable each, for all kinds of distribution: name -> (parameters, observed variable, shape)."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

ROWS = 12
PRIORS = {
    "real": lambda name: pm.Normal(name, 0, 3),
    "positive": lambda name: pm.HalfNormal(name, 3),
    "unit": lambda name: pm.Beta(name, 2, 2),
    "simplex": lambda name: pm.Dirichlet(name, np.ones(3)),
}
COV = np.array([[1.0, 0.5], [0.5, 2.0]])
A, M, P = {"a": ("real", 1.0)}, {"m": ("positive", 2.0)}, {"p": ("unit", 0.7)}
SIMPLEX = {"p": ("simplex", np.array([0.2, 0.3, 0.5]))}


def laplace_log_density(x, a):
    return -pt.log(2.0) - pt.abs(x - a)


def laplace_draw(a, rng=None, size=None):
    return rng.laplace(a, 1.0, size=size)


FAMILIES = {
    "Normal": (A | {"s": ("positive", 1.5)}, lambda v, o: pm.Normal("y", v["a"], v["s"], **o), ()),
    "Laplace": (A, lambda v, o: pm.Laplace("y", v["a"], 1.0, **o), ()),
    "StudentT": (A | {"s": ("positive", 1.0)}, lambda v, o: pm.StudentT("y", nu=4, mu=v["a"], sigma=v["s"], **o), ()),
    "SkewNormal": (A, lambda v, o: pm.SkewNormal("y", alpha=3.0, mu=v["a"], sigma=1.0, **o), ()),
    "ExGaussian": (A, lambda v, o: pm.ExGaussian("y", v["a"], 1.0, nu=1.0, **o), ()),
    "VonMises": ({"a": ("real", 0.5)}, lambda v, o: pm.VonMises("y", v["a"], kappa=2.0, **o), ()),
    "Gamma": (M, lambda v, o: pm.Gamma("y", v["m"], 1.0, **o), ()),
    "Weibull": (M, lambda v, o: pm.Weibull("y", v["m"], 1.5, **o), ()),
    "Wald": (M, lambda v, o: pm.Wald("y", mu=v["m"], lam=2.0, **o), ()),
    "Censored": (A, lambda v, o: pm.Censored("y", pm.Normal.dist(v["a"]), lower=-0.5, upper=2.0, **o), ()),
    "Censored counts": (M, lambda v, o: pm.Censored("y", pm.Poisson.dist(v["m"]), lower=1, upper=4, **o), ()),
    "Truncated": (A, lambda v, o: pm.Truncated("y", pm.Normal.dist(v["a"]), lower=0.0, **o), ()),
    "NormalMixture": (A, lambda v, o: pm.NormalMixture("y", [0.3, 0.7], [v["a"], v["a"] + 4], 1.0, **o), ()),
    "Mixture of counts": (
        M,
        lambda v, o: pm.Mixture("y", [0.4, 0.6], [pm.Poisson.dist(v["m"]), pm.Poisson.dist(v["m"] + 5)], **o),
        (),
    ),
    "ZeroInflatedPoisson": (P | M, lambda v, o: pm.ZeroInflatedPoisson("y", v["p"], v["m"], **o), ()),
    "ZeroInflatedNegativeBinomial": (
        P | M,
        lambda v, o: pm.ZeroInflatedNegativeBinomial("y", v["p"], mu=v["m"], alpha=2.0, **o),
        (),
    ),
    "HurdlePoisson": (P | M, lambda v, o: pm.HurdlePoisson("y", v["p"], v["m"], **o), ()),
    "HurdleGamma": (P | M, lambda v, o: pm.HurdleGamma("y", v["p"], alpha=v["m"], beta=1.0, **o), ()),
    "Binomial": (P, lambda v, o: pm.Binomial("y", 8, v["p"], **o), ()),
    "BetaBinomial": (M, lambda v, o: pm.BetaBinomial("y", v["m"], 2.0, 8, **o), ()),
    "NegativeBinomial": (M, lambda v, o: pm.NegativeBinomial("y", mu=v["m"], alpha=2.0, **o), ()),
    "DiscreteWeibull": (P, lambda v, o: pm.DiscreteWeibull("y", v["p"], 1.2, **o), ()),
    "Categorical": (SIMPLEX, lambda v, o: pm.Categorical("y", v["p"], **o), ()),
    "OrderedLogistic": (A, lambda v, o: pm.OrderedLogistic("y", v["a"], np.array([-1.0, 0.0, 1.0]), **o), ()),
    "Multinomial": (SIMPLEX, lambda v, o: pm.Multinomial("y", 10, v["p"], **o), (3,)),
    "DirichletMultinomial": (M, lambda v, o: pm.DirichletMultinomial("y", 10, v["m"] * np.ones(3), **o), (3,)),
    "Dirichlet": (M, lambda v, o: pm.Dirichlet("y", v["m"] * np.array([1.0, 2.0, 3.0]), **o), (3,)),
    "MvNormal": (A, lambda v, o: pm.MvNormal("y", v["a"] * np.ones(2), cov=COV, **o), (2,)),
    "MvStudentT": (A, lambda v, o: pm.MvStudentT("y", 5, mu=v["a"] * np.ones(2), scale=COV, **o), (2,)),
    "CustomDist": (A, lambda v, o: pm.CustomDist("y", v["a"], logp=laplace_log_density, random=laplace_draw, **o), ()),
}


def truth_and_model(name):
    """The true parameters, and the model of data drawn from them."""
    parameters, observed, event = FAMILIES[name]
    truth = {key: value for key, (_, value) in parameters.items()}
    with pm.Model() as generator:
        observed(truth, {"shape": (ROWS, *event), "default_transform": None})
    data = pm.draw(generator["y"], random_seed=1, mode=Mode(linker="py", optimizer=None))
    with pm.Model() as model:
        observed({key: PRIORS[kind](key) for key, (kind, _) in parameters.items()}, {"observed": data})
    return truth, model
