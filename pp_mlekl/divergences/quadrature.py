"""Expectations of functions of a log ratio under a one-dimensional continuous P, batched, to about eleven digits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.adaptive import Integral, integrate
from pp_mlekl.divergences.charts import Chart, chart, kinds
from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.landmarks import DEEP, LEVELS, bends, middles, other_points, range_points

_EPSILON = np.finfo(float).eps
# Elements of a batch that are integrated at a time, to bound memory.
_ROWS = 2_000
# A tail is followed below 1e-32 where what it adds there is not below the last digit.
_NEGLIGIBLE = 1e-17
# Beyond the last representable point a log ratio is continued as a line in y, if it is not larger than this.
_LINEAR = 1e6

# Of a log ratio: the function and the size of its slope, by which rounding of the ratio is multiplied.
Function = Callable[[Array], tuple[Array, Array]]
LogDensity = Callable[[Array, Array], Array]


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
    tails = [_Tail.at(p, integrand, end, upper) for end, upper in ((low, False), (high, True))]
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
    growth = [np.abs(integrand.log_ratio(end[None], which)[0]) for end in (low, high)]
    deep = [LEVELS[-1] * g > _NEGLIGIBLE for g in growth]
    points = [lower, upper, chart.y(middles(p)[1:2])]
    if np.any(deep[0] | deep[1]):
        further = range_points(p, DEEP)
        for i, (side, pick) in enumerate(zip(further, (np.min, np.max), strict=True)):
            far = np.where(deep[i], chart.y(side), (low, high)[i])
            points.append(far)
            end = pick(far, axis=0)
            low, high = (np.minimum(low, end), high) if i == 0 else (low, np.maximum(high, end))
    if q is not None:
        points.append(chart.y(other_points(q)))
    points.append(chart.y(bends(p)))
    return np.concatenate(points), low, high


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tail:
    """What lies beyond the last point at which densities are computed, at one end, for n distributions.

    ``linear`` says where mass beyond ``start`` matters: the log density (with the chart's Jacobian) and the log ratio are
    lines in y there, as they are for powers of x or of the distance from the end, and are continued to ``end``.
    Elsewhere ``mass`` beyond ``start`` is negligible unless the ratio grows as the power ``order`` of it.
    """

    start: Array
    end: Array
    linear: Array
    slope: Array
    ratio_slope: Array
    ratio: Array
    mass: Array
    order: Array

    @classmethod
    def at(cls, p: Distribution, integrand: "_Integrand", start: Array, upper: bool) -> "_Tail":
        which = np.arange(start.size)
        step = -1.0 if upper else 1.0
        with np.errstate(all="ignore"):
            near, there = (start + step)[None], start[None]
            density = [integrand.log_mass(y, which)[0] for y in (there, near)]
            ratio = [integrand.log_ratio(y, which)[0] for y in (there, near)]
            x = [integrand.chart.x(y, which)[0] for y in (there, near)]
            mass = [p.survival(v) if upper else p.cdf(v) for v in x]
            slope, ratio_slope = (density[1] - density[0]) / step, (ratio[1] - ratio[0]) / step
            # Where Q has no density at all it has none further out.
            ratio_slope = np.where(np.isinf(ratio[0]), 0.0, ratio_slope)
            linear = (mass[0] > 10 * LEVELS[-1]) & (step * slope > 0) & np.isfinite(ratio_slope)
            linear &= (np.abs(ratio[0]) < _LINEAR) | np.isinf(ratio[0])
            length = np.log(mass[0] / LEVELS[-1]) / np.abs(slope)
            order = (np.log(np.abs(ratio[0])) - np.log(np.abs(ratio[1]))) / np.log(mass[0] / mass[1])
        return cls(
            start=start,
            end=np.where(linear, start - step * length, start),
            linear=linear,
            slope=np.where(linear, slope, 0.0),
            ratio_slope=np.where(linear, ratio_slope, 0.0),
            ratio=ratio[0],
            mass=mass[0],
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
        x = self.chart.x(inner, which)
        p, q = self.p.select(which), None if self.q is None else self.q.select(which)
        with np.errstate(all="ignore"):
            log_p = p.log_density(x)
            log_q = 0.0 if q is None else q.log_density(x)
            ratio = log_p - log_q
            size = np.abs(log_p) + np.abs(log_q)
            log_mass = log_p + self.chart.log_jacobian(inner, which)
            for excess, tail in beyond:
                log_mass = log_mass + excess * tail.slope[which]
                ratio = ratio + excess * tail.ratio_slope[which]
            mass = np.exp(log_mass)
            value, slope = self.function(ratio)
            rounding = np.where(np.isfinite(size), _EPSILON * (1 + size) * slope, 0.0)
            present = mass > 0
            return np.where(present, mass * value, 0.0), np.where(present, mass * rounding, 0.0)

    def log_mass(self, y: Array, which: Array) -> Array:
        """log of density times dx / dy."""
        with np.errstate(all="ignore"):
            return self.p.select(which).log_density(self.chart.x(y, which)) + self.chart.log_jacobian(y, which)

    def log_ratio(self, y: Array, which: Array) -> Array:
        """log p - log q at coordinates (k, m)."""
        x = self.chart.x(y, which)
        with np.errstate(all="ignore"):
            log_p = self.p.select(which).log_density(x)
            return log_p if self.q is None else log_p - self.q.select(which).log_density(x)
