"""Wasserstein distances of order 1 and 2: by quantiles in one dimension, in closed form between normals."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from pp_mlekl.divergences.batches import flat_pair, identical
from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.families.mv_normal import MvNormal
from pp_mlekl.divergences.families.normal import Normal
from pp_mlekl.divergences.integration.breakpoints import (
    DEEP,
    LEVELS,
    UNRESOLVED,
    apart,
    bends,
    middles,
    range_points,
    resolved,
)
from pp_mlekl.divergences.integration.coordinate_maps import chart, kinds
from pp_mlekl.divergences.integration.gauss_kronrod import integrate
from pp_mlekl.divergences.integration.quadrature_nodes import DISCRETE_TAIL
from pp_mlekl.divergences.units import in_unit_of
from pp_mlekl.typing import Array

# Panels in t = -log(2 u), u the tail probability on either side of the median; the last reaches u = 1e-300.
_PANELS = np.array([0.0, 0.3, 0.8, 1.5, 2.5, 4.0, 6.0, 9.0, 13.0, 18.0, 26.0, 40.0, 64.0, 128.0, 256.0, 690.0])
# Values of t between which the growth of the cost in a tail is measured: the last two at which quantiles are finite.
_FAR = np.array([10.0, 16.0, 25.0, 50.0, 100.0, 200.0, 400.0, 600.0])
# Elements of a batch that are integrated at a time.
_ROWS = 1_000
# Ranges of counts up to this length are compared integer by integer.
_LONGEST = 100_000


def wasserstein_distance(p: Distribution, q: Distribution, *, order: int = 1) -> Estimate:
    """(inf E|X - Y|^order)^(1/order) over couplings of P and Q, in the unit of the variable, elementwise.

    Parameters
    ----------
    p, q
        One-dimensional distributions (by their CDFs or quantiles; one may be discrete), or multivariate normals with
        ``order=2`` (closed form).
    order
        1 or 2.

    Raises
    ------
    ValueError
        Where the order is another, or there is no formula for the pair.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> wasserstein_distance(family("Normal")(mu=0, sigma=1), family("Normal")(mu=3, sigma=1), order=2).value
    3.0
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}.")
    if isinstance(p, Normal) and isinstance(q, Normal) and order == 2:
        return _estimate(np.hypot(p.mu - q.mu, p.sigma - q.sigma), "closed form")
    if isinstance(p, MvNormal) and isinstance(q, MvNormal) and order == 2:
        return _estimate(_between_normals(p, q), "closed form")
    if p.event_ndim or q.event_ndim:
        raise ValueError("In more than one dimension only order=2 between MvNormals is known; use draws (sliced).")
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    p, q = flat_pair(p, q)
    if p.discrete and q.discrete:
        low, length = _common_range(p, q)
        if length <= _LONGEST:
            return _estimate(_by_steps(p, q, order, low, length).reshape(shape), "summation")
    p, q, unit = in_unit_of(p, q, both=True)
    if order == 1 and not p.discrete and not q.discrete:
        value, method = _by_cdfs(p, q), "quadrature of CDFs"
    else:
        value, method = _by_quantiles(p, q, order), "quadrature of quantiles"
    # Two distributions that doubles do not resolve have a distance if it is that between their locations.
    narrow = ~(resolved(p) | resolved(q) | identical(p, q))
    value = np.where(narrow & ~apart(p, q), np.nan, value) if np.any(narrow) else value
    return _estimate((value * unit).reshape(shape), method, (UNRESOLVED,) if np.any(np.isnan(value)) else ())


def _estimate(value: Array, method: str, warnings: tuple[str, ...] = ()) -> Estimate:
    return Estimate(
        value=float(value) if np.ndim(value) == 0 else value,
        mcse=0.0,
        method=method,
        direction="W(P,Q)",
        unit="the variable's",
        warnings=warnings,
    )


def _common_range(p: Distribution, q: Distribution) -> tuple[Array, int]:
    """For each element the first integer beyond the negligible lower tails, and the length of the longest range."""
    tail = np.full((1, *p.batch_shape), DISCRETE_TAIL)
    low = np.min([np.maximum(d.quantile(tail)[0] - 1, d.support().lower) for d in (p, q)], axis=0)
    high = np.max([np.minimum(d.upper_quantile(tail)[0] + 1, d.support().upper) for d in (p, q)], axis=0)
    length = np.max(high - low, initial=0.0) + 1
    return low, int(length) if length <= _LONGEST else _LONGEST + 1


