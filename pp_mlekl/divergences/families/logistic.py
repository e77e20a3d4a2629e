"""Logistic."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.families.moments import WithMoments
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Logistic(WithMoments, Univariate):
    """Logistic with location ``mu`` and scale ``s``."""

    mu: Array
    s: Array
    closed_entropy = True
    narrowest = widest = (-np.inf, np.inf)

    def validate(self) -> None:
        """Raise where ``s`` is not positive."""
        self._require_finite("mu")
        self._require_positive("s")

    def frozen(self) -> Any:
        """SciPy's logistic."""
        return stats.logistic(self.mu, self.s)

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance."""
        return self.mu, np.pi**2 / 3 * self.s**2

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c|."""
        d = np.abs(self.mu - centre)
        return d + 2 * self.s * np.log1p(np.exp(-d / self.s))

    def expected_exp(self, t: Array, centre: Array) -> Array:
        """E exp(t (X - c))."""
        r = t * self.s
        return np.where(np.abs(r) < 1, np.exp(t * (self.mu - centre)) / np.sinc(r), np.inf)


@kl_rule(Logistic, Logistic)
def _logistic(p: Logistic, q: Logistic) -> Array:
    # Equal scales: d coth(d / 2) - 2 with d the distance; its series where that cancels.
    d = np.abs(p.mu - q.mu) / p.s
    d2 = d * d
    series = d2 / 6 * (1 - d2 / 60 * (1 - d2 / 42 * (1 - d2 / 40 * (1 - 10 * d2 / 396))))
    value = np.where(d < 0.05, series, d / np.tanh(np.where(d == 0, 1.0, d) / 2) - 2)
    return np.where(p.s == q.s, value, np.nan)
