"""A smooth bijection after which draws are close to normal, for which nearest neighbours are most accurate.

Each coordinate is transformed by log or logit, where it is positive or in (0, 1) and this makes it more normal. The
sinh-arcsinh map of Jones and Pewsey (2009, Biometrika 96) then removes skewness and heavy or light tails. Finally all
coordinates are whitened. Entropy changes by the mean log Jacobian. The divergence of two samples is invariant under any such
map, so that a poor fit affects the accuracy only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array

# Number of quantiles of a coordinate to which its map is fitted.
_QUANTILES = 1000
# Bounds of the skewness and of the log tail weight, beyond which the map loses digits.
_LARGEST = np.array([3.0, 2.0])
# Newton's method: maximum number of steps, the step at which it stops, the difference for the Hessian; steps from near maps.
_STEPS, _SMALLEST_STEP, _DIFFERENCE, _STEPS_NEAR = 40, 1e-3, 1e-4, 1
# Smallest eigenvalue of a correlation matrix of full rank.
SMALLEST_EIGENVALUE = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """A first bijection of the line, the unit interval or the positive half-line onto the line."""

    name: str
    forward: Callable[[Array], Array]
    log_slope: Callable[[Array], Array]


_IDENTITY = Start(name="identity", forward=lambda x: x, log_slope=np.zeros_like)
_LOG = Start(name="log", forward=np.log, log_slope=lambda x: -np.log(x))
_LOGIT = Start(name="logit", forward=special.logit, log_slope=lambda x: -np.log(x) - np.log1p(-x))


@dataclass(frozen=True, kw_only=True, eq=False)
class MarginMaps:
    """One map for each coordinate, parameters of shape (d,); the images have mean 0 and variance 1."""

    starts: tuple[Start, ...]
    centre: Array
    scale: Array
    skewness: Array
    tail: Array
    mean: Array
    spread: Array

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Images of draws (n, d), and the log slopes (n, d)."""
        y, first = _started(x, self.starts)
        t = (y - self.centre) / self.scale
        raw = np.sinh(self.tail * np.arcsinh(t) - self.skewness)
        log_slope = first + 0.5 * (np.log1p(raw * raw) - np.log1p(t * t))
        return (raw - self.mean) / self.spread, log_slope + np.log(self.tail / self.scale / self.spread)


def fit_margins(draws: Array, starts: tuple[Start, ...] | None = None, near: MarginMaps | None = None) -> MarginMaps:
    """Fit a map to each coordinate of draws (n, d), by maximum likelihood of a normal.

    Parameters
    ----------
    starts
        The first bijection of each coordinate; by default the best ones.
    near
        Maps of nearly the same draws, from which one Newton step suffices.

    Raises
    ------
    ValueError
        Where a coordinate is constant.
    """
    if np.any(np.ptp(draws, axis=0) == 0):
        raise ValueError("A coordinate of the draws is constant, where they have no density; drop it.")
    if near is not None:
        return _fit(draws, near.starts, near)
    return _fit(draws, best_starts(draws) if starts is None else starts)


def identity_maps(d: int) -> MarginMaps:
    """Identity maps of d coordinates."""
    one, zero = np.ones(d), np.zeros(d)
    return MarginMaps(starts=(_IDENTITY,) * d, centre=zero, scale=one, skewness=zero, tail=one, mean=zero, spread=one)


def best_starts(*samples: Array) -> tuple[Start, ...]:
    """For each coordinate the start after which all samples (n, d) look most normal, of those defined on all of them."""
    chosen = []
    low, high = (np.array([f(s, axis=0) for s in samples]) for f in (np.min, np.max))
    for j in range(samples[0].shape[1]):
        allowed = [_IDENTITY]
        if low[:, j].min() > 0:
            allowed.append(_LOG)
            if high[:, j].max() < 1:
                allowed.append(_LOGIT)
        costs = [0.0]
        if len(allowed) > 1:
            costs = [sum(_fitted(s[:, [j]], (start,))[0][0] for s in samples) for start in allowed]
        chosen.append(allowed[int(np.argmin(costs))])
    return tuple(chosen)


