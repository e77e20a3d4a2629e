"""Profile curves of the likelihood and the intervals where they have fallen far enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats
from scipy.optimize import brentq

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.regular_maximum import regular_problem
from pp_mlekl.estimation.separation import Court, LimitFit, convened, limit_fit, natural_signs, objective_in_units
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.optimize.audit.nonsmooth import climb_kinks
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.display import Display, Displayed

if TYPE_CHECKING:
    from pp_mlekl.estimation.point_estimate import PointEstimate

_BISECTIONS = 40
# A profile is followed back up to this multiple of the distance of the limiting fit.
_FARTHEST = 1e6
# A curve towards a supremum ends where this fraction of the fall at its bound is left.
_NEAR = 0.02


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Profile(Displayed):
    """Profile curves and intervals.

    Parameters
    ----------
    curve
        Dataset over (``parameter``, ``point``): the parameter's ``value`` and the ``log_likelihood`` at the maximum
        over all others, in nats.
    interval
        (``parameter``, ``bound``): where the curve has fallen by half the chi-squared quantile; infinite where it
        never falls so far.
    ci_prob
        Coverage of the intervals.
    """

    curve: xr.Dataset
    interval: xr.DataArray
    ci_prob: float

    def summary(self) -> pd.DataFrame:
        """One row for each parameter: the ends of its interval."""
        tails = [f"{50 * (1 - self.ci_prob):.3g}%", f"{50 * (1 + self.ci_prob):.3g}%"]
        index = pd.Index(self.interval["parameter"].values, name="parameter")
        return pd.DataFrame(self.interval.values, columns=tails, index=index)

    def _display(self) -> Display:
        return Display(title="Profile likelihood", table=self.summary())


def profile_of(
    functions: ModelFunctions,
    best: "PointEstimate",
    *,
    var_names: str | Sequence[str] | None,
    ci_prob: float,
    points: int,
) -> Profile:
    """The profiles of a maximum, or of the limiting fit of separated observations; see ``profile``."""
    if best.existence is not None and best.existence.limit is not None:
        return limit_profile(functions, best, var_names, ci_prob, points)
    check_ci_prob(ci_prob)
    problem = regular_problem(functions, best, "A profile", penalized=True)
    coordinates = _coordinates(problem, var_names)
    z = best.flat[problem.kept]
    drop = 0.5 * float(stats.chi2.ppf(ci_prob, 1))
    error = np.sqrt(np.diagonal(best.flat_covariance))[problem.kept]
    if not np.all(np.isfinite(error)):
        error = np.where(np.isfinite(error), error, _widths(problem.objective, z, drop))
    reach = problem.space.reach
    ends = np.array([_crossings(problem.objective, z, j, error[j], drop, reach[j]) for j in coordinates])
    grid = _grid(z[coordinates], error[coordinates], ends, points)
    values, natural = _curves(problem, z, coordinates, grid)
    names = [functions.unconstrained_names[problem.kept[j]] for j in coordinates]
    labels = [_natural_label(problem, j) for j in coordinates]
    limits = np.array(
        [[_natural_at(problem, z, j, end) for end in pair] for j, pair in zip(coordinates, ends, strict=True)]
    )
    curve = xr.Dataset(
        {"value": (("parameter", "point"), natural), "log_likelihood": (("parameter", "point"), values)},
        coords={"parameter": labels, "coordinate": ("parameter", names)},
    )
    return Profile(curve=curve, interval=_labelled_ends(limits, natural, labels), ci_prob=ci_prob)


def _labelled_ends(limits: Array, natural: Array, labels: list[str]) -> xr.DataArray:
    """Intervals from natural values (k, 2) at the ends of the coordinates; reversed where the curve's points (k, p) fall."""
    falling = natural[:, -1] < natural[:, 0]
    ends = np.where(falling[:, None], limits[:, ::-1], limits)
    return xr.DataArray(ends, dims=("parameter", "bound"), coords={"parameter": labels, "bound": ["lower", "upper"]})


