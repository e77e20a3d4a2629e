"""Log densities at draws, from the distances to their nearest neighbours."""

import numpy as np
from scipy import special
from scipy.spatial import cKDTree

from pp_mlekl.divergences.distribution import Array

# Half-width, in order statistics, of the spacings in one dimension.
SPACING = 6
# Threads of a tree's queries; -1 takes all.
_WORKERS = -1


def log_unit_ball(d: int) -> float:
    """Log volume of the unit ball."""
    return float(d / 2 * np.log(np.pi) - special.gammaln(d / 2 + 1))


def distances_within(z: Array, k: int, queries: int | None = None) -> Array:
    """Distance of each draw (of the first ``queries``) to its k-th neighbour among the others."""
    return _tree(z).query(z[:queries], [k + 1], workers=_WORKERS)[0][:, 0]


def distances_to(x: Array, y: Array, k: int) -> Array:
    """Distance of each of ``x`` to the k-th nearest of ``y``, shape (n,)."""
    return _tree(y).query(x, [k], workers=_WORKERS)[0][:, 0]


def _tree(z: Array) -> cKDTree:
    # Whitened draws fill space evenly: a balanced tree would take longer to build than it saves.
    return cKDTree(z, balanced_tree=False, compact_nodes=False)


def log_density_by_neighbours(z: Array, k: int) -> Array:
    """log p at the draws by Kozachenko and Leonenko (1987), k-th neighbour form; unbiased where p is locally flat."""
    n, d = z.shape
    with np.errstate(divide="ignore"):
        log_distance = np.log(distances_within(z, k))
    return special.digamma(k) - special.digamma(n) - log_unit_ball(d) - d * log_distance


def log_density_by_spacings(z: Array) -> Array:
    """log p at the draws in one dimension, from the width between the order statistics on either side.

    The expected log of a spacing of w steps is digamma(w) - digamma(n + 1) - log p (Vasicek 1976; the digammas after
    Singh et al. 2003); at the ends the window is what is there.
    """
    n = len(z)
    order = np.argsort(z[:, 0])
    ordered = z[order, 0]
    rank = np.arange(n)
    left, right = np.maximum(rank - SPACING, 0), np.minimum(rank + SPACING, n - 1)
    result = np.empty(n)
    with np.errstate(divide="ignore"):
        width = np.log(ordered[right] - ordered[left])
    result[order] = special.digamma(right - left) - special.digamma(n + 1) - width
    return result


def log_density_against(at: Array, draws: Array) -> Array:
    """Log density on [0, 1] at points (n,) that are no draws, from the spacings of draws (m,) about each.

    A point falls into a long spacing rather than a short one: w spacings about it are in width like w + 1 of m + 2.
    """
    ordered = np.concatenate([[0.0], np.sort(draws), [1.0]])
    rank = np.searchsorted(ordered[1:-1], at) + 1
    left, right = np.maximum(rank - SPACING, 0), np.minimum(rank + SPACING - 1, len(ordered) - 1)
    width = np.log(np.maximum(ordered[right] - ordered[left], np.finfo(float).tiny))
    return special.digamma(right - left + 1) - special.digamma(len(ordered)) - width


def log_density(z: Array, k: int) -> Array:
    """By spacings in one dimension, by neighbours in more."""
    return log_density_by_spacings(z) if z.shape[1] == 1 else log_density_by_neighbours(z, k)


def log_ratio(x: Array, y: Array, k: int, queries: int | None = None) -> Array:
    """log p/q at the draws ``x`` of p, given draws ``y`` of q: Wang, Kulkarni and Verdu (2009), eq. 5.

    With ``queries`` only at the first so many of ``x``, among all of them.
    """
    with np.errstate(divide="ignore"):
        gap = np.log(distances_to(x[:queries], y, k)) - np.log(distances_within(x, k, queries))
    return x.shape[1] * gap + special.digamma(len(y) + 1) - special.digamma(len(x))
