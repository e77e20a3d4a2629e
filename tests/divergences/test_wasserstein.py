"""Wasserstein distances of order 1 and 2."""

import numpy as np
import pytest
from scipy import stats

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.wasserstein import wasserstein_distance

normal, pareto, cauchy, poisson = (family(n) for n in ("Normal", "Pareto", "Cauchy", "Poisson"))


def folded_normal_mean(shift, scale):
    return scale * np.sqrt(2 / np.pi) * np.exp(-((shift / scale) ** 2) / 2) + shift * (
        1 - 2 * stats.norm.cdf(-shift / scale)
    )


@pytest.mark.parametrize(
    ("p", "q", "order", "expected"),
    [
        # Within a family of location and scale the optimal coupling is linear.
        (normal(mu=0, sigma=1), normal(mu=0.3, sigma=2), 1, folded_normal_mean(0.3, 1.0)),
        (normal(mu=0, sigma=1), normal(mu=0.3, sigma=2), 2, np.hypot(0.3, 1.0)),
        (family("Logistic")(mu=0, s=1), family("Logistic")(mu=1, s=1), 2, 1.0),
        # One stochastically larger than the other: the difference of the means.
        (family("Exponential")(lam=1), family("Exponential")(lam=2), 1, 0.5),
        (family("Exponential")(lam=1), family("Exponential")(lam=2), 2, np.sqrt(0.5)),
        (family("Uniform")(lower=0, upper=1), family("Uniform")(lower=0.2, upper=3), 1, 1.1),
        (family("Wald")(mu=2.0, lam=2.0), family("Wald")(mu=1.5, lam=2.0), 1, 0.5),
        (poisson(mu=3.0), poisson(mu=5.0), 1, 2.0),
        (poisson(mu=3e4), poisson(mu=5e4), 1, 2e4),
        (family("Bernoulli")(p=0.2), family("Bernoulli")(p=0.7), 2, np.sqrt(0.5)),
        (family("HurdleGamma")(psi=0.5, alpha=1, beta=1), family("HurdleGamma")(psi=0.8, alpha=1, beta=1), 1, 0.3),
        # Heavy tails: finite where the difference of the quantiles is integrable.
        (cauchy(alpha=0, beta=1), cauchy(alpha=2, beta=1), 1, 2.0),
        (cauchy(alpha=0, beta=1), cauchy(alpha=2, beta=2), 1, np.inf),
        (pareto(alpha=1.5, m=1), pareto(alpha=1.5, m=2), 1, 3.0),
        (pareto(alpha=1.5, m=1), pareto(alpha=1.5, m=2), 2, np.inf),
    ],
)
def test_agrees_with_the_exact_distance(p, q, order, expected):
    np.testing.assert_allclose(wasserstein_distance(p, q, order=order).value, expected, rtol=1e-9)
    np.testing.assert_allclose(wasserstein_distance(q, p, order=order).value, expected, rtol=1e-9)


def test_a_batch_of_counts_agrees_with_scipy():
    rng = np.random.default_rng(3)
    mu, n = rng.uniform(1, 20, size=4), np.array([5.0, 10.0, 20.0, 40.0])
    found = wasserstein_distance(poisson(mu=mu), family("Binomial")(n=n, p=0.3)).value
    x = np.arange(200)
    for i in range(4):
        masses = stats.poisson(mu[i]).pmf(x), stats.binom(n[i], 0.3).pmf(x)
        np.testing.assert_allclose(found[i], stats.wasserstein_distance(x, x, *masses), rtol=1e-10)


def test_scales_with_the_variable():
    p, q = family("Gamma")(alpha=2.0, beta=1.0), family("LogNormal")(mu=0.3, sigma=0.5)
    scaled = family("Gamma")(alpha=2.0, beta=1e-3), family("LogNormal")(mu=0.3 + np.log(1e3), sigma=0.5)
    for order in (1, 2):
        once = wasserstein_distance(p, q, order=order).value
        np.testing.assert_allclose(wasserstein_distance(*scaled, order=order).value, 1e3 * once, rtol=1e-9)


def test_between_normal_vectors_reduces_to_each_axis():
    p = family("MvNormal")(mu=np.zeros(2), cov=np.diag([1.0, 4.0]))
    q = family("MvNormal")(mu=np.array([1.0, 0.0]), cov=np.diag([4.0, 9.0]))
    np.testing.assert_allclose(wasserstein_distance(p, q, order=2).value, np.sqrt(1 + 1 + 1), rtol=1e-12)


def test_other_orders_are_refused():
    with pytest.raises(ValueError, match="order"):
        wasserstein_distance(normal(mu=0, sigma=1), normal(mu=1, sigma=1), order=3)


@pytest.mark.parametrize("nu", [2.004, 2.02, 2.5])
def test_what_lies_beyond_the_smallest_doubles_counts(nu):
    """The distance of a scaled t variable from itself is that of the scales times its standard deviation."""
    p, q = (family("StudentT")(nu=nu, mu=0.0, sigma=sigma) for sigma in (1.0, 2.0))
    found = wasserstein_distance(p, q, order=2).value
    np.testing.assert_allclose(found, np.sqrt(nu / (nu - 2)), rtol=1e-6)
