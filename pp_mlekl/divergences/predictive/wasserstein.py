"""Wasserstein distance of order 1 between a distribution and a mixture, from densities at their common nodes.

In one dimension it is the integral of ``|F - G|`` (Vallender 1974). Both CDFs follow from the densities that are computed
for the divergences: within a panel, the integral of a density is that of its interpolating polynomial.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.integer_panels import IntegerPanels
from pp_mlekl.divergences.predictive.nodes import POINTS_A_PANEL, CommonNodes
from pp_mlekl.typing import Array

# Points of a panel at which |F - G| is evaluated; it has a kink where the CDFs cross.
_FINE = 24
# Tail probabilities between which the growth of quantiles is measured.
_TAILS = np.array([1e-100, 1e-200])
# Growth of quantiles from which a distribution has no mean, or no variance.
NO_MEAN, NO_VARIANCE = 1 - 1e-6, 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class DistanceAndSlope:
    """Integral of ``|H|`` for ``H(x) = integral of h up to x``, and its derivative.

    Parameters
    ----------
    distance
        Shape (rows,).
    slope
        ``integral over x >= point of sign H(x)``, (k, rows): a density ``d`` added to ``h`` changes the distance by
        ``sum_k measure_k slope_k d_k``.
    error
        Bound of the error due to the kinks of ``|H|`` where panels represent integers.
    """

    distance: Array
    slope: Array
    error: Array | float = 0.0


def distance_and_slope(nodes: CommonNodes, difference: Array) -> DistanceAndSlope:
    """Distance, its slope and its error from the difference of two densities.

    Parameters
    ----------
    nodes
        Points and measure of shape (k, rows).
    difference
        ``h``, one density (or mass) less the other, at the points, (k, rows).
    """
    if nodes.panels is not None:
        return _by_panels_of_integers(nodes, nodes.panels, difference)
    if nodes.discrete:
        return _by_steps(nodes, difference)
    a, n = nodes.atoms, POINTS_A_PANEL
    rows = difference.shape[1]
    width = nodes.measure[a:].reshape(-1, n, rows).sum(axis=1)
    inside, whole, back = _integration(n, _FINE)
    density = difference[a:].reshape(-1, n, rows)
    mass = np.einsum("j,pjr->pr", whole, density) * width
    place, steps = _atoms(nodes, difference, len(mass))
    nothing = np.zeros((1, rows))
    left = _before(mass, steps)
    fine = left[:, None] + np.einsum("fj,pjr->pfr", inside, density) * width[:, None]
    sign = np.sign(fine)
    signed = sign.mean(axis=1) * width
    after = np.concatenate([np.cumsum(signed[::-1], axis=0)[::-1], nothing])
    slope = after[1:, None] + np.einsum("jf,pfr->pjr", back, sign) * width[:, None]
    at_atoms = np.take_along_axis(after, place, axis=0)
    return DistanceAndSlope(
        distance=np.sum(np.abs(fine).mean(axis=1) * width, axis=0),
        slope=np.concatenate([at_atoms, slope.reshape(-1, rows)]),
    )


def _before(mass: Array, steps: Array) -> Array:
    """The cumulative mass before each panel, from masses (panels, rows) and jumps before and after panels (panels + 1, rows).

    It is summed from the nearer end, since in a far tail both CDFs are close to 1 and their difference has lost its digits.
    """
    below = np.cumsum(np.concatenate([np.zeros_like(mass[:1]), mass[:-1]]) + steps[:-1], axis=0)
    above = -np.cumsum((mass + steps[1:])[::-1], axis=0)[::-1]
    return np.where(np.arange(len(mass))[:, None] < len(mass) / 2, below, above)


def _by_panels_of_integers(nodes: CommonNodes, panels: IntegerPanels, difference: Array) -> DistanceAndSlope:
    """Sums of ``|H|``, H the cumulative sum: exact in panels where H has one sign, from values of pieces where it changes sign."""
    step = difference.reshape(panels.weights.shape)
    weighted = step * nodes.measure.reshape(step.shape)
    mass = np.sum(weighted, axis=1)
    left = _before(mass, np.zeros((len(mass) + 1, mass.shape[1])))
    start, length = panels.pieces
    fine = left[:, None] + np.einsum("pfjr,pjr->pfr", panels.cumulative, step)
    sign = np.sign(fine)
    # A term is part of all later cumulative sums of its panel.
    offsets = panels.points - panels.first[:, None]
    whole = np.abs(panels.length * left + np.sum(weighted * (panels.length[:, None] - offsets), axis=1))
    one_sign = np.abs(np.sum(sign * length, axis=1)) == panels.length
    distance = np.where(one_sign, whole, np.sum(np.abs(fine) * length, axis=1))
    # The sum of |H| over a piece in which H goes from -a to b: at most a quarter of its length times a + b is missed.
    crossing = (sign[1:, 1:] != sign[1:, :-1]) & (length[1:, 1:] > 1)
    missed = np.where(crossing, np.abs(np.diff(fine, axis=1)[1:]) * length[1:, 1:] / 4, 0.0)
    # The masses of both distributions have the same total; the difference of the sums is the error of H where H is larger.
    rest = np.abs(np.sum(mass, axis=0))
    off = np.sum(rest * length * (np.abs(fine) > rest), axis=(0, 1))
    after = np.cumsum(np.sum(sign * length, axis=1)[::-1], axis=0)[::-1]
    after = np.concatenate([after[1:], np.zeros_like(after[:1])])
    from_point = np.clip((start + length)[:, None] - offsets[:, :, None], 0.0, length[:, None])
    slope = after[:, None] + np.einsum("pjfr,pfr->pjr", from_point, sign)
    return DistanceAndSlope(
        distance=np.sum(distance, axis=0),
        slope=slope.reshape(difference.shape),
        error=np.sum(missed, axis=(0, 1)) + off,
    )


def _by_steps(nodes: CommonNodes, difference: Array) -> DistanceAndSlope:
    step = difference * nodes.measure
    total = np.cumsum(step, axis=0) * nodes.measure
    sign = np.sign(total)
    return DistanceAndSlope(distance=np.sum(np.abs(total), axis=0), slope=np.cumsum(sign[::-1], axis=0)[::-1])


def _atoms(nodes: CommonNodes, difference: Array, panels: int) -> tuple[Array, Array]:
    """The panel that each atom precedes, (atoms, rows), and the jumps there, (panels + 1, rows)."""
    rows = difference.shape[1]
    middles = nodes.points[nodes.atoms :].reshape(panels, -1, rows).mean(axis=1)
    place = np.sum(middles < nodes.points[: nodes.atoms, None], axis=1)
    steps = np.zeros((panels + 1, rows))
    for k in range(nodes.atoms):
        steps[place[k], np.arange(rows)] += np.where(nodes.measure[k] > 0, difference[k], 0.0)
    return place, steps


@cache
def _integration(points: int, fine: int) -> tuple[Array, Array, Array]:
    """Weights on [0, 1] that take values at Gauss-Legendre points to integrals of their interpolating polynomial.

    Returns
    -------
    to the middles of ``fine`` equal pieces (fine, points); over all of [0, 1] (points,); and, from values at those
    middles, the integral from each point to 1 (points, fine).
    """
    x, w = np.polynomial.legendre.leggauss(points)
    middles = (np.arange(fine) + 0.5) / fine
    legendre = np.polynomial.legendre.legvander(x, points - 1)
    to_coefficients = np.linalg.inv(legendre)
    integrals = [np.polynomial.legendre.legint(row, lbnd=-1) for row in np.eye(points)]
    at = np.stack([np.polynomial.legendre.legval(2 * middles - 1, c) for c in integrals], axis=1) / 2
    place = (x[:, None] + 1) / 2
    back = np.clip((np.arange(fine) + 1) / fine - place, 0.0, 1 / fine)
    return at @ to_coefficients, w / 2, back


def tail_growth(distribution: Distribution) -> Array:
    """The power of 1 / u at which quantiles of a one-dimensional distribution grow, of the batch shape.

    It is the inverse of the tail's index: a Cauchy has 1, Student's t ``1 / nu``, a normal 0.
    """
    result = np.zeros(distribution.batch_shape)
    u = np.broadcast_to(_TAILS.reshape(-1, *[1] * result.ndim), (2, *result.shape))
    with np.errstate(all="ignore"):
        for x in (distribution.quantile(u), distribution.upper_quantile(u)):
            growth = np.diff(np.log(np.abs(x)), axis=0)[0] / np.log(_TAILS[0] / _TAILS[1])
            result = np.maximum(result, np.where(np.isfinite(growth) & np.isfinite(x[1]), growth, 0.0))
    return result
