"""Log survival and distribution functions of PyMC's families far in the tails, against mpmath and closed forms."""

import mpmath
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import optimize
from tiers import slow_if

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.rewrites.double_precision import in_double_precision
from pp_mlekl.pymc_model.rewrites.log_complements import with_log_complements

mp = mpmath.mp.clone()
mp.dps = 60


def upper_gamma(a, x):
    return mp.log(mp.gammainc(a, x, regularized=True))


def lower_gamma(a, x):
    return mp.log(mp.gammainc(a, 0, x, regularized=True))


def beta(a, b, x):
    return mp.log(mp.betainc(a, b, 0, x, regularized=True))


def normal(x):
    return mp.log(mp.erfc(x / mp.sqrt(2)) / 2)


def first_passage(x, mean, shape):
    x, mean, shape = mp.mpf(x), mp.mpf(mean), mp.mpf(shape)
    root = mp.sqrt(2 * x / shape)
    return mp.log((mp.erfc((x / mean - 1) / root) - mp.exp(2 * shape / mean) * mp.erfc((x / mean + 1) / root)) / 2)


CASES = {
    "Weibull": (pm.Weibull, (2.0, 1.0), [0.5, 3.0, 40.0, 1e3], lambda x: -(mp.mpf(x) ** 2)),
    "Exponential": (pm.Exponential, (2.0,), [0.1, 30.0, 1e4], lambda x: -2 * mp.mpf(x)),
    "Gamma": (pm.Gamma, (2.5, 1.0), [1.0, 60.0, 650.0], lambda x: upper_gamma(2.5, x)),
    "Gamma of a large shape": (pm.Gamma, (80.0, 1.0), [80.0, 400.0], lambda x: upper_gamma(80, x)),
    "InverseGamma": (pm.InverseGamma, (3.0, 1.0), [0.5, 1e6, 1e90], lambda x: lower_gamma(3, 1 / mp.mpf(x))),
    "LogNormal": (pm.LogNormal, (0.0, 1.0), [1.0, 1e5, 1e40], lambda x: normal(mp.log(x))),
    "Normal": (pm.Normal, (0.0, 1.0), [0.0, 12.0, 300.0], lambda x: normal(mp.mpf(x))),
    "StudentT": (
        pm.StudentT,
        (3.0, 0.0, 1.0),
        [-5.0, 0.5, 1e5, 1e12],
        # In closed form for three degrees of freedom: with x = sqrt(3) tan(w), F = 1/2 + (w + sin(w) cos(w)) / pi.
        lambda x: mp.log((mp.atan2(mp.sqrt(3), x) - mp.sqrt(3) * x / (3 + mp.mpf(x) ** 2)) / mp.pi),
    ),
    "Logistic": (pm.Logistic, (0.0, 1.0), [-3.0, 50.0, 5e3], lambda x: -mp.log(1 + mp.exp(mp.mpf(x)))),
    "Laplace": (
        pm.Laplace,
        (0.0, 1.0),
        [-3.0, 0.5, 50.0, 5e3],
        lambda x: mp.log(mp.exp(-x) / 2 if x > 0 else 1 - mp.exp(x) / 2),
    ),
    "Gumbel": (pm.Gumbel, (0.0, 1.0), [-2.0, 50.0, 5e3], lambda x: mp.log(-mp.expm1(-mp.exp(-mp.mpf(x))))),
    "Cauchy": (pm.Cauchy, (0.0, 1.0), [-2.0, 50.0, 1e12], lambda x: mp.log(mp.atan2(1, x) / mp.pi)),
    "Pareto": (pm.Pareto, (2.0, 1.0), [1.5, 1e4, 1e10], lambda x: -2 * mp.log(x)),
    "Beta": (pm.Beta, (2.0, 30.0), [0.2, 0.9, 0.999], lambda x: beta(30, 2, 1 - mp.mpf(x))),
    "Kumaraswamy": (pm.Kumaraswamy, (2.0, 30.0), [0.2, 0.9, 0.999], lambda x: 30 * mp.log(1 - mp.mpf(x) ** 2)),
    "Wald": (pm.Wald, (2.0, 3.0), [0.05, 2.5, 60.0, 3e3, 1e6], lambda x: first_passage(x, 2, 3)),
    "Wald of a small shape": (pm.Wald, (1e3, 1.0), [0.1, 500.0, 1e5, 1e8], lambda x: first_passage(x, 1e3, 1)),
    "Geometric": (pm.Geometric, (0.3,), [1, 200, 5000], lambda k: k * mp.log(1 - mp.mpf(0.3))),
    "Poisson": (pm.Poisson, (2.0,), [1, 30, 120], lambda k: lower_gamma(k + 1, 2)),
    "NegativeBinomial": (
        pm.NegativeBinomial,
        (None, None, 0.5, 3.0),
        [1, 400, 900],
        lambda k: beta(k + 1, 3, mp.mpf(0.5)),
    ),
    "Binomial": (pm.Binomial, (2000, 0.01), [20, 200], lambda k: beta(k + 1, 2000 - k, mp.mpf(0.01))),
}


