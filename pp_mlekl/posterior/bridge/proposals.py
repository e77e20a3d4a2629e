"""Proposals for bridge sampling, fitted to draws: normal and Student t."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln

from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array

Target = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class NormalProposal:
    """Normal with the mean and the covariance (``chol`` is its Cholesky factor) of some draws."""

    mean: Array
    chol: Array

    def log_density(self, z: Array) -> Array:
        """Log density at ``z`` (n, d), in nats."""
        standard = solve_triangular(self.chol, (z - self.mean).T, lower=True)
        half_log_determinant = np.sum(np.log(np.diag(self.chol)))
        return -0.5 * np.sum(standard**2, axis=0) - half_log_determinant - 0.5 * len(self.mean) * LOG_2PI

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        """Draws of shape (n, d)."""
        standard = generator.standard_normal((n, len(self.mean)))
        return self.mean + standard @ self.chol.T


@dataclass(frozen=True, kw_only=True)
class StudentProposal:
    """Multivariate t with ``nu`` > 2 degrees of freedom and the moments of a normal, for posteriors with heavy tails."""

    normal: NormalProposal
    nu: float = 5.0

    def log_density(self, z: Array) -> Array:
        """Log density at ``z`` (n, d), in nats."""
        mean, chol, nu = self.normal.mean, self.normal.chol * np.sqrt(1 - 2 / self.nu), self.nu
        d = len(mean)
        square = np.sum(solve_triangular(chol, (z - mean).T, lower=True) ** 2, axis=0)
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi)
        return constant - np.sum(np.log(np.diag(chol))) - (nu + d) / 2 * np.log1p(square / nu)

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        """Draws of shape (n, d)."""
        wide = np.sqrt((self.nu - 2) / generator.chisquare(self.nu, size=(n, 1)))
        return self.normal.mean + wide * (self.normal.sample(n, generator) - self.normal.mean)


def fit_normal(draws: Array) -> NormalProposal:
    """The normal with mean and covariance of ``draws`` (n, d).

    Raises
    ------
    ValueError
        Where they lie in a subspace.
    """
    covariance = np.atleast_2d(np.cov(draws, rowvar=False))
    # The jitter is relative to each variance, since a common one could exceed the smallest variance.
    jitter = 1e-12 * np.diag(np.diag(covariance))
    try:
        chol = np.linalg.cholesky(covariance + jitter)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "The draws lie in a subspace, so their covariance is singular; remove redundant parameters."
        ) from error
    return NormalProposal(mean=draws.mean(axis=0), chol=chol)
