"""What the verdicts need to know of the parameters: names, natural values, and how far a coordinate can be moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pp_mlekl.typing import Array

# exp(-800) is 0 and 1 / (1 + exp(-800)) is 1 in doubles: the limit itself, not a point near it.
TO_THE_LIMIT = 800.0
# E-foldings of a scale within which numbers still mean something.
REACH = 40.0
# With more bounded coordinates than the first number, the second number of them is examined, evenly spread.
_MOST_EDGES, _SOME_EDGES = 400, 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """The parameters behind the flat vector z (d,).

    Parameters
    ----------
    natural
        From z (b, d) to natural values (b, m).
    names
        Names of the natural values, (m,).
    coordinates
        What the coordinates of z are called in a sentence, (d,).
    transformed
        Whether each coordinate belongs to a transformed (bounded) variable, (d,) of bool.
    what
        What is maximised, in words: ``"log-likelihood"``, ...
    period
        Periods of coordinates that are angles, (d,); infinite for the others.
    """

    natural: Callable[[Array], Array]
    names: Sequence[str]
    coordinates: Sequence[str]
    transformed: Array
    what: str = "log-likelihood"
    period: Array | float = np.inf

    @classmethod
    def unbounded(cls, names: Sequence[str], what: str = "log-likelihood") -> "Space":
        """The space of parameters without bounds, whose natural values are z itself."""
        flags = np.zeros(len(names), dtype=bool)
        return cls(natural=lambda z: z, names=names, coordinates=names, transformed=flags, what=what)

    @property
    def reach(self) -> Array:
        """The largest meaningful move of each coordinate, (d,)."""
        return np.where(self.transformed, REACH, np.inf)

    def edges(self, z: Array) -> Array:
        """The coordinate directions (k, d) that lead from z (d,) to a finite edge of a natural parameter."""
        places = np.flatnonzero(self.transformed)
        if not len(places):
            return np.zeros((0, len(z)))
        if len(places) > _MOST_EDGES:
            places = places[np.linspace(0, len(places) - 1, _SOME_EDGES).astype(int)]
        positive = axes(places, len(z))
        both = np.concatenate([positive, -positive])
        with np.errstate(all="ignore"):
            near = self.natural(z + 0.5 * TO_THE_LIMIT * both)
            far = self.natural(z + TO_THE_LIMIT * both)
            moved = far != self.natural(z[None])
            arrives = np.isfinite(far).all(axis=1) & (np.abs(far - near) < 1e-12).all(axis=1)
        return both[arrives & moved.any(axis=1)]

    def limit(self, z: Array, direction: Array) -> "Limit":
        """Where the natural values go as z moves along ``direction`` without end."""
        largest = np.abs(direction).max()
        bounded = np.abs(np.where(self.transformed, direction, 0.0)).max()
        # What has no bound is moved on by as much as it has come.
        far_out = max(TO_THE_LIMIT, float(np.abs(z).max()))
        length = TO_THE_LIMIT / bounded if bounded > 1e-6 * largest else far_out / largest
        far = z + length * direction
        with np.errstate(all="ignore"):
            value = self.natural(far[None])[0]
            nearer = self.natural((z + 0.5 * length * direction)[None])[0]
            # All coordinates at once: what none of them moves any more is at its edge.
            nudged = self.natural(far + 1e-2 * np.random.default_rng(0).normal(size=(2, len(z))))
            still = (nudged == value).all(axis=0)
        here = self.natural(z[None])[0]
        runs = ~np.isfinite(value) | (np.abs(value - nearer) > 0.25 * np.abs(value - here) + 1e-6 * (1 + np.abs(here)))
        return Limit(value=value, runs_off=runs, at_edge=still & ~runs, sign=np.sign(np.nan_to_num(value - here)))

    def distinct(self, z: Array, directions: Array) -> Array:
        """Directions of recession, among some (k, d), that take different parameters to their limits, the simplest first.

        Under separation, say, a whole cone of directions leads to the same supremum.
        """
        moved = [limit.runs_off | limit.at_edge for limit in (self.limit(z, direction) for direction in directions)]
        taken = np.zeros(len(self.names), dtype=bool)
        kept: list[int] = []
        for i in sorted(range(len(directions)), key=lambda i: (int(moved[i].sum()), i)):
            if not kept or (moved[i].any() and not (moved[i] & taken).any()):
                kept.append(i)
                taken |= moved[i]
        return directions[kept]


@dataclass(frozen=True, kw_only=True, eq=False)
class Limit:
    """The natural values at the end of a direction (m,), which of them have no finite limit, and which are at an edge.

    ``sign`` is the direction in which those diverge.
    """

    value: Array
    runs_off: Array
    at_edge: Array
    sign: Array


def axes(places: Array, size: int) -> Array:
    """The unit vectors along some coordinates, (k, d)."""
    result = np.zeros((len(places), size))
    result[np.arange(len(places)), places] = 1.0
    return result
