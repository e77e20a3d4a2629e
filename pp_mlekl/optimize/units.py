"""Coordinates of tiny size measured in units of their own, and verdicts on these in the coordinates that were asked about.

A rate for each nanosecond has values of 1e-9. Searches and audits move all coordinates by shares of what is of moderate size: a
radius that is right for such a rate is none for the others (Moré 1978, Lecture Notes in Mathematics 630, 105-116, scales each
variable for that reason).
"""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit.verdict import Finding, Verdict
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.profile_paths import Climb
from pp_mlekl.typing import Array

# Coordinates whose starts are at least this far apart get no unit.
_MODERATE = 1e-3


def units_of(starts: Array, space: Space) -> Array:
    """The unit of each coordinate, (d,): a power of two, by which no digit changes; 1 for what is of moderate size.

    Examples
    --------
    >>> space = Space.unbounded(["a", "b"])
    >>> np.log2(units_of(np.array([[0.0, 0.0], [1.0, 3e-10], [-2.0, 1e-10]]), space)).tolist()
    [0.0, -32.0]
    """
    apart = np.median(np.abs(starts[1:] - starts[0]), axis=0) if len(starts) > 1 else np.zeros(starts.shape[1])
    tiny = (apart > 0) & (apart < _MODERATE) & ~space.transformed
    return np.where(tiny, 2.0 ** np.round(np.log2(np.where(tiny, apart, 1.0))), 1.0)


def objective_in(objective: Objective, units: Array) -> Objective:
    """The objective as a function of coordinates in these units (d,)."""
    outer = np.outer(units, units)
    evaluate, product, support, information = (
        objective.evaluate,
        objective.product,
        objective.support,
        objective.information,
    )

    def evaluated(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
        return tuple(p * f for p, f in zip(evaluate(order, z * units, rows), (1.0, units, outer), strict=False))

    return replace(
        objective,
        evaluate=evaluated,
        product=None if product is None else lambda z, vectors: product(z * units, vectors * units) * units,
        support=None if support is None else lambda z: support(z * units),
        information=None if information is None else lambda z: information(z * units) * outer,
    )


def space_in(space: Space, units: Array) -> Space:
    """The parameters behind coordinates in these units (d,), which sentences name with them, such as ``(rate / 1.16e-10)``."""
    names = _names(space, units)
    return replace(space, natural=lambda z: space.natural(z * units), coordinates=names, period=space.period / units)


def _names(space: Space, units: Array) -> list[str]:
    return [
        name if unit == 1.0 else f"({name} / {unit:.3g})" for name, unit in zip(space.coordinates, units, strict=True)
    ]


def verdict_out_of(verdict: Verdict, units: Array, space: Space) -> Verdict:
    """A verdict on coordinates in these units (d,), for the coordinates themselves; its sentences stay."""
    outer = np.outer(units, units)
    gradient, hessian = verdict.gradient / units, verdict.hessian / outer
    audit = verdict.audit
    if audit.size:
        eigenvalues = np.linalg.eigvalsh(-hessian) if np.all(np.isfinite(hessian)) else np.array([np.nan])
        audit = replace(
            audit,
            gradient_norm=float(np.linalg.norm(gradient)),
            smallest_eigenvalue=float(eigenvalues[0]),
            largest_eigenvalue=float(eigenvalues[-1]),
            modes=tuple(_mode(mode, units) for mode in audit.modes),
        )
    return replace(
        verdict,
        z=verdict.z * units,
        gradient=gradient,
        hessian=hessian,
        null=_unit(verdict.null * units),
        run_off=_unit(verdict.run_off * units),
        covariance=verdict.covariance * outer,
        irregular=verdict.irregular * units,
        units=units,
        findings=tuple(_finding(finding, units, space) for finding in verdict.findings),
        local=None if verdict.local is None else verdict_out_of(verdict.local, units, space),
        audit=audit,
    )


def _unit(directions: Array) -> Array:
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _mode(mode: Mode, units: Array) -> Mode:
    return replace(mode, z=mode.z * units, hessian=mode.hessian / np.outer(units, units))


def _finding(finding: Finding, units: Array, space: Space) -> Finding:
    directions, plain = finding.directions, dict(zip(_names(space, units), space.coordinates, strict=True))
    return replace(
        finding,
        directions=_unit(directions * units) if directions.size else directions,
        parameters=tuple(plain[name] for name in finding.parameters),
        climb=None if finding.climb is None else _climb(finding.climb, units),
        modes=tuple(_mode(mode, units) for mode in finding.modes),
    )


def _climb(climb: Climb, units: Array) -> Climb:
    # At an edge distances are e-foldings, whatever the unit.
    length = float(np.linalg.norm(climb.direction * units)) if climb.edge is None else 1.0
    return replace(
        climb,
        direction=_unit((climb.direction * units)[None])[0],
        rate=climb.rate / length,
        crossing=climb.crossing * length,
        distances=climb.distances * length,
        points=climb.points * units,
        edge=climb.edge if climb.edge is None else climb.edge * units,
    )
