"""Breakpoints of one-dimensional integrals: quantiles, kinks and bounds between which densities are smooth."""

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array

# Tail probabilities of the points that divide P's range; the last is the end of the range.
LEVELS = np.array([0.3, 0.1, 1e-2, 1e-4, 1e-7, 1e-12, 1e-20, 1e-32])
# Tail probabilities for the other distribution of a pair.
_FEW = np.array([0.2, 1e-2, 1e-5, 1e-10, 1e-18, 1e-32])
# Smaller tail probabilities, which matter where a log ratio grows fast.
DEEP = np.array([1e-44, 1e-64, 1e-90, 1e-130, 1e-190, 1e-250, 1e-300])

# Numbers of doubles between the quartiles of a distribution below which a quadrature sees steps (relative errors above 1e-4).
_FEWEST_DOUBLES = 50
UNRESOLVED = (
    "No value where a distribution is so narrow beside its location that it spans few doubles; subtract a constant, such as its "
    "median, from both sides."
)
# Mass that is negligible beside 1 in double precision.
_NOTHING = 1e-16


def range_points(p: Distribution, levels: Array = LEVELS) -> tuple[Array, Array]:
    """Lower and upper quantiles (k, n) of the parts of P, the outermost (smallest level) last, over all parts."""
    lower, upper = [], []
    for part in _continuous_parts(p):
        lower.append(quantiles(part, levels, upper=False))
        upper.append(quantiles(part, levels, upper=True))
    return np.concatenate(lower), np.concatenate(upper)


def apart(p: Distribution, q: Distribution) -> Array:
    """Whether the two share less than 1e-16 of their mass, by element (n,); False where quantiles cannot show it."""
    n = p.batch_shape[0]
    if any(d.atoms() is not None or d.panels() is not None for d in (p, q)):
        return np.zeros(n, dtype=bool)
    (low, high), (other_low, other_high) = (_outermost(d) for d in (p, q))
    result = (high < other_low) | (other_high < low)
    try:
        with np.errstate(all="ignore"):
            for inner, ends in ((q, (low, high)), (p, (other_low, other_high))):
                result |= inner.cdf(ends[1]) - inner.cdf(ends[0]) <= _NOTHING
    except NotImplementedError:
        pass
    return result


def _outermost(p: Distribution) -> tuple[Array, Array]:
    lower, upper = range_points(p, np.array([_NOTHING]))
    # The true ends lie between neighbours of the doubles that they are rounded to.
    return np.nextafter(np.min(lower, axis=0), -np.inf), np.nextafter(np.max(upper, axis=0), np.inf)


def resolved(p: Distribution) -> Array:
    """Whether the quartiles of a continuous P are far enough apart for doubles, by element (n,)."""
    if p.discrete:
        return np.ones(p.batch_shape, dtype=bool)
    mirror = p.reflected()
    quartiles = middles(p)
    if mirror is not None:
        # Near an upper bound of 1 densities are computed from the distance to it.
        quartiles = np.where(quartiles[1] > 0.5, middles(mirror)[::-1], quartiles)
    width = np.abs(quartiles[2] - quartiles[0])
    return ~np.isfinite(width) | (width > _FEWEST_DOUBLES * np.spacing(np.abs(quartiles[1])))


def middles(p: Distribution) -> Array:
    """The quartiles (3, n) of P; for a mixture, those of its narrowest part."""
    points = np.stack([_at(part, np.array([0.25, 0.5, 0.75])) for part in _continuous_parts(p)])
    narrowest = np.argmin(points[:, 2] - points[:, 0], axis=0)
    return np.take_along_axis(points, narrowest[None, None], axis=0)[0]


def other_points(q: Distribution) -> Array:
    """Points (k, n) of another distribution: quantiles, ends of supports and kinks of its parts."""
    points = [bends(q)]
    for part in _continuous_parts(q):
        points += [_at(part, np.array([0.5])), quantiles(part, _FEW, upper=False), quantiles(part, _FEW, upper=True)]
    return np.concatenate(points)


def bends(p: Distribution) -> Array:
    """Points (k, n) at which a density jumps or bends: ends of supports, modes of cusps, atoms."""
    points = []
    for _, part in p.components():
        support = part.support()
        points += [support.lower, support.upper, *part.kinks()]
    atoms = p.atoms()
    if atoms is not None:
        points += list(np.moveaxis(np.broadcast_to(atoms, (*p.batch_shape, atoms.shape[-1])), -1, 0))
    return np.stack([np.broadcast_to(point, p.batch_shape) for point in points])


def quantiles(part: Distribution, levels: Array, *, upper: bool) -> Array:
    """Quantiles (k, n) at tail probabilities, clipped to the support; NaN is replaced by the next inner quantile."""
    u = np.broadcast_to(levels[:, None], (len(levels), *part.batch_shape))
    with np.errstate(all="ignore"):
        points = np.array(part.upper_quantile(u) if upper else part.quantile(u), dtype=np.float64)
    for k in range(len(levels)):
        inner = points[k - 1] if k else _at(part, np.array([0.5]))[0]
        points[k] = np.where(np.isnan(points[k]), inner, points[k])
    support = part.support()
    return np.clip(points, support.lower, support.upper)


def _at(part: Distribution, levels: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(part.quantile(np.broadcast_to(levels[:, None], (len(levels), *part.batch_shape))))


def _continuous_parts(p: Distribution) -> list[Distribution]:
    # A point mass is an atom of a continuous distribution, but an ordinary value of a discrete one.
    return [part.expand(p.batch_shape) for _, part in p.components() if p.discrete or not _is_point(part)]


def _is_point(part: Distribution) -> bool:
    return part.atoms() is not None and len(part.components()) == 1
