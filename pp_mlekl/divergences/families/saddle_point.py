"""Log masses of counts without the rounding of log Gamma at large arguments (Loader 2000).

Fast and accurate computation of binomial probabilities: with D(x, m) = x log(x / m) - x + m and the error of Stirling's
formula d(x), log Poisson(x; m) = -d(x) - D(x, m) - log(2 pi x) / 2.
"""

import numpy as np
from scipy import special

from pp_mlekl.divergences.families.probability import Probability
from pp_mlekl.divergences.special import LOG_2PI, entropy_term
from pp_mlekl.typing import Array

_HALF_LOG_2PI = LOG_2PI / 2
# Argument below which the plain formula is as accurate, and faster.
_LARGE = 500.0


def poisson_log_mass(x: Array, mean: Array, log_mean: Array) -> Array:
    """Log mass of Poisson at whole numbers x >= 0."""
    plain = np.array(np.where(x > 0, x * log_mean, 0.0) - mean - special.gammaln(x + 1))
    large = np.broadcast_to((x > _LARGE) & (mean > 0), plain.shape)
    if np.any(large):
        n, m = (np.broadcast_to(v, plain.shape)[large] for v in (x, mean))
        plain[large] = -_stirling_error(n) - entropy_term(n, m) - _HALF_LOG_2PI - np.log(n) / 2
    return plain


def binomial_log_mass(x: Array, n: Array, success: Probability) -> Array:
    """Log mass of Binomial at whole numbers 0 <= x <= n."""
    p, failure = success.p, success.complement
    plain = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    plain = plain + np.where(x > 0, x * success.log, 0.0)
    plain = np.array(plain + np.where(x < n, (n - x) * success.log_complement, 0.0))
    large = np.broadcast_to((n > _LARGE) & (x > 0) & (x < n) & (p > 0) & (failure > 0), plain.shape)
    if np.any(large):
        k, m, r, f = (np.broadcast_to(v, plain.shape)[large] for v in (x, n, p, failure))
        error = _stirling_error(m) - _stirling_error(k) - _stirling_error(m - k)
        distance = entropy_term(k, m * r) + entropy_term(m - k, m * f)
        plain[large] = error - distance + (np.log(m / k) - np.log(m - k)) / 2 - _HALF_LOG_2PI
    return plain


def negative_binomial_log_mass(x: Array, mean: Array, alpha: Array) -> Array:
    """Log mass of the negative binomial at whole numbers x >= 0: alpha / (alpha + x) times a binomial one."""
    safe = np.where(x > 0, x, 1.0)
    plain = -special.betaln(safe, alpha) - np.log(safe)
    plain = plain - alpha * np.log1p(mean / alpha) - special.xlog1py(x, alpha / mean)
    plain = np.array(np.where(x > 0, plain, -alpha * np.log1p(mean / alpha)))
    large = np.broadcast_to((x > 0) & (alpha + x > _LARGE), plain.shape)
    if np.any(large):
        # Computed before the broadcast, since there are fewer counts and fewer alphas than pairs of them.
        errors = (_stirling_error(np.maximum(x, 1.0)), _stirling_error(alpha))
        k, m, a, of_k, of_a = (np.broadcast_to(v, plain.shape)[large] for v in (x, mean, alpha, *errors))
        total = a + k
        error = _stirling_error(total) - of_k - of_a
        # The mean of the binomial is total * mean / (mean + alpha).
        distance = entropy_term(k, total * (m / (m + a))) + entropy_term(a, total * (a / (m + a)))
        plain[large] = error - distance + (np.log(a / total) - np.log(k)) / 2 - _HALF_LOG_2PI
    return plain


def gamma_log_density(x: Array, alpha: Array, beta: Array) -> Array:
    """Log density of the gamma distribution at x > 0: beta times the Poisson mass at alpha - 1."""
    with np.errstate(all="ignore"):
        plain = special.xlogy(alpha - 1, beta * x) - beta * x - special.gammaln(alpha) + np.log(beta)
    plain = np.array(np.where(x < 0, -np.inf, plain))
    large = np.broadcast_to((alpha > _LARGE) & (x > 0), plain.shape)
    if np.any(large):
        y, a, b = (np.broadcast_to(v, plain.shape)[large] for v in (x, alpha, beta))
        k = a - 1
        plain[large] = -_stirling_error(k) - entropy_term(k, b * y) - _HALF_LOG_2PI - np.log(k) / 2 + np.log(b)
    return plain


def beta_log_density(x: Array, rest: Array, alpha: Array, beta: Array) -> Array:
    """Log density of the beta distribution at 0 < x < 1, ``rest`` = 1 - x: alpha + beta - 1 times a binomial mass."""
    with np.errstate(all="ignore"):
        plain = special.xlogy(alpha - 1, x) + special.xlogy(beta - 1, rest) - special.betaln(alpha, beta)
    plain = np.array(np.where((x < 0) | (rest < 0), -np.inf, plain))
    large = np.broadcast_to((alpha + beta > _LARGE) & (np.minimum(alpha, beta) > 2), plain.shape)
    large = large & (x > 0) & (rest > 0)
    if np.any(large):
        y, z, a, b = (np.broadcast_to(v, plain.shape)[large] for v in (x, rest, alpha, beta))
        n, k, m = a + b - 2, a - 1, b - 1
        error = _stirling_error(n) - _stirling_error(k) - _stirling_error(m)
        distance = entropy_term(k, n * y) + entropy_term(m, n * z)
        plain[large] = error - distance + (np.log(n / k) - np.log(m)) / 2 - _HALF_LOG_2PI + np.log(n + 1)
    return plain


def dirichlet_log_density(x: Array, a: Array) -> Array:
    """Log density of the Dirichlet distribution at points (..., k) of the simplex."""
    total, k = a.sum(axis=-1), a.shape[-1]
    plain = special.gammaln(total) + (special.xlogy(a - 1, x) - special.gammaln(a)).sum(axis=-1)
    error = _stirling_error(total) - _stirling_error(a).sum(axis=-1)
    roots = (np.log(a).sum(axis=-1) - np.log(total)) / 2 - (k - 1) * _HALF_LOG_2PI
    large = error + roots - (entropy_term(a, total[..., None] * x) + np.log(x)).sum(axis=-1)
    return np.where((total > _LARGE) & np.all(x > 0, axis=-1), large, plain)


def _stirling_error(x: Array) -> Array:
    """log Gamma(x + 1) - (x + 1/2) log x + x - log(2 pi) / 2."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        i2 = 1 / x**2
        error = np.array((1 - i2 * (1 / 30 - i2 * (1 / 105 - i2 * (1 / 140 - i2 / 99)))) / (12 * x))
        small = ~(x > 16)
        y = x[small]
        error[small] = special.gammaln(y + 1) - (y + 0.5) * np.log(y) + y - _HALF_LOG_2PI
    return error
