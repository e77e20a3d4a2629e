"""A smooth bijection after which draws look normal: what nearest neighbours are most accurate on.

Each coordinate goes through log or logit where it is positive or in (0, 1) and that makes it more normal, then through
the sinh-arcsinh map of Jones and Pewsey (2009, Biometrika 96), which takes out skewness and heavy or light tails; then
all are whitened. Entropy changes by the mean log Jacobian, and the divergence of two samples under one map not at all,
whatever the map: a bad fit costs accuracy, never correctness.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from pp_mlekl.divergences.distribution import Array

# Quantiles that stand for a coordinate while its map is fitted.
_QUANTILES = 1000
# Bounds of the skewness and of the log of the tail weight: beyond them the map loses digits.
_LARGEST_SKEWNESS = 3.0
_LARGEST_LOG_TAIL = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Start:
    """A first bijection of the line, the unit interval or the positive half-line onto the line."""

    name: str
    forward: Callable[[Array], Array]
    backward: Callable[[Array], Array]
    log_slope: Callable[[Array], Array]


_IDENTITY = _Start(name="identity", forward=lambda x: x, backward=lambda y: y, log_slope=np.zeros_like)
_LOG = _Start(name="log", forward=np.log, backward=np.exp, log_slope=lambda x: -np.log(x))
_LOGIT = _Start(
    name="logit", forward=special.logit, backward=special.expit, log_slope=lambda x: -np.log(x) - np.log1p(-x)
)


@dataclass(frozen=True, kw_only=True, eq=False)
class _CoordinateMap:
    start: _Start
    centre: float
    scale: float
    skewness: float
    tail: float

    def __call__(self, x: Array) -> tuple[Array, Array]:
        t = (self.start.forward(x) - self.centre) / self.scale
        w = self.tail * np.arcsinh(t) - self.skewness
        log_slope = _log_cosh(w) + np.log(self.tail / self.scale) - 0.5 * np.log1p(t * t) + self.start.log_slope(x)
        return np.sinh(w), log_slope

    def inverse(self, z: Array) -> Array:
        """The value whose image is ``z``."""
        t = np.sinh((np.arcsinh(z) + self.skewness) / self.tail)
        return self.start.backward(self.centre + self.scale * t)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gaussianizer:
    """The fitted map; a call gives the image (n, d) and log |d z / d x| (n,)."""

    coordinates: tuple[_CoordinateMap, ...]
    mean: Array
    chol: Array

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Image of draws (n, d) and its log slope."""
        columns = [coordinate(column) for coordinate, column in zip(self.coordinates, x.T, strict=True)]
        z = np.stack([c[0] for c in columns], axis=-1)
        log_slope = np.sum([c[1] for c in columns], axis=0) - np.sum(np.log(np.diagonal(self.chol)))
        return np.linalg.solve(self.chol, (z - self.mean).T).T, log_slope

    def inverse(self, z: Array) -> Array:
        """The draws whose image is ``z``, shape (n, d)."""
        images = self.mean + z @ self.chol.T
        return np.stack([c.inverse(column) for c, column in zip(self.coordinates, images.T, strict=True)], axis=-1)

    def log_density(self, x: Array) -> Array:
        """Log density at ``x`` (n, d) of the distribution whose image is standard normal."""
        z, log_slope = self(x)
        return log_slope - 0.5 * np.sum(z**2, axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)

    def margin(self, j: int, column: Array) -> "Gaussianizer":
        """The map of one coordinate, of which ``column`` (n, 1) are the draws."""
        return _whitened((self.coordinates[j],), column)

    def rewhitened(self, draws: Array) -> "Gaussianizer":
        """The same maps of the coordinates, whitened on other draws with the same margins."""
        return _whitened(self.coordinates, draws)

    @property
    def name(self) -> str:
        """What was done to the coordinates, for the method's name."""
        starts = sorted({c.start.name for c in self.coordinates} - {"identity"})
        return "whitened" + "".join(f", {s}" for s in starts)


def fit_gaussianizer(draws: Array, like: Gaussianizer | None = None) -> Gaussianizer:
    """Fit the map to draws of shape (n, d); with logs and logits where ``like`` has them, so that domains agree.

    Raises
    ------
    ValueError
        Where the draws lie in a subspace: a coordinate is constant or a combination of the others.
    """
    if like is None:
        coordinates = tuple(_fit_coordinate(column) for column in draws.T)
    else:
        pairs = zip(draws.T, like.coordinates, strict=True)
        coordinates = tuple(_fit(column, other.start)[1] for column, other in pairs)
    return _whitened(coordinates, draws)


def _whitened(coordinates: tuple[_CoordinateMap, ...], draws: Array) -> Gaussianizer:
    z = np.stack([c(column)[0] for c, column in zip(coordinates, draws.T, strict=True)], axis=-1)
    covariance = np.atleast_2d(np.cov(z.T))
    scale = np.sqrt(np.diagonal(covariance))
    if np.any(scale == 0) or np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0] < 1e-12:
        raise ValueError(
            "The draws lie in a subspace (a coordinate is constant or a combination of others), where they have no "
            "density; drop the redundant coordinate."
        )
    return Gaussianizer(coordinates=coordinates, mean=z.mean(axis=0), chol=np.linalg.cholesky(covariance))


def _fit_coordinate(x: Array) -> _CoordinateMap:
    starts = [_IDENTITY]
    if x.min() > 0:
        starts.append(_LOG)
        if x.max() < 1:
            starts.append(_LOGIT)
    return min((_fit(x, start) for start in starts), key=lambda fitted: fitted[0])[1]


def _fit(x: Array, start: _Start) -> tuple[float, _CoordinateMap]:
    """Maximum likelihood of a normal after the map; its negative log-likelihood per draw, and the map."""
    if len(x) > _QUANTILES:
        x = np.sort(x)[((np.arange(_QUANTILES) + 0.5) / _QUANTILES * len(x)).astype(int)]
    y = start.forward(x)
    centre = float(np.median(y))
    lower, upper = np.quantile(y, [0.25, 0.75])
    scale = float(upper - lower) / 1.349 or float(y.std()) or 1.0
    t = (y - centre) / scale
    a, fixed = np.arcsinh(t), np.mean(0.5 * np.log1p(t * t) - start.log_slope(x)) + np.log(scale)

    def cost(parameters: Array) -> float:
        skewness, log_tail = parameters
        if abs(skewness) > _LARGEST_SKEWNESS or abs(log_tail) > _LARGEST_LOG_TAIL:
            return np.inf
        w = np.exp(log_tail) * a - skewness
        spread = np.sinh(w).std()
        return float(np.log(spread) - np.mean(_log_cosh(w)) - log_tail + fixed) if spread > 0 else np.inf

    options = {"xatol": 1e-2, "fatol": 1e-4, "maxiter": 80}
    found = optimize.minimize(cost, [0.0, 0.0], method="Nelder-Mead", options=options)
    skewness, log_tail = found.x
    fitted = _CoordinateMap(
        start=start, centre=centre, scale=scale, skewness=float(skewness), tail=float(np.exp(log_tail))
    )
    return float(found.fun), fitted


def _log_cosh(w: Array) -> Array:
    return np.logaddexp(w, -w) - np.log(2)
