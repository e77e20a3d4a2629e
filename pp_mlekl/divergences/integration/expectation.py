"""Expectations of functions of a log ratio under a one-dimensional continuous P, batched, to about eleven digits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.breakpoints import DEEP, LEVELS, bends, middles, other_points, range_points
from pp_mlekl.divergences.integration.coordinate_maps import Chart, chart, kinds
from pp_mlekl.divergences.integration.gauss_kronrod import Integral, integrate
from pp_mlekl.typing import Array

_EPSILON = np.finfo(float).eps
# Elements of a batch that are integrated at a time, to bound memory.
_ROWS = 2_000
# A tail is followed below a probability of 1e-32 where it adds more than this.
_NEGLIGIBLE = 1e-17
# Beyond the last representable point, log ratios below _LOGARITHMIC (larger ones are powers of x) are extrapolated by a parabola
# in y through three points at distances of _STEP.
_LOGARITHMIC = 1e7
_STEP = 10.0
# Log of the mass that may remain beyond the ends of a range, the maximum number of times that an end is moved, and the distance
# in y over which the decrease of the density is measured.
_BEYOND, _REACHES, _NEARBY = np.log(1e-26), 12, 0.05
# Relative to the ratio, second differences below this are rounding errors.
_NOISE = 1e-10

# Maps a log ratio to the function's value and the absolute slope, by which the ratio's rounding error is multiplied.
Function = Callable[[Array], tuple[Array, Array]]


def expectation(p: Distribution, q: Distribution | None, function: Function) -> Integral:
    """E_P[function(log p - log q)] over the continuous part of P, elementwise.

    Parameters
    ----------
    p, q
        Of batch shape (n,); with ``q`` None the argument is log p.
    function
        Of a log ratio, which is infinite where Q has no density.

    Returns
    -------
    Integral
        Values and estimated errors of shape (n,).
    """
    n = p.batch_shape[0]
    value, error = np.zeros(n), np.zeros(n)
    for index, below, above in kinds(p):
        for start in range(0, index.size, _ROWS):
            rows = index[start : start + _ROWS]
            part = _expectation(p.select(rows), None if q is None else q.select(rows), function, below, above)
            value[rows], error[rows] = part.value, part.error
    return Integral(value=value, error=error)


def _expectation(
    p: Distribution, q: Distribution | None, function: Function, bounded_below: bool, bounded_above: bool
) -> Integral:
    coordinates = chart(p, middles(p), bounded_below, bounded_above)
    integrand = _Integrand(p=p, q=q, chart=coordinates, function=function)
    edges, low, high = _edges(p, q, coordinates, integrand)
    tails = [_Tail.at(integrand, end, upper) for end, upper in ((low, False), (high, True))]
    outer = [np.where(tail.linear, tail.end, end) for tail, end in zip(tails, (low, high), strict=True)]
    edges = np.sort(np.clip(np.concatenate([edges, *(o[None] for o in outer), low[None], high[None]]), *outer), axis=0)
    integrand = _Integrand(p=p, q=q, chart=coordinates, function=function, tails=(tails[0], tails[1]))
    integral = integrate(integrand, edges)
    return Integral(value=integral.value + sum(tail.rest(function) for tail in tails), error=integral.error)


def _edges(
    p: Distribution, q: Distribution | None, chart: Chart, integrand: "_Integrand"
) -> tuple[Array, Array, Array]:
    """Inner panel edges (k, n), and the lowest and highest coordinate that are reached."""
    lower, upper = range_points(p)
    lower, upper = chart.y(lower), chart.y(upper)
    low, high = np.min(lower, axis=0), np.max(upper, axis=0)
    which = np.arange(low.size)
    growth = [np.abs(integrand.at(end[None], which)[1][0]) for end in (low, high)]
    deep = [LEVELS[-1] * g > _NEGLIGIBLE for g in growth]
    points = [lower, upper, chart.y(middles(p)[1:2])]
    low, high, added = _reach(integrand, low, high)
    points += added
    if np.any(deep[0] | deep[1]):
        further = range_points(p, DEEP)
        picks: tuple[Any, Any] = (np.min, np.max)
        for i, (side, pick) in enumerate(zip(further, picks, strict=True)):
            far = np.where(deep[i], chart.y(side), (low, high)[i])
            points.append(far)
            end = pick(far, axis=0)
            low, high = (np.minimum(low, end), high) if i == 0 else (low, np.maximum(high, end))
    if q is not None:
        points.append(chart.y(other_points(q)))
    # The middle of an interval, above which distances from the upper bound are used.
    points += [chart.y(bends(p)), np.zeros((1, low.size))]
    return np.concatenate(points), low, high


def _reach(integrand: "_Integrand", low: Array, high: Array) -> tuple[Array, Array, list[Array]]:
    """Both limits, moved outwards while there is mass beyond them (quantiles may be inaccurate), and the steps taken."""
    limits = integrand.chart.ends()
    which, added = np.arange(low.size), []
    for sign, limit in ((-1, limits[0]), (1, limits[1])):
        end, step = (low, high)[sign > 0], np.ones(low.size)
        for _ in range(_REACHES):
            with np.errstate(all="ignore"):
                here, inner = (integrand.at(y[None], which)[0][0] for y in (end, end - sign * _NEARBY))
                fall = (inner - here) / _NEARBY
                # The mass beyond, if the density is exponential in y from here on.
                more = (here - np.log(np.maximum(fall, 1e-3)) > _BEYOND) & (sign * (limit - end) > 0)
            if not np.any(more):
                break
            end = np.where(more, sign * np.minimum(sign * (end + sign * step), sign * limit), end)
            step = np.where(more, 2 * step, step)
            added.append(end[None])
        low, high = (end, high) if sign < 0 else (low, end)
    return low, high, added


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tail:
    """Extrapolation beyond the last point at which densities are computed, at one end, for n distributions.

    ``linear`` marks elements with relevant mass beyond ``start``. Their log density (with the chart's Jacobian) is
    extrapolated to ``end`` as a line in y, which is exact for powers of x or of the distance from the bound, and their log
    ratio as a parabola, which is exact for log-normal tails. For other elements ``mass`` beyond ``start`` is negligible
    unless the ratio grows as its power ``order``.
    """

    start: Array
    end: Array
    linear: Array
    slope: Array
    ratio_slope: Array
    curvature: Array
    ratio: Array
    mass: Array
    order: Array

    @classmethod
    def at(cls, integrand: "_Integrand", start: Array, upper: bool) -> "_Tail":
        which = np.arange(start.size)
        step = -_STEP if upper else _STEP
        with np.errstate(all="ignore"):
            (log_mass, ratio), (log_mass_near, ratio_near), (_, ratio_inner) = (
                [values[0] for values in integrand.at((start + k * step)[None], which)] for k in range(3)
            )
            slope = (log_mass_near - log_mass) / step
            curvature = (ratio_inner - 2 * ratio_near + ratio) / step**2
            curvature = np.where(np.abs(curvature) * step**2 > _NOISE * (1 + np.abs(ratio)), curvature, 0.0)
            ratio_slope = (ratio_near - ratio) / step - curvature * step / 2
            # Where Q has no density, it has none beyond.
            ratio_slope, curvature = (np.where(np.isinf(ratio), 0.0, v) for v in (ratio_slope, curvature))
            # The mass beyond, for a density that is exponential in y.
            mass = np.exp(log_mass) / np.abs(slope)
            linear = (mass > 10 * LEVELS[-1]) & (step * slope > 0) & np.isfinite(ratio_slope)
            linear &= (np.abs(ratio) < _LOGARITHMIC) | np.isinf(ratio)
            length = np.log(mass / LEVELS[-1]) / np.abs(slope)
            order = (np.log(np.abs(ratio)) - np.log(np.abs(ratio_near))) / -np.abs(slope * step)
        return cls(
            start=start,
            end=np.where(linear, start - step * length, start),
            linear=linear,
            slope=np.where(linear, slope, 0.0),
            ratio_slope=np.where(linear, ratio_slope, 0.0),
            curvature=np.where(linear, curvature, 0.0),
            ratio=ratio,
            mass=mass,
            order=order,
        )

    def rest(self, function: Function) -> Array:
        """The integral beyond the end: of a ratio that is a power of the tail's mass u, u r / (1 + order)."""
        with np.errstate(all="ignore"):
            first = self.mass * function(self.ratio)[0]
            rest = first / np.where(self.order > -1, 1 + self.order, np.nan)
            return np.where(~self.linear & np.isfinite(rest) & (np.abs(first) > _NEGLIGIBLE), rest, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Integrand:
    """The density of P in the chart's coordinate times a function of the log ratio."""

    p: Distribution
    q: Distribution | None
    chart: Chart
    function: Function
    tails: tuple[_Tail, ...] = ()

    def __call__(self, y: Array, which: Array) -> tuple[Array, Array]:
        inner, beyond = y, []
        for sign, tail in zip((1, -1), self.tails, strict=False):
            start = tail.start[which]
            # Negative below the lower start, positive above the upper one.
            excess = sign * np.minimum(sign * (y - start), 0.0)
            beyond.append((excess, tail))
            inner = inner - excess
        log_p, log_q = self._log_densities(inner, which)
        with np.errstate(all="ignore"):
            ratio = log_p - log_q
            size = np.abs(log_p) + np.abs(log_q)
            log_mass = log_p + self.chart.log_jacobian(inner, which)
            for excess, tail in beyond:
                log_mass = log_mass + excess * tail.slope[which]
                ratio = ratio + excess * (tail.ratio_slope[which] + excess / 2 * tail.curvature[which])
            mass = np.exp(log_mass)
            value, slope = self.function(ratio)
            rounding = np.where(np.isfinite(size), _EPSILON * (1 + size) * slope, 0.0)
            present = mass > 0
            return np.where(present, mass * value, 0.0), np.where(present, mass * rounding, 0.0)

    def at(self, y: Array, which: Array) -> tuple[Array, Array]:
        """Log of density times dx / dy, and the log ratio, at coordinates (k, m)."""
        log_p, log_q = self._log_densities(y, which)
        with np.errstate(all="ignore"):
            return log_p + self.chart.log_jacobian(y, which), log_p - log_q

    def _log_densities(self, y: Array, which: Array) -> tuple[Array, Array]:
        log_p, log_q = np.empty(y.shape), np.zeros(y.shape)
        below = self.chart.below(y)
        for columns, from_above in ((~below, False), (below, True)):
            if not np.any(columns):
                continue
            part, rows = y[:, columns], which[columns]
            for distribution, out in ((self.p, log_p), (self.q, log_q)):
                if distribution is None:
                    continue
                chosen = distribution.select(rows)
                with np.errstate(all="ignore"):
                    if from_above:
                        value = chosen.log_density_below(self.chart.upper[rows], self.chart.distance(part, rows))
                    else:
                        value = chosen.log_density(self.chart.x(part, rows))
                out[:, columns] = value
        return log_p, log_q
