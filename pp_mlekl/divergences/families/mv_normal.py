"""Multivariate normal and Student t."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families.matrices import (
    check_positive_definite,
    eigenvalue_changes,
    log_determinant,
    over_reals,
)
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.special import LOG_2PI, excess, half_step_of_digamma, log_rising_excess
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class MvNormal(Distribution):
    """Multivariate normal with mean ``mu`` (..., k) and covariance ``cov`` (..., k, k)."""

    mu: Array
    cov: Array
    event_ndim = 1
    parameter_ndim = {"mu": 1, "cov": 2}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where the covariance is not positive definite; one number for ``mu`` stands for all coordinates."""
        if self.mu.ndim == 0:
            object.__setattr__(self, "mu", np.broadcast_to(self.mu, self.cov.shape[-1:]))
        check_positive_definite("MvNormal", "cov", self.cov)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        return over_reals(self._inside, x, (-1,))

    def _inside(self, x: Array) -> Array:
        chol = np.linalg.cholesky(self.cov)
        z = (np.linalg.inv(chol) @ (x - self.mu)[..., None])[..., 0]
        k = self.cov.shape[-1]
        return -0.5 * np.sum(z**2, axis=-1) - 0.5 * log_determinant(chol) - 0.5 * k * LOG_2PI

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws of shape (*shape, *batch, k)."""
        chol = np.linalg.cholesky(self.cov)
        z = generator.standard_normal((*shape, *self.batch_shape, self.cov.shape[-1]))
        return self.mu + (chol @ z[..., None])[..., 0]

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        k = self.cov.shape[-1]
        value = 0.5 * (k * (1 + LOG_2PI) + log_determinant(np.linalg.cholesky(self.cov)))
        return np.broadcast_to(value, self.batch_shape)


@kl_rule(MvNormal, MvNormal)
def _mv_normal(p: MvNormal, q: MvNormal) -> Array:
    z = np.linalg.solve(np.linalg.cholesky(q.cov), (p.mu - q.mu)[..., None])[..., 0]
    return 0.5 * (np.sum(excess(eigenvalue_changes(p.cov, q.cov)), axis=-1) + np.sum(z**2, axis=-1))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class MvStudentT(Distribution):
    """Multivariate t with ``nu`` degrees of freedom, location ``mu`` and ``scale`` matrix."""

    nu: Array
    mu: Array
    scale: Array
    event_ndim = 1
    parameter_ndim = {"mu": 1, "scale": 2}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where the scale is not positive definite; one number for ``mu`` stands for all coordinates."""
        if self.mu.ndim == 0:
            object.__setattr__(self, "mu", np.broadcast_to(self.mu, self.scale.shape[-1:]))
        check_positive_definite("MvStudentT", "scale", self.scale)
        if not np.all(self.nu > 0):
            raise ValueError("MvStudentT: nu must be positive.")

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        return over_reals(self._inside, x, (-1,))

    def _inside(self, x: Array) -> Array:
        k = self.scale.shape[-1]
        chol = np.linalg.cholesky(self.scale)
        z2 = np.sum((np.linalg.inv(chol) @ (x - self.mu)[..., None])[..., 0] ** 2, axis=-1)
        constant = log_rising_excess(self.nu / 2, k / 2) - k / 2 * LOG_2PI
        return constant - 0.5 * log_determinant(chol) - (self.nu + k) / 2 * np.log1p(z2 / self.nu)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        z = (
            MvNormal(mu=np.zeros(self.scale.shape[-1]), cov=self.scale)
            .expand(self.batch_shape)
            .sample(shape, generator)
        )
        chi = generator.chisquare(self.nu, size=(*shape, *self.batch_shape)) / self.nu
        return self.mu + z / np.sqrt(chi)[..., None]

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        k, nu = self.scale.shape[-1], self.nu
        value = 0.5 * log_determinant(np.linalg.cholesky(self.scale)) + k / 2 * LOG_2PI
        value = value - log_rising_excess(nu / 2, k / 2)
        value = value + (nu + k) / 2 * sum(half_step_of_digamma((nu + j) / 2) for j in range(k))
        return np.broadcast_to(value, self.batch_shape)


@kl_rule(MvStudentT, MvNormal)
def _mv_student_t_in_mv_normal(p: MvStudentT, q: MvNormal) -> Array:
    # The covariance of the t is nu / (nu - 2) times its scale; without one the divergence is infinite.
    k = q.cov.shape[-1]
    inverse = np.linalg.inv(np.linalg.cholesky(q.cov))
    spread = np.sum((inverse @ np.linalg.cholesky(p.scale)) ** 2, axis=(-1, -2))
    shift = np.sum((inverse @ (p.mu - q.mu)[..., None])[..., 0] ** 2, axis=-1)
    variance = np.where(p.nu > 2, p.nu / np.where(p.nu > 2, p.nu - 2, 1.0), np.inf)
    cross = 0.5 * (k * LOG_2PI + log_determinant(np.linalg.cholesky(q.cov)) + variance * spread + shift)
    return cross - p.entropy()
