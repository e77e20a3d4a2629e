"""Vector- and matrix-valued families."""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.special import entropy_term, excess, gammaln_excess, multigammaln_excess

LOG_2PI = np.log(2 * np.pi)


def _check_positive_definite(name: str, parameter: str, matrix: Array) -> Array:
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError as error:
        raise ValueError(f"{name}: {parameter} must be symmetric and positive definite.") from error


def _log_determinant(chol: Array) -> Array:
    return 2 * np.sum(np.log(np.diagonal(chol, axis1=-2, axis2=-1)), axis=-1)


def _eigenvalue_changes(inner: Array, outer: Array) -> Array:
    """Eigenvalues of outer^-1 inner, less 1: from the difference of the matrices, which is exact where they are close."""
    chol = np.linalg.cholesky(outer)
    half = np.linalg.solve(chol, inner - outer)
    whole = np.linalg.solve(chol, np.swapaxes(half, -1, -2))
    return np.linalg.eigvalsh((whole + np.swapaxes(whole, -1, -2)) / 2)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class MvNormal(Distribution):
    """Multivariate normal with mean ``mu`` (..., k) and covariance ``cov`` (..., k, k)."""

    mu: Array
    cov: Array
    event_ndim = 1
    parameter_ndim = {"mu": 1, "cov": 2}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where the covariance is not positive definite."""
        if self.mu.ndim == 0:
            object.__setattr__(self, "mu", np.broadcast_to(self.mu, self.cov.shape[-1:]))
        _check_positive_definite("MvNormal", "cov", self.cov)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        chol = np.linalg.cholesky(self.cov)
        z = np.linalg.solve(chol, (x - self.mu)[..., None])[..., 0]
        k = self.cov.shape[-1]
        return -0.5 * np.sum(z**2, axis=-1) - 0.5 * _log_determinant(chol) - 0.5 * k * LOG_2PI

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws of shape (*shape, *batch, k)."""
        chol = np.linalg.cholesky(self.cov)
        z = generator.standard_normal((*shape, *self.batch_shape, self.cov.shape[-1]))
        return self.mu + (chol @ z[..., None])[..., 0]

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        k = self.cov.shape[-1]
        value = 0.5 * (k * (1 + LOG_2PI) + _log_determinant(np.linalg.cholesky(self.cov)))
        return np.broadcast_to(value, self.batch_shape)


