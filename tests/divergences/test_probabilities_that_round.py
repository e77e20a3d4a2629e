"""Probabilities that round to 0 or 1: the divergence is finite, and exact; references in 60 digits."""

from itertools import product

import mpmath as mp
import numpy as np
import pytest

import pp_mlekl as mk
from pp_mlekl.divergences.families import family

LOG_ODDS = (-800.0, -40.0, -1.0, 0.0, 1e-9, 2.0, 37.0, 40.0, 800.0)


def expit(x):
    return 1 / (1 + mp.exp(-mp.mpf(x)))


def normal_cdf(x):
    return mp.ncdf(mp.mpf(x))


def between_weights(p, q):
    return float(mp.fsum(a * mp.log(a / b) for a, b in zip(p, q, strict=True)))


def of_events(a, b):
    return between_weights((expit(a), expit(-a)), (expit(b), expit(-b)))


def categories(cdf, eta, cutpoints):
    lower = [cdf(mp.mpf(c) - mp.mpf(eta)) for c in cutpoints]
    upper = [cdf(mp.mpf(eta) - mp.mpf(c)) for c in cutpoints]
    inner = [b - a if a < 0.5 else c - d for a, b, c, d in zip(lower, lower[1:], upper, upper[1:], strict=False)]
    return [lower[0], *inner, upper[-1]]


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(60):
        yield


@pytest.mark.parametrize(("a", "b"), list(product(LOG_ODDS, LOG_ODDS)))
def test_bernoulli_by_log_odds(a, b):
    bernoulli = family("Bernoulli")
    value = mk.kl_divergence(bernoulli(logit_p=a), bernoulli(logit_p=b)).value
    np.testing.assert_allclose(value, of_events(a, b), rtol=1e-12)


def test_bernoulli_against_certainty_in_doubles():
    np.testing.assert_allclose(mk.kl_divergence("Bernoulli(0.5)", "Bernoulli(logit_p=40)").value, 19.306852819440055)
    np.testing.assert_allclose(mk.kl_divergence("Bernoulli(0.5)", "Bernoulli(logit_p=30)").value, 14.306852819440152)
    assert mk.kl_divergence("Bernoulli(0.5)", "Bernoulli(1)").value == np.inf
    assert mk.kl_divergence("Bernoulli(0.5)", family("Bernoulli")(logit_p=np.inf)).value == np.inf


def test_every_measure_of_an_event_that_is_nearly_certain():
    p, q = "Bernoulli(0.5)", "Bernoulli(logit_p=40)"
    half, sure, rare = mp.mpf(1) / 2, expit(40), expit(-40)
    mixture = [(half + sure) / 2, (half + rare) / 2]
    js = (between_weights((half, half), mixture) + between_weights((sure, rare), mixture)) / 2
    np.testing.assert_allclose(mk.js_divergence(p, q).value, js, rtol=1e-12)
    np.testing.assert_allclose(mk.entropy(q).value, float(-sure * mp.log(sure) - rare * mp.log(rare)), rtol=1e-12)
    np.testing.assert_allclose(mk.cross_entropy(p, q).value, float(-(mp.log(sure) + mp.log(rare)) / 2), rtol=1e-12)
    np.testing.assert_allclose(mk.wasserstein_distance(p, q).value, 0.5, rtol=1e-12)


@pytest.mark.parametrize("logit", [-800.0, -40.0, 38.0, 40.0, 800.0])
def test_binomial_and_geometric_by_log_odds(logit):
    binomial, geometric = family("Binomial"), family("Geometric")
    p = binomial(n=7, p=0.3), binomial(n=7, logit_p=logit)
    exact = between_weights((mp.mpf(0.3), 1 - mp.mpf(0.3)), (expit(logit), expit(-logit)))
    np.testing.assert_allclose(mk.kl_divergence(*p).value, 7 * exact, rtol=1e-12)
    value = mk.kl_divergence(geometric(p=0.3), geometric(logit_p=logit)).value if logit > 0 else exact / 0.3
    np.testing.assert_allclose(value, exact / float(mp.mpf(0.3)), rtol=1e-12)


