"""Differences of nearly equal numbers against 40 digits, on either side of each change of formula."""

import mpmath as mp
import numpy as np
import pytest

from pp_mlekl.divergences import special as sp
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.kullback_leibler import kl_divergence

SMALL = [1e-300, 1e-12, 1e-5, 0.01, 0.0999, 0.1001, 0.3, 0.49, 0.51, 0.9]


def exact(function, *arguments):
    """The function in 40 digits at doubles, as a double."""
    with mp.workdps(40):
        return float(function(*(mp.mpf(float(a)) for a in arguments)))


def check(function, reference, points, rtol=1e-13, atol=0.0):
    points = [np.atleast_1d(p) for p in points]
    found = function(*(np.array(column) for column in zip(*points, strict=True)))
    expected = [exact(reference, *p) for p in points]
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def both(values):
    return [*values, *(-v for v in values)]


def test_constants():
    assert exact(lambda: mp.log(2 * mp.pi)) == pytest.approx(sp.LOG_2PI, rel=1e-15)
    assert sp.LARGEST == 1.7976931348623157e308
    assert sp.LOG_DEEP == -40.0
    assert len(sp.GAUSS_NODES) == 20
    # Twenty points integrate powers up to 39.
    for power in (0, 1, 2, 20, 39):
        assert np.sum(sp.GAUSS_WEIGHTS * sp.GAUSS_NODES**power) == pytest.approx(1 / (power + 1), rel=1e-13)


def test_log1p_minus():
    check(sp.log1p_minus, lambda x: mp.log1p(x) - x, [*both(SMALL[1:]), 5.0, 1e10], rtol=2e-13)
    assert sp.log1p_minus(np.array([0.0, -1.0])).tolist() == [0.0, -np.inf]
    assert sp.log1p_minus(0.5).shape == ()


def test_excess():
    check(sp.excess, lambda c: c - mp.log1p(c), [*both(SMALL[1:]), 40.0], rtol=2e-13)


def test_expm1_minus():
    check(sp.expm1_minus, lambda x: mp.expm1(x) - x, [*both(SMALL[1:]), 3.0, -3.0, -700.0, 50.0], rtol=1e-14)
    assert sp.expm1_minus(np.zeros(1))[0] == 0.0


def test_ratios():
    assert sp.relative_change(np.array(3.0), np.array(2.0)) == 0.5
    pairs = [
        (1.0, 1.0 + 1e-12),
        (1.0, 1.9999),
        (1.0, 2.0001),
        (2.0001, 1.0),
        (1e-300, 1e300),
        (1e300, 1e-300),
        (3.0, 3.0),
    ]
    check(sp.log_ratio, lambda a, b: mp.log(a / b), pairs, rtol=1e-14)


def test_entropy_terms():
    pairs = [
        (0.3, 0.3 * (1 + 1e-9)), (0.3, 0.151), (0.3, 0.149), (0.3, 1e-300), (1e-300, 0.5), (0.3, 40.0), (5.0, 5.0), (2.0, 4.1),
    ]  # fmt: skip
    check(sp.entropy_term, lambda p, q: p * mp.log(p / q) - p + q, pairs, rtol=3e-13)
    found = sp.entropy_term(np.array([0.0, 0.0, 0.5]), np.array([0.7, 0.0, 0.0]))
    assert found.tolist() == [0.7, 0.0, np.inf]


def test_scaled_exponential_integral():
    check(sp.scaled_exp1, lambda x: mp.exp(x) * mp.e1(x), [1e-8, 0.5, 3.0, 49.9, 50.1, 700.0, 1e5], rtol=1e-13)


def gamma_entropy(a):
    return a + mp.loggamma(a) + (1 - a) * mp.digamma(a)


def test_entropy_of_a_gamma():
    check(
        sp.gamma_entropy,
        gamma_entropy,
        [0.02, 0.5, 1.0, 5.0, 19.9, 20.1, 25.0, 100.0, 1e4, 1e9],
        rtol=2e-14,
        atol=1e-15,
    )


