"""Distributions of variables as text."""

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.pymc_model.distribution_text import definition_text, distribution_text

X = np.arange(12.0).reshape(6, 2)


def texts():
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 2.5), pm.Normal("b", [1, 2], 3, shape=2)
        s = pm.HalfNormal("s", 30)
        rate = pm.Gamma("rate", 2, 0.5)
        pm.Exponential("wait", rate, observed=np.ones(3))
        pm.Normal("line", a + X @ b, s, observed=np.zeros(6))
        pm.Normal("product", a * (b[0] - a) / -s, pm.math.exp(s) ** 2, observed=0.0)
        pm.NegativeBinomial("counts", mu=rate, alpha=s, observed=[1, 2])
        pm.Bernoulli("y", logit_p=b[np.array([0, 1, 1])], observed=[0, 1, 1])
        pm.Normal("long", sum(pm.math.exp(a * i) * rate for i in range(9)), 1.0, observed=0.0)
        pm.Censored("cut", pm.Normal.dist(a, s), lower=None, upper=4.0, observed=[1.0, 4.0])
    return {rv.name: distribution_text(rv, model) for rv in model.basic_RVs}


FOUND = texts()


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "a": "Normal(mu=0, sigma=2.5)",
        "b": "Normal(mu=[1, 2], sigma=3)",
        "s": "HalfNormal(sigma=30)",
        "rate": "Gamma(alpha=2, beta=0.5)",
        "wait": "Exponential(lam=rate)",
        "line": "Normal(mu=a + data @ b, sigma=s)",
        "product": "Normal(mu=a * (b[...] - a) / -s, sigma=exp(s)**2)",
        "counts": "NegativeBinomial(mu=rate, alpha=s)",
        "y": "Bernoulli(logit_p=b[...])",
        "long": "Normal(mu=f(rate, a), sigma=1)",
    }.items(),
)
def test_arguments_are_those_of_pymc(name, text):
    assert FOUND[name] == text


def test_distributions_without_known_parameters_are_written_as_by_pymc():
    assert FOUND["cut"].startswith("Censored(Normal(a, s)")


def test_deterministics_are_written_by_what_they_are_made_of():
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
        z = pm.Normal("z", 0, 1, shape=3)
        theta = pm.Deterministic("theta", mu + tau * z)
        pm.Deterministic("twice", 2 * theta[0])
    texts = [definition_text(d, model) for d in model.deterministics]
    assert texts == ["mu + tau * z", "2 * theta[...]"]


@pytest.mark.parametrize(
    "expression",
    [
        "a - (b + c)", "a - (b - c)", "(a - b) - c", "a + (b - c)", "(a + b) * c", "a * (b * c)", "a / (b * c)",
        "(a / b) / c", "a / (b / c)", "a * (b / c)", "(a + b) / c", "a * b + c", "a - b * c", "(a * b) ** 2",
        "(a + b) ** 2", "(-a) ** 2", "-(a + b)", "-(a * b)", "-a + b", "a - -b", "a * -b", "1 / (a + b)", "1 / (a * b)",
        "1 / a * b", "a ** (b + c)", "a ** (b * c)", "(a ** b) ** c", "a ** (b ** c)", "2 ** -a", "(a + b + c) * 2",
    ],
)  # fmt: skip
def test_a_formula_has_the_value_of_what_it_describes(expression):
    values = {"a": 1.3, "b": 0.7, "c": 2.1}
    with pm.Model() as model:
        names = {name: pm.Normal(name) for name in values}
        formula = pm.Deterministic("formula", eval(expression, names))
    assert eval(definition_text(formula, model), dict(values)) == pytest.approx(eval(expression, dict(values)))
