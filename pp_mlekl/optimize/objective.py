"""The function to be maximised, as the optimisers see it: batched, and never NaN."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

# Beyond this the squares that linear algebra takes would overflow.
_TOO_LARGE = 1e60
# From this many coordinates on whole Hessians are not formed: Hessian-vector products take their place.
LARGE = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class Objective:
    """A smooth function of a vector, evaluated for many vectors at a time.

    Parameters
    ----------
    size
        Length d of the vector.
    evaluate
        ``evaluate(order, z, rows)`` with z of shape (b, d) returns the value (b,), with order 1 also the gradient
        (b, d) and with order 2 also the Hessian (b, d, d), as a tuple. ``rows`` (b,) tells which replicate each
        vector belongs to, for objectives that carry one data set or one set of weights per replicate.
    precision
        Relative rounding error of the value.
    terms
        How many terms the value is a sum of: as many observations may be lost on the way to an edge.
    product
        ``product(z, vectors)``: the Hessian at z (d,) times vectors (b, d), for problems whose Hessian is too large.
    derivatives
        2, or 1 where ``evaluate`` has the gradient alone.
    support
        ``support(z)``, (b,) of bool: whether the data have a density above zero there, where another reason may make the
        value undefined (an inner maximisation that fails); where the value is finite, by default.
    tolerances
        What numbers mean for this function.
    information
        ``information(z)``: a positive definite matrix (d, d) near minus the Hessian at z (d,), for steps where ``derivatives`` is 1.

    Examples
    --------
    >>> peak = Objective(size=1, evaluate=lambda order, z, rows: (-((z[:, 0] - 1) ** 2), -2 * (z - 1))[: order + 1])
    >>> peak.value(np.array([[1.0], [3.0]])).tolist()
    [-0.0, -4.0]
    """

    size: int
    evaluate: Callable[[int, Array, Array], tuple[Array, ...]]
    precision: float = 1e-14
    terms: int = 0
    product: Callable[[Array, Array], Array] | None = None
    derivatives: int = 2
    support: Callable[[Array], Array] | None = None
    information: Callable[[Array], Array] | None = None
    tolerances: Tolerances = field(default_factory=Tolerances)

    @property
    def wide(self) -> bool:
        """Whether there are too many coordinates for square matrices."""
        return self.size > LARGE

    @property
    def large(self) -> bool:
        """Whether Hessian-vector products take the place of whole Hessians."""
        return self.wide and self.product is not None

    def value(self, z: Array, rows: Array | None = None) -> Array:
        """The value at each vector; minus infinity where it is not defined."""
        return self._clean(0, z, rows)[0]

    def supported(self, z: Array) -> Array:
        """Whether the data have a density above zero at each vector, (b,) of bool."""
        if self.support is None or not len(z):
            return np.isfinite(self.value(z))
        with np.errstate(all="ignore"):
            return self.support(z)

    def gradient(self, z: Array, rows: Array | None = None) -> tuple[Array, Array]:
        """Value and gradient."""
        value, gradient = self._clean(1, z, rows)
        return value, gradient

    def hessian(self, z: Array, rows: Array | None = None) -> tuple[Array, Array, Array]:
        """Value, gradient and Hessian."""
        value, gradient, hessian = self._clean(2, z, rows)
        return value, gradient, hessian

    def restricted(self, kept: Array, base: Array) -> "Objective":
        """The objective as a function of some coordinates alone, the others held at those of ``base``."""
        if len(kept) == self.size:
            return self

        def full(z: Array) -> Array:
            result = np.repeat(base[None], len(z), axis=0)
            result[:, kept] = z
            return result

        def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
            results = self.evaluate(order, full(z), rows)
            cuts: tuple[Any, ...] = (slice(None), (slice(None), kept), (slice(None), kept[:, None], kept[None, :]))
            return tuple(r[cut] for r, cut in zip(results, cuts, strict=False))

        def product(z: Array, vectors: Array) -> Array:
            embedded = np.zeros((len(vectors), self.size))
            embedded[:, kept] = vectors
            return self.product(full(z[None])[0], embedded)[:, kept]  # type: ignore[misc]

        def support(z: Array) -> Array:
            return self.support(full(z))  # type: ignore[misc]

        def information(z: Array) -> Array:
            return self.information(full(z[None])[0])[np.ix_(kept, kept)]  # type: ignore[misc]

        return replace(
            self,
            size=len(kept),
            evaluate=evaluate,
            product=product if self.product else None,
            support=support if self.support else None,
            information=information if self.information else None,
        )

    def _clean(self, order: int, z: Array, rows: Array | None) -> tuple[Array, ...]:
        if not len(z):
            # Some operations refuse an empty batch.
            return (np.zeros(0), np.zeros((0, self.size)), np.zeros((0, self.size, self.size)))[: order + 1]
        rows = np.zeros(len(z), dtype=int) if rows is None else rows
        with np.errstate(all="ignore"):
            value, *derivatives = self.evaluate(order, z, rows)
        value = np.array(value, dtype=float)
        derivatives = [np.array(d, dtype=float) for d in derivatives]
        defined = np.abs(value) < _TOO_LARGE
        for derivative in derivatives:
            defined &= (np.abs(derivative) < _TOO_LARGE).reshape(len(z), -1).all(axis=1)
        value[~defined] = -np.inf
        for derivative in derivatives:
            derivative[~defined] = 0.0
        return (value, *derivatives)
