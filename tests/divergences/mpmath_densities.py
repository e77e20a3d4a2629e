"""Log densities in 30 digits, written from the textbooks and not from the package, and divergences by mpmath."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import mpmath as mp
import numpy as np

from pp_mlekl.divergences.distribution import Distribution

mp.mp.dps = 30
INFINITY = mp.inf
# exp(-z) of what is further down has more digits than fit a machine, and the density none.
_LOWEST = mp.mpf(-1000)

LogDensity = Callable[..., Any]


def _normal(x, mu, sigma):
    return -(((x - mu) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


def _logit_normal(x, mu, sigma):
    return _normal(mp.log(x) - mp.log1p(-x), mu, sigma) - mp.log(x) - mp.log1p(-x)


def _polya_gamma(x, h, z):
    # The alternating series cancels to exp(-pi^2 x / 2).
    with mp.workdps(60 + int(3 * x)):
        total, n = mp.mpf(0), 0
        while True:
            term = mp.exp(mp.loggamma(n + h) - mp.loggamma(n + 1) - (2 * n + h) ** 2 / (8 * x)) * (2 * n + h)
            total += (-1) ** n * term
            n += 1
            if term < total * mp.mpf(10) ** -40 and n > 2:
                break
        value = (h - 1) * mp.log(2) - mp.loggamma(h) - mp.log(2 * mp.pi * x**3) / 2 + mp.log(total)
        return value + h * mp.log(mp.cosh(z / 2)) - z**2 * x / 2


def _gamma(x, alpha, beta):
    return alpha * mp.log(beta) - mp.loggamma(alpha) + (alpha - 1) * mp.log(x) - beta * x


def _inverse_gamma(x, alpha, beta):
    return alpha * mp.log(beta) - mp.loggamma(alpha) - (alpha + 1) * mp.log(x) - beta / x


def _weibull(x, alpha, beta):
    return mp.log(alpha) - alpha * mp.log(beta) + (alpha - 1) * mp.log(x) - (x / beta) ** alpha


def _gumbel(x, mu, beta):
    z = max((x - mu) / beta, _LOWEST)
    return -mp.log(beta) - z - mp.exp(-z)


def _moyal(x, mu, sigma):
    z = max((x - mu) / sigma, _LOWEST)
    return -mp.log(2 * mp.pi) / 2 - mp.log(sigma) - (z + mp.exp(-z)) / 2


def _log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def _beta(x, alpha, beta):
    above = (beta - 1) * mp.log1p(-x) if beta != 1 else 0
    return (alpha - 1) * mp.log(x) + above - _log_beta(alpha, beta)


def _kumaraswamy(x, a, b):
    return mp.log(a * b) + (a - 1) * mp.log(x) + (b - 1) * mp.log1p(-(x**a))


def _triangular(x, lower, c, upper):
    side = (x - lower) / (c - lower) if x < c else (upper - x) / (upper - c)
    return mp.log(2 * side / (upper - lower))


def _asymmetric_laplace(x, kappa, mu, b):
    d = x - mu
    return mp.log(b / (kappa + 1 / kappa)) - b * (d * kappa if d >= 0 else -d / kappa)


def _student_t(x, nu, mu, sigma):
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2 - mp.log(sigma)
    return constant - (nu + 1) / 2 * mp.log1p(((x - mu) / sigma) ** 2 / nu)


def _logistic(x, mu, s):
    z = abs(x - mu) / s
    return -z - mp.log(s) - 2 * mp.log1p(mp.exp(-z))


def _von_mises(x, mu, kappa):
    return kappa * mp.cos(x - mu) - mp.log(2 * mp.pi * mp.besseli(0, kappa))


def _truncated_normal(x, mu, sigma, lower, upper):
    mass = mp.ncdf((upper - mu) / sigma) - mp.ncdf((lower - mu) / sigma)
    return _normal(x, mu, sigma) - mp.log(mass)


def _wald(x, mu, lam, alpha=0):
    x = x - alpha
    return mp.log(lam / (2 * mp.pi * x**3)) / 2 - lam * (x - mu) ** 2 / (2 * mu**2 * x)


# Log densities on the support.
DENSITIES: dict[str, LogDensity] = {
    "Normal": _normal,
    "LogNormal": lambda x, mu, sigma: _normal(mp.log(x), mu, sigma) - mp.log(x),
    "LogitNormal": _logit_normal,
    "HalfNormal": lambda x, sigma: mp.log(2) + _normal(x, 0, sigma),
    "Gamma": _gamma,
    "Exponential": lambda x, lam: mp.log(lam) - lam * x,
    "ChiSquared": lambda x, nu: _gamma(x, nu / 2, mp.mpf(1) / 2),
    "InverseGamma": _inverse_gamma,
    "Weibull": _weibull,
    "Gumbel": _gumbel,
    "Moyal": _moyal,
    "Beta": _beta,
    "Kumaraswamy": _kumaraswamy,
    "Uniform": lambda x, lower, upper: -mp.log(upper - lower),
    "Triangular": _triangular,
    "Laplace": lambda x, mu, b: -abs(x - mu) / b - mp.log(2 * b),
    "AsymmetricLaplace": _asymmetric_laplace,
    "Cauchy": lambda x, alpha, beta: -mp.log(mp.pi * beta) - mp.log1p(((x - alpha) / beta) ** 2),
    "StudentT": _student_t,
    "HalfCauchy": lambda x, beta: mp.log(2 / (mp.pi * beta)) - mp.log1p((x / beta) ** 2),
    "HalfStudentT": lambda x, nu, sigma: mp.log(2) + _student_t(x, nu, 0, sigma),
    "Logistic": _logistic,
    "VonMises": _von_mises,
    "Pareto": lambda x, alpha, m: mp.log(alpha) + alpha * mp.log(m) - (alpha + 1) * mp.log(x),
    "Wald": _wald,
    "PolyaGamma": _polya_gamma,
    "TruncatedNormal": _truncated_normal,
}


def _log_choose(n, k):
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)


def _times_log(x, p):
    return mp.mpf(0) if x == 0 else (x * mp.log(p) if p > 0 else -INFINITY)


def _poisson(x, mu):
    return _times_log(x, mu) - mu - mp.loggamma(x + 1)


def _negative_binomial(x, mu, alpha):
    choose = mp.loggamma(x + alpha) - mp.loggamma(alpha) - mp.loggamma(x + 1)
    return choose + alpha * mp.log(alpha / (mu + alpha)) + x * mp.log(mu / (mu + alpha))


def _binomial(x, n, p):
    return _log_choose(n, x) + _times_log(x, p) + _times_log(n - x, 1 - p) if x <= n else -INFINITY


def _inflated(base: LogDensity) -> LogDensity:
    def density(x, psi, **parameters):
        mass = psi * mp.exp(base(x, **parameters))
        return mp.log(mass + (1 - psi if x == 0 else 0)) if mass > 0 or x == 0 else -INFINITY

    return density


def _hurdle(base: LogDensity) -> LogDensity:
    def density(x, psi, **parameters):
        if x == 0:
            return mp.log(1 - psi)
        return mp.log(psi) + base(x, **parameters) - mp.log(1 - mp.exp(base(0, **parameters)))

    return density


def _hypergeometric(x, N, k, n):
    if x > min(k, n) or n - x > N - k:
        return -INFINITY
    return _log_choose(k, x) + _log_choose(N - k, n - x) - _log_choose(N, n)


# Log masses at whole numbers.
MASSES: dict[str, LogDensity] = {
    "Poisson": _poisson,
    "NegativeBinomial": _negative_binomial,
    "Geometric": lambda x, p: mp.log(p) + (x - 1) * mp.log(1 - p) if x >= 1 else -INFINITY,
    "DiscreteUniform": lambda x, lower, upper: -mp.log(upper - lower + 1) if lower <= x <= upper else -INFINITY,
    "DiscreteWeibull": lambda x, q, beta: mp.log(q ** (x**beta) - q ** ((x + 1) ** beta)),
    "BetaBinomial": lambda x, alpha, beta, n: (
        _log_choose(n, x) + _log_beta(x + alpha, n - x + beta) - _log_beta(alpha, beta) if x <= n else -INFINITY
    ),
    "HyperGeometric": _hypergeometric,
    "Binomial": _binomial,
    "Bernoulli": lambda x, p: mp.log(p if x == 1 else 1 - p) if x <= 1 else -INFINITY,
    "Categorical": lambda x, p: mp.log(p[int(x)]) if x < len(p) and p[int(x)] > 0 else -INFINITY,
    "ZeroInflatedPoisson": _inflated(_poisson),
    "ZeroInflatedBinomial": _inflated(_binomial),
    "ZeroInflatedNegativeBinomial": _inflated(_negative_binomial),
    "HurdlePoisson": _hurdle(_poisson),
    "HurdleNegativeBinomial": _hurdle(_negative_binomial),
}


def log_density(d: Distribution) -> Callable[[Any], Any]:
    """The log density of a distribution of empty batch shape, from its family's name and parameters."""
    table = MASSES if d.discrete else DENSITIES
    formula = table[type(d).__name__]
    parameters = {name: _exact(value) for name, value in vars(d).items() if value is not None}
    return lambda x: formula(x, **parameters)


