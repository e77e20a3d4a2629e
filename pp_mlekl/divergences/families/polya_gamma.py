"""Polya-Gamma: its density and its distribution function by integrals of its Laplace transform."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import interpolate

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.typing import Array

_POLE = np.pi**2 / 2
# Step along the path (smaller where the integrand has a pole) and its end, in standard deviations about the saddle point.
_STEP, _STEP_BY_POLE, _END = 0.12, 0.05, 14.0
# Distance of the distribution function's path from the pole at 0, in standard deviations; values computed at a time.
_AWAY, _BLOCK = 0.25, 500_000
_BISECTIONS = 45
# Multiple of the scale beyond which the leading term of the log density is exact in double precision.
_FAR = 1e60
# Gamma variables that are drawn one by one.
_TERMS = 200
# A difference smaller than this fraction of its terms has lost too many digits.
_CANCELLED = 1e-6


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class PolyaGamma(Distribution):
    """Polya-Gamma with shape ``h`` and tilt ``z`` (Polson, Scott and Windle 2013, JASA 108).

    Its log Laplace transform is K(s) = h log cosh(z/2) - h log cosh(sqrt(z^2/4 - s/2)). The tilt is a factor
    exp(-z^2 x / 2), so that one function of ``s`` and ``h`` serves all.
    """

    h: Array
    z: Array
    narrowest = widest = (0.0, np.inf)

    def validate(self) -> None:
        """Raise where the shape is not positive."""
        if not np.all((self.h > 0) & np.isfinite(self.h)) or not np.all(np.isfinite(self.z)):
            raise ValueError("PolyaGamma: h must be positive and finite, z finite.")

    def support(self) -> Support:
        """The positive half-line."""
        zero = np.zeros(self.batch_shape)
        return Support(lower=zero, upper=np.full_like(zero, np.inf), discrete=False)

    def log_density(self, x: Array) -> Array:
        """Log density in nats."""
        x = np.asarray(x, dtype=np.float64)
        return self._blockwise(_log_density, x) + self._tilt(x)

    def _tilt(self, x: Array) -> Array:
        return self.h * _log_cosh(self.z / 2) - self.z**2 * x / 2

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return self._tails(np.asarray(x, dtype=np.float64))[0]

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return self._tails(np.asarray(x, dtype=np.float64))[1]

    def _tails(self, x: Array) -> tuple[Array, Array]:
        log_tail = self._blockwise(_log_tail, x)
        upper = self._blockwise(_is_upper, x) > 0
        # Far from the mean the saddle point overflows; the tail is 0 in double precision there.
        far = ~np.isfinite(log_tail)
        upper = np.where(far, x > self._mean(), upper)
        with np.errstate(all="ignore"):
            tail = np.where(far, 0.0, np.exp(log_tail + self._tilt(x)))
        tail = np.where(x > 0, np.clip(tail, 0.0, 1.0), 0.0)
        return np.where(upper, 1 - tail, tail), np.where(upper, tail, 1 - tail)

    def _blockwise(self, function: Callable[..., Array], x: Array) -> Array:
        """The function of (x, h, z) on flat arrays, a block at a time; -inf where x is not positive and finite."""
        x, h, z = np.broadcast_arrays(x, self.h, self.z)
        result = np.full(x.shape, -np.inf)
        rows = np.flatnonzero((x > 0) & np.isfinite(x))
        nodes = _END / (_STEP_BY_POLE * min(1.0, float(np.sqrt(h.min())))) if h.size else 1.0
        for part in np.array_split(rows, max(1, int(rows.size * nodes / _BLOCK))):
            if part.size:
                result.flat[part] = function(x.flat[part], h.flat[part], z.flat[part])
        return result

    def quantile(self, u: Array) -> Array:
        """Lower quantile, by bisection in log x."""
        return self._bisected(u, lambda x: self.cdf(x) < u)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return self._bisected(u, lambda x: self.survival(x) > u)

    def _bisected(self, u: Array, below: Callable[[Array], Array]) -> Array:
        shape = np.broadcast_shapes(np.shape(u), self.batch_shape)
        # A lower tail is exp(-h^2 / 8x), an upper one exp(-pi^2 x / 2): these bounds are beyond 1e-300.
        low = np.broadcast_to(np.log(self.h**2 / 8000 / (1 + self.h + np.abs(self.z))), shape).copy()
        high = np.broadcast_to(np.log(400 + 10 * self.h), shape).copy()
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            smaller = below(np.exp(middle))
            low, high = np.where(smaller, middle, low), np.where(smaller, high, middle)
        return np.exp(high)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws: the first terms of its representation as a sum of gammas, and a gamma with the moments of the rest."""
        full = (*shape, *self.batch_shape)
        total, mean, variance = np.zeros(full), self._mean(), self._variance()
        for k in range(_TERMS):
            weight = 0.5 / (np.pi**2 * (k + 0.5) ** 2 + self.z**2 / 4)
            total += weight * generator.gamma(self.h, size=full)
            mean, variance = mean - weight * self.h, variance - weight**2 * self.h
        return total + generator.gamma(mean**2 / variance, variance / mean, size=full)

    def _mean(self) -> Array:
        half = np.abs(self.z) / 2
        with np.errstate(invalid="ignore"):
            return self.h / 4 * np.where(half < 1e-4, 1 - half**2 / 3, np.tanh(half) / half)

    def _variance(self) -> Array:
        z = np.abs(self.z)
        with np.errstate(all="ignore"):
            # (sinh z - z) / cosh(z/2)^2 without overflow.
            shape = (2 * np.tanh(z / 2) - z / np.cosh(np.minimum(z / 2, 300.0)) ** 2) / (4 * z**3)
        return self.h * np.where(z < 1e-2, (1 - z**2 / 5) / 24, shape)


