"""Quadrature nodes: expectations under a distribution as weighted sums over points."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.breakpoints import bends, range_points
from pp_mlekl.divergences.integration.integer_panels import POINTS, integer_panels
from pp_mlekl.typing import Array

# Panels of t = -log(tail probability), on which quantiles are smooth in both tails. The last one reaches 1e-300, as second
# moments of heavy-tailed scores require.
_DEEP_PANELS = np.array([np.log(2), 1.2, 2.0, 3.5, 6.0, 10.0, 18.0, 32.0, 64.0, 128.0, 256.0, 690.0])
POINTS_A_PANEL = 8
# Panels and points for log densities under light tails, and the ratio of extreme quantiles up to which a tail is light.
_LIGHT_PANELS, _LIGHT_POINTS = np.array([np.log(2), 1.2, 2.2, 4.5, 9.0, 18.0, 37.0]), 6
_LIGHT_GROWTH = 100.0

# Magnitudes beyond which a fourth power overflows, or a point is too close to 0, which may be a bound of the support.
_LARGEST, _SMALLEST = 1e75, 1e-250

# Discrete tail probability that is left out, and the default number of sampled nodes.
DISCRETE_TAIL = 1e-30
SAMPLE_SIZE = 4_096
# Ranges of integers up to this length are summed whole; longer ones by panels, with errors of about 1e-8.
_LONGEST_SUM = 20_000
# Number of quantiles of equal mass where the range overflows.
_STRATA = 20_000
# Tail probabilities whose quantiles are the edges of these panels.
_LEVELS = np.array([0.5, 0.3, 0.1, 0.03, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-11, 1e-15, 1e-20, 1e-25])


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Points and weights with ``E[g(X)]`` close to ``sum_k weights_k g(points_k)``.

    Parameters
    ----------
    points
        Shape (k, *batch, *event).
    weights
        Shape (k, *batch), not negative; they sum to 1 up to the omitted mass of the tails.
    method
        ``"quadrature"``, ``"summation"``, ``"stratified"`` or ``"sample"``; only the last has a sampling error.
    """

    points: Array
    weights: Array
    method: str

    def mean(self, values: Array) -> Array:
        """``E[g(X)]`` from ``values`` of shape (k, *batch); nodes of weight 0 do not count, whatever their value."""
        return np.sum(np.where(self.weights > 0, self.weights * _quiet(values), 0.0), axis=0)

    def standard_error(self, values: Array) -> Array:
        """Sampling error of ``mean``; 0 where nothing was sampled."""
        if self.method != "sample":
            return np.zeros(self.weights.shape[1:])
        return np.std(values, axis=0, ddof=1) / np.sqrt(len(values))


def _quiet(values: Array) -> Array:
    # Where the weight is 0 the value may be infinite; the product is not used.
    return np.where(np.isnan(values), np.inf, values)


def expectation_nodes(
    p: Distribution,
    generator: np.random.Generator,
    sample_size: int = SAMPLE_SIZE,
    *,
    deep: bool = True,
    points_a_panel: int = POINTS_A_PANEL,
) -> Nodes:
    """Nodes of a distribution: quantile panels, a sum over the support, or, with more dimensions, a sample.

    Parameters
    ----------
    p
        A distribution of any batch shape.
    generator
        Used only where a sample has to be drawn.
    sample_size
        Number of points of that sample.
    deep
        Whether squares of scores are integrated, for which the tails matter more than for log densities.
    points_a_panel
        Number of nodes of a panel; the difference between two numbers shows the accuracy.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> nodes = expectation_nodes(family("StudentT")(nu=5, mu=0, sigma=1), np.random.default_rng(1))
    >>> nodes.method, float(nodes.mean(nodes.points**4).round(6))
    ('quadrature', 25.0)
    """
    components = p.components()
    if len(components) > 1 and not p.discrete and p.event_ndim == 0:
        parts = [
            expectation_nodes(q.expand(p.batch_shape), generator, sample_size, deep=deep, points_a_panel=points_a_panel)
            for _, q in components
        ]
        points = np.concatenate([part.points for part in parts])
        weights = np.concatenate([w * part.weights for (w, _), part in zip(components, parts, strict=True)])
        # An infinite bound is an atom at infinity, of weight 0.
        return Nodes(points=np.where(weights > 0, points, parts[-1].points[:1]), weights=weights, method="quadrature")
    if p.event_ndim == 0:
        atoms = p.atoms()
        if atoms is not None:
            points = np.moveaxis(np.broadcast_to(atoms, (*p.batch_shape, atoms.shape[-1])), -1, 0)
            return Nodes(points=points, weights=np.exp(p.log_density(points)), method="summation")
        edges = p.panels()
        if edges is not None:
            return _panel_nodes(p, edges, points_a_panel)
        try:
            return _sum_nodes(p) if p.discrete else _quantile_nodes(p, deep, points_a_panel)
        except NotImplementedError:
            pass
    points = p.sample((sample_size,), generator)
    return Nodes(points=points, weights=np.full((sample_size, *p.batch_shape), 1 / sample_size), method="sample")


def _panel_nodes(p: Distribution, edges: Array, points_a_panel: int) -> Nodes:
    """Gauss-Legendre panels in x itself."""
    points, weights = gauss_legendre_panels(edges, points_a_panel)
    return Nodes(points=points, weights=weights * np.exp(p.log_density(points)), method="quadrature")


