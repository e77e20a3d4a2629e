"""Small models with a truth, correctly specified and misspecified: the examples of the proof."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm

Case = tuple[pm.Model, Any]


def bernoulli() -> Case:
    """A coin: the model is right."""
    with pm.Model() as model:
        p = pm.Beta("p", 1, 1)
        pm.Bernoulli("y", p, observed=[1, 0, 1, 1, 0, 1, 1, 0, 1, 1])
    return model, {"p": 0.6}


def normal() -> Case:
    """Mean and standard deviation of a normal: the model is right, and small samples cost more than d / 2n."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=[0.3, 1.9, -0.7, 2.2, 1.1, 0.6, 1.4, 3.0])
    return model, {"mu": 1.0, "sigma": 1.0}


def exponential() -> Case:
    """Waiting times: the model is right."""
    with pm.Model() as model:
        lam = pm.Exponential("lam", 1.0)
        pm.Exponential("y", lam, observed=[0.4, 2.1, 0.9, 0.2, 1.3, 3.5])
    return model, {"lam": 0.8}


def gamma_by_lognormal() -> Case:
    """Gamma data fitted by a lognormal: wrong in shape."""
    y = np.random.default_rng(20).gamma(2.0, 1.0, size=40)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.LogNormal("y", mu, sigma, observed=y)
    return model, pm.Gamma.dist(alpha=2.0, beta=1.0)


def student_t_by_normal() -> Case:
    """Heavy tails fitted by a normal: the standard error of sigma is half of what it should be."""
    y = np.random.default_rng(21).standard_t(5, size=40)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=y)
    return model, pm.StudentT.dist(nu=5.0, mu=0.0, sigma=1.0)


def negative_binomial_by_poisson() -> Case:
    """Overdispersed counts fitted by a Poisson: the mean is right, its standard error is not."""
    y = np.random.default_rng(22).negative_binomial(2, 1 / 3, size=40)
    with pm.Model() as model:
        mu = pm.Exponential("mu", 0.2)
        pm.Poisson("y", mu, observed=y)
    return model, pm.NegativeBinomial.dist(mu=4.0, alpha=2.0)


CASES: dict[str, Callable[[], Case]] = {
    case.__name__: case
    for case in (bernoulli, normal, exponential, gamma_by_lognormal, student_t_by_normal, negative_binomial_by_poisson)
}
