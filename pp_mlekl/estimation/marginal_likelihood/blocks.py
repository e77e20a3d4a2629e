"""Which latents are independent of which, given the parameters: the blocks of a Hessian, found by probing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pp_mlekl.typing import Array

# Up to this number of latents, each is probed by itself; beyond it, random subsets of these fractions are probed.
_FEW = 96
_SHARES = (0.5, 0.15, 0.05, 0.0125)
_PASSES = 32
# Maximum number of steps of the spread along a chain of neighbours; beyond it all latents are taken as one block.
_STEPS = 24
_TERM_PASSES = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """A partition of m latents: h_uu, at any parameters, has no entry between two of its blocks.

    Parameters
    ----------
    members
        The places of each block's latents, (g, s); -1 where a block is smaller than the largest.
    size
        The number m of latents.
    """

    members: Array
    size: int

    @property
    def width(self) -> int:
        """The size s of the largest block: the number of products with h_uu that determine all of it."""
        return self.members.shape[1]

    @cached_property
    def inside(self) -> Array:
        """Which of ``members`` are latents, (g, s) of bool."""
        return self.members >= 0

    @cached_property
    def seeds(self) -> Array:
        """Vectors (s, m), the k-th with a 1 at the k-th latent of every block."""
        result = np.zeros((self.width, self.size))
        _, k = np.nonzero(self.inside)
        result[k, self.members[self.inside]] = 1.0
        return result

    def matrices(self, products: Array) -> Array:
        """Blocks (..., g, s, s) from a matrix's products with the seeds, (..., s, m); the identity fills them up."""
        columns = np.moveaxis(products[..., self.members], -3, -1)
        pair = self.inside[:, :, None] & self.inside[:, None, :]
        return np.where(pair, columns, np.eye(self.width) * ~self.inside[:, :, None])

    def parts(self, vectors: Array) -> Array:
        """Vectors (..., m) cut into blocks (..., g, s), 0 where there is no latent."""
        return np.where(self.inside, vectors[..., self.members], 0.0)

    def whole(self, parts: Array) -> Array:
        """The inverse of ``parts``."""
        result = np.empty((*parts.shape[:-2], self.size))
        result[..., self.members[self.inside]] = parts[..., self.inside]
        return result

    def product(self, matrices: Array, vectors: Array) -> Array:
        """Blocks (..., g, s, s) times vectors (..., m)."""
        return self.whole((matrices @ self.parts(vectors)[..., None])[..., 0])

    def columns(self, matrices: Array) -> Array:
        """Vectors (..., s, m): the k-th holds the k-th column of every block (..., g, s, s)."""
        return self.whole(np.moveaxis(matrices, -1, -3))

    def dense(self, matrices: Array) -> Array:
        """The whole matrix (m, m) of blocks (g, s, s)."""
        result = np.zeros((self.size, self.size))
        pair = self.inside[:, :, None] & self.inside[:, None, :]
        row = np.broadcast_to(self.members[:, :, None], pair.shape)[pair]
        column = np.broadcast_to(self.members[:, None, :], pair.shape)[pair]
        result[row, column] = matrices[pair]
        return result


def find_blocks(products: Callable[[Array], Array], size: int, generator: np.random.Generator) -> Blocks:
    """The connected components of a symmetric matrix's pattern, found from its products with vectors.

    Random subsets of the latents are marked, and marks spread to every latent that the matrix connects with a marked one.
    Two latents that are marked in the same subsets belong to one block. Blocks that are merged by chance cost time, not
    correctness.

    Parameters
    ----------
    products
        From vectors (r, m) to the matrix's products with them, (r, m); what is no entry of the matrix gives 0.
    size
        The number m of latents.
    generator
        For the subsets.

    Examples
    --------
    >>> matrix = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [1.0, 0.0, 2.0]])
    >>> find_blocks(lambda v: v @ matrix, 3, np.random.default_rng(0)).members.tolist()
    [[0, 2], [1, -1]]
    """
    if size <= _FEW:
        lit = np.eye(size, dtype=bool)
    else:
        shares = np.repeat(_SHARES, _PASSES)[:, None]
        lit = generator.random((len(shares), size)) < shares
    for _ in range(_STEPS):
        # Random values, so that entries do not cancel.
        spread = lit | (products(lit * generator.normal(1.0, 0.3, lit.shape)) != 0.0)
        if np.array_equal(spread, lit):
            return _partition(lit.T)
        lit = spread
    return _partition(np.ones((size, 1), dtype=bool))


def _partition(signatures: Array) -> Blocks:
    """Blocks of latents with the same signature (m, r), in the order of their first members."""
    _, label = np.unique(signatures, axis=0, return_inverse=True)
    label = label.ravel()
    first = np.full(label.max() + 1, len(label))
    np.minimum.at(first, label, np.arange(len(label)))
    rank = np.argsort(np.argsort(first))[label]
    order = np.argsort(rank, kind="stable")
    counts = np.bincount(rank)
    within = np.arange(len(label)) - np.repeat(np.cumsum(counts) - counts, counts)
    members = np.full((len(counts), counts.max()), -1)
    members[rank[order], within] = order
    return Blocks(members=members, size=len(label))


def blocks_of_terms(terms: Callable[[Array], Array], blocks: Blocks, generator: np.random.Generator) -> Array | None:
    """The block that each term of a sum depends on, (n,); -1 for none, and None where a term depends on several.

    Parameters
    ----------
    terms
        From moves of the latents (r, m) to the terms (r, n) there.
    blocks
        The partition.
    generator
        For the moves.

    Examples
    --------
    >>> pair = Blocks(members=np.array([[0], [1]]), size=2)
    >>> blocks_of_terms(lambda u: np.stack([u[:, 1], u[:, 0], 0 * u[:, 0]], 1), pair, np.random.default_rng(0)).tolist()
    [1, 0, -1]
    """
    subsets = generator.random((_TERM_PASSES, len(blocks.members))) < 0.5
    subsets[0] = True
    moved = blocks.whole(subsets[..., None] * generator.normal(0.0, 0.3, (len(subsets), *blocks.members.shape)))
    before = terms(np.zeros((1, blocks.size)))
    changed = terms(moved) != before
    known = {subset.tobytes(): place for place, subset in enumerate(subsets.T)}
    if len(known) < len(blocks.members):
        return None
    known[np.zeros(len(subsets), dtype=bool).tobytes()] = -1
    found = [known.get(np.ascontiguousarray(column).tobytes()) for column in changed.T]
    return None if None in found else np.array(found, dtype=int)
