"""Where the searches from several starts ended."""

from dataclasses import dataclass, field, replace

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Ends:
    """Where the searches ended.

    Parameters
    ----------
    z, value, gradient, hessian
        The last point of each search, (b, d), and the objective there.
    decrement
        Half of g' A^-1 g (A the negative Hessian): the gain a Newton step would still bring; infinite where A is
        not positive semi-definite.
    state
        ``"stationary"``, ``"stuck"`` (no step, however small, brings a gain), ``"ran"`` (out of reach) or
        ``"running"`` (out of iterations).
    iterations
        How many were used by the longest search.
    count
        How many starts each search stands for, (b,).
    trail
        The points each search went through: pairs of z (b, d) and value (b,), one an iteration.
    """

    z: Array
    value: Array
    gradient: Array
    hessian: Array
    decrement: Array
    state: Array
    iterations: int
    count: Array
    trail: list[tuple[Array, Array]] = field(default_factory=list)

    @property
    def unknown(self) -> bool:
        """Whether the Hessians are not known: views of one number then, which a copy would make large."""
        return self.hessian.strides[0] == 0

    def chosen(self, rows: Array) -> "Ends":
        """The searches in some rows, (k,) of int or (b,) of bool."""
        parts = {name: getattr(self, name)[rows] for name in ("z", "value", "gradient", "decrement", "state", "count")}
        hessian = (
            np.broadcast_to(np.nan, (len(parts["z"]), *self.hessian.shape[1:])) if self.unknown else self.hessian[rows]
        )
        return replace(self, **parts, hessian=hessian, trail=[(z[rows], value[rows]) for z, value in self.trail])


def joined(first: Ends, second: Ends) -> Ends:
    """The ends of two sets of searches in one, the first's before the second's."""
    longest = max(len(first.trail), len(second.trail))
    trails = [ends.trail + ends.trail[-1:] * (longest - len(ends.trail)) for ends in (first, second)]
    parts = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("z", "value", "gradient", "decrement", "state", "count")
    }
    shape = (len(parts["z"]), *first.hessian.shape[1:])
    return Ends(
        # Hessians that are not known are views of one number.
        hessian=np.broadcast_to(np.nan, shape) if first.unknown else np.concatenate([first.hessian, second.hessian]),
        iterations=max(first.iterations, second.iterations),
        trail=[(np.concatenate([a, c]), np.concatenate([b, d])) for (a, b), (c, d) in zip(*trails, strict=True)],
        **parts,
    )


def at_point(objective: Objective, z: Array, state: str) -> Ends:
    """One search as if it had ended at z (d,)."""
    value, gradient = objective.gradient(z[None])
    unknown = np.broadcast_to(np.nan, (1, len(z), len(z)))
    hessian = unknown if objective.large else objective.hessian(z[None])[2]
    return Ends(
        z=z[None],
        value=value,
        gradient=gradient,
        hessian=hessian,
        decrement=np.array([np.inf]),
        state=np.array([state]),
        iterations=0,
        count=np.ones(1, dtype=int),
        trail=[(z[None], value)],
    )
