"""Validation of draws, and whether they are discrete."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# Minimum number of draws, and per dimension; with fewer draws the error bar itself is unreliable.
FEWEST = 50
_FEWEST_PER_DIMENSION = 10
# Maximum fraction of repeated draws that rounding explains; a larger one means a point mass or a stuck chain.
MOST_REPEATED = 0.02
# From this number of draws for each distinct value on the variable is discrete.
_DRAWS_PER_VALUE = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """Draws of shape (n, d), stacked chain by chain, and whether their values are discrete."""

    values: Array
    chains: int | None
    discrete: bool

    def with_values(self, values: Array) -> "Draws":
        """A copy with other values."""
        return Draws(values=values, chains=self.chains, discrete=self.discrete)

    @property
    def size(self) -> int:
        """The number of draws."""
        return len(self.values)

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return self.values.shape[1]

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        return _whole(self.values)


def checked_draws(draws: Array, chains: int | None = None, name: str = "draws") -> Draws:
    """Check draws of shape (n,) or (n, d), stacked chain by chain.

    Raises
    ------
    ValueError
        Where there are too few, a value is not finite, or many are repeated although the values are continuous (rounding,
        a point mass). Consecutive repeats within a chain are allowed, since samplers reject proposals.
    """
    values = np.asarray(draws, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"{name} must have shape (n,) or (n, d), got {np.shape(draws)}.")
    n, d = values.shape
    fewest = max(FEWEST, _FEWEST_PER_DIMENSION * d)
    if n < fewest:
        raise ValueError(
            f"{name} has {counted(n, 'draw')} in {counted(d, 'dimension')}, too few for an estimate; give at least {fewest}."
        )
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} has values that are not finite; drop those draws.")
    if chains is not None and (chains < 1 or n % chains):
        raise ValueError(f"{name}: the number of draws, {n}, must be a multiple of the number of chains, {chains}.")
    different = _count_different(values)
    repeated = _share_repeated(values, chains, different)
    discrete = repeated > MOST_REPEATED and (_whole(values) or different * _DRAWS_PER_VALUE <= n)
    if repeated > MOST_REPEATED and not discrete:
        raise ValueError(
            f"{repeated:.0%} of {name} are repeated values, so they have no density; thin the chain, "
            "or split off the values that carry a mass of their own."
        )
    return Draws(values=values, chains=chains, discrete=discrete)


def share_repeated(values: Array, chains: int | None) -> float:
    """The fraction of draws (n, d) whose value occurs earlier; for chains, consecutive repeats do not count.

    A chain repeats its previous value where a proposal is rejected. A value to which it returns later has positive mass.
    """
    return _share_repeated(values, chains, _count_different(values))


def _share_repeated(values: Array, chains: int | None, different: int) -> float:
    if different == len(values):
        return 0.0
    # A chain of few distinct values is discrete: its repeats are not rejected proposals.
    drawn = len(values) if chains is None or different < FEWEST else _count_moves(values, chains)
    return max(1 - different / drawn, 0.0)


def _count_moves(values: Array, chains: int) -> int:
    by_chain = values.reshape(chains, -1, values.shape[1])
    return chains + int(np.any(np.diff(by_chain, axis=1), axis=-1).sum())


def _count_different(values: Array) -> int:
    # Where no value of the first coordinate repeats, no draw does; that is faster to check.
    in_first = len(np.unique(values[:, 0]))
    return in_first if in_first == len(values) else len(np.unique(values, axis=0))


def _whole(values: Array) -> bool:
    return bool(np.all(values == np.round(values)))
