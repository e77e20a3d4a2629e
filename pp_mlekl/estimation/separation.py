"""Whether a maximum likelihood estimate with linear predictors exists, and the limiting fit where it does not."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import qr

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.optimize.audit.linear_existence import LinearExistence, UndecidedError, linear_existence
from pp_mlekl.optimize.audit.pipeline import account, nothing
from pp_mlekl.optimize.audit.recession_rows import RecessionRows
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.curvature import curvature
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.search import search
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.pymc_model.linear_predictors import LinearPredictors, linear_predictors
from pp_mlekl.typing import Array

# Separated predictors start at _FIRST and double while the likelihood changes by more than the share _CHANGED.
_FIRST, _DOUBLINGS, _CHANGED = 64.0, 12, 1e-12
_MAX_ITERATIONS = 400
# A coordinate with less than this share of the largest of a direction is not part of it.
_MOVED = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Court:
    """The linear predictors of a problem, and what the linear programme says of them.

    Parameters
    ----------
    problem
        What is maximised.
    predictors, rows
        The linear predictors, and what their gradients allow.
    x
        Where the search would start, in the coordinates of the predictors.
    found
        What the linear programmes say about the kept coordinates.
    """

    problem: Problem
    predictors: LinearPredictors
    rows: RecessionRows
    x: Array
    found: LinearExistence

    @property
    def exists(self) -> bool:
        """Whether no row of the data is separated."""
        return not self.separated.any()

    @property
    def separated(self) -> Array:
        """Which of the rows of the data (r,) are; the order of cutpoints is no data."""
        return self.found.separated[: len(self.rows.rows)]

    @property
    def constant(self) -> Array:
        """Directions (k, d) of x along which the likelihood does not change."""
        if self.exists and not self.found.exists:
            # Only the order of cutpoints stands against it, on one side.
            return self._whole(self.found.direction[None])
        return self._whole(self.found.null)

    @property
    def identified(self) -> bool:
        """Whether there are no such directions."""
        return not len(self.constant)

    @property
    def undetermined(self) -> Array:
        """Directions (k, d) of x that the limit does not determine."""
        return self._whole(self.found.undetermined)

    @property
    def direction(self) -> Array:
        """The direction of recession (d,)."""
        return self._whole(self.found.direction[None])[0]

    @property
    def alone(self) -> bool:
        """Whether the likelihood has no parameters but those of the linear predictors."""
        return not len(self.rows.fixed)

    @cached_property
    def units(self) -> Array:
        """The units (d,) in which the coordinates of x are fitted: powers of 2 near the units of their predictors."""
        largest = np.abs(self.rows.rows).max(axis=0, initial=0.0)
        return np.exp2(-np.round(np.log2(np.where(largest > 0, largest, 1.0))))

    @cached_property
    def sharing(self) -> tuple[Array, Array]:
        """Places of the terms that are separated, (k,), and of those some of whose outcomes become impossible, (l,)."""
        total = self.problem.n_observations
        whole, part = np.zeros(total, dtype=int), np.zeros(total, dtype=bool)
        for number, unit in enumerate(self.rows.units):
            mine = self.rows.group == number
            size = int(np.prod(unit.shape, dtype=int))
            rays = np.bincount(self.rows.place[mine], minlength=size)
            strict = np.bincount(self.rows.place[mine & self.separated], minlength=size)
            # 1 where all that the data say of a unit is separated, -1 where not, 0 where they say nothing.
            state = np.where(rays == 0, 0, np.where(strict == rays, 1, -1))
            terms = self.predictors.terms(unit.shape, unit.predictors)
            if terms is None:
                return np.flatnonzero(state == 1), np.flatnonzero((strict > 0) & (strict < rays))
            inside = terms >= 0
            of_term = np.where(inside, state[terms], 0)
            whole = np.where((whole < 0) | (of_term < 0), -1, np.maximum(whole, of_term))
            part |= inside & (strict[terms] > 0)
        return np.flatnonzero(whole == 1), np.flatnonzero(part & (whole < 1))

    def _whole(self, directions: Array) -> Array:
        result = np.zeros((len(directions), len(self.x)))
        result[:, self.problem.kept] = directions
        return result


def convened(problem: Problem) -> Court | None:
    """The decision by a linear programme; None where it does not apply.

    It does not where the likelihood is not concave in linear predictors, where no observation can be separated (normal
    responses that are not censored), where parameters act through linear predictors and otherwise too, in models of more
    than 400 parameters, and where double precision does not decide.
    """
    if problem.kind != "mle" or problem.objective.wide:
        return None
    predictors = linear_predictors(problem.functions)
    if predictors is None:
        return None
    x = predictors.to_x(problem.base)
    rows = predictors.rows(x, problem.weights, problem.data)
    if rows is None or not len(rows.rows):
        return None
    # What is no row of the data comes last.
    matrix = np.concatenate([rows.rows, predictors.order_rows(), rows.fixed])[:, problem.kept]
    try:
        found = linear_existence(matrix, np.arange(len(matrix)) >= len(matrix) - len(rows.fixed))
    except UndecidedError:
        return None
    return Court(problem=problem, predictors=predictors, rows=rows, x=x, found=found)


@dataclass(frozen=True, kw_only=True, eq=False)
class LimitFit:
    """A point x (d,) where the likelihood has reached its limit, and the verdict on the coordinates ``free`` (k,) that it determines.

    The verdict's coordinates are those of x in the units of the problem.
    """

    x: Array
    free: Array
    verdict: Verdict
    space: Space


def limit_fit(court: Court, places: Array) -> LimitFit | None:
    """The limiting fit: coordinates that it does not determine are held where the direction of recession takes them."""
    problem, count = court.problem, len(court.found.undetermined)
    pivots = qr(court.found.undetermined, mode="r", pivoting=True)[1][:count] if count else np.zeros(0, dtype=int)
    free = problem.kept[np.setdiff1d(np.arange(len(problem.kept)), pivots)]
    whole, space = objective_in_units(court), _space(court, free)
    direction = court.direction / court.units
    gains = (court.rows.rows @ court.direction)[court.separated]
    length = _FIRST / gains.min() if len(gains) else 0.0
    point = court.x / court.units + length * direction
    starts = (court.predictors.to_x(problem.full(places)) / court.units + length * direction)[:, free]
    verdict = _verdict(whole.restricted(free, point), starts, space, court.alone)
    for _ in range(_DOUBLINGS if length else 0):
        if verdict is None or verdict.status in ("unbounded", "failed"):
            return None
        point[free] = verdict.z
        beyond = point + length * direction
        objective = whole.restricted(free, beyond)
        gain = float(objective.value(beyond[None, free])[0]) - verdict.value
        if gain <= _CHANGED * max(1.0, abs(verdict.value)):
            break
        farther = _verdict(objective, beyond[None, free], space, alone=True)
        if farther is None or verdict.status != "converged":
            return None
        verdict = replace(verdict, z=farther.z, value=farther.value, covariance=farther.covariance)
        point, length = beyond, 2.0 * length
    if verdict is None or verdict.status in ("unbounded", "failed"):
        return None
    point[free] = verdict.z
    x = point * court.units
    if court.exists and len(court.constant):
        # The member of the flat family that is nearest to the origin.
        basis = np.linalg.qr(court.constant.T)[0]
        x = x - basis @ (basis.T @ x)
    return LimitFit(x=x, free=free, verdict=verdict, space=space)


def _verdict(objective: Objective, starts: Array, space: Space, alone: bool) -> Verdict | None:
    """The maximum over what the limit determines: a concave function's is found by any climb, another's by a search."""
    if not objective.size:
        return replace(
            nothing(0, space), status="converged", value=float(objective.value(np.zeros((1, 0)))[0]), warnings=()
        )
    starts = starts[np.isfinite(objective.value(starts))]
    if not alone:
        return search(objective, starts, space)
    if not len(starts):
        return None
    ends = maximize(objective, starts, counts=np.ones(len(starts), dtype=int), max_iterations=_MAX_ITERATIONS)
    best = int(np.argmax(np.where(ends.state == "stationary", ends.value, -np.inf)))
    if ends.state[best] != "stationary":
        return None
    return replace(
        nothing(objective.size, space),
        status="converged",
        warnings=(),
        z=ends.z[best],
        value=float(ends.value[best]),
        gradient=ends.gradient[best],
        hessian=ends.hessian[best],
        covariance=curvature(ends.hessian[best]).inverse(),
        audit=account(ends, best, [], objective.tolerances),
    )


def objective_in_units(court: Court) -> Objective:
    """The weighted log-likelihood as a function of x in its units."""
    problem, likelihood, units = court.problem, court.predictors.objective(), court.units
    data = {**problem.functions.observed_data(), **(problem.data or {})}
    factors = (1.0, units, np.outer(units, units))

    def evaluate(order: int, points: Array, rows: Array) -> tuple[Array, ...]:
        found = likelihood.evaluate(order, points * units, 0.0, 0.0, problem.weights, data)
        return tuple(f * factor for f, factor in zip(found, factors, strict=False))

    return Objective(size=len(court.x), evaluate=evaluate, terms=problem.n_observations)


def _space(court: Court, free: Array) -> Space:
    """Names and natural values of some coordinates of x, the others held where the direction of recession takes them."""
    problem, places = court.problem, np.searchsorted(court.problem.kept, free)

    def natural(values: Array) -> Array:
        x = np.broadcast_to(court.x, (*values.shape[:-1], len(court.x))).copy()
        x[..., free] = values * court.units[free]
        return problem.functions.natural_flat(court.predictors.to_z(x))[..., problem.natural_kept]

    whole = problem.space
    return replace(
        whole,
        natural=natural,
        coordinates=[whole.coordinates[i] for i in places],
        transformed=whole.transformed[places] & court.predictors.held[free],
        period=np.broadcast_to(whole.period, whole.transformed.shape)[places],
    )


def natural_signs(court: Court) -> Array:
    """Signs (m,) of the infinities that natural values tend to: 0 for a finite limit, NaN where that is not determined."""
    functions, kept = court.problem.functions, court.problem.kept
    of_x = np.zeros(len(court.x))
    of_x[kept] = court.found.signs
    if court.exists:
        of_x = np.where(moved_coordinates(court.constant), np.nan, 0.0)
    result = np.zeros(functions.natural_size)
    for v in functions.free:
        if not court.predictors.held[v.flat].any():
            result[v.natural] = of_x[v.flat]
    return result


def moved_coordinates(directions: Array) -> Array:
    """Which coordinates (d,) some of the directions (k, d) change."""
    largest = np.abs(directions).max(axis=1, keepdims=True, initial=0.0)
    return np.any(np.abs(directions) > _MOVED * largest, axis=0)
