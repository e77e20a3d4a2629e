"""A point to be judged, and what several tests look at: noise, curvature, soft directions, profiles towards bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pp_mlekl.optimize.audit.recession_paths import Recession, recession, straight_ways
from pp_mlekl.optimize.audit.soft_directions import Soft, classify
from pp_mlekl.optimize.audit.verdict import Finding
from pp_mlekl.optimize.curvature import Curvature, falls_off, losses_along, suspicious_directions
from pp_mlekl.optimize.large_curvature import LargeCurvature, Weakest
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.numerical_noise import inexact
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import ROUGHLY, Paths, largest_loss, profile_paths
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

# The first step towards a bound, in e-foldings of a scale.
_FIRST_STEP = 2.0
# Profiles towards bounds hold this many numbers at a time at most.
_PATH_BUDGET = 4_000_000
# Moves uphill of where a search is stuck, relative to its size.
_UPHILL = np.array([1e-10, 1e-8, 1e-6])
# Maximum number of bounded coordinates of a large problem, those with the weakest curvature, that are examined by themselves.
_ALONE = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """The end of a search, without the way that led there.

    Parameters
    ----------
    objective, space
        What is maximised, and the parameters.
    z, value, gradient, hessian
        The point (d,), and the objective there.
    origin
        A point (d,) where parameters are of moderate size (a model's initial point): what lies far from it may be on its way
        to infinity.
    state
        How the search ended; see ``solvers.result.Ends``.
    modes
        All maxima that are known, the best first.
    large
        The curvature, where there are too many parameters for whole matrices.
    """

    objective: Objective
    space: Space
    z: Array
    value: float
    gradient: Array
    hessian: Array
    origin: Array
    state: str = "stationary"
    modes: Sequence[Mode] = ()
    large: LargeCurvature | None = None

    @classmethod
    def at(cls, objective: Objective, space: Space, z: Array, origin: Array | None = None, **fields: object) -> "Point":
        """A point with the objective evaluated there."""
        value, gradient, hessian = (part[0] for part in objective.hessian(z[None]))
        return cls(
            objective=objective,
            space=space,
            z=z,
            value=float(value),
            gradient=gradient,
            hessian=hessian,
            origin=np.zeros(len(z)) if origin is None else origin,
            **fields,  # type: ignore[arg-type]
        )

    @property
    def tolerances(self) -> Tolerances:
        """The objective's thresholds."""
        return self.objective.tolerances

    @property
    def stationary(self) -> bool:
        """Whether the search converged."""
        return self.state == "stationary"

    @property
    def size(self) -> float:
        """The largest coordinate, 1 at least: the unit of moves about the point."""
        return max(1.0, float(np.abs(self.z).max(initial=0.0)))

    @cached_property
    def noise(self) -> float:
        """How far the value may be off by rounding, in nats."""
        return float(inexact(self.objective, self.z[None])[0])

    @property
    def uphill(self) -> Array:
        """Points (3, d) a little uphill."""
        way = self.gradient / max(np.linalg.norm(self.gradient), 1e-300)
        points: Array = self.z + _UPHILL[:, None] * way * self.size
        return points

    @property
    def curvature(self) -> Curvature:
        """The scaled eigendecomposition of the negative Hessian."""
        return self._spectrum[0]

    @property
    def suspicious(self) -> Array:
        """Which of the curvature's directions do not fall off as at a regular maximum, (k,) of bool."""
        return self._spectrum[1]

    @cached_property
    def weakest(self) -> Weakest:
        """The weakest directions of a large problem."""
        assert self.large is not None
        return self.large.weakest()

    @cached_property
    def _spectrum(self) -> tuple[Curvature, Array]:
        if self.large is not None:
            return _weakest_directions(self, self.large, self.weakest)
        return suspicious_directions(self.objective, self.z, self.value, self.hessian, self.space.reach)

    @cached_property
    def soft(self) -> Soft:
        """The suspicious directions, sorted."""
        way = (self.z - self.origin)[None]
        way = way[np.abs(way).max(axis=1, initial=0.0) > 1e-3]
        return classify(self.objective, self.z, self.value, self.curvature, self.suspicious, self.space, way)

    @property
    def regular(self) -> Array:
        """Which of the curvature's directions have a variance, (k,) of bool."""
        return self.soft.regular if self.suspicious.any() else ~self.suspicious

    @cached_property
    def straight_ways(self) -> Array:
        """Unit vectors (k, d) away from the origin along which nothing is lost."""
        return straight_ways(self)

    @cached_property
    def recession(self) -> Recession:
        """What leads to infinity or to a bound."""
        return recession(self)

    def limits(self, test: str, kind: str, *, infinite: bool) -> list[Finding]:
        """What leads to infinity, or only to finite limits of natural parameters, as findings of a test."""
        found = self.recession
        ways = [w for w in found.directions if self.space.limit(found.z, w).runs_off.any() == infinite]
        return [
            Finding(
                test=test,
                kind=kind,
                directions=way[None],
                measured=float(losses_along(self.objective, found.z, found.value, way[None], self.space.reach)[0][0]),
                threshold=self.tolerances.ray_loss,
                unit="nats lost along the direction",
            )
            for way in ways
        ]

    @cached_property
    def edges(self) -> Array:
        """Directions (k, d) to finite bounds of parameters that a profile could reach, as many as can be afforded."""
        edges = self.space.edges(self.z)
        if self.large is not None:
            return edges[:1]
        affordable = max(1, int(_PATH_BUDGET / max(1, self.objective.size) ** 3))
        if len(edges) > affordable:
            edges = edges[np.linspace(0, len(edges) - 1, affordable).astype(int)]
        return edges[self._promising(edges)] if len(edges) else edges

    @cached_property
    def edge_profiles(self) -> Paths:
        """Profiles along ``edges``, rough ones."""
        return profile_paths(
            self.objective, np.repeat(self.z[None], len(self.edges), axis=0), self.edges, close=ROUGHLY
        )

    def pulled_back(self, place: int, share: float) -> Array:
        """The best point (d,) known whose coordinate ``place`` has this share of its distance from the origin."""
        held = axes(np.array([place]), len(self.z))
        shared = self.origin + share * (self.z - self.origin)
        alone = self.z.copy()
        alone[place] = shared[place]
        ends = maximize(
            self.objective, np.array([shared, alone]), held=np.repeat(held, 2, axis=0), max_iterations=25, close=ROUGHLY
        )
        best: Array = ends.z[int(np.argmax(ends.value))]
        return best

    def moved_to(self, z: Array, state: str) -> "Point":
        """The same search as if it had ended elsewhere, with value and gradient there."""
        value, gradient = self.objective.gradient(z[None])
        return replace(self, z=z, value=float(value[0]), gradient=gradient[0], state=state)

    def _promising(self, edges: Array) -> Array:
        """Which edges a profile could reach: not those towards which a first step loses far more than is climbed back."""
        trial = self.z + _FIRST_STEP * edges
        lost = self.value - self.objective.value(trial)
        most = largest_loss(self.objective, self.tolerances.climb_first_loss)
        doubtful = np.flatnonzero(np.isfinite(lost) & (lost > most))
        if len(doubtful):
            ends = maximize(self.objective, trial[doubtful], held=edges[doubtful], max_iterations=4)
            lost[doubtful] = self.value - ends.value
        promising: Array = lost <= most
        return promising


def _weakest_directions(point: Point, large: LargeCurvature, weakest: Weakest) -> tuple[Curvature, Array]:
    """The weakest directions of a large problem and bounded coordinates by themselves, and which of them are suspicious."""
    objective, space, z, value = point.objective, point.space, point.z, point.value
    bounded = np.flatnonzero(space.transformed)
    bounded = bounded[np.argsort(-large.scale[bounded], kind="stable")[:_ALONE]]
    alone = axes(bounded, len(z)) * large.scale
    soft = ~falls_off(objective, z, value, alone, space.reach)
    if soft.any():
        # Eigenvectors mix coordinates of equal curvature: one that is suspicious by itself is kept apart.
        weakest = large.weakest(bounded[soft])
    eigenvalues = weakest.eigenvalues / weakest.largest
    long = np.sqrt(np.maximum(weakest.eigenvalues, 1e-13 * weakest.largest))[:, None]
    directions = weakest.vectors * large.scale / long
    suspicious = ~falls_off(objective, z, value, directions, space.reach) | (eigenvalues < 1e-11)
    found = Curvature(
        eigenvalues=np.concatenate([np.ones(int(soft.sum())), eigenvalues]),
        directions=np.concatenate([alone[soft], directions]),
        scale=large.scale,
    )
    return found, np.concatenate([np.ones(int(soft.sum()), dtype=bool), suspicious])
