"""Differences of nearly equal numbers, written so that they stay accurate."""

import numpy as np
from scipy import special

from pp_mlekl.typing import Array

LOG_2PI = np.log(2 * np.pi)
# The largest double, as the bound of supports that may lie anywhere but are finite.
LARGEST = float(np.finfo(np.float64).max)
# Log probability below which the leading power of a beta distribution function is exact in double precision.
LOG_DEEP = -40.0
# Nodes and weights on [0, 1] for Taylor remainders in integral form. For ratios in [1/2, 2], 20 Gauss-Legendre points give
# them to 1e-16, because the nearest pole of the integrand is a whole interval away.
GAUSS_NODES, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(20)
GAUSS_NODES, GAUSS_WEIGHTS = (GAUSS_NODES + 1) / 2, GAUSS_WEIGHTS / 2
# Argument from which three terms of Stirling's series give log Gamma to 1e-17.
_STIRLING = 100.0
# Below this, log Gamma(x) is -log(x) and digamma(x) is -1 / x in double precision. The rewritten terms do not overflow.
_TINY = 1e-100


def log1p_minus(x: Array) -> Array:
    """log(1 + x) - x, never positive; accurate for small ``x`` by the series of 2 artanh(x / (2 + x))."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        result = np.asarray(np.log1p(x) - x)
        # For larger x the difference loses at most one digit.
        small = np.abs(x) < 0.1
        if np.any(small):
            y = x[small]
            r = y / (2 + y)
            r2 = r * r
            series = np.zeros_like(r)
            for k in range(15, 1, -2):
                series = (series + 1 / k) * r2
            result[small] = r * (2 * series - y)
    return result


def excess(relative_change: Array) -> Array:
    """x - 1 - log x at x = 1 + ``relative_change``: the divergence of two exponential distributions, >= 0."""
    return -log1p_minus(relative_change)


def expm1_minus(x: Array) -> Array:
    """exp(x) - 1 - x, never negative; accurate for small ``x``."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        series = np.zeros_like(x)
        for k in range(18, 1, -1):
            series = (series + 1) * x / k
        return np.where(np.abs(x) < 0.5, series * x, np.expm1(x) - x)


def relative_change(new: Array, old: Array) -> Array:
    """new / old - 1 without rounding of the quotient."""
    return (new - old) / old


def log_ratio(a: Array, b: Array) -> Array:
    """log(a / b) of positive numbers: accurate where they are close, without overflow where they are far apart."""
    with np.errstate(all="ignore"):
        close = (a < 2 * b) & (b < 2 * a)
        return np.where(close, np.log1p(relative_change(a, b)), np.log(a) - np.log(b))


def entropy_term(p: Array, q: Array) -> Array:
    """p log(p / q) - p + q >= 0, with 0 log 0 = 0 and infinity where q = 0 < p: accurate where p is close to q."""
    p, q = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64))
    with np.errstate(all="ignore"):
        inside = p * excess((q - p) / p)
        # Far below p the quotient underflows; there the plain form does not cancel.
        inside = np.where(q < 0.5 * p, p * (np.log(p) - np.log(q)) - p + q, inside)
    return np.where(p == 0, q, np.where(q == 0, np.inf, inside))


def scaled_exp1(x: Array) -> Array:
    """exp(x) E1(x), E1 the exponential integral; its asymptotic series where the factors leave floating point."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        series = np.ones_like(x)
        for k in range(20, 0, -1):
            series = 1 - series * k / x
        return np.where(x > 50, series / x, np.exp(x) * special.exp1(x))


def gamma_entropy(a: Array) -> Array:
    """Differential entropy of the gamma distribution of shape ``a`` and rate 1; Stirling's series where it cancels."""
    a = np.asarray(a, dtype=np.float64)
    with np.errstate(all="ignore"):
        plain = a + special.gammaln(a) + (1 - a) * special.digamma(a)
        r = 1 / (a * a)
        log_gamma = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / a
        digamma = r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132))))
        stirling = (np.log(2 * np.pi * a) + 1 - 1 / a) / 2 + log_gamma + (a - 1) * digamma
        return np.where(a > 20, stirling, plain)


