"""Hessians from few products: which entries are always zero is learnt once, and checked at every evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pp_mlekl.typing import Array

# Fewer coordinates than this are not worth it.
_LEAST_SIZE = 8
# What the check may be off, relative to the sum of the absolute terms: rounding, with some room.
_ROUNDING = 1e-9
# Columns are tried as dense ones from these shares of the largest number of entries on.
_DENSE = (0.9, 0.7, 0.5, 0.3, 0.1, 0.03)


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Groups of columns of a symmetric matrix in which no row has two entries, so that their sum shows each column.

    Curtis, Powell & Reid (1974), after taking out the columns that have entries almost everywhere (a hyperparameter's):
    these are known by themselves, and so are their rows.

    Parameters
    ----------
    nonzero
        (d, d) of bool, symmetric.
    dense
        The columns with a probe of their own, (h,).
    group
        Which probe each column belongs to, (d,).
    """

    nonzero: Array
    dense: Array
    group: Array

    @property
    def probes(self) -> Array:
        """Vectors (k, d) whose products with the matrix hold all of it."""
        return (np.arange(self.group.max() + 1)[:, None] == self.group).astype(float)

    def matrix(self, products: Array) -> Array:
        """The matrix (..., d, d) from its products with the probes, (..., k, d).

        Examples
        --------
        >>> arrow = np.array([[4.0, 1.0, 2.0], [1.0, 5.0, 0.0], [2.0, 0.0, 6.0]])
        >>> groups = grouped(arrow != 0)
        >>> len(groups.probes), bool(np.all(groups.matrix(groups.probes @ arrow) == arrow))
        (2, True)
        """
        result = np.where(self.nonzero, products[..., self.group, :], 0.0)
        rows = products[..., self.group[self.dense], :]
        result[..., self.dense, :] = rows
        result[..., :, self.dense] = rows.swapaxes(-1, -2)
        return result


def grouped(nonzero: Array) -> Groups:
    """The fewest groups among a few choices of what is a dense column.

    Parameters
    ----------
    nonzero
        Where the matrix may have entries, (d, d) of bool.
    """
    nonzero = nonzero | nonzero.T
    size = len(nonzero)
    entries = nonzero.sum(axis=0)
    order = np.argsort(-entries, kind="stable")
    best = Groups(nonzero=nonzero, dense=np.arange(size), group=np.arange(size))
    for count in sorted({0, *(int(np.sum(entries > share * entries[order[0]])) for share in _DENSE)}):
        rest = order[count:]
        # A row with this many entries needs as many groups.
        least = count + int(nonzero[np.ix_(rest, rest)].sum(axis=0).max(initial=0))
        if least <= best.group.max():
            found = _grouped(nonzero, order[:count])
            best = found if found.group.max() < best.group.max() else best
    return best


def _grouped(nonzero: Array, dense: Array) -> Groups:
    size = len(nonzero)
    group = np.full(size, -1)
    group[dense] = np.arange(len(dense))
    others = np.setdiff1d(np.arange(size), dense)
    taken = [np.zeros(size, dtype=bool) for _ in dense]
    first = len(dense)
    for column in others.tolist():
        rows = nonzero[:, column].copy()
        rows[dense] = False
        place = next((k for k in range(first, len(taken)) if not np.any(taken[k] & rows)), len(taken))
        if place == len(taken):
            taken.append(np.zeros(size, dtype=bool))
        taken[place] |= rows
        group[column] = place
    return Groups(nonzero=nonzero, dense=dense, group=group)


class SparseEvaluation:
    """Value, gradient and exact Hessian at many points, from as few Hessian products as its zeros allow.

    The zeros are those of the first Hessians that are asked for. That no others than these have appeared is checked at
    every point by the product with a random vector, and where one has, the whole Hessian is taken and learnt from.

    Parameters
    ----------
    size
        Length d of the vector.
    products
        ``products(z, probes)`` with z of shape (b, d) and probes (k, d): the value (b,), the gradient (b, d), and the
        Hessian times the probes (b, k, d). With ``rows`` (b,) of replicates, ``products(z, probes, rows)``.
    """

    def __init__(self, size: int, products: Callable[..., Sequence[Array]]):
        self._size = size
        self._products = products
        self._check = np.random.default_rng(0).normal(size=(1, size))
        self._first = size >= _LEAST_SIZE
        self._groups: Groups | None = None
        self._nonzero: Array = np.zeros((1, 1), dtype=bool)
        self._probes: Array = self._check

    def __call__(self, z: Array, *rows: Array) -> tuple[Array, Array, Array]:
        """Shapes (b,), (b, d) and (b, d, d)."""
        if self._first and len(z) > 1:
            # One is enough to learn from: the others are checked.
            self._learn(self._products(z[:1], np.eye(self._size), *(r[:1] for r in rows))[2])
        self._first = False
        if self._groups is None:
            value, gradient, hessian = self._products(z, np.eye(self._size), *rows)
            self._learn(hessian)
            return value, gradient, hessian
        value, gradient, products = self._products(z, self._probes, *rows)
        hessian = self._groups.matrix(products[:, :-1])
        wrong = np.flatnonzero(self._missing(hessian, products[:, -1]))
        if len(wrong):
            hessian[wrong] = self._products(z[wrong], np.eye(self._size), *(r[wrong] for r in rows))[2]
            self._learn(hessian[wrong])
        return value, gradient, hessian

    def _missing(self, hessian: Array, product: Array) -> Array:
        """Where the check fails: some entry is not where it was thought to be, (b,) of bool."""
        size, scale = np.abs(self._check[0]), np.sqrt(np.abs(np.diagonal(hessian, axis1=1, axis2=2)))
        # An entry counts beside those of its row, and beside the curvatures of its two coordinates.
        terms = np.abs(hessian) @ size + scale * (scale @ size)[:, None]
        return np.any(np.abs(product - hessian @ self._check[0]) > _ROUNDING * terms, axis=1)

    def _learn(self, hessian: Array) -> None:
        finite = np.isfinite(hessian).all(axis=(1, 2))
        if self._size < _LEAST_SIZE or not finite.any():
            return
        nonzero = self._nonzero | np.any(hessian[finite] != 0, axis=0)
        if np.array_equal(nonzero, self._nonzero):
            return
        self._nonzero = nonzero
        groups = grouped(nonzero)
        # With too few zeros all of the Hessian is taken from here on.
        self._groups = groups if len(groups.probes) < self._size / 2 else None
        self._probes = np.concatenate([groups.probes, self._check])
