"""KL divergence, entropy and cross-entropy of distributions."""

import golden_pairs
import numpy as np
import pytest
from scipy import stats
from univariate_cases import make

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.integration.gauss_kronrod import Integral
from pp_mlekl.divergences.kullback_leibler import (
    _outside,
    by_quadrature,
    cross_entropy,
    entropy,
    kl_divergence,
)

normal, gamma, student, mixture = (family(n) for n in ("Normal", "Gamma", "StudentT", "NormalMixture"))


@pytest.mark.parametrize("case", golden_pairs.CASES)
@pytest.mark.parametrize("quantity", ["kl_pq", "kl_qp"])
def test_agrees_with_golden_values(case, quantity):
    if golden_pairs.CASES[case][quantity] is None:
        return
    p, q = golden_pairs.pair(case)
    estimate = kl_divergence(p, q) if quantity == "kl_pq" else kl_divergence(q, p)
    golden_pairs.check(case, quantity, estimate.value)
    assert not estimate.warnings
    assert estimate.mcse == 0


@pytest.mark.parametrize("name", ["SkewNormal", "NormalMixture", "ZeroInflatedPoisson", "Rice", "HurdlePoisson"])
def test_is_exactly_zero_between_equal_distributions(name):
    assert kl_divergence(make(name), make(name)).value == 0.0


def test_numerical_pairs_do_not_change_under_an_affine_map():
    def shifted(a, b):
        p = family("SkewNormal")(mu=a + b * 0.3, sigma=b * 1.2, alpha=3.0)
        q = family("Logistic")(mu=a - b * 0.2, s=b * 0.9)
        return kl_divergence(p, q).value

    expected = shifted(0.0, 1.0)
    np.testing.assert_allclose([shifted(50.0, 1e-2), shifted(-3.0, 1e6), shifted(1e3, 7.0)], expected, rtol=1e-11)
    # A location of 5e7 scales: the points themselves are rounded to 1e-8 of a scale.
    np.testing.assert_allclose(shifted(5e4, 1e-3), expected, rtol=1e-7)


def test_log_normal_against_log_normal_mixture_is_normal_against_normal_mixture():
    mu, sigma, w = [-0.5, 0.8], [0.4, 0.9], [0.3, 0.7]
    parts = tuple(family("LogNormal")(mu=m, sigma=s) for m, s in zip(mu, sigma, strict=True))
    on_the_half_line = kl_divergence(family("LogNormal")(mu=0.2, sigma=0.7), family("Mixture")(w=w, parts=parts))
    on_the_line = kl_divergence(normal(mu=0.2, sigma=0.7), mixture(w=w, mu=mu, sigma=sigma))
    np.testing.assert_allclose(on_the_half_line.value, on_the_line.value, rtol=1e-11)


def test_a_batch_holds_finite_and_infinite_elements():
    p = student(nu=[1.0, 2.0, 2.5, 5.0], mu=0.0, sigma=1.0)
    value = kl_divergence(p, family("Logistic")(mu=0.0, s=1.0)).value
    assert np.isinf(value[0])
    assert np.all(np.isfinite(value[1:]))
    value = kl_divergence(p, family("SkewNormal")(mu=0.0, sigma=1.0, alpha=[[0.0], [1.0]])).value
    assert value.shape == (2, 4)
    assert np.array_equal(np.isinf(value), [[True, True, False, False]] * 2)


def test_a_batch_agrees_with_its_elements():
    rng = np.random.default_rng(1)
    mu, s = rng.normal(size=5), rng.uniform(0.5, 2, size=5)
    p, q = gamma(alpha=[[0.5], [3.0]], beta=1.3), family("Logistic")(mu=mu, s=s)
    whole = kl_divergence(p, q).value
    for i, alpha in enumerate((0.5, 3.0)):
        for j in range(5):
            one = kl_divergence(gamma(alpha=alpha, beta=1.3), family("Logistic")(mu=mu[j], s=s[j])).value
            np.testing.assert_allclose(whole[i, j], one, rtol=1e-13)


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9])
def test_nearly_equal_distributions_keep_their_digits(step):
    # To second order KL is half the Fisher information times the square of the step; the next order is the step's.
    p, q = family("Logistic")(mu=0.0, s=1.0), family("Logistic")(mu=step, s=1.0)
    mixed = kl_divergence(family("Mixture")(w=[1.0], parts=(p,)), family("Mixture")(w=[1.0], parts=(q,)))
    np.testing.assert_allclose(mixed.value, step**2 / 6, rtol=max(step, 1e-6))


def test_mass_outside_the_support_counts_where_the_divergence_is_small():
    # A truncation: KL = -log of the mass kept.
    whole = normal(mu=0.0, sigma=1.0)
    for bound in (3.0, 5.0, 6.5):
        kept = family("Truncated")(dist=whole, lower=-np.inf, upper=bound)
        np.testing.assert_allclose(kl_divergence(kept, whole).value, -stats.norm.logcdf(bound), rtol=1e-6)


