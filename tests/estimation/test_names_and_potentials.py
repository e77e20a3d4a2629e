"""The same verdict whatever the parameters are called, and however the likelihood is written."""

from functools import cache

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pp_mlekl as mk

X = np.array([-2.0, -1.3, -0.4, 0.3, 1.1, 1.9])
MIXED, SEPARATED = np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 0, 1, 1, 1])
EQUAL = np.full(6, 4.7)


def logistic(names, y, terms):
    a, b = (pm.Normal(name, 0, 5) for name in names)
    eta = a + b * X
    if terms == "potential":
        pm.Potential("terms", y * eta - pt.softplus(eta))
    else:
        pm.Bernoulli("y", logit_p=eta, observed=y)


def sample(names, y, terms):
    mu, sigma = pm.Normal(names[0], 0, 5), pm.HalfNormal(names[1], 5)
    if terms == "potential":
        pm.Potential("terms", -pt.log(sigma) - ((y - mu) / sigma) ** 2 / 2)
    else:
        pm.Normal("y", mu, sigma, observed=y)


def sum_of_two(names, y, terms):
    mean = sum(pm.Normal(name, 0, 5) for name in names)
    if terms == "potential":
        pm.Potential("terms", -((y - mean) ** 2) / 2)
    else:
        pm.Normal("y", mean, 1.0, observed=y)


def proportion(names, y, terms):
    p, q = (pm.Beta(name, 1, 1) for name in names)
    if terms == "potential":
        pm.Potential("terms", y * pt.log(p) + (1 - y) * pt.log1p(-p) + y * pt.log(1 - q) + (1 - y) * pt.log(q))
    else:
        pm.Bernoulli("y", p, observed=y)
        pm.Bernoulli("other", 1 - q, observed=y)


CASES = {
    "converged": (logistic, MIXED),
    "at_infinity": (logistic, SEPARATED),
    "unbounded": (sample, EQUAL),
    "not_identified": (sum_of_two, EQUAL),
    "boundary": (proportion, np.ones(6, dtype=int)),
}


@cache
def fitted(status, names, terms):
    write, y = CASES[status]
    with pm.Model() as model:
        write(names, y, terms)
    return mk.find_mle(model, random_seed=1, potentials="likelihood" if terms == "potential" else None)


# Both pairs are in the other alphabetical order.
NAMES = {"observed": ("zeta", "log(x)"), "potential": ("b[1]", "a b")}
# With each status one of them is for the fast tests.
FAST = (
    ("converged", "potential"),
    ("at_infinity", "observed"),
    ("not_identified", "potential"),
    ("boundary", "observed"),
)


@pytest.mark.parametrize(
    ("status", "names", "terms"),
    [
        pytest.param(status, names, terms, marks=[pytest.mark.slow] * ((status, terms) not in FAST))
        for status in CASES
        for terms, names in NAMES.items()
    ],
)
def test_other_names_and_a_potential_leave_the_verdict(status, names, terms):
    usual, own = fitted(status, ("m", "s"), "observed"), fitted(status, names, terms)
    assert usual.status == own.status == status
    if status in ("converged", "at_infinity", "boundary"):
        for first, second in zip(("m", "s"), names, strict=True):
            np.testing.assert_allclose(own.values[second], usual.values[first], rtol=1e-8)
            np.testing.assert_allclose(own.standard_error[second], usual.standard_error[first], rtol=1e-6)
