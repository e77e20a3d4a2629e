"""Test whether draws come from a density: means that are 0 under it are compared with their Monte Carlo errors.

For a smooth density that vanishes at infinity, with g the gradient of its logarithm, E[g_j] = 0 and E[f(z_j) g_j + f'(z_j)] = 0
(Stein's identity). The first mean detects a shift. The second, with the bounded f(u) = u / sqrt(1 + u^2) of the
standardised coordinate, detects a wrong spread; as with the kernel of Gorham and Mackey (2017), outlying draws do not dominate.
E[f(z_i) g_j] = 0 for two coordinates detects a wrong dependence, to which the others are blind.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pp_mlekl.typing import Array
from pp_mlekl.utils.effective_size import effective_sizes

# False alarm rates of the two limits in one set of all coordinates and chains. Measured over 10,000 sets of 4 x 500 draws from
# each of four densities: cautions 0.7 to 1.8 in 1,000 for location and spread, 0.3 to 0.9 for dependence; no refusal.
CAUTION_RATE, REFUSAL_RATE = 1e-3, 1e-6
# Minimum effective sample size of a part for which its mean is approximately normal.
_FEWEST_EFFECTIVE = 50
# Maximum number of pairs of coordinates whose dependence is tested.
_MOST_PAIRS = 1_000
# Number of columns whose spectra are in memory at a time.
_COLUMNS = 100
# Number of segments that are searched for a jump, the fraction of their length by which they extend beyond the second draw, the
# number of halvings, and the smallest jump in nats that rounding does not explain.
_SEGMENTS, _BEYOND, _HALVINGS, _JUMP = 200, 0.25, 30, 1e-5


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Means that are 0 under the density, divided by their errors.

    Parameters
    ----------
    scores
        NaN where there are too few independent draws.
    caution, refusal
        Absolute scores that draws from the density exceed at ``CAUTION_RATE`` and ``REFUSAL_RATE`` (two-sided normal
        quantiles with Bonferroni's correction for the number of scores).
    """

    scores: Array
    caution: float
    refusal: float

    @property
    def largest(self) -> float:
        """The largest absolute score; 0 where there is none."""
        return float(np.nanmax(np.abs(self.scores), initial=0.0))


class SteinTest(Scores):
    """Location and spread of each coordinate.

    ``scores`` has shape (parts, 2, d): parts are each chain, then all chains together; the two are location and spread.
    """


def stein_test(draws: Array, gradients: Array, periodic: Array) -> SteinTest:
    """Test draws against the gradients of a log density.

    Parameters
    ----------
    draws, gradients
        Shape (chain, draw, d).
    periodic
        Shape (d,) of bool: coordinates that are angles, whose spread is not tested.
    """
    chains, _, d = draws.shape
    scores = np.full((chains + 1, 2, d), np.nan)
    for start in range(0, d, _COLUMNS):
        part = slice(start, start + _COLUMNS)
        for kind, terms in enumerate(_terms(draws[..., part], gradients[..., part])):
            for chain in range(chains):
                scores[chain, kind, part] = _scores(terms[chain : chain + 1])
            scores[chains, kind, part] = _scores(terms)
    scores[:, 1, periodic] = np.nan
    caution, refusal = _limits(scores)
    return SteinTest(scores=scores, caution=caution, refusal=refusal)


@dataclass(frozen=True, kw_only=True)
class DependenceTest(Scores):
    """Dependence of each pair of coordinates, over all chains; ``scores`` has shape (m,).

    Parameters
    ----------
    pairs
        Shape (m, 2): the coordinates.
    """

    pairs: Array


