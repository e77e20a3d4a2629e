"""Coordinates in which a one-dimensional density is smooth up to the ends of its support.

The line is mapped by x = c + s sinh(y), a half-line by x = a + s exp(y), an interval by a logistic function. Tails that are
powers of x, or of the distance from a bound, become exponential in y.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array

# Largest distance from the origin, and smallest distance from a bound at 0, at which densities are evaluated.
_LARGEST, _SMALLEST = 1e290, 1e-290
_EPSILON = np.finfo(float).eps


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Coordinates of n distributions whose supports are bounded on the same sides.

    Parameters
    ----------
    bounded_below, bounded_above
        Whether the supports have finite bounds.
    lower, upper, centre, scale
        Shape (n,): the ends of the support, the middle of the mass and half its width.
    """

    bounded_below: bool
    bounded_above: bool
    lower: Array
    upper: Array
    centre: Array
    scale: Array

    def x(self, y: Array, which: Array) -> Array:
        """Points of coordinates ``y`` (k, m) of the distributions ``which`` (m,)."""
        with np.errstate(over="ignore", under="ignore"):
            if self.bounded_below and self.bounded_above:
                low, high = self.lower[which], self.upper[which]
                width = high - low
                return np.where(y < 0, low + width * special.expit(y), high - width * special.expit(-y))
            if self.bounded_below:
                return self.lower[which] + self.scale[which] * np.exp(y)
            if self.bounded_above:
                return self.upper[which] - self.scale[which] * np.exp(-y)
            return self.centre[which] + self.scale[which] * np.sinh(y)

    def below(self, y: Array) -> Array:
        """Which columns of ``y`` (k, m) are nearer to the upper bound of an interval; none for other supports."""
        nearer = y[0] + y[-1] > 0
        return nearer if self.bounded_below and self.bounded_above else np.zeros_like(nearer)

    def distance(self, y: Array, which: Array) -> Array:
        """Distance from the upper end of an interval."""
        return (self.upper[which] - self.lower[which]) * special.expit(-y)

    def log_jacobian(self, y: Array, which: Array) -> Array:
        """log dx / dy."""
        if self.bounded_below and self.bounded_above:
            return np.log(self.upper[which] - self.lower[which]) + special.log_expit(y) + special.log_expit(-y)
        if self.bounded_below or self.bounded_above:
            return np.log(self.scale[which]) + (y if self.bounded_below else -y)
        return np.log(self.scale[which] / 2) + np.logaddexp(y, -y)

    def y(self, x: Array) -> Array:
        """Coordinates of the points ``x`` (k, n), cut to the range in which densities are asked for."""
        low, high = self.ends()
        with np.errstate(all="ignore"):
            if self.bounded_below and self.bounded_above:
                value = np.log(x - self.lower) - np.log(self.upper - x)
            elif self.bounded_below:
                value = np.log((x - self.lower) / self.scale)
            elif self.bounded_above:
                value = -np.log((self.upper - x) / self.scale)
            else:
                value = np.arcsinh((x - self.centre) / self.scale)
        # Points beyond a bound of the support are moved to it.
        value = np.where(np.isnan(value), np.where(x >= self.centre, np.inf, -np.inf), value)
        return np.clip(value, low, high)

    def ends(self) -> tuple[Array, Array]:
        """The range of coordinates within which points are finite and distinct from the bounds."""
        with np.errstate(all="ignore"):
            # Doubles close to a bound other than 0 equal it. At an upper bound, families may compute from the distance.
            near = [
                np.log(np.maximum(_SMALLEST, _EPSILON * np.abs(end))) - np.log(self.scale)
                for end in (self.lower, self.upper)
            ]
            if self.bounded_below and self.bounded_above:
                width = np.log(self.upper - self.lower)
                return near[0] + np.log(self.scale) - width, width - np.log(_SMALLEST)
            far = np.log(_LARGEST) - np.log(self.scale)
            if self.bounded_below:
                return near[0], far
            if self.bounded_above:
                return -far, -near[1]
        return -(far + np.log(2)), far + np.log(2)


def kinds(p: Distribution) -> list[tuple[Array, bool, bool]]:
    """For each kind of support that occurs: the indices of its elements, and whether it is bounded below and above."""
    support = p.support()
    below = np.broadcast_to(np.isfinite(support.lower), p.batch_shape)
    above = np.broadcast_to(np.isfinite(support.upper), p.batch_shape)
    found = []
    for b in (False, True):
        for a in (False, True):
            index = np.flatnonzero((below == b) & (above == a))
            if index.size:
                found.append((index, b, a))
    return found


def chart(p: Distribution, middle: Array, bounded_below: bool, bounded_above: bool) -> Chart:
    """Coordinates for distributions of one kind from three points (3, n) in the middle of their mass."""
    support = p.support()
    lower = np.broadcast_to(support.lower, p.batch_shape)
    upper = np.broadcast_to(support.upper, p.batch_shape)
    centre = middle[1]
    if bounded_below and bounded_above:
        scale = np.minimum(centre - lower, upper - centre)
    elif bounded_below:
        scale = centre - lower
    elif bounded_above:
        scale = upper - centre
    else:
        scale = (middle[2] - middle[0]) / 2
    scale = np.clip(scale, 1e-280, 1e280)
    return Chart(
        bounded_below=bounded_below,
        bounded_above=bounded_above,
        lower=lower,
        upper=upper,
        centre=np.clip(centre, -_LARGEST, _LARGEST),
        scale=scale,
    )
