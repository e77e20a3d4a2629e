"""Poisson, negative binomial, geometric and other counts, and integers in a range."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms, Support, numbers
from pp_mlekl.divergences.families.inversion import integer_quantile
from pp_mlekl.divergences.families.moments import WithMoments
from pp_mlekl.divergences.families.probability import Probability
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.saddle_point import binomial_log_mass, negative_binomial_log_mass, poisson_log_mass
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import LARGEST, entropy_term, excess, expm1_minus, log_rising_excess
from pp_mlekl.typing import Array

# Counts whose masses are summed first, and the maximum number of values of a block.
_FIRST_BLOCK, _BLOCK_NUMBERS = 64, 1_000_000


class _Count(Univariate):
    discrete = True
    narrowest = (0.0, 0.0)
    widest = (0.0, np.inf)

    def log_density(self, x: Array) -> Array:
        """Log mass in nats, ``-inf`` off the integers of the support."""
        x = np.asarray(x, dtype=np.float64)
        support = self.support()
        inside = (x == np.floor(x)) & (x >= support.lower) & (x <= support.upper)
        with np.errstate(all="ignore"):
            return np.where(inside, self._log_mass(np.where(inside, x, support.lower)), -np.inf)

    def _log_mass(self, x: Array) -> Array:
        return self.frozen().logpmf(x)

    def quantile(self, u: Array) -> Array:
        """Lower quantile, by inversion of the CDF."""
        return integer_quantile(self, u, upper=False)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function, by inversion of the survival function; SciPy's inverts 1 - u, which fails below 1e-16."""
        return integer_quantile(self, u, upper=True)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Poisson(_Count):
    """Poisson with mean ``mu``, or exp(``log_mu``), which stays positive where ``mu`` would underflow to 0."""

    mu: Array = None  # type: ignore[assignment]
    log_mu: Array | None = None

    def __post_init__(self) -> None:
        if self.log_mu is not None:
            object.__setattr__(self, "mu", np.exp(numbers(type(self).__name__, "log_mu", self.log_mu)))
        elif self.mu is None:
            raise ValueError("Poisson needs mu.")
        super().__post_init__()

    @property
    def log_mean(self) -> Array:
        """Log of the mean."""
        with np.errstate(divide="ignore"):
            return np.log(self.mu) if self.log_mu is None else self.log_mu

    def validate(self) -> None:
        """Raise where ``mu`` is negative."""
        if not np.all((self.mu >= 0) & np.isfinite(self.mu)):
            raise ValueError("Poisson: mu must be finite and not negative.")

    def frozen(self) -> Any:
        """SciPy's Poisson."""
        return stats.poisson(self.mu)

    def support(self) -> Support:
        """All counts; 0 alone where the mean is 0."""
        zero = np.zeros(self.batch_shape)
        return Support(lower=zero, upper=np.where(self.log_mean > -np.inf, np.inf, zero), discrete=True)

    def _log_mass(self, x: Array) -> Array:
        return poisson_log_mass(x, self.mu, self.log_mean)