def dependence_test(draws: Array, gradients: Array) -> DependenceTest:
    """Test the dependence between coordinates; no pair is tested where there are more than 1,000.

    Parameters
    ----------
    draws, gradients
        Shape (chain, draw, d).
    """
    first, second = np.triu_indices(draws.shape[-1], 1)
    if len(first) > _MOST_PAIRS:
        first, second = first[:0], second[:0]
    u, spread = _standardised(draws)
    bounded, slope = u / np.sqrt(1 + u**2), spread * gradients
    scores = np.full(len(first), np.nan)
    for start in range(0, len(first), _COLUMNS):
        i, j = (index[start : start + _COLUMNS] for index in (first, second))
        scores[start : start + _COLUMNS] = _scores(bounded[..., i] * slope[..., j] + bounded[..., j] * slope[..., i])
    caution, refusal = _limits(scores)
    return DependenceTest(pairs=np.stack([first, second], axis=-1), scores=scores, caution=caution, refusal=refusal)


def _limits(scores: Array) -> tuple[float, float]:
    """Absolute scores for a caution and for a refusal, with Bonferroni's correction."""
    count = max(1, int(np.sum(np.isfinite(scores))))
    caution, refusal = (float(stats.norm.isf(rate / (2 * count))) for rate in (CAUTION_RATE, REFUSAL_RATE))
    return caution, refusal


def _standardised(z: Array) -> tuple[Array, Array]:
    """Coordinates less their medians in units of their spread, and the spread."""
    low, centre, high = np.quantile(z, (0.25, 0.5, 0.75), axis=(0, 1))
    # The quartiles of a normal are 1.349 standard deviations apart.
    spread = np.maximum((high - low) / 1.349, np.finfo(float).tiny)
    return (z - centre) / spread, spread


def _terms(z: Array, g: Array) -> tuple[Array, Array]:
    """Location and spread terms in units of the draws' spread, shape (chain, draw, k)."""
    u, spread = _standardised(z)
    root = np.sqrt(1 + u**2)
    return spread * g, spread * g * u / root + root**-3


def _scores(terms: Array) -> Array:
    """Mean divided by its error of each column of (chain, draw, k); NaN where the effective sample size is too small."""
    sizes = effective_sizes(terms)
    mean, spread = terms.mean(axis=(0, 1)), terms.std(axis=(0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = mean / spread * np.sqrt(sizes)
    return np.where((sizes < _FEWEST_EFFECTIVE) | (spread == 0), np.nan, scores)


def has_jump(
    value_gradient: Callable[[Array], tuple[Array, Array]], draws: Array, generator: np.random.Generator
) -> bool:
    """Whether a log density jumps, or falls to -inf, at or near the draws, so that Stein's identity does not hold.

    Segments from one draw through another are halved repeatedly. The half is kept whose change of value differs most from the
    change that the gradients at its ends predict. The difference vanishes for a smooth function and remains for a jump. A jump
    counts where the density is as high as at the draws.
    """
    flat = draws.reshape(-1, draws.shape[-1])
    low, high = (flat[generator.integers(len(flat), size=_SEGMENTS)] for _ in range(2))
    lowest = float(np.min(value_gradient(np.concatenate([low, high]))[0]))
    high = high + _BEYOND * (high - low)
    at_low, at_high = value_gradient(low), value_gradient(high)
    with np.errstate(invalid="ignore", over="ignore"):
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            at_middle = value_gradient(middle)
            left = _unexplained(low, at_low, middle, at_middle)
            right = _unexplained(middle, at_middle, high, at_high)
            first = left >= right
            low, high = np.where(first[:, None], low, middle), np.where(first[:, None], middle, high)
            at_low, at_high = _chosen(first, at_low, at_middle), _chosen(first, at_middle, at_high)
        jumps = _unexplained(low, at_low, high, at_high) > _JUMP
        return bool(np.any(jumps & (np.fmax(at_low[0], at_high[0]) >= lowest)))


def _chosen(first: Array, one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    return np.where(first, one[0], other[0]), np.where(first[:, None], one[1], other[1])


def _unexplained(low: Array, at_low: tuple[Array, Array], high: Array, at_high: tuple[Array, Array]) -> Array:
    """What of the change of value along each segment the mean of the gradients leaves; inf where the density is 0."""
    slope = np.sum((at_low[1] + at_high[1]) / 2 * (high - low), axis=-1)
    difference = np.abs(at_high[0] - at_low[0] - slope)
    return np.where(np.isfinite(difference), difference, np.inf)