def _exact(value: np.ndarray) -> Any:
    if value.ndim:
        entries = [mp.mpf(float(v)) for v in value]
        return [v / mp.fsum(entries) for v in entries]
    return mp.mpf(float(value))


def expectation(p: Distribution, function: Callable[[Any], Any], cuts: Sequence[float] = ()) -> Any:
    """E_P[function(X)] by tanh-sinh quadrature between P's quantiles, or by a sum."""
    log_p = log_density(p)
    if p.discrete:
        return _sum(p, lambda x: (mp.exp(log_p(x)), function(x)))
    support = p.support()
    levels = np.array([1e-30, 1e-5, 0.1])
    points = [*p.quantile(levels), *p.upper_quantile(levels), *(float(k) for k in p.kinks()), *cuts]
    inside = sorted({float(x) for x in points if support.lower < x < support.upper and np.isfinite(x)})
    ends = [mp.mpf(float(support.lower)), *map(mp.mpf, inside), mp.mpf(float(support.upper))]

    def integrand(x):
        density = mp.exp(log_p(x))
        return density * function(x) if density > mp.mpf(10) ** -400 else mp.mpf(0)

    return mp.fsum(mp.quad(integrand, pair) for pair in pairwise(ends))


def _sum(p: Distribution, term: Callable[[Any], tuple[Any, Any]]) -> Any:
    support = p.support()
    total, mass, x = mp.mpf(0), mp.mpf(0), mp.mpf(float(support.lower))
    while x <= float(support.upper) and 1 - mass > mp.mpf(10) ** -26:
        weight, value = term(x)
        total, mass, x = total + (weight * value if weight > 0 else 0), mass + weight, x + 1
    return total


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """KL(p||q) to some 20 digits or more."""
    log_p, log_q = log_density(p), log_density(q)
    cuts = [] if p.discrete else [float(k) for k in q.kinks()]
    return expectation(p, lambda x: log_p(x) - log_q(x), cuts)
