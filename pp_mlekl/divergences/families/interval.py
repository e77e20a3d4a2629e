"""Uniform and triangular."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import closed_form_kl, kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms, Support
from pp_mlekl.divergences.families.beta import Beta, Kumaraswamy
from pp_mlekl.divergences.families.moments import WithMoments, WithPowers
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import GAUSS_NODES, GAUSS_WEIGHTS, LARGEST, log_ratio
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Uniform(WithMoments, WithPowers, Univariate):
    """Uniform on the interval from ``lower`` to ``upper``."""

    lower: Array
    upper: Array
    needed_expectations = ()
    closed_entropy = True
    narrowest = (0.4, 0.6)
    widest = (-LARGEST, LARGEST)

    def validate(self) -> None:
        """Raise where the interval is empty."""
        self._require_finite("lower", "upper")
        if not np.all(self.upper > self.lower):
            raise ValueError("Uniform: upper must be larger than lower.")

    def frozen(self) -> Any:
        """SciPy's uniform."""
        return stats.uniform(self.lower, self.upper - self.lower)

    def support(self) -> Support:
        """The interval, without the rounding of SciPy's standardised one."""
        lower, upper = (np.broadcast_to(end, self.batch_shape) for end in (self.lower, self.upper))
        return Support(lower=lower, upper=upper, discrete=False)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self.upper - u * (self.upper - self.lower)

    def reflected(self) -> "Uniform | None":
        """Uniform on the reflected interval; None where its ends would be rounded."""
        lower, upper = 1 - self.upper, 1 - self.lower
        exact = np.all((1 - lower == self.upper) & (1 - upper == self.lower))
        return Uniform(lower=lower, upper=upper) if exact else None

    def entropy(self) -> Array:
        """Logarithm of the length."""
        return np.broadcast_to(np.log(self.upper - self.lower), self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """The log length alone: the log density is constant."""
        return CrossEntropyTerms(constant=np.log(self.upper - self.lower), statistics=())

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return (self.lower + self.upper) / 2, (self.upper - self.lower) ** 2 / 12

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|."""
        above, below = self.upper - centre, self.lower - centre
        inside = (above**2 + below**2) / (2 * (self.upper - self.lower))
        return np.where(above * below < 0, inside, np.abs(above + below) / 2)

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c)), relative to the bound at which the exponential is larger."""
        end = np.where(t > 0, self.upper, self.lower)
        return np.exp(t * (end - centre)) * special.exprel(-np.abs(t) * (self.upper - self.lower))

    def expected_log(self, centre: Array) -> Array:
        """E[log X - c]."""
        return _log_moments(self.lower, self.upper, self.upper - self.lower)[0] - centre

    def expected_log2(self, centre: Array) -> Array:
        """E[(log X - c)^2]."""
        mean, variance = _log_moments(self.lower, self.upper, self.upper - self.lower)
        return variance + (mean - centre) ** 2

    def expected_log1m(self) -> Array:
        """E log(1 - X)."""
        return _log_moments(1 - self.upper, 1 - self.lower, self.upper - self.lower)[0]

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        low, high = self.lower, self.upper
        quotient = np.where(low > 0, log_ratio(low, high), -np.inf)
        # int_l^1 u^k du / (1 - l) with u = X / upper; exprel keeps k near -1 exact.
        inside = np.where(low > 0, -quotient * special.exprel((k + 1) * quotient) / -np.expm1(quotient), 1 / (k + 1))
        value = k * np.log(high) + np.log(inside)
        return np.where(low < 0, np.nan, np.where((low == 0) & (k <= -1), np.inf, value))

    def expected_log1p_square(self, centre: Array, scale: Array) -> Array:
        """E log(1 + ((X - c) / s)^2)."""
        a, b = (self.lower - centre) / scale, (self.upper - centre) / scale

        def primitive(z: Array) -> Array:
            return z * np.log1p(z * z) - 2 * z + 2 * np.arctan(z)

        wide = (primitive(b) - primitive(a)) / (b - a)
        # The difference cancels on a short interval, where Gauss-Legendre quadrature is exact in double precision.
        points = a + (b - a) * GAUSS_NODES.reshape(-1, *([1] * np.ndim(a + b)))
        short = np.tensordot(GAUSS_WEIGHTS, np.log1p(points**2), axes=1)
        return np.where(b - a < 0.5, short, wide)

    def expected_versine(self, centre: Array) -> Array:
        """E[1 - cos(X - c)] = 1 - cos(m - c) sin(h) / h, with h half the length and m the middle of the interval."""
        h, d = (self.upper - self.lower) / 2, (self.upper + self.lower) / 2 - centre
        h2 = h * h
        rest = np.where(h < 0.3, h2 / 6 * (1 - h2 / 20 * (1 - h2 / 42 * (1 - h2 / 72))), 1 - np.sinc(h / np.pi))
        return 2 * np.sin(d / 2) ** 2 + np.cos(d) * rest


def _log_moments(low: Array, high: Array, width: Array) -> tuple[Array, Array]:
    """Mean and variance of log X on an interval whose width has more digits than the difference of its ends; NaN below 0."""
    # log(high / X) has the moments 1 - w and 2 (1 - w) - l w, with l = log(high / low), w = l / (high / low - 1).
    # A lower end of 0 is a limit: low times the logarithm vanishes.
    log_quotient = np.where(low > 0, log_ratio(high, np.where(low > 0, low, high)), 0.0)
    w = low * log_quotient / width
    first = 1 - w
    variance = 1 - w * log_quotient * high / width
    narrow = (log_quotient < 0.03) & (low > 0)
    # Both cancel where the interval is short; their series in half its length over its middle.
    h = width / (high + low)
    series = h * h * (1 / 3 + h * h * (7 / 45 + h * h * (29 / 315 + h * h * 0.06158730158730159)))
    mean = np.log(high) - first
    middle = np.log((low + high) / 2) - h * h * (1 / 6 + h * h * (1 / 20 + h * h * (1 / 42 + h * h / 72)))
    unknown = low < 0
    return np.where(unknown, np.nan, np.where(narrow, middle, mean)), np.where(narrow, series, variance)


@kl_rule(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Array:
    inside = (p.lower >= q.lower) & (p.upper <= q.upper)
    # The difference of the lengths, from the differences of the bounds, which are exact where they are close.
    longer = ((q.upper - p.upper) + (p.lower - q.lower)) / (p.upper - p.lower)
    return np.where(inside, np.log1p(longer), np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Triangular(WithMoments, Univariate):
    """Triangular on [``lower``, ``upper``] with mode ``c``."""

    lower: Array
    c: Array
    upper: Array
    closed_entropy = True
    narrowest = (0.4, 0.6)
    widest = (-LARGEST, LARGEST)

    def validate(self) -> None:
        """Raise where the mode is outside the interval."""
        self._require_finite("lower", "c", "upper")
        if not np.all((self.lower <= self.c) & (self.c <= self.upper) & (self.lower < self.upper)):
            raise ValueError("Triangular: lower <= c <= upper and lower < upper must hold.")

    def kinks(self) -> tuple[Array, ...]:
        """The mode."""
        return (self.c,)

    def frozen(self) -> Any:
        """SciPy's triangular."""
        width = self.upper - self.lower
        return stats.triang((self.c - self.lower) / width, self.lower, width)

    def support(self) -> Support:
        """The interval; SciPy's, of a standardised one, is off by rounding."""
        lower, upper = (np.broadcast_to(end, self.batch_shape) for end in (self.lower, self.upper))
        return Support(lower=lower, upper=upper, discrete=False)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function, from the upper end."""
        width = self.upper - self.lower
        right = self.upper - width * np.sqrt(u * ((self.upper - self.c) / width))
        return np.where(u < (self.upper - self.c) / width, right, self.frozen().ppf(1 - u))

    def entropy(self) -> Array:
        """Differential entropy in nats; it does not depend on the mode."""
        return np.broadcast_to(0.5 + np.log((self.upper - self.lower) / 2), self.batch_shape)

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        left, right = self.c - self.lower, self.upper - self.c
        return (self.lower + self.c + self.upper) / 3, (left**2 + left * right + right**2) / 18

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|: the side of the shorter tail is a cube, the other follows from the mean."""
        width = self.upper - self.lower
        shift = self.expected_x(centre)
        above = np.maximum(self.upper - centre, 0.0) ** 3 / (3 * width * (self.upper - self.c))
        below = np.maximum(centre - self.lower, 0.0) ** 3 / (3 * width * (self.c - self.lower))
        # Beyond an end there is no tail on that side.
        above = np.where(centre >= self.upper, 0.0, above)
        below = np.where(centre <= self.lower, 0.0, below)
        return np.where(centre >= self.c, 2 * above - shift, 2 * below + shift)


@kl_rule(Beta, Uniform)
def _beta_in_uniform(p: Beta, q: Uniform) -> Array:
    # KL to the uniform on [0, 1], which is Beta(1, 1), plus the log of q's length.
    own = closed_form_kl(p, Beta(alpha=np.ones(()), beta=np.ones(())))
    return np.where((q.lower <= 0) & (q.upper >= 1), own + np.log1p((q.upper - 1) - q.lower), np.inf)


@kl_rule(Kumaraswamy, Uniform)
def _kumaraswamy_in_uniform(p: Kumaraswamy, q: Uniform) -> Array:
    # As for Beta; close to the uniform the entropy has lost the digits of the divergence.
    own = np.where(np.abs(p.entropy()) > 1e-6, -p.entropy(), np.nan)
    own = np.where((p.a == 1) & (p.b == 1), 0.0, own)
    return np.where((q.lower <= 0) & (q.upper >= 1), own + np.log1p((q.upper - 1) - q.lower), np.inf)


@kl_rule(Uniform, Beta)
def _uniform_in_beta(p: Uniform, q: Beta) -> Array:
    # The uniform on [0, 1] is Beta(1, 1); for a shorter one the expected logarithms are known.
    whole = np.asarray(closed_form_kl(Beta(alpha=np.ones(()), beta=np.ones(())), q))
    middle = (1 - q.alpha) * p.expected_log(np.zeros(())) + (1 - q.beta) * p.expected_log1m()
    part = special.betaln(q.alpha, q.beta) - p.entropy() + middle
    inside = (p.lower >= 0) & (p.upper <= 1)
    return np.where((p.lower == 0) & (p.upper == 1), whole, np.where(inside, part, np.inf))