def test_binomial_of_many_trials_keeps_its_masses():
    q = family("Binomial")(n=1000, logit_p=40.0)
    x = np.array([0.0, 1.0, 999.0, 1000.0])
    exact = [
        float(mp.log(mp.binomial(1000, int(k))) + k * mp.log(expit(40)) + (1000 - k) * mp.log(expit(-40))) for k in x
    ]
    np.testing.assert_allclose(q.log_density(x), exact, rtol=1e-11)


def test_categories_by_log_weights():
    weights = [0.0, 900.0, -1.0]
    log_total = mp.log(mp.fsum(mp.exp(w) for w in weights))
    exact = mp.fsum(
        mp.mpf(a) * (mp.log(mp.mpf(a)) - w + log_total) for a, w in zip((0.3, 0.3, 0.4), weights, strict=True)
    )
    q = family("Categorical")(logit_p=weights)
    np.testing.assert_allclose(
        mk.kl_divergence(family("Categorical")(p=[0.3, 0.3, 0.4]), q).value, float(exact), rtol=1e-12
    )
    np.testing.assert_allclose(
        mk.kl_divergence(
            family("Multinomial")(n=5, p=[0.3, 0.3, 0.4]), family("Multinomial")(n=5, logit_p=weights)
        ).value,
        5 * float(exact),
        rtol=1e-12,
    )


@pytest.mark.parametrize("eta", [-45.0, -9.0, 9.0, 45.0])
@pytest.mark.parametrize(("name", "cdf"), [("OrderedLogistic", expit), ("OrderedProbit", normal_cdf)])
def test_ordered_regressions_far_from_their_cutpoints(name, cdf, eta):
    with mp.workdps(1000):
        exact = between_weights(categories(cdf, 0.3, (-1, 1.5)), categories(cdf, eta, (-1, 1.5)))
    value = mk.kl_divergence(f"{name}(0.3, [-1, 1.5])", f"{name}({eta}, [-1, 1.5])").value
    np.testing.assert_allclose(value, exact, rtol=1e-11)


def test_an_ordered_regression_far_below_its_cutpoints():
    value = mk.kl_divergence("OrderedLogistic(0, [-1, 1])", "OrderedLogistic(-45, [-1, 1])").value
    np.testing.assert_allclose(value, 31.709, atol=5e-4)


def test_hurdles_and_excess_zeros_by_log_odds():
    for name, parameters in (
        ("HurdlePoisson", {"mu": 2.0}),
        ("HurdleNegativeBinomial", {"mu": 2.0, "alpha": 1.5}),
        ("HurdleGamma", {"alpha": 2.0, "beta": 1.0}),
        ("HurdleLogNormal", {"mu": 0.0, "sigma": 1.0}),
    ):
        p, q = family(name)(psi=0.5, **parameters), family(name)(logit_psi=40.0, **parameters)
        np.testing.assert_allclose(mk.kl_divergence(p, q).value, of_events(0, 40), rtol=1e-12)
    p = family("ZeroInflatedPoisson")(psi=0.5, mu=800.0)
    q = family("ZeroInflatedPoisson")(logit_psi=40.0, mu=800.0)
    np.testing.assert_allclose(mk.kl_divergence(p, q).value, of_events(0, 40), rtol=1e-12)


def test_a_rate_that_underflows_is_not_zero():
    poisson = family("Poisson")
    np.testing.assert_allclose(
        mk.kl_divergence(poisson(mu=2.0), poisson(log_mu=-800.0)).value, 2 * np.log(2) + 1598, rtol=1e-13
    )
    assert mk.kl_divergence(poisson(mu=2.0), poisson(mu=0.0)).value == np.inf


def test_exactly_one_of_two_parameters_is_required():
    with pytest.raises(ValueError, match="logit_p"):
        mk.distribution("Bernoulli")
    with pytest.raises(ValueError, match="logit_p"):
        mk.distribution("Bernoulli", p=0.3, logit_p=1.0)
    with pytest.raises(ValueError, match="logit_p"):
        family("Categorical")(logit_p=[np.nan, 0.0])