def limit_profile(
    functions: ModelFunctions,
    estimate: "PointEstimate",
    var_names: str | Sequence[str] | None,
    ci_prob: float,
    points: int,
) -> Profile:
    """The profile of a likelihood without a maximum, whose observations are separated.

    Parameters
    ----------
    functions, estimate
        The model, and its estimate at infinity.
    var_names, ci_prob, points
        As for ``profile``.

    Raises
    ------
    ValueError
        Where the estimate belongs to another model, or a variable cannot be profiled.
    """
    check_belongs(functions, estimate)
    given = {name: estimate.settings.get(name) for name in ("weights", "data")}
    problem = Problem(functions=functions, kind="mle", **given)
    court = convened(problem)
    fit = None if court is None else limit_fit(court, problem.base[None, problem.kept])
    if court is None or fit is None:
        raise ValueError("A profile needs the limiting fit of the separated observations, which was not found again.")
    places, signs = court.predictors.natural_places(), natural_signs(court)
    names = np.array(functions.natural_names)
    known = [v.name for v in functions.free]
    if isinstance(var_names, str):
        var_names = [var_names]
    if var_names is not None and set(var_names) - set(known):
        raise ValueError(f"{list(var_names)} cannot be profiled; choose of {known}.")
    wanted = {
        j: place
        for j, place in places.items()
        if var_names is None or any(v.name in var_names and v.flat.start <= j < v.flat.stop for v in functions.free)
    }
    objective = objective_in_units(court).restricted(problem.kept, court.x / court.units)
    curves = [_limit_curve(court, objective, fit, j, signs[place], ci_prob, points) for j, place in wanted.items()]
    labels = names[list(wanted.values())].tolist()
    coords = {"parameter": labels, "coordinate": ("parameter", labels)}
    curve = xr.Dataset(
        {
            "value": (("parameter", "point"), np.array([c[0] for c in curves])),
            "log_likelihood": (("parameter", "point"), np.array([c[1] for c in curves])),
        },
        coords=coords,
    )
    ends = xr.DataArray(
        np.array([c[2] for c in curves]),
        dims=("parameter", "bound"),
        coords={"parameter": labels, "bound": ["lower", "upper"]},
    )
    return Profile(curve=curve, interval=ends, ci_prob=ci_prob)


def _limit_curve(
    court: Court, objective: Objective, fit: LimitFit, j: int, sign: float, ci_prob: float, points: int
) -> tuple[Array, Array, tuple[float, float]]:
    """Values of the coordinate j of x, the profile at them, and the ends of its interval."""
    if np.isnan(sign):
        # It tends to plus infinity along some directions of recession and to minus infinity along others.
        return np.full(points, np.nan), np.full(points, fit.verdict.value), (-np.inf, np.inf)
    unit, coordinate = court.units[j], int(np.searchsorted(court.problem.kept, j))
    direction = court.direction[court.problem.kept] / court.units[court.problem.kept]
    far = fit.x[court.problem.kept] / court.units[court.problem.kept]
    if sign == 0:
        drop = 0.5 * float(stats.chi2.ppf(ci_prob, 1))
        place = int(np.flatnonzero(fit.free == j)[0])
        error = float(np.sqrt(fit.verdict.covariance[place, place]))
        low, high = _crossings(objective, far, coordinate, error, drop, np.inf)
        grid = _grid(far[[coordinate]], np.array([error]), np.array([[low, high]]), points)[0]
        starts = np.repeat(far[None], points, axis=0)
        starts[:, coordinate] = grid
        return unit * grid, constrained_maximum(objective, starts, coordinate)[1], (unit * low, unit * high)

    def along(distance: float) -> tuple[Array, float]:
        # Back along the direction of recession no other predictor changes.
        ends, values = constrained_maximum(objective, (far - distance * direction)[None], coordinate)
        return ends[0, coordinate], float(values[0])

    def falls_by(drop: float) -> float:
        """The distance back at which the profile has fallen by ``drop`` nats; infinite where it does not."""
        level, inner, outer = fit.verdict.value - drop, 0.0, 1.0
        while along(outer)[1] > level:
            inner, outer = outer, 2.0 * outer
            if outer > _FARTHEST * np.abs(far).max():
                return np.inf
        # Far from the supremum the likelihood may be 0.
        return float(brentq(lambda t: max(along(t)[1] - level, -1e3), inner, outer, xtol=1e-10 * outer))

    drop = -float(np.log1p(-ci_prob))
    distance, near = falls_by(drop), falls_by(_NEAR * drop)
    if np.isinf(distance):
        return np.full(points, np.nan), np.full(points, np.nan), (-np.inf, np.inf)
    bound = unit * along(distance)[0]
    curve = [along(t) for t in np.linspace(distance + 0.2 * (distance - near), near, points)]
    ends = (bound, np.inf) if sign > 0 else (-np.inf, bound)
    return unit * np.array([c[0] for c in curve]), np.array([c[1] for c in curve]), ends


def _coordinates(problem: Problem, var_names: str | Sequence[str] | None) -> list[int]:
    usable = [v for v in problem.functions.free if v.name not in problem.absent and v.value_shape == v.shape]
    if isinstance(var_names, str):
        var_names = [var_names]
    names = [v.name for v in usable] if var_names is None else list(var_names)
    unknown = [name for name in names if name not in [v.name for v in usable]]
    if unknown:
        raise ValueError(f"{unknown} cannot be profiled; choose of {[v.name for v in usable]}.")
    places = [i for v in usable if v.name in names for i in range(v.flat.start, v.flat.stop)]
    return [int(np.searchsorted(problem.kept, i)) for i in places]


def _natural_label(problem: Problem, coordinate: int) -> str:
    place = problem.kept[coordinate]
    v = next(v for v in problem.functions.free if v.flat.start <= place < v.flat.stop)
    return problem.functions.natural_names[v.natural.start + place - v.flat.start]


