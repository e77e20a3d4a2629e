"""The batches of a simulation: their data sets and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pp_mlekl.typing import Array

Results = Mapping[str, Array]
"""The results of a batch: for each variable an array (estimators, count, *shape of the variable)."""

# Observations in one batch of data sets: about 25 MB of memory.
_BATCH_TERMS = 250_000
# Maximum number of data sets in one batch.
LARGEST_BATCH = 4096
FEW, MANY = 16, 256
"""Data sets in a batch where each is sampled by NUTS (a quarter of a second), and where each has other posterior draws."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some data sets of one size.

    Parameters
    ----------
    index
        Index of the batch among all batches of the simulation.
    size
        Observations in each data set.
    place
        The position of ``size`` among all sizes.
    start, count
        Index of the first data set among those of this size, and the number of data sets.
    """

    index: int
    size: int
    place: int
    start: int
    count: int

    @property
    def where(self) -> tuple[int, slice, slice]:
        """The index of the batch in arrays over (size, estimator, replicate)."""
        return self.place, slice(None), slice(self.start, self.start + self.count)

    def generator(self, seed: np.random.SeedSequence) -> np.random.Generator:
        """The batch's own generator, from the root's child of this index; it does not depend on who runs the batch."""
        return np.random.default_rng(
            np.random.SeedSequence(entropy=seed.entropy, spawn_key=(*seed.spawn_key, self.index))
        )


class Job(Protocol):
    """Runs batches; it is sent to each worker once."""

    def run(self, batch: Batch) -> dict[str, Array]:
        """The results of a batch, which depend on its index only."""


def batches_of(sizes: Sequence[int], replicates: int, most: int = LARGEST_BATCH) -> list[Batch]:
    """Batches of bounded memory.

    Parameters
    ----------
    sizes
        Numbers of observations.
    replicates
        Data sets of each size.
    most
        Data sets in one batch.

    Examples
    --------
    >>> [(b.size, b.start, b.count) for b in batches_of([100], 5000)]
    [(100, 0, 2048), (100, 2048, 2048), (100, 4096, 904)]
    """
    found: list[Batch] = []
    for place, size in enumerate(sizes):
        # Powers of 2 share the borders of stored chunks.
        count = min(most, 1 << (max(1, _BATCH_TERMS // size).bit_length() - 1))
        for start in range(0, replicates, count):
            end = min(start + count, replicates)
            found.append(Batch(index=len(found), size=size, place=place, start=start, count=end - start))
    return found


def seed_sequence(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    """The root of all batches' seeds."""
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
