"""Truncated distributions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.distribution import CrossEntropyTerms, Distribution, Support
from pp_mlekl.divergences.families.moments import WithMoments
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array

# In standard deviations: the closed forms of the moments lose precision on an interval shorter than _SHORT, or beyond _FAR.
_SHORT = 0.3
_FAR = 5.0


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class TruncatedNormal(WithMoments, Univariate):
    """Normal (``mu``, ``sigma``) truncated to [``lower``, ``upper``]."""

    mu: Array
    sigma: Array
    lower: Array = -np.inf  # type: ignore[assignment]
    upper: Array = np.inf  # type: ignore[assignment]
    needed_expectations = ("square",)
    closed_entropy = True
    narrowest = (0.4, 0.6)

    def validate(self) -> None:
        """Raise where the interval is empty or the scale is not positive."""
        self._require_finite("mu")
        self._require_positive("sigma")
        if not np.all(np.asarray(self.lower) < self.upper):
            raise ValueError("TruncatedNormal: lower must be less than upper.")

    def frozen(self) -> Any:
        """SciPy's truncated normal, whose bounds are standardised."""
        return stats.truncnorm(
            (self.lower - self.mu) / self.sigma, (self.upper - self.mu) / self.sigma, self.mu, self.sigma
        )

    def support(self) -> Support:
        """The interval, without the rounding of SciPy's standardised one."""
        lower, upper = (np.broadcast_to(end, self.batch_shape) for end in (self.lower, self.upper))
        return Support(lower=lower, upper=upper, discrete=False)

    def entropy(self) -> Array | None:
        """Differential entropy in nats; None where an interval is short or in a far tail, since the closed form cancels."""
        with np.errstate(all="ignore"):
            mass, _, square = self._standardised()
            value = np.log(self.sigma * mass) + (LOG_2PI + square) / 2
        return None if np.any(np.isnan(value)) else np.broadcast_to(value, self.batch_shape)

    def cross_entropy_terms(self) -> CrossEntropyTerms:
        """Mean square about ``mu``."""
        constant = np.log(self.sigma * self._standardised()[0]) + LOG_2PI / 2
        return CrossEntropyTerms(constant=constant, statistics=((0.5 / self.sigma**2, "square", self.mu),))

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        _, mean, square = self._standardised()
        return self.mu + self.sigma * mean, self.sigma**2 * (square - mean**2)

    def _standardised(self) -> tuple[Array, Array, Array]:
        """Mass of the interval, mean and mean square of (X - mu) / sigma; NaN where the closed forms cancel."""
        low, high = ((end - self.mu) / self.sigma for end in (np.asarray(self.lower), np.asarray(self.upper)))
        mass = special.ndtr(np.where(low > 0, -low, high)) - special.ndtr(np.where(low > 0, -high, low))
        ends = [np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / mass for z in (low, high)]
        square = 1 + np.where(np.isinf(low), 0.0, low * ends[0]) - np.where(np.isinf(high), 0.0, high * ends[1])
        sound = (high - low > _SHORT) & (low < _FAR) & (high > -_FAR)
        return tuple(np.where(sound, v, np.nan) for v in (mass, ends[0] - ends[1], square))  # type: ignore[return-value]


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Truncated(Distribution):
    """``dist`` truncated to [``lower``, ``upper``], both included."""

    dist: Distribution
    lower: Array = -np.inf  # type: ignore[assignment]
    upper: Array = np.inf  # type: ignore[assignment]

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As the base is."""
        return self.dist.discrete

    def validate(self) -> None:
        """Raise where the base has no mass in the interval, or is truncated itself."""
        if isinstance(self.dist, Truncated):
            raise ValueError("Truncated: the base is truncated itself; give its base, and the narrower bounds.")
        if not np.all(self._mass() > 0):
            raise ValueError("Truncated: the base has no mass between lower and upper; use other bounds.")

    def kinks(self) -> tuple[Array, ...]:
        """Those of the base."""
        return self.dist.kinks()

    def support(self) -> Support:
        """The part of the base's support within the bounds."""
        base = self.dist.support()
        lower = np.maximum(base.lower, np.ceil(self.lower) if self.discrete else self.lower)
        upper = np.minimum(base.upper, np.floor(self.upper) if self.discrete else self.upper)
        return Support(lower=lower, upper=upper, discrete=self.discrete)

    def _below(self) -> tuple[Array, Array]:
        """CDF and survival just below the lower bound."""
        edge = np.ceil(self.lower) - 1 if self.discrete else np.asarray(self.lower)
        return self.dist.cdf(edge), self.dist.survival(edge)

    def _mass(self) -> Array:
        cdf, survival = self._below()
        # The difference of the smaller tail probabilities keeps its digits.
        return np.where(cdf < 0.5, self.dist.cdf(self.upper) - cdf, survival - self.dist.survival(self.upper))

    def log_density(self, x: Array) -> Array:
        """Log density of the base, divided by the mass kept."""
        support = self.support()
        inside = (x >= support.lower) & (x <= support.upper)
        return np.where(inside, self.dist.log_density(x) - np.log(self._mass()), -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by inversion."""
        return self.quantile(generator.uniform(size=(*shape, *self.batch_shape)))

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        cdf, survival = self._below()
        low = self.dist.quantile(np.minimum(cdf + u * self._mass(), 1.0))
        high = self.dist.upper_quantile(np.clip(survival - u * self._mass(), 0.0, 1.0))
        return self._inside(np.where(cdf + u * self._mass() < 0.5, low, high))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        above, cdf = self.dist.survival(self.upper), self.dist.cdf(self.upper)
        high = self.dist.upper_quantile(np.minimum(above + u * self._mass(), 1.0))
        low = self.dist.quantile(np.clip(cdf - u * self._mass(), 0.0, 1.0))
        return self._inside(np.where(above + u * self._mass() < 0.5, high, low))

    def _inside(self, x: Array) -> Array:
        support = self.support()
        return np.clip(x, support.lower, support.upper)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        x = np.minimum(x, self.upper)
        cdf, survival = self._below()
        value = np.where(cdf < 0.5, self.dist.cdf(x) - cdf, survival - self.dist.survival(x))
        return np.clip(value / self._mass(), 0, 1)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        edge = np.ceil(self.lower) - 1 if self.discrete else self.lower
        x = np.maximum(x, edge)
        above = self.dist.survival(self.upper)
        value = np.where(above < 0.5, self.dist.survival(x) - above, self.dist.cdf(self.upper) - self.dist.cdf(x))
        return np.clip(value / self._mass(), 0, 1)
