"""Nodes at which integrals under a distribution and under a mixture over draws are both accurate."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.integer_panels import IntegerPanels, integer_panels
from pp_mlekl.divergences.integration.quadrature_nodes import DISCRETE_TAIL, gauss_legendre_panels
from pp_mlekl.typing import Array

# Tail levels t = -log u whose quantiles, of both distributions, are the edges of panels.
_LEVELS = np.array([np.log(2), 1.6, 3.5, 8.0, 18.0, 36.0])
POINTS_A_PANEL = 5
# Ranges of integers up to this length are summed whole, longer ones by panels.
LONGEST_WHOLE_SUM = 128
# Number of draws from which the range of the mixture is found.
_SCOUTS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class CommonNodes:
    """Points and their measure, so that ``sum_k measure_k g(points_k)`` is an integral or a sum of ``g``.

    Parameters
    ----------
    points, measure
        Shape (k, rows). First come ``atoms`` points of positive mass, then the others in ascending order: consecutive
        panels of ``POINTS_A_PANEL`` each, or integers.
    atoms
        The number of the former.
    discrete
        Whether the points are integers.
    panels
        The panels that the integers represent; None if all integers are nodes.
    """

    points: Array
    measure: Array
    atoms: int = 0
    discrete: bool
    panels: IntegerPanels | None = None


def common_nodes(p: Distribution, q: Distribution) -> CommonNodes | None:
    """Points for integrals under either of two mixtures over draws.

    Parameters
    ----------
    p, q
        Batch shapes (draws, rows), with any number of draws.

    Returns
    -------
    None where the variable is a vector, or its quantiles are unknown or overflow
    """
    if p.event_ndim or q.event_ndim:
        return None
    try:
        return _integers(p, q) if p.discrete else _panels(p, q)
    except NotImplementedError:
        return None


def scouts(q: Distribution) -> Distribution:
    """A few of the draws, evenly spaced."""
    draws = q.batch_shape[0]
    return q.select((np.unique(np.linspace(0, draws - 1, _SCOUTS).astype(int)),))


def mixture_sample(q: Distribution, size: int, generator: np.random.Generator) -> Array:
    """Draws from the mixture, shape (size, rows, *event): the components are taken in turn, which is stratified."""
    draws = q.batch_shape[0]
    taken = np.floor((np.arange(size) + generator.uniform()) * draws / size).astype(int) % draws
    return q.select((taken,)).sample((), generator)


def _panels(p: Distribution, q: Distribution) -> CommonNodes:
    merged = _edges(p, q)
    finite = np.where(np.isfinite(merged), merged, np.nan)
    low, high = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
    merged = np.where(np.isnan(finite), np.where(merged > 0, high, low), finite)
    points, measure = gauss_legendre_panels(np.sort(merged, axis=0), POINTS_A_PANEL)
    atoms = p.atoms()
    if atoms is None:
        return CommonNodes(points=points, measure=measure, discrete=False)
    # Points of positive mass: there log_density is the log of that mass.
    at = np.moveaxis(np.broadcast_to(atoms, (*p.batch_shape, atoms.shape[-1]))[0], -1, 0)
    # An infinite bound is an atom at infinity.
    mass = np.where(np.isfinite(at), 1.0, 0.0)
    at = np.where(np.isfinite(at), at, points[:1])
    return CommonNodes(
        points=np.concatenate([at, points]), measure=np.concatenate([mass, measure]), atoms=len(at), discrete=False
    )


def _edges(p: Distribution, q: Distribution) -> Array:
    """Quantiles of some draws of both, of each part, since a large mass at 0 would hide those of the other part; (k, rows)."""
    with np.errstate(all="ignore"):
        return np.concatenate(
            [
                edge
                for few in (scouts(p), scouts(q))
                for _, part in few.components()
                for edge in _edges_of(part.expand(few.batch_shape))
            ]
        )


def _edges_of(few: Distribution) -> list[Array]:
    """Quantiles of draws (few, rows): the outermost at each level, and three quantiles of the medians."""
    u = np.broadcast_to(np.exp(-_LEVELS).reshape(-1, 1, 1), (len(_LEVELS), *few.batch_shape))
    lower, upper = few.quantile(u), few.upper_quantile(u)
    middle = [np.quantile(lower[0], [0.1, 0.5, 0.9], axis=0)] if few.batch_shape[0] > 1 else []
    return [lower.min(axis=1), upper.max(axis=1), *middle]


def lengths_of_sums(p: Distribution, q: Distribution) -> Array | None:
    """The number of integers of each row with relevant mass; None if the rows are not sums.

    Parameters
    ----------
    p, q
        Batch shapes (draws, rows), with any number of draws.
    """
    if p.event_ndim or q.event_ndim or not p.discrete:
        return None
    try:
        lower, upper = _range(p, q)
    except NotImplementedError:
        return None
    return upper - lower + 1


def _integers(p: Distribution, q: Distribution) -> CommonNodes | None:
    """All integers where no row has too many of them, else those of panels; None where quantiles overflow."""
    lower, upper = _range(p, q)
    length = np.max(upper - lower) + 1
    if not np.isfinite(length):
        return None
    if length > LONGEST_WHOLE_SUM:
        return _integers_of_panels(p, q, lower, upper)
    steps = np.arange(int(length), dtype=float)[:, None]
    inside = lower + steps <= upper
    return CommonNodes(points=np.where(inside, lower + steps, lower), measure=np.where(inside, 1.0, 0.0), discrete=True)


def _integers_of_panels(p: Distribution, q: Distribution, lower: Array, upper: Array) -> CommonNodes:
    begin = np.broadcast_to(q.support().lower, q.batch_shape).min(axis=0)
    origin = np.where(np.isfinite(begin), begin, lower)
    panels = integer_panels(np.nan_to_num(_edges(p, q)), lower, upper, origin)
    return CommonNodes(
        points=np.minimum(panels.points, upper).reshape(-1, lower.size),
        measure=panels.weights.reshape(-1, lower.size),
        discrete=True,
        panels=panels,
    )


def _range(p: Distribution, q: Distribution) -> tuple[Array, Array]:
    """The smallest and the largest integer of each row with relevant mass."""
    with np.errstate(all="ignore"):
        own, others = _bounds(scouts(p)), _bounds(scouts(q))
    return np.minimum(own[0].min(axis=0), others[0].min(axis=0)), np.maximum(own[1].max(axis=0), others[1].max(axis=0))


def _bounds(distribution: Distribution) -> tuple[Array, Array]:
    tail = np.full(distribution.batch_shape, DISCRETE_TAIL)
    support = distribution.support()
    lower = np.clip(distribution.quantile(tail), support.lower, support.upper)
    return lower, np.clip(distribution.upper_quantile(tail), support.lower, support.upper)