def test_kinds_and_dimensions_must_agree():
    with pytest.raises(ValueError, match="discrete"):
        kl_divergence(normal(mu=0, sigma=1), family("Poisson")(mu=1))
    plane = family("MvNormal")(mu=np.zeros(2), cov=np.eye(2))
    with pytest.raises(ValueError, match="event axes"):
        kl_divergence(normal(mu=0, sigma=1), plane)
    with pytest.raises(ValueError, match="of one shape"):
        kl_divergence(plane, family("MvNormal")(mu=np.zeros(3), cov=np.eye(3)))


@pytest.mark.parametrize(
    ("p", "q"),
    [("Cauchy", "Normal"), ("Cauchy", "Logistic"), ("HalfCauchy", "Gamma"), ("Pareto", "Gumbel"), ("Normal", "Gamma")],
)
def test_infinite_pairs_are_infinite(p, q):
    p = family("Pareto")(alpha=0.9, m=1.0) if p == "Pareto" else make(p)
    assert kl_divergence(p, make(q)).value == np.inf


@pytest.mark.parametrize(
    ("p", "frozen"),
    [
        (family("SkewNormal")(mu=0.5, sigma=2.0, alpha=0.0), stats.norm(0.5, 2.0)),
        (family("TruncatedNormal")(mu=0, sigma=1, lower=-1.0, upper=2.0), stats.truncnorm(-1.0, 2.0)),
        (family("Rice")(nu=0.0, sigma=1.5), stats.rayleigh(scale=1.5)),
    ],
)
def test_entropy_agrees_with_scipy(p, frozen):
    np.testing.assert_allclose(entropy(p).value, float(frozen.entropy()), rtol=1e-10)


def test_entropy_of_counts_is_the_sum():
    x = np.arange(400)
    mass = stats.poisson(30.0).pmf(x)
    expected = -np.sum(mass * stats.poisson(30.0).logpmf(x))
    np.testing.assert_allclose(entropy(family("Poisson")(mu=30.0)).value, expected, rtol=1e-11)


def test_cross_entropy_is_entropy_plus_divergence():
    p, q = make("SkewNormal"), make("StudentT")
    total = entropy(p).value + kl_divergence(p, q).value
    np.testing.assert_allclose(cross_entropy(p, q).value, total, rtol=1e-12)


@pytest.mark.parametrize(
    ("value", "error", "direction", "warned"),
    [
        (1.0, 2e-7, "KL(P||Q)", True),
        (1.0, 0.5e-7, "KL(P||Q)", False),
        (0.0, 2e-12, "H(P)", True),
        (0.0, 0.5e-12, "H(P)", False),
        # A small divergence must have three digits of its own; an entropy near 0 is no small number.
        (1e-13, 2e-16, "KL(P||Q)", True),
        (1e-13, 0.5e-16, "KL(P||Q)", False),
        (1e-13, 2e-16, "H(P)", False),
        (np.nan, 0.0, "KL(P||Q)", True),
        (np.inf, np.nan, "KL(P||Q)", False),
    ],
)
def test_poor_integrals_are_warned_of(value, error, direction, warned):
    integral = Integral(value=np.array([value]), error=np.array([error]))
    p = family("Normal")(mu=0.0, sigma=1.0)
    found = by_quadrature(p, integral, (), direction, divergence=direction != "H(P)")
    assert bool(found.warnings) == warned
    assert (found.method, found.direction) == ("quadrature", direction)


LOW, HIGH = -0.5, 1.5


@pytest.mark.parametrize(
    ("kind", "lower", "upper", "outside"),
    [
        ("Truncated", LOW, np.inf, stats.norm.cdf(LOW, 0.1)),
        ("Truncated", -np.inf, HIGH, stats.norm.sf(HIGH, 0.1)),
        ("Truncated", LOW, HIGH, stats.norm.cdf(LOW, 0.1) + stats.norm.sf(HIGH, 0.1)),
        # What is set to an end is there.
        ("Censored", LOW, np.inf, 0.0),
        ("Censored", -np.inf, HIGH, 0.0),
        ("Censored", LOW, HIGH, 0.0),
    ],
)
def test_mass_of_another_outside_a_support(kind, lower, upper, outside):
    p, other = (family(kind)(dist=normal(mu=mu, sigma=1.0), lower=lower, upper=upper) for mu in (0.0, 0.1))
    q = normal(mu=0.1, sigma=1.0) if kind == "Truncated" else other
    assert _outside(p, q) == pytest.approx(outside, abs=1e-15)
    # Nothing is outside of the other.
    assert _outside(normal(mu=0.0, sigma=1.0), normal(mu=0.1, sigma=1.0)) == 0.0
