"""The curvature of a large problem at one point: its weakest directions by Lanczos, its inverse by solving systems."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh, splu

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import axes
from pp_mlekl.optimize.solvers.newton_krylov import curvature_of_coordinates, products
from pp_mlekl.typing import Array

# Vectors for which products are taken, or systems solved, at a time.
BLOCK = 64
# A matrix with more entries a row than this is not worth keeping as a sparse one.
_MOST_ENTRIES = 200
# Weakest directions that are looked for, and how weak (of the scaled matrix) one may be to be looked at again.
_WEAKEST = 8
_MOST_WEAKEST = 64
_SHIFT = 1e-4
# Residual, relative to the right side, to which conjugate gradients solve for a standard error: it enters squared.
_SOLVED = 1e-10


@dataclass(frozen=True, kw_only=True, eq=False)
class Weakest:
    """The smallest eigenvalues (k,) of the negative Hessian scaled to about unit diagonal, and their directions.

    ``vectors`` (k, d) are unit vectors in scaled coordinates; ``largest`` is the largest eigenvalue; ``complete`` tells
    whether Lanczos' iteration converged.
    """

    eigenvalues: Array
    vectors: Array
    largest: float
    complete: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class LargeCurvature:
    """The negative Hessian at a point (d,), never held as a whole unless it is sparse."""

    objective: Objective
    z: Array

    @cached_property
    def matrix(self) -> Any:
        """The negative Hessian as a sparse matrix; None where it has too many entries."""
        size, rows = len(self.z), []
        places = np.random.default_rng(0).permutation(size)[: BLOCK // 2]
        sample = products(self.objective, self.z, axes(places, size))
        if np.median(np.count_nonzero(sample, axis=1)) > _MOST_ENTRIES:
            return None
        entries = 0
        for block in _blocks(size):
            part = sparse.csr_array(-products(self.objective, self.z, axes(block, size)))
            entries += part.nnz
            if entries > _MOST_ENTRIES * size:
                return None
            rows.append(part)
        whole = sparse.vstack(rows, format="csc")
        return sparse.csc_array((whole + whole.T) / 2)

    @cached_property
    def scale(self) -> Array:
        """A length for each coordinate: one over the root of its own curvature, (d,)."""
        if self.matrix is None:
            own = curvature_of_coordinates(self.objective, self.z)
        else:
            own = np.abs(self.matrix.diagonal())
        return 1.0 / np.sqrt(np.where(own > 0, own, 1.0))

    @cached_property
    def _factors(self) -> Any:
        """L U of the sparse matrix without pivoting: U's diagonal then has as many negative entries as eigenvalues."""
        return _factorised(self.matrix)

    @property
    def positive(self) -> bool:
        """Whether a sparse negative Hessian is positive definite (Sylvester's law of inertia)."""
        return self._factors is not None and bool(np.all(self._factors.U.diagonal() > 0))

    def weakest(self, without: Array | None = None) -> Weakest:
        """The weakest directions, as many as are flat and some more; at right angles to the coordinates ``without``."""
        inside = np.ones(len(self.z))
        inside[np.zeros(0, dtype=int) if without is None else without] = 0.0
        most = min(_MOST_WEAKEST, len(self.z) - 2)
        count = min(_WEAKEST, most)
        while True:
            found = self._lanczos(count, inside)
            flat = np.sum(found.eigenvalues < 1e-9 * found.largest)
            if flat < len(found.eigenvalues) or count >= most:
                return found
            count = min(2 * count, most)

    def _lanczos(self, count: int, inside: Array) -> Weakest:
        """Lanczos' iteration; the coordinates that are not ``inside`` are given an eigenvalue beyond the largest."""
        size = len(self.z)
        start = np.random.default_rng(0).normal(size=size)

        def scaled(vector: Array) -> Array:
            way = np.ravel(vector) * self.scale * inside
            return -self.scale * inside * products(self.objective, self.z, way[None])[0]

        operator = LinearOperator((size, size), matvec=scaled, dtype=float)
        largest = float(eigsh(operator, k=1, which="LA", v0=start, tol=1e-3, return_eigenvectors=False)[0])
        outside = 2 * largest * (1.0 - inside)
        if self.matrix is not None and self.positive:
            weight = self.scale * inside
            whole = sparse.csc_array(self.matrix * weight[:, None] * weight + sparse.diags_array(outside))
            values, vectors = eigsh(whole, k=count, sigma=-_SHIFT * largest, which="LM", v0=start)
            order = np.argsort(values)
            return Weakest(eigenvalues=values[order], vectors=vectors.T[order], largest=largest, complete=True)
        # The weakest of A are the strongest of c - A, for which Lanczos' test of convergence is an absolute one.
        top = 1.01 * largest
        mirrored = LinearOperator((size, size), matvec=lambda v: (top - outside) * np.ravel(v) - scaled(v), dtype=float)
        width = min(size - 1, max(80, 3 * count))
        try:
            values, vectors = eigsh(mirrored, k=count, which="LA", v0=start, ncv=width, tol=1e-10, maxiter=60)
            complete = True
        except ArpackNoConvergence as error:
            values, vectors, complete = error.eigenvalues, error.eigenvectors, False
        order = np.argsort(-values)
        return Weakest(eigenvalues=top - values[order], vectors=vectors.T[order], largest=largest, complete=complete)

    def solve(self, rows: Array) -> Array:
        """A^-1 applied to each row of (k, d), with A the negative Hessian; NaN where that failed."""
        if self.matrix is not None and self._factors is not None:
            return self._factors.solve(np.ascontiguousarray(rows.T)).T
        return _conjugate_gradients(self, rows)


def _blocks(size: int) -> Iterator[Array]:
    for first in range(0, size, BLOCK):
        yield np.arange(first, min(first + BLOCK, size))


def _factorised(matrix: Any) -> Any:
    options = {"SymmetricMode": True}
    try:
        return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    except RuntimeError:
        # Exactly singular.
        return None


def _conjugate_gradients(curvature: LargeCurvature, rows: Array) -> Array:
    """Solve all systems at once; preconditioned by the diagonal."""
    inverse = curvature.scale**2
    solution, residual = np.zeros_like(rows), rows.copy()
    ahead = residual * inverse
    direction = ahead.copy()
    strength = np.sum(residual * ahead, axis=1)
    first = np.maximum(strength, np.finfo(float).tiny)
    active = np.flatnonzero(strength > 0)
    for _ in range(2 * rows.shape[1]):
        image = -products(curvature.objective, curvature.z, direction[active])
        curved = np.sum(direction[active] * image, axis=1)
        length = np.where(curved > 0, strength[active] / np.where(curved > 0, curved, 1.0), np.nan)[:, None]
        solution[active] += length * direction[active]
        residual[active] -= length * image
        ahead[active] = residual[active] * inverse
        now = np.sum(residual[active] * ahead[active], axis=1)
        direction[active] = ahead[active] + (now / strength[active])[:, None] * direction[active]
        strength[active] = now
        active = active[now > _SOLVED**2 * first[active]]
        if not len(active):
            break
    solution[active] = np.nan
    return solution