def test_half_steps_of_digamma():
    points = [0.01, 1.0, 19.9, 20.1, 30.0, 1e3, 1e8]
    check(sp.half_step_of_digamma, lambda x: mp.digamma(x + mp.mpf(1) / 2) - mp.digamma(x), points, rtol=3e-14)


def gammaln_excess(a, b):
    return mp.loggamma(b) - mp.loggamma(a) - (b - a) * mp.digamma(a)


SHAPES = [
    (0.3, 0.3 + 1e-9), (5.0, 5.0 + 1e-7), (5.0, 9.99), (5.0, 2.51), (5.0, 10.01), (5.0, 2.49), (0.01, 30.0), (300.0, 1.0), (1e6, 1e6 + 1),
]  # fmt: skip


def test_bregman_divergence_of_log_gamma():
    check(sp.gammaln_excess, gammaln_excess, SHAPES, rtol=1e-12)
    # A step known to more digits than the numbers give.
    found = sp.gammaln_excess(np.array(5.0), np.array(5.0), np.array(1e-20))
    assert found == pytest.approx(0.5e-40 * exact(lambda: mp.polygamma(1, 5)), rel=1e-12)


@pytest.mark.parametrize("size", [1e-99, 1.01e-100, 0.99e-100, 1e-150, 1e-160, 1e-300, 1e-307, 1e-309])
@pytest.mark.parametrize("ratio", [0.3, 0.6, 1 + 1e-8, 1.5, 2.5, 1e90])
def test_bregman_divergence_of_log_gamma_near_its_pole(size, ratio):
    check(sp.gammaln_excess, gammaln_excess, [(size, ratio * size)], rtol=1e-9 if size > 1e-308 else 1e-6)
    assert sp.gammaln_excess(size, size) == 0.0


def test_gammas_of_tiny_shapes():
    """Of one rate the divergence is that of the shapes: r - 1 - log r for their ratio r, and b / a where b is not tiny."""
    gamma = family("Gamma")
    for a, b, expected in [
        (1e-200, 1.5e-200, 0.5 - np.log(1.5)), (1e-160, 1.5e-160, 0.5 - np.log(1.5)), (1e-309, 3e-309, 2 - np.log(3)),
        (1e-300, 2.0, 2e300), (1e-310, 2.0, np.inf),
    ]:  # fmt: skip
        found = kl_divergence(gamma(alpha=a, beta=1.0), gamma(alpha=b, beta=1.0))
        assert found.method == "closed form"
        assert found.value == pytest.approx(expected, rel=1e-9)


def test_bregman_divergence_of_the_multivariate_gamma():
    for dimension in (1, 2, 4):
        check(
            lambda a, b, d=dimension: sp.multigammaln_excess(a, b, d),
            lambda a, b, d=dimension: mp.fsum(gammaln_excess(a - mp.mpf(j) / 2, b - mp.mpf(j) / 2) for j in range(d)),
            [(5.0, 5.5), (6.0, 40.0), (30.0, 29.0)],
            rtol=1e-12,
        )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.5, 2.0, 3.0], [0.6, 2.5, 2.0]),
        ([30.0, 40.0, 20.0], [31.0, 39.0, 25.0]),
        ([60.0, 50.0], [61.0, 52.0]),
        ([150.0, 250.0, 300.0], [160.0, 240.0, 290.0]),
        ([1e6, 2e6], [1e6 + 10.0, 2e6 - 30.0]),
        ([1e8, 3e8, 2e8], [1.3e8, 2.5e8, 2.2e8]),
        ([200.0, 0.01], [250.0, 0.02]),
        ([1e5, 1e5], [3e5, 1e5]),
        ([101.0, 0.5, 90.0], [150.0, 0.4, 60.0]),
        ([99.0, 0.5], [99.4, 0.4]),
    ],
)
def test_divergences_of_dirichlets(a, b):
    with mp.workdps(60):
        x, y = [mp.mpf(v) for v in a], [mp.mpf(v) for v in b]
        parts = mp.fsum(gammaln_excess(p, q) for p, q in zip(x, y, strict=True))
        expected = float(parts - gammaln_excess(mp.fsum(x), mp.fsum(y)))
    assert sp.dirichlet_excess(np.array(a), np.array(b)) == pytest.approx(expected, rel=5e-12)


