"""Positive definite matrices: Wishart and its inverse."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families.matrices import (
    check_positive_definite,
    eigenvalue_changes,
    is_positive_definite,
    over_matrices,
)
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.special import excess, multigammaln_excess
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Wishart(Distribution):
    """Wishart with ``nu`` degrees of freedom and scale matrix ``V``."""

    nu: Array
    V: Array
    event_ndim = 2
    parameter_ndim = {"V": 2}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where the scale is not positive definite or nu too small."""
        check_positive_definite("Wishart", "V", self.V)
        if not np.all(self.nu > self.V.shape[-1] - 1):
            raise ValueError("Wishart: nu must exceed the dimension less 1.")

    def free_coordinates(self, x: Array) -> Array:
        """The entries on and below the diagonal."""
        return x[(..., *np.tril_indices(x.shape[-1]))]

    def log_density(self, x: Array) -> Array:
        """Log density in nats; ``-inf`` unless ``x`` is symmetric and positive definite."""
        return over_matrices(self.log_density_inside, x, is_positive_definite(x))

    def log_density_inside(self, x: Array) -> Array:
        """Log density in nats at positive definite matrices."""
        k = self.V.shape[-1]
        trace = np.trace(np.linalg.inv(self.V) @ x, axis1=-2, axis2=-1)
        value = (self.nu - k - 1) / 2 * np.linalg.slogdet(x)[1] - trace / 2
        return (
            value - self.nu / 2 * (k * np.log(2) + np.linalg.slogdet(self.V)[1]) - special.multigammaln(self.nu / 2, k)
        )

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by Bartlett's decomposition."""
        k = self.V.shape[-1]
        full = (*shape, *self.batch_shape)
        factor = np.tril(generator.standard_normal((*full, k, k)), -1)
        freedom = np.broadcast_to(self.nu[..., None] - np.arange(k), (*full, k))
        factor[..., np.arange(k), np.arange(k)] = np.sqrt(generator.chisquare(freedom))
        root = np.linalg.cholesky(self.V) @ factor
        return root @ np.swapaxes(root, -1, -2)

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        k, half = self.V.shape[-1], self.nu / 2
        digammas = sum(special.digamma(half - j / 2) for j in range(k))
        value = (k + 1) / 2 * np.linalg.slogdet(self.V)[1] + k * (k + 1) / 2 * np.log(2) + special.multigammaln(half, k)
        return np.broadcast_to(value - (self.nu - k - 1) / 2 * digammas + self.nu * k / 2, self.batch_shape)


@kl_rule(Wishart, Wishart)
def _wishart(p: Wishart, q: Wishart) -> Array:
    # Bregman form: the multivariate gamma's, and that of the scales at p's degrees of freedom.
    k = p.V.shape[-1]
    change = eigenvalue_changes(p.V, q.V)
    shape = multigammaln_excess(p.nu / 2, q.nu / 2, k)
    return shape + p.nu / 2 * np.sum(excess(change), axis=-1) + (p.nu - q.nu) / 2 * np.sum(np.log1p(change), axis=-1)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class InverseWishart(Distribution):
    """The inverse of a Wishart matrix with ``nu`` degrees of freedom and scale matrix the inverse of ``V``."""

    nu: Array
    V: Array
    event_ndim = 2
    parameter_ndim = {"V": 2}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where the scale is not positive definite or nu too small."""
        self._inverse()

    def fold(self) -> tuple[str, Distribution]:
        """Its inverse is Wishart."""
        return "inverse matrix", self._inverse()

    def free_coordinates(self, x: Array) -> Array:
        """The entries on and below the diagonal."""
        return x[(..., *np.tril_indices(x.shape[-1]))]

    def log_density(self, x: Array) -> Array:
        """Log density in nats; ``-inf`` unless ``x`` is symmetric and positive definite."""

        def inside(x: Array) -> Array:
            # That of the inverse, and the Jacobian |x|^-(k + 1).
            jacobian = (self.V.shape[-1] + 1) * np.linalg.slogdet(x)[1]
            return self._inverse().log_density_inside(np.linalg.inv(x)) - jacobian

        return over_matrices(inside, x, is_positive_definite(x))

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        return np.linalg.inv(self._inverse().sample(shape, generator))

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        k, inner = self.V.shape[-1], self._inverse()
        digammas = sum(special.digamma(self.nu / 2 - j / 2) for j in range(k))
        mean_log_determinant = digammas + k * np.log(2) + np.linalg.slogdet(inner.V)[1]
        return inner.entropy() - (k + 1) * mean_log_determinant

    def _inverse(self) -> Wishart:
        return Wishart(nu=self.nu, V=np.linalg.inv(self.V))
