"""Bernoulli, Binomial and Categorical."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Support
from pp_mlekl.divergences.families.counts import _Count, _WithSuccess
from pp_mlekl.divergences.families.probability import category_divergence, normalized_weights
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.saddle_point import binomial_log_mass
from pp_mlekl.divergences.special import entropy_term
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Binomial(_WithSuccess):
    """Successes in ``n`` trials of probability ``p``."""

    n: Array
    p: Array = None  # type: ignore[assignment]
    logit_p: Array | None = None

    def validate(self) -> None:
        """Raise where ``p`` is no probability or ``n`` no count."""
        self._require_probability("p")
        self._require_counts("n")

    def frozen(self) -> Any:
        """SciPy's binomial."""
        return stats.binom(self.n, self.p)

    def support(self) -> Support:
        """0 to n; one point where success is impossible or certain."""
        n = np.broadcast_to(self.n, self.batch_shape)
        lower, upper = np.where(self.success.is_certain, n, 0.0), np.where(self.success.is_impossible, 0.0, n)
        return Support(lower=lower, upper=upper, discrete=True)

    def _log_mass(self, x: Array) -> Array:
        return binomial_log_mass(x, self.n, self.success)


@kl_rule(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Array:
    # The binomial coefficients cancel for equal numbers of trials. Otherwise their expected logarithm is not elementary.
    return np.where(p.n == q.n, p.n * p.success.divergence(q.success), np.nan)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Bernoulli(_WithSuccess):
    """1 with probability ``p``, else 0."""

    p: Array = None  # type: ignore[assignment]
    logit_p: Array | None = None

    def validate(self) -> None:
        """Raise where ``p`` is no probability."""
        self._require_probability("p")

    def frozen(self) -> Any:
        """SciPy's Bernoulli."""
        return stats.bernoulli(self.p)

    def support(self) -> Support:
        """0 and 1; one of them where it is certain."""
        zero = np.zeros(self.batch_shape)
        lower, upper = np.where(self.success.is_certain, 1.0, zero), np.where(self.success.is_impossible, 0.0, zero + 1)
        return Support(lower=lower, upper=upper, discrete=True)

    def _log_mass(self, x: Array) -> Array:
        return np.where(x == 1, self.success.log, self.success.log_complement)

    def quantile(self, u: Array) -> Array:
        """Lower quantile: 0 if P(X = 0) >= u."""
        support = self.support()
        return np.where(np.exp(self.success.log_complement) >= u, support.lower, support.upper)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function: 0 if P(X = 1) <= u."""
        support = self.support()
        return np.where(np.exp(self.success.log) <= u, support.lower, support.upper)


@kl_rule(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Array:
    return p.success.divergence(q.success)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Categorical(_Count):
    """One of 0, ..., K - 1 with probabilities ``p`` (last axis), divided by their sum, or proportional to exp(``logit_p``)."""

    p: Array = None  # type: ignore[assignment]
    logit_p: Array | None = None
    parameter_ndim = {"p": 1, "logit_p": 1}  # noqa: RUF012

    def __post_init__(self) -> None:
        p, logit_p = normalized_weights("Categorical", self.p, self.logit_p)
        object.__setattr__(self, "p", p)
        object.__setattr__(self, "logit_p", logit_p)
        super().__post_init__()

    @property
    def log_p(self) -> Array:
        """Log probabilities (..., K)."""
        with np.errstate(divide="ignore"):
            return np.log(self.p) if self.logit_p is None else self.logit_p

    def support(self) -> Support:
        """From the first to the last category with positive probability."""
        positive = self.log_p > -np.inf
        k = self.p.shape[-1]
        lower = np.argmax(positive, axis=-1).astype(float)
        upper = (k - 1 - np.argmax(positive[..., ::-1], axis=-1)).astype(float)
        return Support(lower=lower, upper=upper, discrete=True)

    def _log_mass(self, x: Array) -> Array:
        x = np.asarray(x, dtype=int)
        shape = np.broadcast_shapes(x.shape, self.batch_shape)
        log_p = np.broadcast_to(self.log_p, (*shape, self.p.shape[-1]))
        return np.take_along_axis(log_p, np.broadcast_to(x, shape)[..., None], axis=-1)[..., 0]

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by inversion."""
        return self.quantile(generator.uniform(size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        cumulative = np.cumsum(self.p, axis=-1)
        below = np.sum(cumulative < np.asarray(u)[..., None], axis=-1).astype(float)
        return np.minimum(below, self.support().upper)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self.quantile(1 - np.asarray(u))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        k = np.arange(self.p.shape[-1])
        return np.sum(np.where(k <= np.asarray(x)[..., None], self.p, 0.0), axis=-1)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        k = np.arange(self.p.shape[-1])
        return np.sum(np.where(k > np.asarray(x)[..., None], self.p, 0.0), axis=-1)

    def entropy(self) -> Array:
        """Entropy in nats."""
        return np.sum(special.entr(self.p), axis=-1)


@kl_rule(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Array:
    k = max(p.p.shape[-1], q.p.shape[-1])

    def padded(values: Array, absent: float) -> Array:
        return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, k - values.shape[-1])], constant_values=absent)

    if p.logit_p is None and q.logit_p is None:
        return np.sum(entropy_term(padded(p.p, 0.0), padded(q.p, 0.0)), axis=-1)
    return category_divergence(padded(p.p, 0.0), padded(p.log_p, -np.inf), padded(q.log_p, -np.inf))
