"""Where to evaluate a distribution and a mixture over draws so that integrals under either come out right."""

import numpy as np

from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.nodes import LONGEST_SUM, gauss_legendre_panels

# Tail levels t = -log u whose quantiles, of both distributions, are the edges of panels.
_LEVELS = np.array([np.log(2), 1.6, 3.5, 8.0, 18.0, 36.0])
_POINTS_A_PANEL = 5
_DISCRETE_TAIL = 1e-20
# As many draws as it takes to see where the mixture lies.
_SCOUTS = 64


def common_nodes(p: Distribution, q: Distribution) -> tuple[Array, Array] | None:
    """Points (k, rows) and their measure for integrals under ``p`` or the mixture over ``q``'s draws.

    Parameters
    ----------
    p
        Batch shape (rows,).
    q
        Batch shape (draws, rows).

    Returns
    -------
    points and measure, or None where the variable is a vector or its support is too long to be summed
    """
    if p.event_ndim or q.event_ndim:
        return None
    draws = q.batch_shape[0]
    scouts = q.select((np.unique(np.linspace(0, draws - 1, _SCOUTS).astype(int)),))
    try:
        return _integers(p, scouts) if p.discrete else _panels(p, scouts)
    except NotImplementedError:
        return None


def mixture_sample(q: Distribution, size: int, generator: np.random.Generator) -> Array:
    """Draws from the mixture, shape (size, rows, *event): the components are taken in turn, which is stratified."""
    draws = q.batch_shape[0]
    taken = np.floor((np.arange(size) + generator.uniform()) * draws / size).astype(int) % draws
    return q.select((taken,)).sample((), generator)


def _panels(p: Distribution, scouts: Distribution) -> tuple[Array, Array]:
    rows = p.batch_shape[0]
    u = np.broadcast_to(np.exp(-_LEVELS)[:, None], (len(_LEVELS), rows))
    deep = np.broadcast_to(u[:, None], (len(_LEVELS), *scouts.batch_shape))
    with np.errstate(all="ignore"):
        lower, upper = scouts.quantile(deep), scouts.upper_quantile(deep)
        edges = [p.quantile(u), p.upper_quantile(u), lower.min(axis=1), upper.max(axis=1)]
    edges.append(np.quantile(lower[0], [0.1, 0.5, 0.9], axis=0))
    merged = np.concatenate(edges)
    finite = np.where(np.isfinite(merged), merged, np.nan)
    low, high = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
    merged = np.where(np.isnan(finite), np.where(merged > 0, high, low), finite)
    points, measure = gauss_legendre_panels(np.sort(merged, axis=0), _POINTS_A_PANEL)
    atoms = p.atoms()
    if atoms is None:
        return points, measure
    # Points of positive mass: there log_density is the log of that mass.
    at = np.moveaxis(np.broadcast_to(atoms, (rows, atoms.shape[-1])), -1, 0)
    at = np.where(np.isfinite(at), at, points[:1])
    return np.concatenate([at, points]), np.concatenate([np.where(at == points[:1], 0.0, 1.0), measure])


def _integers(p: Distribution, scouts: Distribution) -> tuple[Array, Array] | None:
    with np.errstate(all="ignore"):
        own, others = _bounds(p), _bounds(scouts)
    lower = np.minimum(own[0], others[0].min(axis=0))
    upper = np.maximum(own[1], others[1].max(axis=0))
    length = np.max(upper - lower) + 1
    if not length <= LONGEST_SUM:
        return None
    steps = np.arange(int(length), dtype=float)[:, None]
    inside = lower + steps <= upper
    return np.where(inside, lower + steps, lower), np.where(inside, 1.0, 0.0)


def _bounds(distribution: Distribution) -> tuple[Array, Array]:
    tail = np.full(distribution.batch_shape, _DISCRETE_TAIL)
    support = distribution.support()
    lower = np.clip(distribution.quantile(tail), support.lower, support.upper)
    return lower, np.clip(distribution.upper_quantile(tail), support.lower, support.upper)
