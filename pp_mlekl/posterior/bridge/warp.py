"""Elementwise warp of draws towards a normal: the sinh-arcsinh family of Jones and Pewsey (2009)."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.typing import Array

# Number of quantiles of a coordinate to which its warp is fitted.
_QUANTILES = 100
_ITERATIONS = 20
# Gain in the mean log density that a step promises, below which the fit ends, in nats.
_TOLERANCE = 1e-5
# The largest argument of sinh whose square is finite.
_LARGEST = 300.0


@dataclass(frozen=True, kw_only=True)
class Warp:
    """z = sinh(tail arcsinh((x - location) / scale) - skewness) for each coordinate.

    It is linear for ``tail`` 1 and ``skewness`` 0. A ``tail`` below 1 makes heavy tails of x normal.
    """

    location: Array
    scale: Array
    skewness: Array
    tail: Array

    def forward(self, x: Array) -> tuple[Array, Array]:
        """z of ``x`` (n, d), and the log of its Jacobian determinant (n,)."""
        u = (x - self.location) / self.scale
        z = np.sinh(np.clip(self.tail * np.arcsinh(u) - self.skewness, -_LARGEST, _LARGEST))
        return z, self._log_jacobian(u, z)

    def inverse(self, z: Array) -> tuple[Array, Array]:
        """x of ``z`` (n, d), and the log of the Jacobian determinant of the forward step (n,)."""
        u = np.sinh(np.clip((np.arcsinh(z) + self.skewness) / self.tail, -_LARGEST, _LARGEST))
        return self.location + self.scale * u, self._log_jacobian(u, z)

    def _log_jacobian(self, u: Array, z: Array) -> Array:
        return np.sum(np.log(self.tail / self.scale)) + 0.5 * np.sum(np.log1p(z**2) - np.log1p(u**2), axis=-1)


def fit_warp(draws: Array) -> Warp:
    """The warp of ``draws`` (n, d) by maximum likelihood, for z standard normal and quantiles in place of draws.

    Fisher scoring with the outer product of the scores, damped as by Levenberg and Marquardt for each coordinate.
    """
    count = min(_QUANTILES, len(draws))
    x = np.quantile(draws, (np.arange(count) + 0.5) / count, axis=0)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    x = (x - centre) / spread
    parameters = np.zeros((x.shape[1], 4))
    damping = np.full(len(parameters), 1e-2)
    level, scores = _log_density(x, parameters)
    for _ in range(_ITERATIONS):
        information = np.einsum("ndi,ndj->dij", scores, scores) / count
        diagonal = np.einsum("dii->di", information) + 1e-3
        information += damping[:, None, None] * diagonal[..., None] * np.eye(4)
        slope = scores.mean(axis=0)
        step = np.linalg.solve(information, slope[..., None])[..., 0]
        if np.max(np.sum(slope * step, axis=1)) < _TOLERANCE:
            break
        tried = parameters + np.clip(step, -1, 1)
        new_level, new_scores = _log_density(x, tried)
        better = new_level > level
        parameters, level = np.where(better[:, None], tried, parameters), np.where(better, new_level, level)
        scores = np.where(better[:, None], new_scores, scores)
        damping = np.where(better, damping / 5, damping * 5)
    location, log_scale, skewness, log_tail = parameters.T
    return Warp(
        location=centre + spread * location,
        scale=spread * np.exp(log_scale),
        skewness=skewness,
        tail=np.exp(log_tail),
    )


def _log_density(x: Array, parameters: Array) -> tuple[Array, Array]:
    """Mean log density of each column of ``x`` (n, d) up to a constant, and the derivatives (n, d, 4) of each term."""
    location, log_scale, skewness, log_tail = parameters.T
    scale, tail = np.exp(log_scale), np.exp(log_tail)
    u = (x - location) / scale
    root, before = np.sqrt(1 + u**2), np.arcsinh(u)
    after = np.clip(tail * before - skewness, -_LARGEST, _LARGEST)
    z, cosh = np.sinh(after), np.cosh(after)
    level = np.mean(log_tail - log_scale - z**2 / 2 + np.log(cosh / root), axis=0)
    by_after = z / cosh - z * cosh
    by_u = by_after * tail / root - u / root**2
    return level, np.stack([-by_u / scale, -by_u * u - 1, -by_after, 1 + tail * before * by_after], axis=-1)
