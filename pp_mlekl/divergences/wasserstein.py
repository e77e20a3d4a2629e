"""Wasserstein distances of order 1 and 2: by quantiles in one dimension, in closed form between normals."""

import numpy as np
from scipy import linalg

from pp_mlekl.divergences.batches import check_same_kind, flat_pair
from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.families.mv_normal import MvNormal
from pp_mlekl.divergences.families.normal import Normal

# Panels in t = -log(2 u) on either side of the median, each with this many Gauss-Legendre points.
_PANELS = np.concatenate([np.linspace(0, 10, 41), np.linspace(12, 40, 15), [64.0, 128.0, 256.0, 690.0]])
_X, _W = np.polynomial.legendre.leggauss(16)


def wasserstein_distance(p: Distribution, q: Distribution, *, order: int = 1) -> Estimate:
    """(inf E|X - Y|^order)^(1/order) over couplings of P and Q, in the unit of the variable, elementwise.

    Parameters
    ----------
    p, q
        One-dimensional distributions (by quantiles), or multivariate normals with ``order=2`` (closed form).
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
    if p.discrete == q.discrete:
        check_same_kind(p, q)
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    p, q = flat_pair(p, q)
    return _estimate(_by_quantiles(p, q, order).reshape(shape), "quadrature of quantiles")


def _estimate(value: Array, method: str) -> Estimate:
    return Estimate(
        value=float(value) if np.ndim(value) == 0 else value,
        mcse=0.0,
        method=method,
        direction="W(P,Q)",
        unit="the variable's",
    )


def _by_quantiles(p: Distribution, q: Distribution, order: int) -> Array:
    total = np.zeros(p.batch_shape)
    centre, half = (_PANELS[1:] + _PANELS[:-1]) / 2, np.diff(_PANELS) / 2
    t = (centre[:, None] + half[:, None] * _X).ravel()[:, None]
    mass = 0.5 * np.exp(-t) * (half[:, None] * _W).ravel()[:, None]
    u = np.broadcast_to(0.5 * np.exp(-t), (len(t), *p.batch_shape))
    for name in ("quantile", "upper_quantile"):
        with np.errstate(all="ignore"):
            gap = np.abs(getattr(p, name)(u) - getattr(q, name)(u)) ** order
            gap = np.where(np.isfinite(gap), gap, 0.0)
            total = total + np.sum(mass * gap, axis=0)
            # A cost that does not vanish against the tail probability has no finite integral.
            last = gap[-1] * u[-1] > 1e-3 * np.maximum(gap[-20 * len(_X)] * u[-20 * len(_X)], 1e-300)
            total = np.where(last & (gap[-1] > 1e100), np.inf, total)
    return total ** (1 / order)


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