def test_rising_factorials():
    def reference(a, k):
        return mp.loggamma(a + k) - mp.loggamma(a) - k * mp.log(a)

    points = [
        (0.5, 3.0),
        (50.0, 7.0),
        (99.0, 30.0),
        (101.0, 30.0),
        (101.0, 5.0),
        (500.0, 400.0),
        (1e4, 3.0),
        (1e6, 1.0),
        (1e8, 1e5),
        (3.0, 0.0),
        (300.0, 0.0),
    ]
    check(sp.log_rising_excess, reference, points, rtol=3e-11, atol=1e-13)


def test_bregman_divergence_of_log_bessel():
    def reference(a, b):
        ratio = mp.besseli(1, a) / mp.besseli(0, a)
        return mp.log(mp.besseli(0, b)) - mp.log(mp.besseli(0, a)) - (b - a) * ratio

    points = [
        (2.0, 2.0 + 1e-7),
        (2.0, 2.99),
        (2.0, 3.01),
        (2.0, 1.01),
        (0.0, 0.49),
        (0.0, 0.51),
        (0.5, 40.0),
        (30.0, 1.0),
        (250.0, 251.0),
        (400.0, 420.0),
    ]
    check(sp.log_bessel_excess, reference, points, rtol=3e-11)


def test_bessel_functions():
    points = [1e-8, 0.3, 2.0, 50.0, 299.0, 301.0, 350.0, 5000.0]
    check(sp.log_i0e, lambda x: mp.log(mp.besseli(0, x)) - x, points, rtol=1e-13, atol=3e-16)
    check(sp.bessel_ratio, lambda x: mp.besseli(1, x) / mp.besseli(0, x), points, rtol=1e-14)

    def curvature(x):
        ratio = mp.besseli(1, x) / mp.besseli(0, x)
        return 1 - ratio / x - ratio**2

    check(sp.bessel_curvature, curvature, [0.3, 2.0, -2.0, 20.0], rtol=1e-12)
    check(sp.bessel_curvature, curvature, [301.0, -301.0, 350.0, 5000.0], rtol=1e-11)
    assert sp.bessel_curvature(np.array(0.0)) == 0.5


def test_logarithms_of_squares():
    check(
        sp.log1p_square,
        lambda x: mp.log(1 + x * x),
        both([1e-9, 0.5, 3.0, 1e80, 0.99e100, 1.01e100, 1e200]),
        rtol=1e-14,
    )


def test_density_of_students_t():
    def reference(nu, z):
        half = nu / 2
        constant = mp.loggamma(half + mp.mpf(1) / 2) - mp.loggamma(half) - mp.log(nu * mp.pi) / 2
        return constant - (half + mp.mpf(1) / 2) * mp.log1p(z * z / nu)

    points = [(nu, z) for nu in (0.3, 3.0, 39.0, 41.0, 60.0, 1e3, 1e8) for z in (0.0, 0.7, -4.0)] + [(2.0, 1e200)]
    check(sp.student_t_log_density, reference, points, rtol=2e-14)


def test_dirichlets_of_which_one_hardly_has_an_element():
    """The relative change of an element of 1e-310 overflows, as the divergence does; of 1e-250 it is finite."""
    assert sp.dirichlet_excess([1e-310, 1.0], [2.0, 3.0]) == np.inf
    # -b digamma(a) = b / a is all that counts.
    assert sp.dirichlet_excess([1e-250, 1.0], [2.0, 3.0]) == pytest.approx(2e250)
