"""The bias of the estimated log density on normal draws of the same number and dimension, by simulation."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from pp_mlekl.divergences.samples.density import Correction, LogDensities, SampleDensity
from pp_mlekl.divergences.samples.gaussianize import identity_maps
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array

# Maximum sample size at which the correction is simulated, number of simulated draws, maximum number of samples.
_LARGEST_SIMULATED = 1000
_SIMULATED = 30_000
_MOST_ROUNDS = 100


def corrected_within(density: SampleDensity, queries: Array) -> LogDensities:
    """``density.within(queries)`` and its correction."""
    return replace(density.within(queries), correction=density_correction(density.n, density.d)[0])


def corrected_at(density: SampleDensity, x: Array, queries: Array) -> LogDensities:
    """``density.at(x, queries)`` and its correction."""
    return replace(density.at(x, queries), correction=density_correction(density.n, density.d)[1])


def density_correction(n: int, d: int) -> tuple[Correction, Correction]:
    """The errors of ``SampleDensity`` on independent standard normals, at its own draws and at an equal number of others.

    They are simulated for up to 1,000 draws and assumed to fall as 1 / sqrt(n) beyond.
    """
    size = min(n, _LARGEST_SIMULATED)
    scale = np.sqrt(size / n)
    own, other = _simulated(size, d)
    return _scaled(own, scale), _scaled(other, scale)


def _scaled(c: Correction, scale: float) -> Correction:
    return Correction(
        mean=scale * c.mean,
        error=scale * c.error,
        hidden_variance=scale**2 * c.hidden_variance,
    )


@lru_cache(maxsize=256)
def _simulated(n: int, d: int) -> tuple[Correction, Correction]:
    generator, everywhere = np.random.default_rng([n, d]), np.arange(n)
    own, other = [], []
    for _ in range(min(max(_SIMULATED // n, 2), _MOST_ROUNDS)):
        x, y = generator.standard_normal((2, n, d))
        density = SampleDensity(x, identity_maps(d))
        own.append(_error(density.within(everywhere), x))
        other.append(_error(density.at(y, everywhere), y))
    return _correction(np.array(own)), _correction(np.array(other))


def _error(found: LogDensities, z: Array) -> tuple[float, float]:
    """Mean error of the log densities, and the variance of that mean as estimated from its terms."""
    errors = found.terms + 0.5 * (z**2 + LOG_2PI).sum(axis=1)
    return float(errors.mean()), float(errors.var(ddof=1) / len(errors))


def _correction(errors: Array) -> Correction:
    means, shown = errors.T
    return Correction(
        mean=float(means.mean()),
        error=float(means.std(ddof=1) / np.sqrt(len(means))),
        hidden_variance=float(max(means.var(ddof=1) - shown.mean(), 0.0)),
    )
