"""Probability vectors: Dirichlet."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.saddle_point import dirichlet_log_density
from pp_mlekl.divergences.special import dirichlet_excess
from pp_mlekl.typing import Array

# Largest distance of a sum from 1 that rounding in single precision explains.
_OFF_SIMPLEX = 1e-5


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Dirichlet(Distribution):
    """Dirichlet with concentrations ``a`` (..., k)."""

    a: Array
    event_ndim = 1
    parameter_ndim = {"a": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where a concentration is not positive."""
        if not np.all((self.a > 0) & np.isfinite(self.a)):
            raise ValueError("Dirichlet: a must be positive and finite.")

    def free_coordinates(self, x: Array) -> Array:
        """All but the last, which the sum of 1 gives."""
        return x[..., :-1]

    def log_density(self, x: Array) -> Array:
        """Log density in nats of the free coordinates; ``-inf`` off the simplex."""
        x = np.asarray(x, dtype=np.float64)
        on_simplex = np.all(x >= 0, axis=-1) & (np.abs(x.sum(axis=-1) - 1) < _OFF_SIMPLEX)
        with np.errstate(all="ignore"):
            return np.where(on_simplex, dirichlet_log_density(x, self.a), -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws, by normalised gammas in log space, which do not underflow for small concentrations."""
        full = (*shape, *self.a.shape)
        logs = np.log(generator.gamma(self.a + 1, size=full)) + np.log(generator.uniform(size=full)) / self.a
        return special.softmax(logs, axis=-1)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        total = self.a.sum(axis=-1)
        value = special.gammaln(self.a).sum(axis=-1) - special.gammaln(total)
        value = value + (total - self.a.shape[-1]) * special.digamma(total)
        return value - np.sum((self.a - 1) * special.digamma(self.a), axis=-1)


@kl_rule(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Array:
    return dirichlet_excess(p.a, q.a)
