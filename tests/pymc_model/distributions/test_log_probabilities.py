"""Log odds and log weights from the graphs of inverse links; references in 40 digits."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pp_mlekl as mk
from pp_mlekl.pymc_model.distributions.from_pymc import distribution_of
from pp_mlekl.pymc_model.distributions.log_probabilities import log_odds

ETA = np.array([-45.0, -8.3, 0.5, 8.3, 30.0])


def links():
    def probit(x):
        return mp.ncdf(mp.mpf(x)), mp.ncdf(-mp.mpf(x))

    def logit(x):
        return 1 / (1 + mp.exp(-mp.mpf(x))), 1 / (1 + mp.exp(mp.mpf(x)))

    def cloglog(x):
        return -mp.expm1(-mp.exp(mp.mpf(x))), mp.exp(-mp.exp(mp.mpf(x)))

    yield "logit", pm.math.invlogit, logit
    yield "complement of a logit", lambda x: 1 - pm.math.invlogit(-x), logit
    yield "elements of a logit", lambda x: pm.math.invlogit(x)[np.arange(5)][:, None][:, 0], logit
    yield "probit", pm.math.invprobit, probit
    yield "probit by erf", lambda x: 0.5 * (1 + pt.erf(x / np.sqrt(2.0))), probit
    yield "complementary log-log", lambda x: 1 - pt.exp(-pt.exp(x)), cloglog
    yield "complementary log-log by expm1", lambda x: -pt.expm1(-pt.exp(x)), cloglog


@pytest.mark.parametrize(("link", "exact"), [pytest.param(link, e, id=n) for n, link, e in links()])
def test_log_odds_are_exact_where_the_probability_rounds(link, exact):
    variable = pm.Bernoulli.dist(p=link(pt.as_tensor(ETA)))
    found = distribution_of(variable).success.log_odds
    with mp.workdps(600):
        expected = [float(mp.log(exact(x)[0]) - mp.log(exact(x)[1])) for x in ETA]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_constant_is_not_a_link():
    assert log_odds(pt.as_tensor(0.3)) is None


@pytest.mark.parametrize(
    ("variable", "field", "value"),
    [
        (pm.Bernoulli.dist(logit_p=800.0), "logit_p", 800.0),
        (pm.Binomial.dist(n=3, logit_p=40.0), "logit_p", 40.0),
        (pm.Geometric.dist(p=pm.math.invlogit(40.0)), "logit_p", 40.0),
        (pm.Poisson.dist(mu=pt.exp(np.array(-800.0))), "log_mu", -800.0),
        (pm.Categorical.dist(logit_p=[0.0, 900.0]), "logit_p", [-900.0, 0.0]),
        (pm.HurdlePoisson.dist(psi=pm.math.invlogit(40.0), mu=2.0), "logit_psi", 40.0),
        (pm.HurdleGamma.dist(psi=pm.math.invlogit(np.array([40.0])), alpha=2.0, beta=1.0), "logit_psi", [40.0]),
    ],
)
def test_families_are_given_logarithms(variable, field, value):
    np.testing.assert_allclose(getattr(distribution_of(variable), field), value, rtol=1e-14)


@pytest.mark.parametrize(
    ("ordered", "name"), [(pm.OrderedLogistic, "OrderedLogistic"), (pm.OrderedProbit, "OrderedProbit")]
)
@pytest.mark.parametrize("eta", [-45.0, 0.2, 45.0])
def test_ordered_regressions_are_those_by_name(ordered, name, eta):
    found = distribution_of(ordered.dist(eta=np.array(eta), cutpoints=np.array([-1.0, 0.0, 1.5])))
    np.testing.assert_allclose(
        found.logit_p, mk.distribution(name, eta, [-1.0, 0.0, 1.5]).logit_p, rtol=1e-12, atol=1e-15
    )


def test_a_fitted_logistic_regression_that_separates_the_data_has_a_finite_divergence():
    x = np.array([1.0, 2.0, -1.0, 0.5, 40.0])
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5)
        pm.Bernoulli("y", logit_p=b * x, observed=[1, 1, 0, 0, 1])
    found = mk.fitted_divergence(model, {"b": 0.5}, random_seed=1)["kl"].values
    y = [1, 1, 0, 0, 1]

    def expit(v):
        return 1 / (1 + mp.exp(-v))

    with mp.workdps(40):
        mle = mp.findroot(lambda v: mp.fsum(a * (c - expit(a * v)) for a, c in zip(x, y, strict=True)), 0.4)
        pairs = [(expit(a * mp.mpf(0.5)), expit(-a * mp.mpf(0.5)), expit(a * mle), expit(-a * mle)) for a in x]
        exact = mp.fsum(p * mp.log(p / q) + r * mp.log(r / s) for p, r, q, s in pairs)
    np.testing.assert_allclose(found[0], float(exact), rtol=1e-6)
    np.testing.assert_allclose(found[0], 0.7556, rtol=1e-4)
    assert np.all(np.isfinite(found))
