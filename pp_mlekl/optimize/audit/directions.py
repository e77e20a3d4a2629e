"""Directions and identified combinations of parameters in words."""

from collections.abc import Sequence

import numpy as np

from pp_mlekl.typing import Array

_NEGLIGIBLE = 1e-5
# Ratios of a direction's coordinates are those of whole numbers up to the first where they are this near.
_WHOLE, _RATIO = 6, 1e-4


def combination(coefficients: Array, names: Sequence[str], limit: int = 6) -> str:
    """A linear combination such as ``b[0] - 0.5 b[1]``, scaled so that its first coefficient is 1.

    Examples
    --------
    >>> combination(np.array([0.6, 0.0, -1.8]), ["a", "b", "c"])
    'a - 3 c'
    """
    largest = np.abs(coefficients).max()
    places = np.flatnonzero(np.abs(coefficients) > _NEGLIGIBLE * largest)
    scaled = coefficients / coefficients[places[0]]
    words = []
    for position, i in enumerate(places[:limit]):
        size = abs(scaled[i])
        sign = "-" if scaled[i] < 0 else "+"
        number = "" if f"{size:.3g}" == "1" else f"{size:.3g} "
        words.append(f"{number}{names[i]}" if position == 0 else f"{sign} {number}{names[i]}")
    more = len(places) - limit
    return " ".join(words) + (f" + {more} more" if more > 0 else "")


def involved(null: Array) -> Array:
    """The places of the parameters that take part in a null space (k, d)."""
    return np.flatnonzero(np.abs(null).max(axis=0) > _NEGLIGIBLE)


def identified_combinations(null: Array, names: Sequence[str], limit: int = 4) -> list[str]:
    """Combinations of the parameters in a null space (k, d) that are identified: the rows of its reduced complement.

    Examples
    --------
    >>> identified_combinations(np.array([[1.0, -1.0, 0.0]]) / np.sqrt(2), ["b[0]", "b[1]", "c"])
    ['b[0] + b[1]']
    """
    places = involved(null)
    part = null[:, places]
    _, _, vectors = np.linalg.svd(part, full_matrices=True)
    complement = reduced_rows(vectors[len(part) :])
    chosen = [names[int(i)] for i in places]
    return [combination(row, chosen) for row in complement[:limit] if np.abs(row).max() > 0]


def reduced_rows(matrix: Array) -> Array:
    """The reduced row echelon form, with pivots as far to the left as they go."""
    rows = np.array(matrix, dtype=float)
    at = 0
    for column in range(rows.shape[1]):
        if at == len(rows):
            break
        pivot = at + int(np.argmax(np.abs(rows[at:, column])))
        if abs(rows[pivot, column]) < 1e-8:
            continue
        rows[[at, pivot]] = rows[[pivot, at]]
        rows[at] /= rows[at, column]
        others = np.arange(len(rows)) != at
        rows[others] -= np.outer(rows[others, column], rows[at])
        at += 1
    rows[np.abs(rows) < 1e-10] = 0.0
    return rows


def simplest(directions: Array, near: float = _RATIO) -> Array:
    """Unit directions (k, d) with small whole numbers in place of their ratios where these are as good as such.

    The way of a search has six figures or so, and is followed to the end of the numbers. ``near`` is how far off, of the
    largest, a ratio may be.

    Examples
    --------
    >>> (simplest(np.array([[1.0, -0.50003]])) * np.sqrt(5)).round(12).tolist()
    [[2.0, -1.0]]
    """
    result = directions.copy()
    for i, direction in enumerate(directions):
        for most in range(1, _WHOLE + 1):
            multiple = direction * most / np.abs(direction).max()
            if np.abs(multiple - np.round(multiple)).max() < near * most:
                result[i] = np.round(multiple) / np.linalg.norm(np.round(multiple))
                break
    return result
