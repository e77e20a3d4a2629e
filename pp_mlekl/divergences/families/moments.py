"""Expectations derived from mean and variance, powers, logarithms and partial means."""

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array


class WithMoments(Distribution):
    """E[X - c] and E[(X - c)^2] from mean and variance."""

    def mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance; infinite where they do not exist."""
        raise NotImplementedError

    def expected_x(self, centre: Array) -> Array:
        """E[X - c]."""
        return self.mean_variance()[0] - centre

    def expected_square(self, centre: Array) -> Array:
        """E[(X - c)^2]."""
        mean, variance = self.mean_variance()
        return np.where(np.isfinite(variance), variance + (mean - centre) ** 2, np.inf)


class WithPartialMean(WithMoments):
    """E|X - c| from E[X; X <= c]."""

    def partial_mean(self, c: Array) -> Array:
        """E[X; X <= c] for c within the support."""
        raise NotImplementedError

    def expected_abs(self, centre: Array) -> Array:
        """E|X - c| = E[X] - c + 2 (c P(X <= c) - E[X; X <= c])."""
        mean = self.mean_variance()[0]
        c = np.maximum(centre, self.support().lower)
        beyond = 2 * (c * self.cdf(c) - self.partial_mean(c))
        return np.where(np.isfinite(mean), mean - centre + np.where(centre > self.support().lower, beyond, 0.0), np.inf)


class WithLogMoments(Distribution):
    """E[log X - c] and its square from the mean and the variance of log X."""

    def log_mean_variance(self) -> tuple[Array, Array]:
        """Mean and variance of log X."""
        raise NotImplementedError

    def expected_log(self, centre: Array) -> Array:
        """E[log X - c]."""
        return self.log_mean_variance()[0] - centre

    def expected_log2(self, centre: Array) -> Array:
        """E[(log X - c)^2]."""
        mean, variance = self.log_mean_variance()
        return variance + (mean - centre) ** 2


class WithPowers(Distribution):
    """E (X / s)^k from the logarithm of E X^k."""

    def log_power(self, k: Array) -> Array:
        """log E X^k; infinite where it does not exist."""
        raise NotImplementedError

    def expected_power(self, k: Array | float, scale: Array | float) -> Array:
        """E (X / s)^k, with the logarithms added first, which avoids overflow."""
        k = np.asarray(k, dtype=np.float64)
        return np.exp(self.log_power(k) - k * np.log(scale))
