"""Bernoulli, Binomial and Categorical."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Support
from pp_mlekl.divergences.families.counts import _Count, binary_divergence
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.saddle_point import binomial_log_mass
from pp_mlekl.divergences.special import entropy_term
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Binomial(_Count):
    """Successes in ``n`` trials of probability ``p``."""

    n: Array
    p: Array

    def validate(self) -> None:
        """Raise where ``p`` is no probability or ``n`` no count."""
        self._require_probability("p")
        if not np.all((self.n >= 0) & (self.n == np.floor(self.n))):
            raise ValueError("Binomial: n must be a whole number, not negative.")

    def frozen(self) -> Any:
        """SciPy's binomial."""
        return stats.binom(self.n, self.p)

    def support(self) -> Support:
        """0 to n; one point where success is impossible or certain."""
        n = np.broadcast_to(self.n, self.batch_shape)
        return Support(lower=np.where(self.p == 1, n, 0.0), upper=np.where(self.p == 0, 0.0, n), discrete=True)

    def _log_mass(self, x: Array) -> Array:
        return binomial_log_mass(x, self.n, self.p)


@kl_rule(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Array:
    # One number of trials: the coefficients cancel. Otherwise E log of them is not elementary.
    return np.where(p.n == q.n, p.n * binary_divergence(p.p, q.p), np.nan)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Bernoulli(_Count):
    """1 with probability ``p``, else 0."""

    p: Array

    def validate(self) -> None:
        """Raise where ``p`` is no probability."""
        self._require_probability("p")

    def frozen(self) -> Any:
        """SciPy's Bernoulli."""
        return stats.bernoulli(self.p)

    def support(self) -> Support:
        """0 and 1; one of them where it is certain."""
        zero = np.zeros(self.batch_shape)
        return Support(
            lower=np.where(self.p == 1, 1.0, zero), upper=np.where(self.p == 0, 0.0, zero + 1), discrete=True
        )

    def _log_mass(self, x: Array) -> Array:
        return special.xlogy(x, self.p) + special.xlog1py(1 - x, -self.p)


@kl_rule(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Array:
    return binary_divergence(p.p, q.p)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Categorical(_Count):
    """One of 0, ..., K - 1 with probabilities ``p`` (last axis), divided by their sum."""

    p: Array
    parameter_ndim = {"p": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where an entry is negative or all are 0; divide by the sum."""
        if self.p.ndim == 0 or not np.all((self.p >= 0) & np.isfinite(self.p)) or not np.all(self.p.sum(axis=-1) > 0):
            raise ValueError("Categorical: p must be a vector of finite weights, not negative, with a positive sum.")
        object.__setattr__(self, "p", self.p / self.p.sum(axis=-1, keepdims=True))

    def support(self) -> Support:
        """From the first to the last category with positive probability."""
        positive = self.p > 0
        k = self.p.shape[-1]
        lower = np.argmax(positive, axis=-1).astype(float)
        upper = (k - 1 - np.argmax(positive[..., ::-1], axis=-1)).astype(float)
        return Support(lower=lower, upper=upper, discrete=True)

    def _log_mass(self, x: Array) -> Array:
        x = np.asarray(x, dtype=int)
        shape = np.broadcast_shapes(x.shape, self.batch_shape)
        p = np.broadcast_to(self.p, (*shape, self.p.shape[-1]))
        return np.log(np.take_along_axis(p, np.broadcast_to(x, shape)[..., None], axis=-1)[..., 0])

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
    a, b = (np.pad(d.p, [(0, 0)] * (d.p.ndim - 1) + [(0, k - d.p.shape[-1])]) for d in (p, q))
    return np.sum(entropy_term(a, b), axis=-1)