NAMES = {"StudentT": ("nu", "mu", "sigma")}


def log_survival(family, parameters, values):
    names = {"NegativeBinomial": ("mu", "alpha", "p", "n"), "StudentT": ("nu", "mu", "sigma")}.get(family.__name__)
    given = {k: v for k, v in zip(names, parameters, strict=True) if v is not None} if names else None
    x = pt.dvector("x")
    variable = family.dist(**given) if given else family.dist(*parameters)
    (graph,) = with_log_complements(in_double_precision([pm.logccdf(variable, x)]))
    function = pytensor.function([x], [graph], mode="FAST_COMPILE")
    return function(np.array(values, dtype=float))[0]


@pytest.mark.parametrize("name", CASES)
def test_log_survival_functions_keep_their_digits(name):
    family, parameters, values, exact = CASES[name]
    found = log_survival(family, parameters, values)
    expected = np.array([float(exact(v)) for v in values])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if issubclass(case[0], pm.Continuous)])
def test_censored_observations_of_a_model_keep_their_digits(name):
    """The rewrites of a model's graphs come in an order; others must not hide a log survival function."""
    family, parameters, values, exact = CASES[name]
    with pm.Model() as model:
        pm.Normal("unused", 0, 1)
        given = dict(zip(NAMES[name], parameters, strict=True)) if name in NAMES else {}
        given = {k: pm.Data(k, v) for k, v in given.items()}
        positional = [] if given else [pm.Data(f"p{i}", v) for i, v in enumerate(parameters)]
        limit = np.array(values)
        pm.Censored("y", family.dist(*positional, **given), lower=None, upper=limit, observed=limit)
    found = model_functions(model).pointwise(np.zeros((1, 1)))[0]
    np.testing.assert_allclose(found, [float(exact(v)) for v in values], rtol=1e-9, atol=1e-14)


def test_censored_lifetimes_with_one_failure():
    # With r failures of total time on test T^(shape) the scale has a closed form given the shape, which profiles.
    time, limit = np.array([1.0, 5.0, 5.0, 5.0, 5.0]), 5.0
    with pm.Model() as model:
        shape, scale = pm.HalfNormal("shape", 2), pm.HalfNormal("scale", 10)
        pm.Censored("y", pm.Weibull.dist(shape, scale), lower=None, upper=limit, observed=time)
    estimate = find_mle(model, random_seed=1)

    def profiled(k):
        total = np.sum(time**k)
        return np.log(k) + (k - 1) * np.log(time[0]) - np.log(total) - 1

    best = optimize.minimize_scalar(
        lambda k: -profiled(k), bounds=(1e-3, 20), method="bounded", options={"xatol": 1e-10}
    )
    assert estimate.status == "converged"
    assert float(estimate.values["shape"]) == pytest.approx(best.x, rel=1e-5)
    assert estimate.log_likelihood == pytest.approx(-best.fun, abs=1e-9)


def test_censoring_far_beyond_the_scale_has_a_likelihood():
    with pm.Model() as model:
        pm.Censored("y", pm.Weibull.dist(pm.HalfNormal("a"), pm.HalfNormal("b")), lower=None, upper=3.0, observed=[3.0])
    functions = model_functions(model)
    z = np.log([[4.0, 0.05]])
    value, gradient, hessian = functions.value_gradient_hessian(z)
    assert value[0] == pytest.approx(-(60.0**4), rel=1e-12)
    np.testing.assert_allclose(gradient[0], [-(60.0**4) * 4 * np.log(60), 4 * 60.0**4], rtol=1e-12)
    assert np.isfinite(hessian).all()


@pytest.mark.parametrize("limit", slow_if([0.3, 30.0, 3e3], [30.0]))
def test_censored_first_passages_have_exact_derivatives(limit):
    with pm.Model() as model:
        mean, shape = pm.HalfNormal("mean"), pm.HalfNormal("shape")
        pm.Censored("y", pm.Wald.dist(mean, shape), lower=None, upper=limit, observed=[limit])
    value, gradient, hessian = model_functions(model).value_gradient_hessian(np.log([[0.5, 2.0]]))

    def exact(u, v):
        return first_passage(limit, mp.exp(u), mp.exp(v))

    at = (mp.log(mp.mpf(0.5)), mp.log(mp.mpf(2.0)))
    orders = [(2, 0), (1, 1), (1, 1), (0, 2)]
    assert value[0] == pytest.approx(float(exact(*at)), rel=1e-12)
    np.testing.assert_allclose(gradient[0], [float(mp.diff(exact, at, n)) for n in ((1, 0), (0, 1))], rtol=1e-9)
    np.testing.assert_allclose(hessian[0].ravel(), [float(mp.diff(exact, at, n)) for n in orders], rtol=1e-7)