def half_step_of_digamma(x: Array) -> Array:
    """digamma(x + 1/2) - digamma(x); its asymptotic series where the difference cancels."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        r = 1 / (x * x)
        series = 1 / (2 * x) + r / 8 * (1 - r / 8 * (1 - r / 2 * (1 - r * 17 / 16 * (1 - r * 31 / 17))))
        return np.where(x > 20, series, special.digamma(x + 0.5) - special.digamma(x))


def gammaln_excess(a: Array, b: Array, step: Array | None = None) -> Array:
    """log Gamma(b) - log Gamma(a) - (b - a) digamma(a): the Bregman divergence of log Gamma, >= 0.

    Where b is within a factor 2 of a it is (b - a)^2 int_0^1 (1 - s) trigamma(a + s (b - a)) ds, without cancellation.
    ``step`` is b - a where that is known to more digits than a and b give.
    """
    step = np.asarray(b, dtype=np.float64) - a if step is None else step
    a, b, step = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (a, b, step)))
    with np.errstate(all="ignore"):
        close, tiny = (b < 2 * a) & (b > a / 2), a < _TINY
        result = _log_gamma(b) - _log_gamma(a) + np.where(tiny, step / a, -step * special.digamma(a))
        result = np.where(tiny & (close | (b < _TINY)), _log_excess(step / a, b / a), result)
        close &= ~tiny
        if not np.any(close):
            return result
        start, change = a[close], step[close]
        curvature = special.zeta(2.0, start + GAUSS_NODES[:, None] * change)
        result[close] = change**2 * np.sum((GAUSS_WEIGHTS * (1 - GAUSS_NODES))[:, None] * curvature, axis=0)
    return result


def _log_gamma(x: Array) -> Array:
    """log Gamma, which SciPy takes to be infinite at numbers below the smallest normal one."""
    return np.where(x < _TINY, -np.log(x), special.gammaln(x))


def dirichlet_excess(a: Array, b: Array) -> Array:
    """Sum of ``gammaln_excess(a_i, b_i)`` over the last axis less that of the totals: KL of Dirichlets, without cancellation.

    In Stirling's formula log Gamma(x) = x log x - log(x) / 2 + R(x) + a linear function, the first term gives the total of b
    times the divergence of the proportions b from the proportions a, which the sum of large terms would lose.
    """
    a, b = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (a, b)))
    step, total, new = b - a, a.sum(axis=-1), b.sum(axis=-1)
    whole = gammaln_excess(total, new, step.sum(axis=-1))
    with np.errstate(all="ignore"):
        change, of_total = step / a, step.sum(axis=-1) / total
        relative = (change - of_total[..., None]) / (1 + of_total[..., None])
        relative_ratio = b / a * (total / new)[..., None]
        first = new * np.sum(a / total[..., None] * _entropy_excess(relative, relative_ratio), axis=-1)
        second = 0.5 * (np.sum(_log_excess(change, b / a), axis=-1) - _log_excess(of_total, new / total))
        third = np.sum(_stirling_excess(a, b, change), axis=-1) - _stirling_excess(total, new, of_total)
        sums = np.sum(gammaln_excess(a, b), axis=-1) - whole
        accurate = first + second + third
    # An element that all but vanishes has no relative change in double precision.
    return np.where((np.minimum(total, new) < _STIRLING) | ~np.isfinite(accurate), sums, accurate)


def log_rising_excess(a: Array, k: Array) -> Array:
    """log Gamma(a + k) - log Gamma(a) - k log a for k >= 0: by Stirling's series where the large terms would cancel."""
    a, k = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(k, dtype=np.float64))
    with np.errstate(all="ignore"):
        u, x = k / a, a + k
        series = -k / (12 * a * x) - (1 / x**3 - 1 / a**3) / 360 + (1 / x**5 - 1 / a**5) / 1260
        large = a * _entropy_excess(u, 1 + u) - 0.5 * np.log1p(u) + series
        plain = special.gammaln(x) - special.gammaln(a) - special.xlogy(k, a)
    return np.where(a < _STIRLING, plain, large)


def _entropy_excess(change: Array, ratio: Array) -> Array:
    """r log r - r + 1 for a ratio r = 1 + ``change``, >= 0."""
    near = (1 + change) * log1p_minus(change) + change * change
    return np.where(np.abs(change) < 0.5, near, special.xlogy(ratio, ratio) - change)


