"""Natural values of a verdict, and the covariance of those that have one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.typing import Array

# A quantity is not moved by a direction along which its derivative is a smaller share of the largest.
_UNAFFECTED = 1e-5
# Without a Jacobian: a move of z, in this number of random directions and in that of recession, and the rounding of a value.
_MOVE, _WAYS, _ROUNDING = 1e-3, 4, 1e-15


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """Which directions of z a maximum determines, and which it does not.

    Parameters
    ----------
    covariance
        Covariance of z (d, d) along all regular directions. It holds for quantities that no other direction moves; NaN where
        nothing is known.
    flat
        Directions (k, d) along which the objective does not change, or not regularly.
    run_off
        Directions (l, d) along which the maximum lies at an edge or at infinity.
    absent
        Coordinates that the objective does not contain, (a,) of int.
    units
        Sizes of the coordinates, (d,) or one for all, in which the parts of a direction are compared.
    solve
        Rows (m, d) times the covariance, where it is too large to be held and all directions are regular.
    """

    covariance: Array
    flat: Array
    run_off: Array
    absent: Array
    units: Array | float = 1.0
    solve: Callable[[Array], Array] | None = None

    def of(self, jacobian: Array) -> Array:
        """The covariance (m, m) of quantities with derivatives (m, d) at the maximum."""
        products = jacobian @ self.covariance if self.solve is None else self.solve(jacobian)
        return products @ jacobian.T

    def moved(self, jacobian: Array) -> Array:
        """Which of some quantities with derivatives (m, d) at the maximum change along the flat directions."""
        return _moved(jacobian * self.units, self.flat / self.units)


@dataclass(frozen=True, kw_only=True, eq=False)
class Reported:
    """Natural values (m,), their covariance (m, m), and the covariance of z (d, d); NaN where there is none."""

    values: Array
    covariance: Array
    flat_covariance: Array


def reported(verdict: Verdict, space: Space, jacobian: Array) -> Reported:
    """Values and delta-method covariance on the natural scale.

    Parameters
    ----------
    verdict, space
        The outcome and the parameters.
    jacobian
        Derivatives of the natural values with respect to z, at the verdict's z, (m, d).

    Notes
    -----
    Parameters at a bound have its value; those that diverge are infinite. Neither they nor what a flat
    direction moves has a variance; the others keep theirs, from the directions that are regular (any generalised
    inverse of the information gives an identified quantity the same variance).
    """
    size = jacobian.shape[1]
    nothing = np.full((len(jacobian), len(jacobian)), np.nan)
    if verdict.status in ("unbounded", "failed"):
        return Reported(
            values=np.full(len(jacobian), np.nan), covariance=nothing, flat_covariance=np.full((size, size), np.nan)
        )
    values = space.natural(verdict.z[None])[0].copy()
    flat_covariance = verdict.covariance.copy()
    unsettled = np.concatenate([verdict.irregular, verdict.null, verdict.run_off])
    affected = _moved(jacobian * verdict.units, unsettled / verdict.units)
    known = np.zeros(len(values), dtype=bool)
    for direction in verdict.run_off:
        limit = space.limit(verdict.z, direction)
        values[limit.at_edge] = limit.value[limit.at_edge]
        values[limit.runs_off] = limit.sign[limit.runs_off] * np.inf
        known |= limit.at_edge | limit.runs_off
    affected |= known
    if verdict.status == "at_infinity":
        values[affected & ~known] = np.nan
    if verdict.singular:
        return Reported(values=values, covariance=nothing, flat_covariance=np.full((size, size), np.nan))
    covariance = jacobian @ flat_covariance @ jacobian.T
    covariance[affected] = np.nan
    covariance[:, affected] = np.nan
    moved = _moved(np.eye(size), unsettled / verdict.units)
    flat_covariance[moved] = np.nan
    flat_covariance[:, moved] = np.nan
    return Reported(values=values, covariance=covariance, flat_covariance=flat_covariance)


def reported_values(verdict: Verdict, space: Space) -> Array:
    """The natural values (m,) alone, for a problem too large for a Jacobian."""
    values = space.natural(verdict.z[None])[0].copy()
    if verdict.status in ("unbounded", "failed"):
        return np.full(len(values), np.nan)
    here = values.copy()
    # How much small moves change a value, in its own unit; rounding is the lower bound.
    ways = np.random.default_rng(0).normal(size=(_WAYS, len(verdict.z)))
    size = np.abs(space.natural(verdict.z + _MOVE * ways) - here).max(axis=0) + _ROUNDING / _UNAFFECTED * np.abs(here)
    for direction in verdict.run_off:
        moved = np.abs(space.natural((verdict.z + _MOVE * direction)[None])[0] - here) > _UNAFFECTED * size
        limit = space.limit(verdict.z, direction)
        values[moved] = np.nan if verdict.status == "at_infinity" else values[moved]
        values[limit.at_edge] = limit.value[limit.at_edge]
        values[limit.runs_off] = limit.sign[limit.runs_off] * np.inf
    return values


def _moved(jacobian: Array, directions: Array) -> Array:
    """Which quantities with derivatives (m, d) are moved by some of the directions (k, d), whatever the quantities' units."""
    if not len(directions):
        return np.zeros(len(jacobian), dtype=bool)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    size = np.linalg.norm(jacobian, axis=1, keepdims=True)
    return np.any(np.abs(jacobian @ unit.T) > _UNAFFECTED * size, axis=1)
