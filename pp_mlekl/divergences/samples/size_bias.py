"""The remaining bias of an estimate from n draws, estimated from parts of the draws."""

from collections.abc import Callable

import numpy as np

from pp_mlekl.divergences.samples.density import SHARED_NEIGHBOURS
from pp_mlekl.typing import Array

# Number of parts and maximum size of one. The bias of quarters is large enough to be distinguished from noise.
PARTS, LARGEST_PART = 4, 1500
# Largest assumed exponent gamma of the bias n^-gamma. It falls more slowly where a density is discontinuous or draws lie
# outside the other support than where densities are smooth.
_FASTEST = 0.5
# Maximum dimension in which neighbours see most kinds of dependence. Of spirals that 5,000 draws of each side show in 10
# dimensions, they show none in 50. There the change between parts is noise, which the rate 2 / d would multiply by 36 in 100.
MOST_SEEN = 15


def parts(n: int, generator: np.random.Generator) -> list[Array]:
    """The indices 0, ..., n - 1 in random parts, each in order."""
    order = generator.permutation(n)[: PARTS * LARGEST_PART]
    return [np.sort(part) for part in np.array_split(order, PARTS)]


def halves(n: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Two random halves of the indices 0, ..., n - 1."""
    order = generator.permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def evenly(n: int, count: int) -> Array:
    """At most ``count`` of the indices 0, ..., n - 1, evenly spaced."""
    return np.arange(n) if n <= count else np.linspace(0, n - 1, count).astype(int)


def remaining_bias(changes: list[Array], n: int, dimension: int, correction_error: float = 0.0) -> float:
    """Bias of a mean of terms, from the change of the terms when fewer draws are used, with the noise of the change removed.

    The bias of neighbour estimates falls as n^-gamma with gamma = 2 / d (Gao, Oh and Viswanath 2018), d up to ``MOST_SEEN``.

    Parameters
    ----------
    changes
        For each part, the terms from the part alone less the terms from all draws, at the same draws.
    n
        Number of draws of the smaller sample.
    correction_error
        Standard error of the correction that was subtracted from both.
    """
    change = np.concatenate(changes)
    by_terms = SHARED_NEIGHBOURS * change.std(ddof=1) / np.sqrt(len(change))
    by_parts = np.std([c.mean() for c in changes], ddof=1) / np.sqrt(len(changes))
    noise = np.hypot(max(by_terms, by_parts), correction_error)
    fewer = max(PARTS, n / LARGEST_PART)
    gain = 1 / (fewer ** min(2 / min(dimension, MOST_SEEN), _FASTEST) - 1)
    return float(gain * np.sqrt(max(change.mean() ** 2 - noise**2, 0.0)))


def changes_with_size(
    full: Array, part: Callable[[int, Array, Array], Array], queries: Array, index: list[Array]
) -> list[Array]:
    """Changes of terms ``full`` (q,) at draws ``queries`` (q,) when only one part of the draws is used.

    ``part(r, draws, queries)`` gives the terms that the draws of the r-th part give at its elements ``queries``.
    """
    place = np.full(max(queries[-1], *(i[-1] for i in index)) + 1, -1)
    place[queries] = np.arange(len(queries))
    changes = []
    for r, draws in enumerate(index):
        inside = np.flatnonzero(place[draws] >= 0)
        changes.append(part(r, draws, inside) - full[place[draws[inside]]])
    return changes
