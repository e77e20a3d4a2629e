"""Log densities from distances to nearest neighbours, and their expectations for a normal distribution."""

from functools import lru_cache

import numpy as np
from scipy import interpolate, special
from scipy.spatial import cKDTree

from pp_mlekl.typing import Array

# Nodes of the average over a neighbour's rank, and radii between which the averages are interpolated.
_NODES = 13
_RADII = np.concatenate([np.linspace(0.0, 8.0, 25), np.linspace(9.0, 40.0, 16)])


def log_unit_ball(d: int) -> float:
    """Log volume of the unit ball."""
    return float(d / 2 * np.log(np.pi) - special.gammaln(d / 2 + 1))


def log_density_by_neighbours(distance: Array, k: int, m: int, d: int) -> Array:
    """Log density from the distance to the k-th nearest of ``m`` draws in d dimensions.

    Kozachenko and Leonenko (1987), k-th neighbour form; unbiased where the density is flat within the distance.
    """
    with np.errstate(divide="ignore"):
        return special.digamma(k) - special.digamma(m + 1) - log_unit_ball(d) - d * np.log(distance)


def expected_log_density(radius: Array, k: int, m: int, d: int) -> Array:
    """Expectation of ``log_density_by_neighbours`` at distances ``radius`` from the mean of a standard normal.

    The mass within the distance to the k-th neighbour is Beta(k, m - k + 1), the mass within a distance of a point is
    a noncentral chi-square probability. Beyond the table the distance grows like the radius.
    """
    inside = np.minimum(radius, _RADII[-1])
    result = _expected(k, m, d)(inside)
    far = radius > _RADII[-1]
    if np.any(far):
        edge = special.digamma(k) - special.digamma(m + 1) - log_unit_ball(d)
        distance = np.exp((edge - result[far]) / d) + radius[far] - _RADII[-1]
        result[far] = edge - d * np.log(distance)
    return result


@lru_cache(maxsize=64)
def _expected(k: int, m: int, d: int) -> interpolate.CubicSpline:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    mass = special.betaincinv(k, m - k + 1, special.ndtr(nodes))
    distance = np.sqrt(special.chndtrix(mass[:, None], d, _RADII**2))
    values = weights @ log_density_by_neighbours(distance, k, m, d) / weights.sum()
    return interpolate.CubicSpline(_RADII, values)


def distances_within(tree: cKDTree, k: int, queries: Array) -> Array:
    """Distance of points of the tree to their k-th nearest among its other points, shape (n,)."""
    return tree.query(queries, [k + 1])[0][:, 0]


def distances_to(tree: cKDTree, k: int, queries: Array) -> Array:
    """Distance of other points to the k-th nearest point of the tree, shape (n,)."""
    return tree.query(queries, [k])[0][:, 0]
