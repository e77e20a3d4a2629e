"""Continuous distributions behind a hurdle: a point mass at 0 and a positive part."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.families.gamma import Gamma
from pp_mlekl.divergences.families.mixture import Mixture
from pp_mlekl.divergences.families.normal import LogNormal
from pp_mlekl.divergences.families.point_mass import PointMass
from pp_mlekl.divergences.families.registry import register_family


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleGamma(Mixture):
    """Gamma(``alpha``, ``beta``) with probability ``psi``, else 0."""

    w: Array | tuple = ()
    parts: tuple[Distribution, ...] = ()
    psi: Array | None = None
    alpha: Array | None = None
    beta: Array | None = None

    def __post_init__(self) -> None:
        _make_hurdle(self, lambda: Gamma(alpha=self.alpha, beta=self.beta))  # type: ignore[arg-type]
        super().__post_init__()

    def _selected(self, name: str, batch: tuple[int, ...], index: Any) -> Any:
        return () if name in ("w", "parts") else super()._selected(name, batch, index)

    def log_density(self, x: Array) -> Array:
        """Log mass at 0, log density elsewhere."""
        return _hurdle_density(self, x)


@register_family
@dataclass(frozen=True, kw_only=True, eq=False)
class HurdleLogNormal(Mixture):
    """LogNormal(``mu``, ``sigma``) with probability ``psi``, else 0."""

    w: Array | tuple = ()
    parts: tuple[Distribution, ...] = ()
    psi: Array | None = None
    mu: Array | None = None
    sigma: Array | None = None

    def __post_init__(self) -> None:
        _make_hurdle(self, lambda: LogNormal(mu=self.mu, sigma=self.sigma))  # type: ignore[arg-type]
        super().__post_init__()

    def _selected(self, name: str, batch: tuple[int, ...], index: Any) -> Any:
        return () if name in ("w", "parts") else super()._selected(name, batch, index)

    def log_density(self, x: Array) -> Array:
        """Log mass at 0, log density elsewhere."""
        return _hurdle_density(self, x)


def _make_hurdle(hurdle: Any, positive: Any) -> None:
    psi = np.asarray(hurdle.psi, dtype=np.float64)
    if not np.all((psi >= 0) & (psi <= 1)):
        raise ValueError(f"{type(hurdle).__name__}: psi must lie in [0, 1].")
    object.__setattr__(hurdle, "w", np.stack([1 - psi, psi], axis=-1))
    object.__setattr__(hurdle, "parts", (PointMass(at=np.zeros(())), positive()))


def _hurdle_density(hurdle: Any, x: Array) -> Array:
    with np.errstate(divide="ignore"):
        at_zero = np.log1p(-hurdle.psi)
        above = np.log(hurdle.psi) + hurdle.parts[1].log_density(np.where(np.asarray(x) > 0, x, 1.0))
    return np.where(np.asarray(x) == 0, at_zero, np.where(np.asarray(x) > 0, above, -np.inf))
