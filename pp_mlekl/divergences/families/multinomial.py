"""Vectors of counts with a given sum: multinomial and Dirichlet-multinomial."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families.dirichlet import Dirichlet
from pp_mlekl.divergences.families.probability import category_divergence, normalized_weights
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.special import entropy_term, log_rising_excess
from pp_mlekl.typing import Array

# Maximum number of count vectors to sum over.
_MOST_POINTS = 200_000


class _CountVector(Distribution):
    """Vectors of k counts with the sum ``n``."""

    n: Array
    discrete = True
    event_ndim = 1

    def validate(self) -> None:
        """Raise where ``n`` is not a count."""
        self._require_counts("n")

    def log_density(self, x: Array) -> Array:
        """Log mass in nats; ``-inf`` unless ``x`` holds counts with the sum ``n``."""
        x = np.asarray(x, dtype=np.float64)
        counts = (x >= 0) & np.isfinite(x) & (x == np.floor(x))
        inside = np.all(counts, axis=-1) & (np.sum(np.where(counts, x, 0.0), axis=-1) == self.n)
        return np.where(inside, self._log_mass(np.where(counts, x, 0.0)), -np.inf)

    @abstractmethod
    def _log_mass(self, x: Array) -> Array:
        """Log mass at vectors of counts, where their sum is ``n``."""

    def points(self) -> Array | None:
        """All vectors of k counts with the sum n; None where n differs between elements or there are too many vectors."""
        total, k = np.unique(self.n), self.event_shape[0]
        if total.size != 1 or math.comb(int(total[0]) + k - 1, k - 1) > _MOST_POINTS:
            return None
        # Bars between n stars: the gaps between k - 1 of n + k - 1 places.
        places = int(total[0]) + k - 1
        bars = np.array(list(combinations(range(places), k - 1)), dtype=np.float64).reshape(-1, k - 1)
        edges = np.pad(bars, [(0, 0), (1, 1)], constant_values=[(0, 0), (-1, places)])
        return np.diff(edges, axis=1) - 1


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Multinomial(_CountVector):
    """Counts of ``n`` trials over k categories with probabilities ``p`` (..., k), or proportional to exp(``logit_p``)."""

    n: Array
    p: Array = None  # type: ignore[assignment]
    logit_p: Array | None = None
    parameter_ndim = {"p": 1, "logit_p": 1}  # noqa: RUF012

    def __post_init__(self) -> None:
        p, logit_p = normalized_weights("Multinomial", self.p, self.logit_p)
        object.__setattr__(self, "p", p)
        object.__setattr__(self, "logit_p", logit_p)
        super().__post_init__()

    @property
    def log_p(self) -> Array:
        """Log probabilities (..., k)."""
        with np.errstate(divide="ignore"):
            return np.log(self.p) if self.logit_p is None else self.logit_p

    def _log_mass(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):
            trials = np.where(x > 0, x * self.log_p, 0.0)
        return special.gammaln(self.n + 1) + (trials - special.gammaln(x + 1)).sum(axis=-1)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        full = (*shape, *self.batch_shape)
        p = np.broadcast_to(self.p, (*full, self.p.shape[-1]))
        return generator.multinomial(np.broadcast_to(self.n, full).astype(int), p).astype(np.float64)


@kl_rule(Multinomial, Multinomial)
def _multinomial(p: Multinomial, q: Multinomial) -> Array:
    if p.logit_p is None and q.logit_p is None:
        trial = np.sum(entropy_term(p.p, q.p), axis=-1)
    else:
        trial = category_divergence(p.p, p.log_p, q.log_p)
    value = np.where(p.n == 0, 0.0, p.n * trial)
    return np.where(p.n == q.n, value, np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class DirichletMultinomial(_CountVector):
    """Counts of ``n`` trials whose probabilities are Dirichlet with concentrations ``a`` (..., k)."""

    n: Array
    a: Array
    parameter_ndim = {"a": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where a concentration is not positive, or ``n`` is not a count."""
        super().validate()
        if not np.all(self.a > 0):
            raise ValueError("DirichletMultinomial: a must be positive.")

    def _log_mass(self, x: Array) -> Array:
        total = self.a.sum(axis=-1)
        value = special.gammaln(self.n + 1) - log_rising_excess(total, self.n)
        shares = special.xlogy(x, self.a / total[..., None])
        terms = log_rising_excess(self.a, x) + shares - special.gammaln(x + 1)
        return value + terms.sum(axis=-1)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        p = Dirichlet(a=np.broadcast_to(self.a, (*self.batch_shape, self.a.shape[-1]))).sample(shape, generator)
        n = np.broadcast_to(self.n, (*shape, *self.batch_shape)).astype(int)
        return generator.multinomial(n, p).astype(np.float64)
