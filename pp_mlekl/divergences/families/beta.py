"""Families on the unit interval: Beta and Kumaraswamy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import CrossEntropyTerms, Support
from pp_mlekl.divergences.families.moments import WithLogMoments, WithPartialMean, WithPowers
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.saddle_point import beta_log_density
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import dirichlet_excess, excess, gamma_entropy, relative_change
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Beta(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """Beta with shapes ``alpha`` and ``beta``."""

    alpha: Array
    beta: Array
    needed_expectations = ("log", "log1m")
    closed_entropy = True
    narrowest = widest = (0.0, 1.0)

    def validate(self) -> None:
        """Raise where a shape is not positive."""
        self._require_positive("alpha", "beta")

    def frozen(self) -> Any:
        """SciPy's beta."""
        return stats.beta(self.alpha, self.beta)

    def log_density(self, x: Array) -> Array:
        """Log density in nats, exact for shapes of 1e6."""
        x = np.asarray(x, dtype=np.float64)
        return beta_log_density(x, 1 - x, self.alpha, self.beta)

    def log_density_below(self, upper: Array, distance: Array) -> Array:
        """Log density by the distance from 1, where 1 - x has lost its digits."""
        near = beta_log_density(1 - distance, distance, self.alpha, self.beta)
        return np.where(upper == 1, near, super().log_density_below(upper, distance))

    def reflected(self) -> "Beta":
        """Beta with the shapes exchanged."""
        return Beta(alpha=self.beta, beta=self.alpha)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        a, b = self.alpha, self.beta
        value = gamma_entropy(a) + gamma_entropy(b) - gamma_entropy(a + b) - special.digamma(a + b)
        return np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """E log X and E log(1 - X)."""
        return CrossEntropyTerms(
            constant=special.betaln(self.alpha, self.beta),
            statistics=((1 - self.alpha, "log", 0.0), (1 - self.beta, "log1m")),
        )

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        total = self.alpha + self.beta
        return self.alpha / total, self.alpha / total * (self.beta / total) / (total + 1)

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        a, total = self.alpha, self.alpha + self.beta
        return special.digamma(a) - special.digamma(total), special.polygamma(1, a) - special.polygamma(1, total)

    def expected_log1m(self) -> Array:
        """E log(1 - X)."""
        return special.digamma(self.beta) - special.digamma(self.alpha + self.beta)

    def expected_logit2(self, centre: Array) -> Array:
        """E (logit X - c)^2; the logit is the logarithm of a ratio of independent gammas."""
        mean = special.digamma(self.alpha) - special.digamma(self.beta)
        return special.polygamma(1, self.alpha) + special.polygamma(1, self.beta) + (mean - centre) ** 2

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        value = special.betaln(self.alpha + k, self.beta) - special.betaln(self.alpha, self.beta)
        return np.where(self.alpha + k > 0, value, np.inf)

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]: X weighted by itself is Beta(alpha + 1, beta)."""
        return self.mean_variance()[0] * special.betainc(self.alpha + 1, self.beta, np.minimum(c, 1.0))

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c)), by Kummer's function with terms of one sign."""
        total = self.alpha + self.beta
        up = special.hyp1f1(self.alpha, total, np.maximum(t, 0.0)) * np.exp(-t * centre)
        down = special.hyp1f1(self.beta, total, np.maximum(-t, 0.0)) * np.exp(t * (1 - centre))
        return np.where(t >= 0, up, down)


@kl_rule(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Array:
    of_p, of_q = (np.stack(np.broadcast_arrays(d.alpha, d.beta), axis=-1) for d in (p, q))
    return dirichlet_excess(of_p, of_q)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Kumaraswamy(WithPartialMean, WithLogMoments, WithPowers, Univariate):
    """Kumaraswamy with density a b x^(a-1) (1 - x^a)^(b-1)."""

    a: Array
    b: Array
    closed_entropy = True
    narrowest = widest = (0.0, 1.0)

    def validate(self) -> None:
        """Raise where a shape is not positive."""
        self._require_positive("a", "b")

    def support(self) -> Support:
        """The unit interval."""
        zero = np.zeros(self.batch_shape)
        return Support(lower=zero, upper=zero + 1, discrete=False)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        with np.errstate(all="ignore"):
            inside = np.log(self.a * self.b) + (self.a - 1) * np.log(x) + self._second_factor(np.log(x))
        return np.where((x > 0) & (x < 1), inside, -np.inf)

    def log_density_below(self, upper: Array, distance: Array) -> Array:
        """Log density by the distance from 1, where 1 - x has lost its digits."""
        with np.errstate(all="ignore"):
            log_x = np.log1p(-distance)
            near = np.log(self.a * self.b) + (self.a - 1) * log_x + self._second_factor(log_x)
        return np.where(upper == 1, near, super().log_density_below(upper, distance))

    def _second_factor(self, log_x: Array) -> Array:
        """(b - 1) log(1 - x^a), without cancellation at both ends."""
        power = self.a * log_x
        low, high = special.xlog1py(self.b - 1, -np.exp(power)), special.xlogy(self.b - 1, -np.expm1(power))
        return np.where(power < -np.log(2), low, high)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by inversion."""
        return self.quantile(generator.uniform(size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        with np.errstate(all="ignore"):
            return np.exp(np.log(-np.expm1(np.log1p(-u) / self.b)) / self.a)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        with np.errstate(all="ignore"):
            return np.exp(np.log1p(-np.exp(np.log(u) / self.b)) / self.a)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return -np.expm1(self._log_survival(x))

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return np.exp(self._log_survival(x))

    def entropy(self) -> Array:
        """Differential entropy in nats (Michalowicz, Nichols and Bucholtz 2013)."""
        harmonic = special.digamma(self.b + 1) + np.euler_gamma
        value = 1 - 1 / self.b + (1 - 1 / self.a) * harmonic - np.log(self.a * self.b)
        return np.broadcast_to(value, self.batch_shape)

    def _log_survival(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.b * np.log1p(-(np.clip(x, 0, 1) ** self.a))

    def base(self) -> Beta:
        """The distribution of X^a."""
        return Beta(alpha=np.ones(()), beta=self.b)

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        mean, second = (np.exp(self.log_power(np.asarray(float(k)))) for k in (1, 2))
        return mean, second - mean**2

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of the logarithm."""
        mean, variance = self.base().log_mean_variance()
        return mean / self.a, variance / self.a**2

    def log_power(self, k: Array) -> Array:
        """log E X^k."""
        return self.base().log_power(k / self.a)

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c]."""
        r = 1 + 1 / self.a
        return self.mean_variance()[0] * special.betainc(r, self.b, np.minimum(c, 1.0) ** self.a)


@kl_rule(Kumaraswamy, Kumaraswamy)
def _kumaraswamy(p: Kumaraswamy, q: Kumaraswamy) -> Array:
    # With one exponent a, -log(1 - X^a) is exponential of rate b; otherwise there is no closed form.
    return np.where(p.a == q.a, excess(relative_change(q.b, p.b)), np.nan)