def _by_steps(p: Distribution, q: Distribution, order: int, low: Array, length: int) -> Array:
    """Exact for counts: between two steps of either CDF both quantiles are constant."""
    result = np.empty(low.size)
    rows = max(1, 1_000_000 // length)
    for start in range(0, low.size, rows):
        part = slice(start, start + rows)
        x = low[part] + np.arange(length)[:, None]
        mass = [np.exp(d.select(part).log_density(x)) for d in (p, q)]
        steps = np.concatenate([np.minimum(np.cumsum(m, axis=0), 1.0) for m in mass])
        # The last step of each CDF is 1, without the rounding error of the sum.
        steps[[length - 1, -1]] = 1.0
        order_of = np.argsort(steps, axis=0, kind="stable")
        width = np.diff(np.take_along_axis(steps, order_of, axis=0), axis=0, prepend=0.0)
        of_p = order_of < length
        # The number of steps of each CDF below gives the index of its quantile.
        at_p = np.cumsum(of_p, axis=0) - of_p
        at_q = np.cumsum(~of_p, axis=0) - ~of_p
        gap = np.abs(np.minimum(at_p, length - 1) - np.minimum(at_q, length - 1)).astype(np.float64)
        result[part] = np.sum(width * gap**order, axis=0)
    return result ** (1 / order)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Both:
    """Two distributions as one support, for the coordinates in which both are integrated."""

    p: Distribution
    q: Distribution

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.p.batch_shape

    def support(self) -> Support:
        a, b = self.p.support(), self.q.support()
        lower, upper = np.minimum(a.lower, b.lower), np.maximum(a.upper, b.upper)
        return Support(lower=lower, upper=upper, discrete=False)


def _by_cdfs(p: Distribution, q: Distribution) -> Array:
    """Order 1: the integral of |F - G|."""
    total = np.maximum(*(_Cost(p=p, q=q, name=name, order=1).rest() for name in ("quantile", "upper_quantile")))
    total = np.where(np.isinf(total), np.inf, 0.0)
    for index, below, above in kinds(_Both(p=p, q=q)):  # type: ignore[arg-type]
        for start in range(0, index.size, _ROWS):
            rows = index[start : start + _ROWS]
            total[rows] += _area(p.select(rows), q.select(rows), below, above)
    return total


def _area(p: Distribution, q: Distribution, bounded_below: bool, bounded_above: bool) -> Array:
    middle = np.sort(np.concatenate([middles(p), middles(q)]), axis=0)[[0, 2, 5]]
    coordinates = chart(_Both(p=p, q=q), middle, bounded_below, bounded_above)  # type: ignore[arg-type]
    levels = np.concatenate([LEVELS, DEEP])
    points = [x for d in (p, q) for x in (*range_points(d, levels), middles(d), bends(d))]
    points += [np.broadcast_to(end, (1, *p.batch_shape)) for end in (coordinates.lower, coordinates.upper)]
    edges = np.sort(coordinates.y(np.concatenate(points)), axis=0)

    def integrand(y: Array, which: Array) -> tuple[Array, Array]:
        x = coordinates.x(y, which)
        a, b = p.select(which), q.select(which)
        with np.errstate(all="ignore"):
            # The difference of the smaller tail probabilities keeps its digits.
            gap = np.where(x < middle[1][which], a.cdf(x) - b.cdf(x), b.survival(x) - a.survival(x))
            width = np.exp(coordinates.log_jacobian(y, which))
            size = np.where(x < middle[1][which], a.cdf(x) + b.cdf(x), a.survival(x) + b.survival(x))
        rounding = np.finfo(float).eps * np.where(size > 0, size * width, 0.0)
        return np.where(gap == 0, 0.0, np.abs(gap) * width), rounding

    return integrate(integrand, edges, rtol=1e-10, atol=0.0).value


def _by_quantiles(p: Distribution, q: Distribution, order: int) -> Array:
    total = np.zeros(p.batch_shape)
    edges = np.broadcast_to(_PANELS[:, None], (len(_PANELS), *p.batch_shape))
    for name in ("quantile", "upper_quantile"):
        cost = _Cost(p=p, q=q, name=name, order=order)
        total = total + integrate(cost, edges, rtol=1e-10, atol=0.0).value + cost.rest()
    return total ** (1 / order)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cost:
    """|difference of the quantiles|^order against the tail probability u = exp(-t) / 2, in t."""

    p: Distribution
    q: Distribution
    name: str
    order: int

    def __call__(self, t: Array, which: Array) -> tuple[Array, Array]:
        u = 0.5 * np.exp(-t)
        with np.errstate(all="ignore"):
            x, y = (getattr(d.select(which), self.name)(u) for d in (self.p, self.q))
            value = np.where(np.isfinite(x - y), u * np.abs(x - y) ** self.order, 0.0)
            size = np.maximum(np.abs(x), np.abs(y))
            slope = self.order * np.abs(x - y) ** (self.order - 1)
            rounding = np.where(np.isfinite(x - y), np.finfo(float).eps * u * size * slope, 0.0)
        return np.broadcast_to(value, t.shape), np.broadcast_to(rounding, t.shape)

    def rest(self) -> Array:
        """The integral beyond the last panel; infinite where the cost does not decrease with the tail probability."""
        u = np.broadcast_to(0.5 * np.exp(-_FAR)[:, None], (_FAR.size, *self.p.batch_shape))
        with np.errstate(all="ignore"):
            gap = np.abs(getattr(self.p, self.name)(u) - getattr(self.q, self.name)(u))
            end = np.maximum(np.sum(np.cumprod(np.isfinite(gap), axis=0), axis=0) - 1, 1)
            t = _FAR[np.stack([end - 1, end])]
            log_cost = self.order * np.log(np.take_along_axis(gap, np.stack([end - 1, end]), axis=0)) - t
            fall = -np.diff(log_cost, axis=0)[0] / np.diff(t, axis=0)[0]
            last = np.exp(log_cost[1] - fall * (_PANELS[-1] - t[1])) / 2
            rest = np.where(fall > 1e-9, last / fall, np.inf)
        return np.where(np.isfinite(fall) & (rest > 0), rest, 0.0)


def _between_normals(p: MvNormal, q: MvNormal) -> Array:
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    result = np.empty(shape)
    a, b = p.expand(shape), q.expand(shape)
    for index in np.ndindex(shape):
        root = np.real(linalg.sqrtm(a.cov[index]))
        cross = np.real(linalg.sqrtm(root @ b.cov[index] @ root))
        shift = np.sum((a.mu[index] - b.mu[index]) ** 2)
        result[index] = np.sqrt(max(shift + np.trace(a.cov[index] + b.cov[index] - 2 * cross), 0.0))
    return result