@kl_rule(PolyaGamma, PolyaGamma)
def _polya_gamma(p: PolyaGamma, q: PolyaGamma) -> Array:
    # An exponential family in z^2 where the shapes agree.
    parts = p.h * _log_cosh(p.z / 2), p.h * _log_cosh(q.z / 2), (p.z**2 - q.z**2) / 2 * p._mean()
    value = parts[0] - parts[1] - parts[2]
    kept = value > _CANCELLED * (np.abs(parts[0]) + np.abs(parts[1]) + np.abs(parts[2]))
    same = np.abs(p.z) == np.abs(q.z)
    return np.where(p.h == q.h, np.where(same, 0.0, np.where(kept, value, np.nan)), np.nan)


def _log_cosh(x: Array) -> Array:
    x = np.abs(x)
    return x + np.log1p(np.exp(-2 * x)) - np.log(2)


@cache
def _saddle_points() -> tuple[interpolate.CubicSpline, interpolate.CubicSpline]:
    """log r of log d and its inverse, where K'(s) = r h / 4 at the saddle point s = pi^2 / 2 - d."""
    d = np.geomspace(1e-9, 1e14, 6000)
    w = np.sqrt(np.abs(d - _POLE) / 2)
    with np.errstate(all="ignore"):
        # tan w / w, with pi/2 - w taken from d; tanh w / w where s is negative.
        positive = 1 / np.tan(d / 2 / (np.pi / 2 + w)) / w
        r = np.where(d < _POLE, positive, np.tanh(w) / w)
    good = w > 1e-3
    log_d, log_r = np.log(d[good]), np.log(r[good])
    return interpolate.CubicSpline(log_d, log_r), interpolate.CubicSpline(log_r[::-1], log_d[::-1])