def _started(x: Array, starts: tuple[Start, ...]) -> tuple[Array, Array]:
    y, log_slope = np.array(x), np.zeros(x.shape)
    for j, start in enumerate(starts):
        if start is not _IDENTITY:
            y[:, j], log_slope[:, j] = start.forward(x[:, j]), start.log_slope(x[:, j])
    return y, log_slope


def _fit(draws: Array, starts: tuple[Start, ...], near: MarginMaps | None = None) -> MarginMaps:
    _, centre, scale, skewness, log_tail = _fitted(draws, starts, near)
    raw = MarginMaps(
        starts=starts,
        centre=centre,
        scale=scale,
        skewness=skewness,
        tail=np.exp(log_tail),
        mean=np.zeros_like(centre),
        spread=np.ones_like(centre),
    )
    z = raw(draws)[0]
    return MarginMaps(**{**vars(raw), "mean": z.mean(axis=0), "spread": z.std(axis=0)})


def _fitted(
    draws: Array, starts: tuple[Start, ...], near: MarginMaps | None = None
) -> tuple[Array, Array, Array, Array, Array]:
    """Negative log-likelihood per draw, centre, scale, skewness and log tail weight of each coordinate."""
    x = np.sort(draws, axis=0)
    if len(x) > _QUANTILES:
        x = x[((np.arange(_QUANTILES) + 0.5) / _QUANTILES * len(x)).astype(int)]
    y, log_slope = _started(x, starts)
    if near is None:
        centre, scale = np.median(y, axis=0), (y[int(0.75 * len(y))] - y[int(0.25 * len(y))]) / 1.349
        scale = np.where(scale > 0, scale, y.std(axis=0))
        start, steps = np.zeros((2, y.shape[1])), _STEPS
    else:
        centre, scale = near.centre, near.scale
        start, steps = np.stack([near.skewness, np.log(near.tail)]), _STEPS_NEAR
    t = (y - centre) / scale
    fixed = np.mean(0.5 * np.log1p(t * t) - log_slope, axis=0) + np.log(scale)
    # The quantiles of a coordinate are contiguous in memory, since sums over them are most of the work.
    cost, (skewness, log_tail) = _newton(np.ascontiguousarray(np.arcsinh(t).T), start, steps)
    return cost + fixed, centre, scale, skewness, log_tail


def _newton(a: Array, at: Array, steps: int) -> tuple[Array, Array]:
    """Minimum cost over skewness and log tail weight, and its place (2, c), for each row of ``a`` (c, n), by damped Newton steps."""
    cost, gradient = _cost(a, at)
    damping = np.full(len(a), 1e-3)
    for _ in range(steps):
        hessian = np.stack(
            [(_cost(a, at + _DIFFERENCE * e)[1] - gradient) / _DIFFERENCE for e in np.eye(2)[:, :, None]]
        )
        step = _damped_step(hessian, gradient, damping)
        tried = np.clip(at + step, -_LARGEST[:, None], _LARGEST[:, None])
        new_cost, new_gradient = _cost(a, tried)
        better = new_cost <= cost
        moved = np.max(np.abs(tried - at)[:, better], initial=0.0)
        at, cost = np.where(better, tried, at), np.where(better, new_cost, cost)
        gradient = np.where(better, new_gradient, gradient)
        damping = np.where(better, damping / 4, damping * 8)
        if np.all(better) and moved < _SMALLEST_STEP:
            break
    return cost, at


def _damped_step(hessian: Array, gradient: Array, damping: Array) -> Array:
    """-(H + damping)^-1 g for each column, with H made positive definite and steps of length at most 1/2."""
    (a, b), (_, d) = hessian
    smallest = 0.5 * (a + d) - np.hypot(0.5 * (a - d), b)
    shift = damping + np.maximum(1e-3 - smallest, 0.0)
    a, d = a + shift, d + shift
    step = -np.stack([d * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]]) / (a * d - b * b)
    return step / np.maximum(1.0, 2 * np.linalg.norm(step, axis=0))


