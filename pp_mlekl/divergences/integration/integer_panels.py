"""Sums over long ranges of integers from eight integers of each panel, as Gauss-Legendre rules integrate from a few points.

Within a panel of N integers 0, ..., N - 1 the terms are interpolated by a polynomial f of degree 7. Its sums are integrals over
cells of width 1 about the integers (Euler and Maclaurin, exact up to this degree)::

    sum_{j=0}^{x} f(j) = integral from -1/2 to x + 1/2 of f - f''/24 + 7 f''''/5760 - 31 f''''''/967680

The sum of a polynomial of degree 5, fitted to the same terms by least squares, shows how far the rule can be off.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre

from pp_mlekl.typing import Array

POINTS = 8
_LOWER = 6
# Pieces of a panel for integrals of functions with a kink.
_PIECES = 24


def _second_derivative() -> Array:
    columns = [legendre.legder(row, 2) for row in np.eye(POINTS)]
    return np.array([np.pad(c, (0, POINTS - len(c))) for c in columns]).T


_DERIVATIVE = _second_derivative()


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerPanels:
    """Consecutive panels of at least eight integers each.

    Parameters
    ----------
    first, length
        The smallest integer and the number of integers of each panel, shape (panels, rows). A row that has fewer panels
        than others ends with panels of length 0.
    """

    first: Array
    length: Array

    @property
    def points(self) -> Array:
        """Eight integers of each panel, ascending, shape (panels, 8, rows)."""
        return self.first[:, None] + self._offsets

    @cached_property
    def weights(self) -> Array:
        """Weights of the points in sums over all integers, shape (panels, 8, rows); positive, and 1 in panels of eight."""
        return self.length[:, None] * np.moveaxis(self._coefficients[..., 0, :], -1, 1)

    @cached_property
    def lower_weights(self) -> Array:
        """Weights that are exact for polynomials of a lower degree only."""
        fitted = np.linalg.pinv(self._basis[..., :_LOWER])
        weights = (self._corrections[..., :1, :_LOWER] @ fitted)[..., 0, :]
        whole = self.length[:, None] <= POINTS
        return np.where(whole, self.weights, self.length[:, None] * np.moveaxis(weights, -1, 1))

    @cached_property
    def pieces(self) -> tuple[Array, Array]:
        """Where up to 24 pieces of each panel begin, in integers from its first, and their lengths, (panels, 24, rows)."""
        n, k = self.length[:, None], np.arange(_PIECES)[:, None]
        few = n <= _PIECES
        return np.where(few, k, n * k / _PIECES), np.where(few, k < n, n / _PIECES)

    @cached_property
    def cumulative(self) -> Array:
        """Matrices from the terms at the points to the cumulative sums in the middles of pieces, (panels, 24, 8, rows)."""
        start, length = self.pieces
        # A piece of one integer ends at that integer; the sum up to the middle of a longer one is between its integers.
        n = self._sizes[:, None]
        u = np.moveaxis(np.clip(2 * (start + (length + 1) / 2) / n - 1, -1, 1), 1, -1)
        values = legendre.legvander(u, POINTS)
        k = np.arange(1, POINTS)
        integrals = np.concatenate([u[..., None] + 1, (values[..., 2:] - values[..., :-2]) / (2 * k + 1)], axis=-1)
        return np.moveaxis(integrals @ self._coefficients, 1, -1) * n[:, None] / 2

    @property
    def _sizes(self) -> Array:
        return np.maximum(self.length, POINTS)

    @cached_property
    def _offsets(self) -> Array:
        n, rank = self._sizes[:, None], np.arange(POINTS, dtype=float)[:, None]
        place = (legendre.leggauss(POINTS)[0][:, None] + 1) / 2
        return np.minimum(np.maximum(np.round(n * place - 0.5), rank), n - POINTS + rank)

    @cached_property
    def _basis(self) -> Array:
        """Legendre polynomials at the points, (panels, rows, 8, 8)."""
        return legendre.legvander(np.moveaxis(2 * (self._offsets + 0.5) / self._sizes[:, None] - 1, 1, -1), POINTS - 1)

    @cached_property
    def _corrections(self) -> Array:
        """The matrix from the coefficients of f to those of the function whose integrals are the sums of f."""
        square = (2 / self._sizes[..., None, None]) ** 2 * _DERIVATIVE
        return np.eye(POINTS) - square / 24 + 7 / 5760 * square @ square - 31 / 967680 * square @ square @ square

    @cached_property
    def _coefficients(self) -> Array:
        return self._corrections @ np.linalg.inv(self._basis)


def integer_panels(edges: Array, low: Array, high: Array, origin: Array) -> IntegerPanels:
    """Panels that cover low, ..., high of each row.

    Parameters
    ----------
    edges
        Integers at which panels should begin, in any order, shape (m, rows); those too close to another are left out.
    low, high
        Shape (rows,), at least eight integers apart.
    origin
        Where the support begins, shape (rows,): a panel is no longer than its distance from there, beyond the first eight
        integers, since log densities of counts behave like powers there.

    Examples
    --------
    >>> panels = integer_panels(np.array([[40.0]]), np.array([0.0]), np.array([99.0]), np.array([0.0]))
    >>> panels.length[:, 0].astype(int).tolist()
    [8, 8, 16, 8, 24, 28, 8]
    >>> panels.points.size, float(np.sum(panels.weights * panels.points**2).round(6))
    (56, 328350.0)
    """
    low, high, origin = np.floor(low), np.floor(high), np.floor(origin)
    doublings = np.arange(3, 3 + max(1, int(np.ceil(np.log2(np.max(high - origin) + 1)))))
    doubled = origin + 2.0 ** doublings[:, None]
    ends = np.stack([low + POINTS, high + 1 - POINTS])
    starts = np.sort(np.clip(np.concatenate([np.floor(edges), doubled, ends]), low, high + 1), axis=0)
    kept, last, final = np.zeros(starts.shape, dtype=bool), low, high + 1 - POINTS
    for place, start in zip(kept, starts, strict=True):
        # The last eight integers are a panel of their own: a density may be singular at an upper bound.
        place[:] = (start - last >= POINTS) & ((start == final) | (final - start >= POINTS))
        last = np.where(place, start, last)
    first = np.sort(np.where(kept, starts, high + 1), axis=0)[: np.max(np.sum(kept, axis=0))]
    bounds = np.concatenate([low[None], first, (high + 1)[None]])
    return IntegerPanels(first=bounds[:-1], length=np.diff(bounds, axis=0))