def _natural_at(problem: Problem, z: Array, coordinate: int, value: float) -> float:
    moved = z.copy()
    moved[coordinate] = np.clip(value, -800.0, 800.0) if np.isinf(value) else value
    place = problem.kept[coordinate]
    v = next(v for v in problem.functions.free if v.flat.start <= place < v.flat.stop)
    if v.circular:
        # An interval of angles is not cut at pi.
        centre = float(problem.functions.natural_flat(problem.full(z))[v.natural.start + place - v.flat.start])
        return centre + value - z[coordinate]
    if np.isinf(value) and v.transform_name is None:
        return value
    with np.errstate(over="ignore"):
        return float(problem.functions.natural_flat(problem.full(moved))[v.natural.start + place - v.flat.start])


def constrained_maximum(objective: Objective, starts: Array, coordinate: int) -> tuple[Array, Array]:
    """Maximise over everything but one coordinate, from each start (b, d): points and values.

    Searches that converge to a kink of the objective continue along it.
    """
    axis = np.zeros(starts.shape[1])
    axis[coordinate] = 1.0
    ends = maximize(objective, starts, held=np.repeat(axis[None], len(starts), axis=0), max_iterations=60)
    others = np.delete(np.arange(starts.shape[1]), coordinate)
    for row in np.flatnonzero((ends.state == "stuck") & np.isfinite(ends.value)) if len(others) else ():
        follower = objective.restricted(others, ends.z[row])
        (ends.z[row, others],), (ends.value[row],) = climb_kinks(follower, ends.z[[row]][:, others])
    return ends.z, ends.value


def _widths(objective: Objective, z: Array, drop: float) -> Array:
    """Lengths in place of standard errors, (d,): how far each coordinate moves alone until the objective falls by ``drop``."""
    steps = np.geomspace(1e-9, 1e3, 49)
    both = np.concatenate([np.eye(len(z)), -np.eye(len(z))])
    points = z + steps[:, None, None] * both * np.maximum(1.0, np.abs(z))
    lost = objective.value(z[None])[0] - objective.value(points.reshape(-1, len(z))).reshape(len(steps), 2, len(z))
    first = np.argmax(lost > drop, axis=0).min(axis=0)
    return steps[first] * np.maximum(1.0, np.abs(z)) / np.sqrt(2 * drop)


def _crossings(
    objective: Objective, z: Array, coordinate: int, error: float, drop: float, reach: float
) -> tuple[float, float]:
    """Where the profile has fallen by ``drop`` on either side, by bracketing and regula falsi (Illinois).

    Infinite where it has not fallen within ``reach``, beyond which the density is not representable in floating point.
    """
    top = float(objective.value(z[None])[0])
    found = []
    for side in (-1.0, 1.0):
        inner, inner_gap, point = z[coordinate], drop, z.copy()
        outer = inner
        for k in range(12):
            if k and abs(outer - z[coordinate]) >= reach:
                outer = side * np.inf
                break
            outer = z[coordinate] + side * min(error * np.sqrt(2 * drop) * 1.6**k, reach)
            point, gap = _gap(objective, point, coordinate, outer, top - drop)
            if gap < 0:
                break
            inner, inner_gap = outer, gap
        else:
            outer = side * np.inf
        if np.isinf(outer):
            found.append(outer)
            continue
        found.append(_root(objective, point, coordinate, (inner, inner_gap), (outer, gap), top - drop))
    return found[0], found[1]


def _gap(objective: Objective, point: Array, coordinate: int, value: float, level: float) -> tuple[Array, float]:
    start = point.copy()
    start[coordinate] = value
    ends, values = constrained_maximum(objective, start[None], coordinate)
    return ends[0], float(values[0]) - level


def _root(
    objective: Objective,
    point: Array,
    coordinate: int,
    inner: tuple[float, float],
    outer: tuple[float, float],
    level: float,
) -> float:
    (a, fa), (b, fb) = inner, outer
    for _ in range(_BISECTIONS):
        # A profile is nearly a parabola: the root of the gap's root is nearly linear.
        c = (a * fb - b * fa) / (fb - fa) if np.isfinite(fa) and np.isfinite(fb) else 0.5 * (a + b)
        point, fc = _gap(objective, point, coordinate, c, level)
        if abs(fc) < 1e-9 or abs(b - a) < 1e-12 * max(1.0, abs(c)):
            return c
        if fc * fb < 0:
            a, fa = b, fb
        else:
            fa *= 0.5
        b, fb = c, fc
    return b


def _grid(z: Array, error: Array, ends: Array, points: int) -> Array:
    wide = 3.0 * error
    low = np.where(np.isfinite(ends[:, 0]), z - 1.2 * (z - ends[:, 0]), z - wide)
    high = np.where(np.isfinite(ends[:, 1]), z + 1.2 * (ends[:, 1] - z), z + wide)
    return np.linspace(low, high, points, axis=1)


def _curves(problem: Problem, z: Array, coordinates: list[int], grid: Array) -> tuple[Array, Array]:
    values, natural = np.empty(grid.shape), np.empty(grid.shape)
    for row, coordinate in enumerate(coordinates):
        starts = np.repeat(z[None], grid.shape[1], axis=0)
        starts[:, coordinate] = grid[row]
        _, values[row] = constrained_maximum(problem.objective, starts, coordinate)
        natural[row] = [_natural_at(problem, z, coordinate, value) for value in grid[row]]
    return values, natural
