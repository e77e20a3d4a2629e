"""Wasserstein distances from draws: by order statistics in one dimension, sliced in more."""

import numpy as np

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.typing import Array

_DIRECTIONS = 200
_BLOCKS = 20


def wasserstein_between_draws(p: Draws, q: Draws, order: int, generator: np.random.Generator) -> Estimate:
    """(inf E|X - Y|^order)^(1/order) in the unit of the variable, from draws.

    In more than one dimension the sliced distance: the root of the mean of distance^order over directions of length 1.
    The error is that of the means over blocks of draws; the distance of equal distributions comes out positive.
    """
    if p.dimension != q.dimension:
        raise ValueError(f"The draws of P have dimension {p.dimension}, those of Q {q.dimension}.")
    directions = np.ones((1, 1))
    if p.dimension > 1:
        directions = generator.standard_normal((_DIRECTIONS, p.dimension))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    x, y = p.values @ directions.T, q.values @ directions.T
    value = _distance(x, y, order)
    return Estimate(
        value=value,
        mcse=_error(x, y, order),
        method="order statistics" if p.dimension == 1 else f"sliced ({_DIRECTIONS} directions)",
        direction="W(P,Q)",
        unit="the variable's",
        warnings=() if p.dimension == 1 else ("This is the sliced distance, which is less than the whole one.",),
    )


def _distance(x: Array, y: Array, order: int) -> float:
    x, y = np.sort(x, axis=0), np.sort(y, axis=0)
    ends = np.union1d(np.arange(1, len(x) + 1) / len(x), np.arange(1, len(y) + 1) / len(y))
    width = np.diff(ends, prepend=0.0)
    middle = ends - width / 2
    i = np.minimum((middle * len(x)).astype(int), len(x) - 1)
    j = np.minimum((middle * len(y)).astype(int), len(y) - 1)
    return float(np.mean(width @ np.abs(x[i] - y[j]) ** order) ** (1 / order))


def _error(x: Array, y: Array, order: int) -> float:
    """Standard error by blocks left out (the jackknife over contiguous blocks, which sees autocorrelation)."""
    left_out = []
    for i, j in zip(
        np.array_split(np.arange(len(x)), _BLOCKS), np.array_split(np.arange(len(y)), _BLOCKS), strict=True
    ):
        left_out.append(_distance(np.delete(x, i, axis=0), np.delete(y, j, axis=0), order))
    return float(np.sqrt((_BLOCKS - 1) / _BLOCKS * np.sum((np.array(left_out) - np.mean(left_out)) ** 2)))
