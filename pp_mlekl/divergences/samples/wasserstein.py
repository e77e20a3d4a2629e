"""Wasserstein distances from draws: by order statistics in one dimension, sliced in more."""

import numpy as np

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.divergences.samples.independent_parts import independent_parts
from pp_mlekl.divergences.samples.size_bias import halves
from pp_mlekl.divergences.samples.terms import effective_draws
from pp_mlekl.typing import Array

# Directions of the sliced distance.
_DIRECTIONS = 200
# Blocks of the jackknife.
_BLOCKS = 20
# Number of random halvings of each sample over which the distance between equal distributions is averaged.
_HALVINGS = 8
# Standard errors from 0 within which the distance is reported as indistinguishable from 0.
_FROM_ZERO = 2.0


def wasserstein_between_draws(p: Draws, q: Draws, order: int, generator: np.random.Generator) -> Estimate:
    """(inf E|X - Y|^order)^(1/order) in the unit of the variable, from draws.

    In more than one dimension it is the sliced distance: the root of the mean of distance^order over directions of
    length 1. Samples of one distribution have a positive distance, whose mean square falls like 1/n. It is estimated
    from halves of each sample and subtracted from the square of the distance. For order 2 in one dimension this is the
    bias itself: the sum of the variances of both quantile functions. The standard error is a jackknife over contiguous
    blocks, which contain the autocorrelation of chains.

    Raises
    ------
    ValueError
        Where the two samples differ in dimension.
    """
    if p.dimension != q.dimension:
        raise ValueError(f"The draws of P have dimension {p.dimension} and those of Q {q.dimension}; they must agree.")
    if np.array_equal(p.values, q.values):
        return Estimate(value=0.0, mcse=0.0, method="the same draws", direction="W(P,Q)", unit="the variable's")
    p, q, warnings = independent_parts(p, q, generator)
    directions = np.ones((1, 1))
    if p.dimension > 1:
        directions = generator.standard_normal((_DIRECTIONS, p.dimension))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    x, y = p.values @ directions.T, q.values @ directions.T
    null = sum(_square_between_equals(z, order, generator) * d.size / effective_draws(d) for z, d in ((x, p), (y, q)))
    plain = _distance(x, y, order)
    value, error = _root(plain, null, _error_of_square(x, y, order))
    if p.dimension > 1:
        warnings = (*warnings, "This is the sliced distance, which is less than the whole one.")
    if value <= _FROM_ZERO * error:
        warnings = (*warnings, "The two samples are indistinguishable: their distance may be 0.")
    return Estimate(
        value=value,
        mcse=error,
        method="order statistics" if p.dimension == 1 else f"sliced ({_DIRECTIONS} directions)",
        direction="W(P,Q)",
        unit="the variable's",
        warnings=warnings,
    )


def _distance(x: Array, y: Array, order: int) -> float:
    """The distance of samples (n, directions) and (m, directions)."""
    x, y = np.sort(x, axis=0), np.sort(y, axis=0)
    ends = np.union1d(np.arange(1, len(x) + 1) / len(x), np.arange(1, len(y) + 1) / len(y))
    width = np.diff(ends, prepend=0.0)
    middle = ends - width / 2
    i = np.minimum((middle * len(x)).astype(int), len(x) - 1)
    j = np.minimum((middle * len(y)).astype(int), len(y) - 1)
    return float(np.mean(width @ np.abs(x[i] - y[j]) ** order) ** (1 / order))


def _square_between_equals(x: Array, order: int, generator: np.random.Generator) -> float:
    """The part that one sample has in the mean squared distance between samples of one distribution.

    Halves of n draws have the squared distance 4 A / n, samples of n and m draws of it A / n + A / m.
    """
    split = [halves(len(x), generator) for _ in range(_HALVINGS)]
    return float(np.mean([_distance(x[i], x[j], order) ** 2 for i, j in split])) / 4


def _error_of_square(x: Array, y: Array, order: int) -> float:
    """Standard error of the squared distance."""
    blocks = [np.array_split(np.arange(len(z)), _BLOCKS) for z in (x, y)]
    squares = [
        _distance(np.delete(x, i, axis=0), np.delete(y, j, axis=0), order) ** 2 for i, j in zip(*blocks, strict=True)
    ]
    return float(np.sqrt((_BLOCKS - 1) / _BLOCKS * np.sum((np.array(squares) - np.mean(squares)) ** 2)))


def _root(plain: float, null: float, error: float) -> tuple[float, float]:
    """The distance and its standard error, from the plain distance and the ``error`` of its square.

    The error is half the distance to the farther end of an interval of two errors: from the root of the smallest square
    (which scatters by ``null`` where the distance is 0) to the plain distance, whose bias is positive, and two errors.
    """
    square = max(plain**2 - null, 0.0)
    value = np.sqrt(square)
    below = value - np.sqrt(max(square - 2 * np.hypot(error, null), 0.0))
    above = max(plain, np.sqrt(null)) + (error / plain if plain > 0 else 0.0) - value
    return float(value), float(max(below, above) / 2)