def _cost(a: Array, at: Array) -> tuple[Array, Array]:
    """Negative log-likelihood of a normal after the map, up to a constant, and its gradient (2, c)."""
    tail = np.exp(at[1])
    w = tail[:, None] * a - at[0][:, None]
    raw = np.sinh(w)
    cosh = np.sqrt(1 + raw * raw)
    centred = raw - raw.mean(axis=1, keepdims=True)
    variance = np.mean(centred**2, axis=1)
    cost = 0.5 * np.log(variance) - np.mean(np.log(cosh), axis=1) - at[1]
    slope = raw / cosh
    centred *= cosh
    by_skewness = np.mean(slope, axis=1) - np.mean(centred, axis=1) / variance
    n = a.shape[1]
    by_tail = tail * (np.vecdot(centred, a) / variance - np.vecdot(slope, a)) / n - 1
    return cost, np.stack([by_skewness, by_tail])


@dataclass(frozen=True, kw_only=True, eq=False)
class Gaussianizer:
    """Maps of the coordinates, then whitening; a call gives the image (n, d) and log |d z / d x| (n,)."""

    margins: MarginMaps
    chol: Array

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Image of draws (n, d) and its log slope."""
        z, log_slopes = self.margins(x)
        return whitened(z, self.chol), log_slopes.sum(axis=1) - np.sum(np.log(np.diagonal(self.chol)))

    def log_density(self, x: Array) -> Array:
        """Log density at ``x`` (n, d) of the distribution whose image is standard normal."""
        return standard_log_density(*self.margins(x), self.chol)


def fit_gaussianizer(draws: Array) -> Gaussianizer:
    """Fit the map to draws of shape (n, d); see ``fit_margins``.

    Raises
    ------
    ValueError
        Where the draws lie in a subspace: a coordinate is constant or a combination of the others.
    """
    margins = fit_margins(draws)
    return Gaussianizer(margins=margins, chol=cholesky_of_correlation(margins(draws)[0]))


def mean_log_densities(samples: Array, near: MarginMaps, at: Array) -> Array:
    """Mean over points ``at`` (m, d) of the log density that is fitted to each of ``samples`` (g, n, d), shape (g,).

    All are fitted at once, in one step from maps that are near.
    """
    g, n, d = samples.shape
    wide = np.ascontiguousarray(np.moveaxis(samples, 0, 1)).reshape(n, g * d)
    tiled: dict[str, Any] = {name: np.tile(v, g) for name, v in vars(near).items() if name != "starts"}
    maps = _fit(wide, near.starts * g, MarginMaps(starts=near.starts * g, **tiled))
    images = np.moveaxis(maps(wide)[0].reshape(n, g, d), 1, 0)
    z, log_slopes = (np.moveaxis(v.reshape(len(at), g, d), 1, 0) for v in maps(np.tile(at, g)))
    fitted = [standard_log_density(*v) for v in zip(z, log_slopes, map(cholesky_of_correlation, images), strict=True)]
    return np.mean(fitted, axis=1)


def standard_log_density(z: Array, log_slopes: Array, chol: Array) -> Array:
    """Log density at points whose images under maps of the margins are ``z`` (n, d), standard normal when whitened."""
    log_slope = log_slopes.sum(axis=1) - np.sum(np.log(np.diagonal(chol)))
    return log_slope - 0.5 * np.sum(whitened(z, chol) ** 2, axis=1) - 0.5 * z.shape[1] * LOG_2PI


def cholesky_of_correlation(z: Array) -> Array:
    """Cholesky factor of the correlation of ``z`` (n, d).

    Raises
    ------
    ValueError
        Where it is singular.
    """
    correlation = np.atleast_2d(np.corrcoef(z.T))
    if np.linalg.eigvalsh(correlation)[0] < SMALLEST_EIGENVALUE:
        raise ValueError(
            "The draws lie in a subspace (a coordinate is constant or a combination of others), where they have no "
            "density; drop the redundant coordinate."
        )
    return np.linalg.cholesky(correlation)


def whitened(z: Array, chol: Array) -> Array:
    """L^-1 z for each of ``z`` (n, d)."""
    return z @ np.linalg.inv(chol).T