@kl_rule(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Array:
    if p.log_mu is None and q.log_mu is None:
        return entropy_term(p.mu, q.mu)
    with np.errstate(all="ignore"):
        step = q.log_mean - p.log_mean
        value = np.where(step > 1, q.mu - p.mu * (1 + step), p.mu * expm1_minus(step))
    return np.where(np.isneginf(p.log_mean), q.mu, value)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class NegativeBinomial(_Count):
    """Negative binomial with mean ``mu`` and dispersion ``alpha``: variance mu + mu^2 / alpha."""

    mu: Array
    alpha: Array

    def validate(self) -> None:
        """Raise where a parameter is not positive."""
        self._require_positive("mu", "alpha")

    def frozen(self) -> Any:
        """SciPy's negative binomial."""
        return stats.nbinom(self.alpha, self.alpha / (self.alpha + self.mu))

    def _log_mass(self, x: Array) -> Array:
        return negative_binomial_log_mass(x, self.mu, self.alpha)

    def cdf(self, x: Array) -> Array:
        """P(X <= x), computed from mu / (mu + alpha), since alpha / (mu + alpha) rounds to 1 for a large alpha."""
        x = np.floor(np.asarray(x, dtype=np.float64))
        inside = special.betaincc(np.maximum(x, 0) + 1, self.alpha, self.mu / (self.mu + self.alpha))
        return np.where(x >= 0, inside, 0.0)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        x = np.floor(np.asarray(x, dtype=np.float64))
        inside = special.betainc(np.maximum(x, 0) + 1, self.alpha, self.mu / (self.mu + self.alpha))
        return np.where(x >= 0, inside, 1.0)


@kl_rule(NegativeBinomial, NegativeBinomial)
def _negative_binomial(p: NegativeBinomial, q: NegativeBinomial) -> Array:
    # The binomial coefficients cancel for equal dispersions. Otherwise E log Gamma(X + alpha) is not elementary.
    total, other = p.mu + p.alpha, q.mu + p.alpha
    # The difference of the totals is that of the means, exactly.
    totals = np.where(other < total / 2, entropy_term(total, other), total * excess((q.mu - p.mu) / total))
    value = entropy_term(p.mu, q.mu) - totals
    return np.where(p.alpha == q.alpha, value, np.nan)


class _WithSuccess(_Count):
    """Counts of successes, whose probability is given as ``p`` or by its log odds ``logit_p``.

    With ``logit_p`` a probability that rounds to 0 or 1 is still neither impossible nor certain.
    """

    p: Array
    logit_p: Array | None

    def __post_init__(self) -> None:
        if self.logit_p is not None:
            object.__setattr__(self, "p", special.expit(numbers(type(self).__name__, "logit_p", self.logit_p)))
        elif self.p is None:
            raise ValueError(f"{type(self).__name__} needs p or logit_p.")
        super().__post_init__()

    @property
    def success(self) -> Probability:
        """The probability of a success."""
        return Probability(p=self.p, logit=self.logit_p)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Geometric(WithMoments, _WithSuccess):
    """Number of trials until the first success of probability ``p``: 1, 2, ..."""

    p: Array = None  # type: ignore[assignment]
    logit_p: Array | None = None
    needed_expectations = ("x",)
    closed_entropy = True
    narrowest = widest = (1.0, np.inf)

    def validate(self) -> None:
        """Raise where ``p`` is not in (0, 1]."""
        self._require_probability("p")
        self._require_positive("p")

    def frozen(self) -> Any:
        """SciPy's geometric."""
        return stats.geom(self.p)

    def support(self) -> Support:
        """From 1; 1 alone where success is certain."""
        one = np.ones(self.batch_shape)
        return Support(lower=one, upper=np.where(self.success.is_certain, one, np.inf), discrete=True)

    def _log_mass(self, x: Array) -> Array:
        return self.success.log + np.where(x > 1, (x - 1) * self.success.log_complement, 0.0)

    def entropy(self) -> Array:
        """Entropy in nats."""
        failure = self.success.complement
        with np.errstate(all="ignore"):
            failures = np.where(failure > 0, failure * self.success.log_complement, 0.0)
            value = -self.success.log - failures / self.p
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean number of failures."""
        return CrossEntropyTerms(constant=-self.success.log, statistics=((-self.success.log_complement, "x", 1.0),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return 1 / self.p, self.success.complement / self.p**2

    def expected_x(self, centre: Array) -> Array:
        """E[X - c], accurate for c = 1, where it is the mean number of failures and may be far below the rounding of the mean."""
        return self.success.complement / self.p + (1.0 - centre)


@kl_rule(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Array:
    with np.errstate(divide="ignore", over="ignore"):
        return p.success.divergence(q.success) / p.p


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class DiscreteUniform(WithMoments, _Count):
    """The integers from ``lower`` to ``upper``, both included."""

    lower: Array
    upper: Array
    needed_expectations = ()
    closed_entropy = True
    narrowest = (1.0, 1.0)
    widest = (-LARGEST, LARGEST)

    def validate(self) -> None:
        """Raise where a bound is not a whole number, or there is no integer between them."""
        self._require_finite("lower", "upper")
        if not np.all((self.lower == np.floor(self.lower)) & (self.upper == np.floor(self.upper))):
            raise ValueError("DiscreteUniform: lower and upper must be whole numbers.")
        if not np.all(self.upper >= self.lower):
            raise ValueError("DiscreteUniform: upper must not be less than lower.")

    def frozen(self) -> Any:
        """SciPy's randint."""
        return stats.randint(self.lower, self.upper + 1)

    def entropy(self) -> Array:
        """Logarithm of the number of integers."""
        return np.broadcast_to(np.log(self.upper - self.lower + 1), self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """The log of the number of integers: only the support matters."""
        return CrossEntropyTerms(constant=np.log(self.upper - self.lower + 1), statistics=())

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return (self.lower + self.upper) / 2, ((self.upper - self.lower + 1) ** 2 - 1) / 12


@kl_rule(DiscreteUniform, DiscreteUniform)
def _discrete_uniform(p: DiscreteUniform, q: DiscreteUniform) -> Array:
    longer = ((q.upper - p.upper) + (p.lower - q.lower)) / (p.upper - p.lower + 1)
    return np.where((p.lower >= q.lower) & (p.upper <= q.upper), np.log1p(longer), np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class DiscreteWeibull(_Count):
    """Discrete Weibull: P(X >= x) = q^(x^beta), x = 0, 1, ..."""

    q: Array
    beta: Array

    def validate(self) -> None:
        """Raise where ``q`` is not in (0, 1) or ``beta`` is not positive."""
        self._require_positive("q", "beta")
        if not np.all(self.q < 1):
            raise ValueError("DiscreteWeibull: q must be less than 1.")

    def support(self) -> Support:
        """All counts."""
        zero = np.zeros(self.batch_shape)
        return Support(lower=zero, upper=zero + np.inf, discrete=True)

    def _log_mass(self, x: Array) -> Array:
        start = x**self.beta * np.log(self.q)
        # (x + 1)^beta - x^beta without cancellation.
        step = np.where(x > 0, x**self.beta * np.expm1(self.beta * np.log1p(1 / np.where(x > 0, x, 1.0))), 1.0)
        return start + np.log(-np.expm1(step * np.log(self.q)))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return -np.expm1((np.floor(x) + 1).clip(0) ** self.beta * np.log(self.q))

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return np.exp((np.floor(x) + 1).clip(0) ** self.beta * np.log(self.q))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        with np.errstate(all="ignore"):
            return np.maximum(np.ceil((np.log1p(-np.asarray(u)) / np.log(self.q)) ** (1 / self.beta) - 1), 0)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        with np.errstate(all="ignore"):
            return np.maximum(np.ceil((np.log(u) / np.log(self.q)) ** (1 / self.beta) - 1), 0)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by inversion."""
        return self.upper_quantile(1 - generator.uniform(size=(*shape, *self.batch_shape)))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class BetaBinomial(_Count):
    """Binomial of ``n`` trials whose probability is Beta(``alpha``, ``beta``)."""

    alpha: Array
    beta: Array
    n: Array

    def validate(self) -> None:
        """Raise where a shape is not positive or ``n`` is not a count."""
        self._require_positive("alpha", "beta")
        self._require_counts("n")

    def frozen(self) -> Any:
        """SciPy's beta-binomial."""
        return stats.betabinom(self.n, self.alpha, self.beta)

    def _log_mass(self, x: Array) -> Array:
        # What the mass differs by from that of a binomial of the same mean vanishes at large concentrations.
        total = self.alpha + self.beta
        mean = Probability(p=self.alpha / total, logit=np.log(self.alpha) - np.log(self.beta))
        factor = log_rising_excess(self.alpha, x) + log_rising_excess(self.beta, self.n - x)
        return binomial_log_mass(x, self.n, mean) + factor - log_rising_excess(total, self.n)

    def cdf(self, x: Array) -> Array:
        """P(X <= x), the sum of the masses from 0; SciPy's takes one value at a time."""
        shape = np.broadcast_shapes(np.shape(x), self.batch_shape)
        x = np.broadcast_to(np.floor(x), shape).reshape(-1, *self.batch_shape)
        total = np.zeros(x.shape)
        for k, below in self._cumulative(x.size):
            first = k.flat[0]
            if not np.any(x >= first):
                break
            place = np.clip(x - first, 0, len(k) - 1).astype(int)
            total = np.where(x >= first, np.take_along_axis(below, place, axis=0), total)
        return total.reshape(shape)

    def survival(self, x: Array) -> Array:
        """P(X > x), the sum of the masses from ``n`` down; SciPy's is 1 - P(X <= x), which has no digits in the tail."""
        return self._failures().cdf(self.n - np.floor(x) - 1)

    def quantile(self, u: Array) -> Array:
        """Lower quantile: how many values of the CDF lie below ``u``."""
        return np.minimum(self._counted(np.less, u), self.n)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function, which is the CDF of the failures."""
        return np.maximum(self.n - self._failures()._counted(np.less_equal, u), 0.0)

    def _failures(self) -> "BetaBinomial":
        return BetaBinomial(alpha=self.beta, beta=self.alpha, n=self.n)

    def _counted(self, compare: Any, u: Array) -> Array:
        shape = np.broadcast_shapes(np.shape(u), self.batch_shape)
        u = np.broadcast_to(u, shape).reshape(-1, 1, *self.batch_shape)
        count = np.zeros((len(u), *self.batch_shape))
        for k, below in self._cumulative(u.size):
            more = compare(below, u) & (k <= self.n)
            count += np.sum(more, axis=1)
            if not more[:, -1].any():
                break
        return count.reshape(shape)

    def _cumulative(self, elements: int) -> Iterator[tuple[Array, Array]]:
        """Blocks of m counts, (m, *ones), and P(X <= count), (m, *batch); m times ``elements`` is bounded."""
        total, start, last = np.zeros(self.batch_shape), 0, int(np.max(self.n, initial=0))
        length, longest = _FIRST_BLOCK, max(1, _BLOCK_NUMBERS // max(elements, 1))
        while start <= last:
            stop = min(start + min(length, longest), last + 1)
            k = np.arange(start, stop, dtype=np.float64).reshape(-1, *[1] * len(self.batch_shape))
            mass = np.exp(self.log_density(np.broadcast_to(k, (len(k), *self.batch_shape))))
            mass[0] += total
            below = np.cumsum(mass, axis=0)
            yield k, below
            total, start, length = below[-1], stop, 2 * length


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HyperGeometric(_Count):
    """Successes among ``n`` drawn without replacement from ``N`` of which ``k`` are successes."""

    N: Array
    k: Array
    n: Array

    def validate(self) -> None:
        """Raise where a number is not a count, or a part exceeds the whole."""
        self._require_counts("N", "k", "n")
        if not np.all((self.k <= self.N) & (self.n <= self.N)):
            raise ValueError("HyperGeometric: 0 <= k <= N and 0 <= n <= N must hold.")

    def frozen(self) -> Any:
        """SciPy's hypergeometric."""
        # SciPy draws from integers only.
        return stats.hypergeom(*(v.astype(int) for v in (self.N, self.k, self.n)))
