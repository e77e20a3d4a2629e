"""Checks for draws in a subspace, on a curve or on a surface, which have no density."""

import numpy as np
from scipy import special

from pp_mlekl.divergences.samples.density import SampleDensity
from pp_mlekl.divergences.samples.gaussianize import SMALLEST_EIGENVALUE
from pp_mlekl.divergences.samples.size_bias import evenly
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# Ranks of the neighbours whose distances are compared, and the maximum number of draws at which they are.
_NEAR, _FAR = 2, 5
_ENOUGH = 1000
# Maximum dimension; in higher ones the two distances are too similar.
_MOST_DIMENSIONS = 4
# Number of missing dimensions from which a warning is given; it exceeds 1/2 because the estimate is noisy.
_MISSING = 0.6


def check_full_rank(values: Array, name: str = "The draws") -> None:
    """Refuse draws (n, d) where a coordinate is constant or a linear combination of others.

    Raises
    ------
    ValueError
        Where the correlation matrix of the draws is singular; the message gives the remedy.
    """
    if values.shape[1] == 1:
        return
    spread = values.std(axis=0)
    if np.any(spread == 0):
        raise ValueError(f"{name} have a constant coordinate, where they have no density; drop it.")
    if np.linalg.eigvalsh(np.corrcoef(values / spread, rowvar=False))[0] < SMALLEST_EIGENVALUE:
        raise ValueError(
            f"{name} lie in a subspace (a coordinate is a combination of others, as on a simplex), where they have no "
            "density; drop the redundant coordinate."
        )


def local_dimension(density: SampleDensity) -> float:
    """The local dimension of the draws, from distances to neighbours (Levina and Bickel 2005).

    The log of the ratio of the distances to the k-th and j-th neighbour has mean (digamma(k) - digamma(j)) / dimension.
    """
    at = density.whitened_scores[evenly(density.n, _ENOUGH)]
    distance = density.tree.query(at, [_NEAR + 1, _FAR + 1])[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.mean(np.log(distance[:, 1] / distance[:, 0]))
    return float((special.digamma(_FAR) - special.digamma(_NEAR)) / growth)


def thin_draws_warnings(density: SampleDensity, name: str = "The draws") -> tuple[str, ...]:
    """A warning where the draws seem to lie on a curve or surface."""
    if not 1 < density.d <= _MOST_DIMENSIONS:
        return ()
    found = local_dimension(density)
    if found > density.d - _MISSING:
        return ()
    return (
        f"{name} seem to lie on a curve or surface (about {found:.1f} of {counted(density.d, 'dimension')}), where they have no "
        "density: the value means nothing; give coordinates on it.",
    )
