"""Sums over very many integers, in blocks of 2^j terms, 32 of which are computed.

A function that is smooth on the scale of a block is close to a polynomial there. Weights at a few integers sum polynomials
exactly. They follow from the orthogonal polynomials on the integers 0, ..., N - 1 (Gram), whose sums are 0 except for the
constant. Blocks on which the weights of two degrees disagree are halved.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pp_mlekl.divergences.integration.gauss_kronrod import Integral
from pp_mlekl.typing import Array

_POINTS = 32
_DEGREE, _LOWER_DEGREE = 23, 15
# Blocks computed at a time.
_CHUNK = 30_000
_ROUNDS = 64
_RTOL = 1e-11

Terms = Callable[[Array, Array], tuple[Array, Array]]


def long_sum(terms: Terms, rows: Array, low: Array, high: Array, middle: Array) -> Integral:
    """Sums of terms(x, row) over the integers low, ..., high of each row.

    Parameters
    ----------
    terms
        Maps integers (32, m) and rows (m,) to values and to the size of their rounding errors.
    rows, low, high, middle
        Shape (n,): indices of the rows for ``terms``, their ranges, and an integer near which the terms are concentrated.
    """
    start, power, local = _blocks(low, high, np.clip(middle, low, high))
    n = rows.size
    done = np.zeros((3, n))
    for _ in range(_ROUNDS):
        value, error, rounding = _sums(terms, start, power, rows[local])
        current = np.stack([np.bincount(local, w, minlength=n) for w in (value, error, rounding)])
        sums = done + current
        allowed = np.maximum(np.maximum(_RTOL * np.abs(sums[0]), 1e-15), 4 * sums[2])
        split = (error > 0.1 * allowed[local]) & (sums[1] > allowed)[local] & (power > 5)
        done = done + np.stack([np.bincount(local[~split], w[~split], minlength=n) for w in (value, error, rounding)])
        if not np.any(split):
            break
        power = np.tile(power[split] - 1, 2)
        start = np.concatenate([start[split], start[split] + 2.0 ** (power[: power.size // 2])])
        local = np.tile(local[split], 2)
    return Integral(value=done[0], error=np.maximum(done[1], done[2]))


def _blocks(low: Array, high: Array, middle: Array) -> tuple[Array, Array, Array]:
    """Starts, powers of two and rows of blocks that cover each range, growing away from the middle."""
    first = np.clip(np.floor(np.log2(np.maximum(np.minimum(middle - low, high - middle), 64.0))) - 1, 5, None)
    starts, powers, owners = [], [], []
    owner = np.arange(low.size)
    for upward in (True, False):
        left = high - middle + 1 if upward else middle - low
        offset, power = np.zeros(low.size), first.copy()
        # Two blocks of each length, then of twice the length; smaller powers of two at the end of the range.
        step = 0
        while np.any(left > offset):
            size = 2.0**power
            whole = left - offset >= size
            begin = middle + offset if upward else middle - offset - size
            starts.append(begin[whole])
            powers.append(power[whole])
            owners.append(owner[whole])
            offset = np.where(whole, offset + size, offset)
            power = np.where(whole, power + step % 2, np.maximum(power - 1, 0))
            step += 1
    return np.concatenate(starts), np.concatenate(powers).astype(int), np.concatenate(owners)


def _sums(terms: Terms, start: Array, power: Array, rows: Array) -> tuple[Array, Array, Array]:
    pieces = [slice(i, i + _CHUNK) for i in range(0, start.size, _CHUNK)]
    parts = [_block_sums(terms, start[piece], power[piece], rows[piece]) for piece in pieces]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))  # type: ignore[return-value]


def _block_sums(terms: Terms, start: Array, power: Array, rows: Array) -> tuple[Array, Array, Array]:
    nodes, weights, lower = (
        np.stack(parts) for parts in zip(*(_rule(int(j)) for j in range(power.max() + 1)), strict=True)
    )
    value, rounding = terms(start + nodes[power].T, rows)
    w = weights[power].T
    total = np.sum(w * value, axis=0)
    error = np.abs(total - np.sum(lower[power].T * value, axis=0))
    return total, error, np.sum(np.abs(w) * rounding, axis=0)


@lru_cache(maxsize=128)
def _rule(power: int) -> tuple[Array, Array, Array]:
    """Offsets of 32 integers in 0, ..., 2^power - 1, their weights, and the weights of a lower degree."""
    size = 2**power
    if size <= _POINTS:
        offsets = np.minimum(np.arange(_POINTS), size - 1).astype(np.float64)
        weights = (np.arange(_POINTS) < size).astype(np.float64)
        return offsets, weights, weights
    angle = np.pi * (2 * np.arange(_POINTS) + 1) / (2 * _POINTS)
    offsets = np.round((size - 1) * (1 - np.cos(angle)) / 2)
    return offsets, _weights(offsets, size, _DEGREE), _weights(offsets, size, _LOWER_DEGREE)


def _weights(offsets: Array, size: int, degree: int) -> Array:
    """The weights of least norm that sum every polynomial up to a degree exactly."""
    x = (2 * offsets - (size - 1)) / size
    polynomials = [np.ones_like(x), x]
    for k in range(1, degree):
        shrink = 1 - (k / size) ** 2
        polynomials.append(((2 * k + 1) * x * polynomials[-1] - k * shrink * polynomials[-2]) / (k + 1))
    sums = np.zeros(degree + 1)
    sums[0] = 1.0
    return size * np.linalg.lstsq(np.array(polynomials), sums, rcond=None)[0]
