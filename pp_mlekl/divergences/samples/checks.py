"""What draws must be before anything is estimated from them, and what kind they are."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Array

# Fewer draws than this give an error bar that is itself noise; more dimensions need more.
_FEWEST = 50
_FEWEST_PER_DIMENSION = 10
# Repeated draws beyond this share are a point mass or a stuck chain, not rounding.
_MOST_REPEATED = 0.02
# So many draws for each value that occurs mean that the variable itself takes few values.
_DRAWS_PER_VALUE = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """Draws of shape (n, d), stacked chain by chain, and whether their values are discrete."""

    values: Array
    chains: int | None
    discrete: bool

    def with_values(self, values: Array) -> "Draws":
        """Other values in the place of these."""
        return Draws(values=values, chains=self.chains, discrete=self.discrete)

    @property
    def size(self) -> int:
        """The number of draws."""
        return len(self.values)

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return self.values.shape[1]


def checked_draws(draws: Array, chains: int | None = None, name: str = "draws") -> Draws:
    """Check draws of shape (n,) or (n, d), stacked chain by chain.

    Raises
    ------
    ValueError
        Where there are too few, a value is not finite, or a share of them is repeated although the values are
        continuous (a chain that stands still, rounding, a point mass in a density).
    """
    values = np.asarray(draws, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"{name} must have shape (n,) or (n, d), got {np.shape(draws)}.")
    n, d = values.shape
    fewest = max(_FEWEST, _FEWEST_PER_DIMENSION * d)
    if n < fewest:
        raise ValueError(f"{name}: {n} draws in {d} dimensions are too few for an estimate; give at least {fewest}.")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} has values that are not finite; drop those draws.")
    if chains is not None and (chains < 1 or n % chains):
        raise ValueError(f"{name}: {n} draws do not make {chains} chains of equal length.")
    different = _count_different(values)
    repeated = 1 - different / n
    discrete = repeated > _MOST_REPEATED and (_whole(values) or different * _DRAWS_PER_VALUE <= n)
    if repeated > _MOST_REPEATED and not discrete:
        raise ValueError(
            f"{name}: {repeated:.0%} of the draws are repeated, so they have no density; thin the chain, or split "
            "off the values that carry a mass of their own."
        )
    return Draws(values=values, chains=chains, discrete=discrete)


def _count_different(values: Array) -> int:
    # Where no value of a coordinate repeats, no draw does; that is quicker to see.
    in_first = len(np.unique(values[:, 0]))
    return in_first if in_first == len(values) else len(np.unique(values, axis=0))


def _whole(values: Array) -> bool:
    return bool(np.all(values == np.round(values)))