def _quantile_nodes(p: Distribution, deep: bool, points_a_panel: int) -> Nodes:
    """Gauss-Legendre panels in t = -log u for each tail probability u: X is a smooth function of t, and du = e^-t dt."""
    if deep or _heavy(p):
        edges, count = _DEEP_PANELS, points_a_panel
    else:
        edges, count = _LIGHT_PANELS, _LIGHT_POINTS
    points, weights = [], []
    for tail, inverse in ((p.cdf, p.quantile), (p.survival, p.upper_quantile)):
        t, w = gauss_legendre_panels(_split(edges, p, tail), count)
        u = np.exp(-t)
        with np.errstate(all="ignore"):
            points.append(inverse(u))
        weights.append(w * u)
    x, w = np.concatenate(points), np.concatenate(weights)
    support = p.support()
    size = np.abs(x)
    kept = np.isfinite(x) & (size < _LARGEST) & (x > support.lower) & (x < support.upper)
    kept &= (size > _SMALLEST) | (support.lower < 0)
    middle = p.quantile(np.full(p.batch_shape, 0.5))
    return Nodes(points=np.where(kept, x, middle), weights=np.where(kept, w, 0.0), method="quadrature")


def _split(edges: Array, p: Distribution, tail: Callable[[Array], Array]) -> Array:
    """The edges of panels in t, (m, *batch), with those places at which the density bends."""
    whole = np.broadcast_to(edges.reshape(-1, *[1] * len(p.batch_shape)), (len(edges), *p.batch_shape))
    with np.errstate(divide="ignore"):
        bends = [np.broadcast_to(-np.log(tail(kink)), p.batch_shape) for kink in p.kinks()]
    if not bends:
        return whole
    # A bend on the other side of the median makes a panel without width.
    return np.sort(np.concatenate([whole, np.clip(bends, edges[0], edges[-1])]), axis=0)


def _heavy(p: Distribution) -> bool:
    """Whether the extreme quantiles are so far apart that mass beyond 1e-16 can matter."""
    middle = p.quantile(np.full(p.batch_shape, 0.5))
    distance = []
    for tail in (1e-15, 1e-300):
        u = np.full(p.batch_shape, tail)
        with np.errstate(all="ignore"):
            distance.append(np.maximum(np.abs(p.quantile(u) - middle), np.abs(p.upper_quantile(u) - middle)))
    return bool(np.any(~(distance[1] <= _LIGHT_GROWTH * distance[0])))


def _sum_nodes(p: Distribution) -> Nodes:
    tail = np.full(p.batch_shape, DISCRETE_TAIL)
    support = p.support()
    with np.errstate(all="ignore"):
        lower = np.clip(p.quantile(tail), support.lower, support.upper)
        upper = np.clip(p.upper_quantile(tail), support.lower, support.upper)
    length = np.max(upper - lower) + 1
    if not np.isfinite(length):
        u = (np.arange(_STRATA) + 0.5) / _STRATA
        u = np.broadcast_to(u.reshape(-1, *[1] * len(p.batch_shape)), (_STRATA, *p.batch_shape))
        return Nodes(points=p.quantile(u), weights=np.full(u.shape, 1 / _STRATA), method="stratified")
    if length > _LONGEST_SUM:
        return _panel_sum_nodes(p, lower, upper)
    steps = np.arange(int(length), dtype=float).reshape(-1, *[1] * len(p.batch_shape))
    inside = lower + steps <= upper
    points = np.where(inside, lower + steps, lower)
    return Nodes(points=points, weights=np.where(inside, np.exp(p.log_density(points)), 0.0), method="summation")


def _panel_sum_nodes(p: Distribution, lower: Array, upper: Array) -> Nodes:
    """Eight integers of each panel between quantiles of the parts."""
    batch = p.batch_shape
    flat = p.select(np.unravel_index(np.arange(lower.size), batch) if batch else None)
    low, high = lower.ravel(), upper.ravel()
    begin, end = (np.broadcast_to(bound, low.shape) for bound in (flat.support().lower, flat.support().upper))
    # Log densities may behave like powers at an upper bound as well, where panels are halved towards it.
    from_end = end + 1 - 2.0 ** np.arange(3, 3 + max(1, int(np.ceil(np.log2(np.max(high - low) + 1)))))[:, None]
    edges = np.nan_to_num(np.concatenate([*range_points(flat, _LEVELS), bends(flat), from_end]))
    # Beyond the support of a short row the mass is 0.
    high = np.maximum(high, low + POINTS - 1)
    panels = integer_panels(edges, low, high, np.where(np.isfinite(begin), begin, low))
    weights = panels.weights * np.exp(flat.log_density(panels.points))
    points = np.where(weights > 0, panels.points, low)
    return Nodes(points=points.reshape(-1, *batch), weights=weights.reshape(-1, *batch), method="summation")


def gauss_legendre_panels(edges: Array, points: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Legendre rules on consecutive panels.

    Parameters
    ----------
    edges
        Ascending along the first axis, shape (panels + 1, *batch).
    points
        The number of nodes a panel.

    Returns
    -------
    nodes and weights, each of shape (panels * points, *batch)

    Examples
    --------
    >>> nodes, weights = gauss_legendre_panels(np.array([0.0, 1.0, 3.0]), 4)
    >>> float(np.sum(weights * nodes**2).round(12))
    9.0
    """
    edges = np.asarray(edges, dtype=float)
    x, w = np.polynomial.legendre.leggauss(points)
    x, w = x.reshape(-1, *[1] * (edges.ndim - 1)), w.reshape(-1, *[1] * (edges.ndim - 1))
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges, axis=0)
    nodes = middle[:, None] + half[:, None] * x
    weights = half[:, None] * w
    return nodes.reshape(-1, *edges.shape[1:]), weights.reshape(-1, *edges.shape[1:])
