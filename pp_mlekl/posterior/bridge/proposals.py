"""Proposals for bridge sampling, fitted to draws: normal and Student t, with warped coordinates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaincinv, gammaln, ndtri

from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.posterior.bridge.warp import Warp, fit_warp
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
        return self._log_density(np.sum(standard**2, axis=0))

    def _log_density(self, square: Array) -> Array:
        """Log density at squared distances from the mean."""
        half_log_determinant = np.sum(np.log(np.diag(self.chol)))
        return -0.5 * square - half_log_determinant - 0.5 * len(self.mean) * LOG_2PI

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        """Draws of shape (n, d)."""
        standard = generator.standard_normal((n, len(self.mean)))
        return self.mean + standard @ self.chol.T

    def points(self, uniform: Array) -> tuple[Array, Array]:
        """Draws (n, d) from numbers (n, d + 1) that are uniform between 0 and 1, and their log density.

        The last column is not used.
        """
        standard = ndtri(uniform[:, :-1])
        return self.mean + standard @ self.chol.T, self._log_density(np.sum(standard**2, axis=1))


@dataclass(frozen=True, kw_only=True)
class StudentProposal:
    """Multivariate t with ``nu`` > 2 degrees of freedom and the moments of a normal, for posteriors with heavy tails."""

    normal: NormalProposal
    nu: float = 5.0

    def log_density(self, z: Array) -> Array:
        """Log density at ``z`` (n, d), in nats."""
        standard = solve_triangular(self.normal.chol, (z - self.normal.mean).T, lower=True)
        return self._log_density(np.sum(standard**2, axis=0))

    def _log_density(self, square: Array) -> Array:
        """Log density at squared distances from the mean in units of the normal's covariance."""
        nu, d = self.nu, len(self.normal.mean)
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log((nu - 2) * np.pi)
        return constant - np.sum(np.log(np.diag(self.normal.chol))) - (nu + d) / 2 * np.log1p(square / (nu - 2))

    def points(self, uniform: Array) -> tuple[Array, Array]:
        """Draws (n, d) from numbers (n, d + 1) that are uniform between 0 and 1, and their log density."""
        chi_squared = 2 * gammaincinv(self.nu / 2, uniform[:, -1:])
        standard = np.sqrt((self.nu - 2) / chi_squared) * ndtri(uniform[:, :-1])
        return self.normal.mean + standard @ self.normal.chol.T, self._log_density(np.sum(standard**2, axis=1))


@dataclass(frozen=True, kw_only=True)
class WarpedProposal:
    """A proposal for the warped coordinates."""

    warp: Warp
    base: NormalProposal | StudentProposal

    def log_density(self, x: Array) -> Array:
        """Log density at ``x`` (n, d), in nats."""
        z, log_jacobian = self.warp.forward(x)
        return self.base.log_density(z) + log_jacobian

    def points(self, uniform: Array) -> tuple[Array, Array]:
        """Draws (n, d) from numbers (n, d + 1) that are uniform between 0 and 1, and their log density (n,)."""
        z, log_density = self.base.points(uniform)
        x, log_jacobian = self.warp.inverse(z)
        return x, log_density + log_jacobian


def fit_warped(draws: Array) -> dict[str, WarpedProposal]:
    """A normal and a Student t for the warped coordinates of ``draws`` (n, d).

    Raises
    ------
    ValueError
        Where they lie in a subspace.
    """
    warp = fit_warp(draws)
    normal = fit_normal(warp.forward(draws)[0])
    bases: dict[str, NormalProposal | StudentProposal] = {"normal": normal, "Student t": StudentProposal(normal=normal)}
    return {kind: WarpedProposal(warp=warp, base=base) for kind, base in bases.items()}


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