def _saddle(log_r: Array) -> tuple[Array, Array, Array]:
    """log d and the first two derivatives of log r by log d: by table, by powers beyond its ends."""
    of_d, of_r = _saddle_points()
    inside = np.clip(log_r, of_r.x[0], of_r.x[-1])
    # d is 2 / r^2 where r is small, 4 / r where it is large.
    log_d = of_r(inside) + np.where(log_r < inside, -2.0, -1.0) * (log_r - inside)
    beyond = log_r != inside
    first = np.where(beyond, np.where(log_r < inside, -0.5, -1.0), of_d(log_d, 1))
    return log_d, first, np.where(beyond, 0.0, of_d(log_d, 2))


def _path(x: Array, h: Array) -> tuple[Array, Array, Array]:
    """Saddle point as its distance to the pole at pi^2 / 2, and the two coefficients of the path of steepest descent.

    The path is s = s0 + a t^2 + i b t with b = K''^(-1/2) and a = K''' / (6 K''^2).
    """
    r = 4 * x / h
    log_d, first, second = _saddle(np.log(r))
    d = np.exp(log_d)
    curvature = -h / 4 * r * first / d
    third = h / 4 * r / d**2 * (first**2 - first + second)
    return d, third / (6 * curvature**2), curvature**-0.5


def _integral(
    x: Array, h: Array, d: Array, a: Array, b: Array, step: float, weight: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """Log of the integrand's size at the start of the path, and the integral over 2 pi i relative to it."""
    t = np.arange(0.0, _END, step * min(1.0, float(np.sqrt(h.min()))))[:, None]
    q = d - a * t**2 - 1j * b * t
    # Im w <= 0; cosh w from the distance to its zero at -i pi/2, near which w itself has too few digits.
    root = np.sqrt((_POLE - q) / 2)
    w = np.abs(root.imag) - 1j * root.real
    near = q / 2 / (w - 0.5j * np.pi)
    exponent = -h * (w + np.log(-np.expm1(-2 * near)) - np.log(2)) + q * x
    start = exponent[0].real
    with np.errstate(under="ignore"):
        terms = np.imag(np.exp(exponent - start) * weight(q) * (2 * a * t + 1j * b))
    terms[0] /= 2
    return start - _POLE * x, terms.sum(axis=0) * (t[1, 0] - t[0, 0]) / np.pi


def _log_density(x: Array, h: Array, _: Array) -> Array:
    # The first term of the alternating series (2013, eq. 5); the next is smaller by exp(-(h + 1) / 2x) h + 2 times.
    first = (h - 1) * np.log(2) + np.log(h) - 0.5 * LOG_2PI - 1.5 * np.log(x) - h**2 / 8 / x
    small = (h + 1) / (2 * x) > 40 + np.log(h + 2)
    far = x > _FAR * (1 + h)
    rest = ~small & ~far
    result = np.where(small, first, -_POLE * x)
    if np.any(rest):
        result[rest] = _by_path(x[rest], h[rest])
    return result


def _by_path(x: Array, h: Array) -> Array:
    start, value = _integral(x, h, *_path(x, h), _STEP, lambda q: np.ones(()))
    with np.errstate(all="ignore"):
        return start + np.log(value)


def _is_upper(x: Array, h: Array, z: Array) -> Array:
    d, _, b = _path(np.minimum(x, _FAR * (1 + h)), h)
    return np.where(_POLE - d + z**2 / 2 > _AWAY * b, 1.0, 0.0)


def _log_tail(x: Array, h: Array, z: Array) -> Array:
    """Log of P(X > x) without its tilt where the saddle point is well above 0, of P(X <= x) elsewhere."""
    x = np.minimum(x, _FAR * (1 + h))
    d, a, b = _path(x, h)
    at = _POLE - d + z**2 / 2
    upper = at > _AWAY * b
    # The other path passes 0 on the left.
    moved = np.where(upper, at, np.minimum(at, -2 * _AWAY * b))
    start, value = _integral(x, h, d + at - moved, a, b, _STEP_BY_POLE, lambda q: 1 / (_POLE - q + z**2 / 2))
    with np.errstate(all="ignore"):
        return start + np.log(np.where(upper, value, -value))
