"""The bias of the estimated log density on normal draws of the same number and dimension, by simulation."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import special

from pp_mlekl.divergences.samples.density import Correction, LogDensities, SampleDensity
from pp_mlekl.divergences.samples.gaussianize import identity_maps
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array

# Sample sizes at which the correction is simulated for larger ones, number of simulated draws, maximum number of samples.
_SMALLER_SIMULATED, _LARGEST_SIMULATED = 250, 1000
_SIMULATED = 30_000
_MOST_ROUNDS = 100
# Slowest and fastest fall of the error of neighbours with the number of draws, as powers of it.
_SLOWEST, _FASTEST = 0.5, 1.0


def corrected_within(density: SampleDensity, queries: Array) -> LogDensities:
    """``density.within(queries)`` less its correction."""
    return _corrected(density.within(queries), density_correction(density.n, density.d)[0])


def corrected_at(density: SampleDensity, x: Array, queries: Array) -> LogDensities:
    """``density.at(x, queries)`` less its correction."""
    return _corrected(density.at(x, queries), density_correction(density.n, density.d)[1])


def _corrected(found: LogDensities, c: Correction) -> LogDensities:
    return replace(found, smooth=found.smooth - c.smooth, beyond=found.beyond - c.beyond, correction=c)


def density_correction(n: int, d: int) -> tuple[Correction, Correction]:
    """The errors of ``SampleDensity`` on independent standard normals, at its own draws and at an equal number of others.

    They are simulated for up to 1,000 draws. For more, the error of the fitted correlations is known. That of the margins is
    assumed to fall as 1 / sqrt(n), and that of the neighbours as it does from 250 to 1,000 draws.
    """
    size = min(n, _LARGEST_SIMULATED)
    found = _simulated(size, d)
    if size == n:
        return found
    before, after = _of_correlations(size, d), _of_correlations(n, d)
    # Too few draws in many dimensions have no correlation matrix; there the errors of fits, which fall fastest, are largest.
    smaller = _simulated(_SMALLER_SIMULATED, d) if 2 * d < _SMALLER_SIMULATED else (None, None)
    own, other = (_scaled(*c, size / n) for c in zip(found, smaller, before, after, strict=True))
    return own, other


def _of_correlations(n: int, d: int) -> tuple[float, float]:
    """Mean error of a fitted normal copula's log density on n independent normals, at its own draws and at others.

    The determinant of their correlations is a product of independent betas, and the squared multiple correlation of
    each with the others is a beta as well (Muirhead 1982, sections 5.1 and 5.2).
    """
    i = np.arange(1, d)
    log_determinant = float(np.sum(special.digamma((n - 1 - i) / 2) - special.digamma((n - 1) / 2)))
    return -0.5 * log_determinant, 0.5 * d * (1 - (n - 3) / (n - d - 2)) - 0.5 * log_determinant


def _scaled(c: Correction, smaller: Correction | None, before: float, after: float, ratio: float) -> Correction:
    power = _FASTEST
    if smaller is not None:
        # Noise may change the sign of a small error.
        growth = max(smaller.beyond / c.beyond, 1.0) if c.beyond else 1.0
        power = np.clip(np.log(growth) / np.log(_LARGEST_SIMULATED / _SMALLER_SIMULATED), _SLOWEST, _FASTEST)
    return Correction(
        smooth=after + np.sqrt(ratio) * (c.smooth - before),
        beyond=float(ratio**power) * c.beyond,
        error=np.sqrt(ratio) * c.error,
        hidden_variance=ratio * c.hidden_variance,
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


def _error(found: LogDensities, z: Array) -> tuple[float, float, float]:
    """Mean error of either part of the log densities, and the variance of their sum as estimated from its terms."""
    smooth = found.smooth + 0.5 * (z**2 + LOG_2PI).sum(axis=1)
    variance = (smooth + found.beyond).var(ddof=1) / len(smooth)
    return float(smooth.mean()), float(found.beyond.mean()), float(variance)


def _correction(errors: Array) -> Correction:
    smooth, beyond, shown = errors.T
    variance = (smooth + beyond).var(ddof=1)
    return Correction(
        smooth=float(smooth.mean()),
        beyond=float(beyond.mean()),
        error=float(np.sqrt(variance / len(errors))),
        hidden_variance=float(max(variance - shown.mean(), 0.0)),
    )
