"""Correlation matrices: LKJ."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families.matrices import is_positive_definite, over_matrices
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.special import dirichlet_excess
from pp_mlekl.typing import Array

# Largest distance of a diagonal element from 1 that rounding in single precision explains.
_OFF_ONE = 1e-5


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class LKJCorr(Distribution):
    """Correlation matrices (``n``, ``n``) with density proportional to det^(``eta`` - 1).

    The partial correlations of a vine are independent, and (1 + r) / 2 on its level j = 1, ..., n - 1 (of n - j of
    them) is Beta(b, b) with b = eta + (n - 1 - j) / 2 (Lewandowski, Kurowicka and Joe 2009).
    """

    n: Array
    eta: Array
    event_ndim = 2

    def validate(self) -> None:
        """Raise where ``eta`` is not positive, or ``n`` is not one whole number for all elements."""
        if not np.all(self.eta > 0) or not np.all((self.n == np.floor(self.n)) & (self.n >= 1)):
            raise ValueError("LKJCorr: eta must be positive, n a whole number of at least 1.")
        if np.unique(self.n).size > 1:
            raise ValueError("LKJCorr: n must be the same for all elements of a batch.")

    @property
    def event_shape(self) -> tuple[int, ...]:
        """A square matrix."""
        return (self.size, self.size)

    @property
    def size(self) -> int:
        """The number of variables."""
        return int(np.ravel(self.n)[0])

    def shapes(self) -> list[tuple[int, Array]]:
        """The number of partial correlations on each level of the vine, and their beta shape."""
        return [(self.size - j, self.eta + (self.size - 1 - j) / 2) for j in range(1, self.size)]

    def free_coordinates(self, x: Array) -> Array:
        """The entries below the diagonal."""
        return x[(..., *np.tril_indices(x.shape[-1], -1))]

    def log_density(self, x: Array) -> Array:
        """Log density in nats of the entries below the diagonal; ``-inf`` unless ``x`` is a correlation matrix."""
        diagonal = np.diagonal(x, axis1=-2, axis2=-1)
        inside = is_positive_definite(x) & np.all(np.abs(diagonal - 1) < _OFF_ONE, axis=-1)
        return over_matrices(self._inside, x, inside)

    def _inside(self, x: Array) -> Array:
        value = (self.eta - 1) * np.linalg.slogdet(x)[1]
        for count, b in self.shapes():
            # A partial correlation r has a range of length 2; the change of variables adds powers of 1 - r^2.
            value = value - count * (special.betaln(b, b) + (2 * b - 1) * np.log(2))
        return np.broadcast_to(value, np.broadcast_shapes(np.shape(value), self.batch_shape))

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws, row by row of the Cholesky factor, by the C-vine."""
        n, full = self.size, (*shape, *self.batch_shape)
        partial = np.zeros((*full, n, n))
        for column, (count, b) in enumerate(self.shapes()):
            shape_ = np.broadcast_to(b[..., None], (*full, count))
            partial[..., column + 1 :, column] = 2 * generator.beta(shape_, shape_) - 1
        chol = np.zeros((*full, n, n))
        left = np.ones((*full, n))
        for column in range(n):
            chol[..., column, column] = np.sqrt(left[..., column])
            below = partial[..., column + 1 :, column]
            chol[..., column + 1 :, column] = below * np.sqrt(left[..., column + 1 :])
            left[..., column + 1 :] *= 1 - below**2
        return chol @ np.swapaxes(chol, -1, -2)


@kl_rule(LKJCorr, LKJCorr)
def _lkj(p: LKJCorr, q: LKJCorr) -> Array:
    # A sum over the independent partial correlations, each between two symmetric betas.
    return sum(
        (
            count * dirichlet_excess(np.stack([a, a], axis=-1), np.stack([b, b], axis=-1))
            for (count, a), (_, b) in zip(p.shapes(), q.shapes(), strict=True)
        ),
        start=np.zeros(np.broadcast_shapes(p.batch_shape, q.batch_shape)),
    )