@kl_rule(MvNormal, MvNormal)
def _mv_normal(p: MvNormal, q: MvNormal) -> Array:
    if p.cov.shape[-1] != q.cov.shape[-1]:
        raise ValueError(f"P has dimension {p.cov.shape[-1]} and Q {q.cov.shape[-1]}.")
    z = np.linalg.solve(np.linalg.cholesky(q.cov), (p.mu - q.mu)[..., None])[..., 0]
    return 0.5 * (np.sum(excess(_eigenvalue_changes(p.cov, q.cov)), axis=-1) + np.sum(z**2, axis=-1))


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
        """Raise where the scale is not positive definite."""
        _check_positive_definite("MvStudentT", "scale", self.scale)
        if not np.all(self.nu > 0):
            raise ValueError("MvStudentT: nu must be positive.")

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        k = self.scale.shape[-1]
        chol = np.linalg.cholesky(self.scale)
        z2 = np.sum(np.linalg.solve(chol, (x - self.mu)[..., None])[..., 0] ** 2, axis=-1)
        constant = special.gammaln((self.nu + k) / 2) - special.gammaln(self.nu / 2) - k / 2 * np.log(np.pi * self.nu)
        return constant - 0.5 * _log_determinant(chol) - (self.nu + k) / 2 * np.log1p(z2 / self.nu)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        z = MvNormal(mu=np.zeros(self.scale.shape[-1]), cov=self.scale).expand(self.batch_shape).sample(shape, generator)
        chi = generator.chisquare(self.nu, size=(*shape, *self.batch_shape)) / self.nu
        return self.mu + z / np.sqrt(chi)[..., None]

    def entropy(self) -> Array:
        """Differential entropy in nats."""
        k, nu = self.scale.shape[-1], self.nu
        value = 0.5 * _log_determinant(np.linalg.cholesky(self.scale)) + k / 2 * np.log(np.pi * nu)
        value = value + special.gammaln(nu / 2) - special.gammaln((nu + k) / 2)
        value = value + (nu + k) / 2 * (special.digamma((nu + k) / 2) - special.digamma(nu / 2))
        return np.broadcast_to(value, self.batch_shape)


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

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        constant = special.gammaln(self.a.sum(axis=-1)) - special.gammaln(self.a).sum(axis=-1)
        return constant + special.xlogy(self.a - 1, x).sum(axis=-1)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws, by gammas of which small shapes are raised to a power in log space."""
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
    return np.sum(gammaln_excess(p.a, q.a), axis=-1) - gammaln_excess(p.a.sum(axis=-1), q.a.sum(axis=-1))


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Multinomial(Distribution):
    """Counts of ``n`` trials over k categories with probabilities ``p`` (..., k), divided by their sum."""

    n: Array
    p: Array
    discrete = True
    event_ndim = 1
    parameter_ndim = {"p": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where an entry is negative; divide by the sum."""
        if not np.all(self.p >= 0) or not np.all(self.n >= 0):
            raise ValueError("Multinomial: p and n must not be negative.")
        object.__setattr__(self, "p", self.p / self.p.sum(axis=-1, keepdims=True))

    def log_density(self, x: Array) -> Array:
        """Log mass in nats."""
        x = np.asarray(x, dtype=np.float64)
        value = special.gammaln(self.n + 1) - special.gammaln(x + 1).sum(axis=-1) + special.xlogy(x, self.p).sum(axis=-1)
        return np.where(x.sum(axis=-1) == self.n, value, -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        full = (*shape, *self.batch_shape)
        p = np.broadcast_to(self.p, (*full, self.p.shape[-1]))
        return generator.multinomial(np.broadcast_to(self.n, full).astype(int), p).astype(np.float64)


@kl_rule(Multinomial, Multinomial)
def _multinomial(p: Multinomial, q: Multinomial) -> Array:
    value = np.where(p.n == 0, 0.0, p.n * np.sum(entropy_term(p.p, q.p), axis=-1))
    return np.where(p.n == q.n, value, np.inf)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class DirichletMultinomial(Distribution):
    """Counts of ``n`` trials whose probabilities are Dirichlet with concentrations ``a`` (..., k)."""

    n: Array
    a: Array
    discrete = True
    event_ndim = 1
    parameter_ndim = {"a": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where a concentration is not positive."""
        if not np.all(self.a > 0) or not np.all(self.n >= 0):
            raise ValueError("DirichletMultinomial: a must be positive and n not negative.")

    def log_density(self, x: Array) -> Array:
        """Log mass in nats."""
        total = self.a.sum(axis=-1)
        value = special.gammaln(total) + special.gammaln(self.n + 1) - special.gammaln(self.n + total)
        terms = special.gammaln(x + self.a) - special.gammaln(self.a) - special.gammaln(np.asarray(x) + 1.0)
        return np.where(np.sum(x, axis=-1) == self.n, value + terms.sum(axis=-1), -np.inf)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws."""
        p = Dirichlet(a=np.broadcast_to(self.a, (*self.batch_shape, self.a.shape[-1]))).sample(shape, generator)
        n = np.broadcast_to(self.n, (*shape, *self.batch_shape)).astype(int)
        return generator.multinomial(n, p).astype(np.float64)


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
        _check_positive_definite("Wishart", "V", self.V)
        if not np.all(self.nu > self.V.shape[-1] - 1):
            raise ValueError("Wishart: nu must exceed the dimension less 1.")

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        k = self.V.shape[-1]
        trace = np.trace(np.linalg.solve(self.V, x), axis1=-2, axis2=-1)
        value = (self.nu - k - 1) / 2 * np.linalg.slogdet(x)[1] - trace / 2
        return value - self.nu / 2 * (k * np.log(2) + np.linalg.slogdet(self.V)[1]) - special.multigammaln(self.nu / 2, k)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws (a batch one by one)."""
        k = self.V.shape[-1]
        full = self.expand(self.batch_shape)
        out = np.empty((int(np.prod(shape, dtype=int)), *self.batch_shape, k, k))
        for index in np.ndindex(self.batch_shape):
            draws = stats.wishart.rvs(full.nu[index], full.V[index], size=len(out), random_state=generator)
            out[(slice(None), *index)] = np.reshape(draws, (len(out), k, k))
        return out.reshape(*shape, *self.batch_shape, k, k)


@kl_rule(Wishart, Wishart)
def _wishart(p: Wishart, q: Wishart) -> Array:
    # Bregman form: the multivariate gamma's, and that of the scales at p's degrees of freedom.
    k = p.V.shape[-1]
    change = _eigenvalue_changes(p.V, q.V)
    shape = multigammaln_excess(p.nu / 2, q.nu / 2, k)
    return shape + p.nu / 2 * np.sum(excess(change), axis=-1) + (p.nu - q.nu) / 2 * np.sum(np.log1p(change), axis=-1)


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
        _check_positive_definite("MatrixNormal", "rowcov", self.rowcov)
        _check_positive_definite("MatrixNormal", "colcov", self.colcov)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        m, n = self.rowcov.shape[-1], self.colcov.shape[-1]
        rows, columns = np.linalg.cholesky(self.rowcov), np.linalg.cholesky(self.colcov)
        z = np.linalg.solve(rows, x - self.mu)
        z = np.linalg.solve(columns, np.swapaxes(z, -1, -2))
        value = -0.5 * np.sum(z**2, axis=(-1, -2)) - 0.5 * m * n * LOG_2PI
        return value - 0.5 * (n * _log_determinant(rows) + m * _log_determinant(columns))

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
        return 0.5 * (m * n * (1 + LOG_2PI) + n * _log_determinant(rows) + m * _log_determinant(columns))


@kl_rule(MatrixNormal, MatrixNormal)
def _matrix_normal(p: MatrixNormal, q: MatrixNormal) -> Array:
    # The covariances are Kronecker products: the eigenvalues of the ratio are products (1 + r_i)(1 + c_j).
    r = _eigenvalue_changes(p.rowcov, q.rowcov)[..., :, None]
    c = _eigenvalue_changes(p.colcov, q.colcov)[..., None, :]
    z = np.linalg.solve(np.linalg.cholesky(q.rowcov), p.mu - q.mu)
    z = np.linalg.solve(np.linalg.cholesky(q.colcov), np.swapaxes(z, -1, -2))
    return 0.5 * (np.sum(excess(r + c + r * c), axis=(-1, -2)) + np.sum(z**2, axis=(-1, -2)))
