"""Matrix normal distribution."""

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
from pp_mlekl.divergences.special import LOG_2PI, excess
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixNormal(Distribution):
    """Matrix normal with mean ``mu`` (m, n), row covariance ``rowcov`` and column covariance ``colcov``."""

    mu: Array
    rowcov: Array
    colcov: Array
    event_ndim = 2
    parameter_ndim = {"mu": 2, "rowcov": 2, "colcov": 2}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where a covariance is not positive definite."""
        check_positive_definite("MatrixNormal", "rowcov", self.rowcov)
        check_positive_definite("MatrixNormal", "colcov", self.colcov)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        return over_reals(self._inside, x, (-2, -1))

    def _inside(self, x: Array) -> Array:
        m, n = self.rowcov.shape[-1], self.colcov.shape[-1]
        rows, columns = np.linalg.cholesky(self.rowcov), np.linalg.cholesky(self.colcov)
        z = np.linalg.solve(rows, x - self.mu)
        z = np.linalg.solve(columns, np.swapaxes(z, -1, -2))
        value = -0.5 * np.sum(z**2, axis=(-1, -2)) - 0.5 * m * n * LOG_2PI
        return value - 0.5 * (n * log_determinant(rows) + m * log_determinant(columns))

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        m, n = self.rowcov.shape[-1], self.colcov.shape[-1]
        z = generator.standard_normal((*shape, *self.batch_shape, m, n))
        columns = np.swapaxes(np.linalg.cholesky(self.colcov), -1, -2)
        return self.mu + np.linalg.cholesky(self.rowcov) @ z @ columns

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        m, n = self.rowcov.shape[-1], self.colcov.shape[-1]
        rows, columns = np.linalg.cholesky(self.rowcov), np.linalg.cholesky(self.colcov)
        return 0.5 * (m * n * (1 + LOG_2PI) + n * log_determinant(rows) + m * log_determinant(columns))


@kl_rule(MatrixNormal, MatrixNormal)
def _matrix_normal(p: MatrixNormal, q: MatrixNormal) -> Array:
    # The covariances are Kronecker products: the eigenvalues of the ratio are products (1 + r_i)(1 + c_j).
    r = eigenvalue_changes(p.rowcov, q.rowcov)[..., :, None]
    c = eigenvalue_changes(p.colcov, q.colcov)[..., None, :]
    z = np.linalg.solve(np.linalg.cholesky(q.rowcov), p.mu - q.mu)
    z = np.linalg.solve(np.linalg.cholesky(q.colcov), np.swapaxes(z, -1, -2))
    return 0.5 * (np.sum(excess(r + c + r * c), axis=(-1, -2)) + np.sum(z**2, axis=(-1, -2)))
