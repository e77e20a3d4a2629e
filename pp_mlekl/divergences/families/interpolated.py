"""Piecewise linear densities."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Support
from pp_mlekl.divergences.families.registry import register_family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.typing import Array


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class Interpolated(Univariate):
    """Density through ``pdf_points`` (..., k) at ``x_points`` (..., k), linear in between, divided by its integral."""

    x_points: Array
    pdf_points: Array
    parameter_ndim = {"x_points": 1, "pdf_points": 1}  # noqa: RUF012

    def validate(self) -> None:
        """Raise where the points do not increase or the density is negative or 0 throughout."""
        if min(self.x_points.ndim, self.pdf_points.ndim) < 1 or self.x_points.shape[-1] != self.pdf_points.shape[-1]:
            raise ValueError("Interpolated: x_points and pdf_points must be vectors of one length.")
        if not np.all(np.isfinite(self.x_points)) or not np.all(np.diff(self.x_points, axis=-1) > 0):
            raise ValueError("Interpolated: x_points must be finite and increase.")
        if not np.all((self.pdf_points >= 0) & np.isfinite(self.pdf_points)) or not np.all(self._area() > 0):
            raise ValueError("Interpolated: pdf_points must be finite, not negative, and positive somewhere.")
        object.__setattr__(self, "pdf_points", self.pdf_points / self._area()[..., None])

    def _area(self) -> Array:
        return np.trapezoid(self.pdf_points, self.x_points, axis=-1)

    def support(self) -> Support:
        """From the first to the last point about which the density is positive."""
        points, density = np.broadcast_arrays(self.x_points, self.pdf_points)
        beside = density > 0
        beside[..., 1:] |= density[..., :-1] > 0
        beside[..., :-1] |= density[..., 1:] > 0
        lower = np.min(np.where(beside, points, np.inf), axis=-1)
        upper = np.max(np.where(beside, points, -np.inf), axis=-1)
        return Support(lower=lower, upper=upper, discrete=False)

    def kinks(self) -> tuple[Array, ...]:
        """The points."""
        return tuple(np.moveaxis(self.x_points, -1, 0))

    def _segment(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """For values: the index of the segment, the distance from its left end, the density there and its slope."""
        points, density = np.broadcast_arrays(self.x_points, self.pdf_points)
        index = np.sum(np.asarray(x)[..., None] >= points[..., 1:-1], axis=-1)
        left, right = self._at(points, index), self._at(points, index + 1)
        height = self._at(density, index)
        return index, x - left, height, (self._at(density, index + 1) - height) / (right - left)

    @staticmethod
    def _at(values: Array, index: Array) -> Array:
        values = np.broadcast_to(values, (*index.shape, values.shape[-1]))
        return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]

    def log_density(self, x: Array) -> Array:
        """Log density in nats, ``-inf`` outside the points."""
        _, distance, height, slope = self._segment(x)
        inside = (x >= self.x_points[..., 0]) & (x <= self.x_points[..., -1])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(inside, np.log(np.maximum(height + slope * distance, 0.0)), -np.inf)

    def _masses(self) -> Array:
        """The mass between neighbouring points (..., k - 1)."""
        return 0.5 * np.diff(self.x_points, axis=-1) * (self.pdf_points[..., 1:] + self.pdf_points[..., :-1])

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        x = np.clip(x, self.x_points[..., 0], self.x_points[..., -1])
        index, distance, height, slope = self._segment(x)
        masses = self._masses()
        before = np.concatenate([np.zeros_like(masses[..., :1]), np.cumsum(masses, axis=-1)[..., :-1]], axis=-1)
        return np.minimum(self._at(before, index) + distance * (height + 0.5 * slope * distance), 1.0)

    def survival(self, x: Array) -> Array:
        """P(X > x), by the reflected density."""
        return self._reflected().cdf(-np.asarray(x))

    def _reflected(self) -> "Interpolated":
        return Interpolated(x_points=-self.x_points[..., ::-1], pdf_points=self.pdf_points[..., ::-1])

    def quantile(self, u: Array) -> Array:
        """Lower quantile: the root of a quadratic in the segment where the CDF reaches ``u``."""
        masses = self._masses()
        reached = np.cumsum(masses, axis=-1)
        shape = np.broadcast_shapes(np.shape(u), self.batch_shape)
        u = np.broadcast_to(u, shape)
        index = np.sum(u[..., None] > reached[..., :-1], axis=-1)
        rest = np.maximum(u - self._at(reached - masses, index), 0.0)
        points, density = np.broadcast_arrays(self.x_points, self.pdf_points)
        left, right, height = self._at(points, index), self._at(points, index + 1), self._at(density, index)
        slope = (self._at(density, index + 1) - height) / (right - left)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = 2 * rest / (height + np.sqrt(np.maximum(height**2 + 2 * slope * rest, 0.0)))
        return np.clip(left + np.where(rest > 0, distance, 0.0), left, right)

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        return -self._reflected().quantile(u)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by quantiles."""
        return self.quantile(generator.uniform(size=(*shape, *self.batch_shape)))