def _log_excess(change: Array, ratio: Array) -> Array:
    """r - 1 - log r for a ratio r = 1 + ``change``, >= 0."""
    return np.where(np.abs(change) < 0.5, excess(change), change - np.log(ratio))


def _stirling_excess(a: Array, b: Array, change: Array) -> Array:
    """The Bregman divergence of R(x) = 1 / (12 x) - 1 / (360 x^3) + 1 / (1260 x^5) - ... from ``a`` to ``b``."""
    d = change
    series = 1 / (12 * b) - (6 + d * (8 + 3 * d)) / (360 * b**3)
    series += (15 + d * (40 + d * (45 + d * (24 + 5 * d)))) / (1260 * b**5)
    small = gammaln_excess(a, b, a * d) - a * _entropy_excess(d, b / a) - 0.5 * _log_excess(d, b / a)
    return np.where(np.minimum(a, b) < _STIRLING, small, d**2 * series)


def multigammaln_excess(a: Array, b: Array, dimension: int) -> Array:
    """``gammaln_excess`` for the multivariate gamma function: a sum over dimensions."""
    return np.sum([gammaln_excess(np.asarray(a) - j / 2, np.asarray(b) - j / 2) for j in range(dimension)], axis=0)


def log_bessel_excess(a: Array, b: Array) -> Array:
    """log I0(b) - log I0(a) - (b - a) I1(a) / I0(a), >= 0, by a remainder integral where a and b are close."""
    a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    step = b - a
    k = a + GAUSS_NODES.reshape(-1, *([1] * a.ndim)) * step
    weights = (GAUSS_WEIGHTS * (1 - GAUSS_NODES)).reshape(-1, *([1] * a.ndim))
    near = step**2 * np.sum(weights * bessel_curvature(k), axis=0)
    far = np.log(special.i0e(b) / special.i0e(a)) + step * (1 - bessel_ratio(a))
    return np.where(np.abs(step) < 0.5 * np.maximum(a, 1.0), near, far)


def log_i0e(x: Array) -> Array:
    """log(exp(-|x|) I0(x))."""
    return np.log(special.i0e(x))


def bessel_ratio(x: Array) -> Array:
    """A(x) = I1(x) / I0(x), the first derivative of log I0 and the mean resultant length of a von Mises distribution."""
    return special.i1e(x) / special.i0e(x)


def bessel_curvature(x: Array) -> Array:
    """Second derivative of log I0: 1 - A/x - A^2, A = I1/I0; its asymptotic series where that would cancel."""
    with np.errstate(all="ignore"):
        ratio, k = bessel_ratio(x), np.abs(x)
        exact = 1 - np.where(x != 0, ratio / x, 0.5) - ratio**2
        series = 1 / (2 * k**2) + 1 / (4 * k**3) + 3 / (8 * k**4) + 25 / (32 * k**5) + 65 / (32 * k**6)
    return np.where(k > 300, series, exact)


def log1p_square(x: Array) -> Array:
    """log(1 + x^2), also where x^2 overflows."""
    x = np.abs(np.asarray(x, dtype=np.float64))
    with np.errstate(all="ignore"):
        return np.where(x < 1e100, np.log1p(np.square(np.minimum(x, 1e100))), 2 * np.log(x))


def student_t_log_density(nu: Array, z: Array) -> Array:
    """Log density of the standard Student t; the constant stays exact for large ``nu``, where t is normal."""
    half = np.asarray(nu, dtype=np.float64) / 2
    # log Gamma(half + 1/2) - log Gamma(half) - log(half) / 2, by Stirling's series where that would cancel.
    with np.errstate(all="ignore"):
        i2 = 1 / half**2
        series = -(1 - i2 * (1 / 24 - i2 * (1 / 80 - i2 * (17 / 1792 - i2 * 31 / 2304)))) / (8 * half)
        direct = special.gammaln(half + 0.5) - special.gammaln(half) - np.log(half) / 2
    excess_constant = np.where(half > 20, series, direct)
    return excess_constant - LOG_2PI / 2 - (half + 0.5) * log1p_square(z / np.sqrt(nu))
