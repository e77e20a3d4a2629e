"""Profile curves of the likelihood and the intervals where they have fallen far enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy import stats

from pp_mlekl.estimation.limit_profile import limit_profile
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.profile_limits import profile_paths
from pp_mlekl.estimation.profile_result import Profile
from pp_mlekl.estimation.regular_maximum import regular_problem
from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import TO_THE_LIMIT
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.arguments import check_names
from pp_mlekl.utils.counts import check_count, check_memory
from pp_mlekl.utils.parallel import map_tasks

if TYPE_CHECKING:
    import distributed

    from pp_mlekl.estimation.point_estimate import PointEstimate

# A curve without a limit on one side is shown this many standard errors far.
_SHOWN = 3.0


def profile_of(
    functions: ModelFunctions,
    best: "PointEstimate",
    *,
    var_names: Sequence[str] | None,
    ci_prob: float,
    points: int,
    client: "distributed.Client | None" = None,
) -> Profile:
    """The profiles of a maximum, or of the limiting fit of separated observations; see ``profile``."""
    check_ci_prob(ci_prob)
    check_count("points", points, at_least=2)
    check_memory(int(points) * functions.size, f"{points} points")
    if best.existence is not None and best.existence.limit is not None:
        return limit_profile(functions, best, var_names, ci_prob, points)
    problem = regular_problem(functions, best, "A profile", penalized=True)
    coordinates = _coordinates(problem, var_names)
    # One batch has the same digits as one element after the other.
    tasks = [coordinates] if client is None else [[j] for j in coordinates]
    parts = map_tasks(partial(_profiles, problem, best, ci_prob, points), tasks, client)
    return Profile(
        curve=xr.concat([part.curve for part in parts], "parameter"),
        interval=xr.concat([part.interval for part in parts], "parameter"),
        ci_prob=ci_prob,
        warnings=tuple(warning for part in parts for warning in part.warnings),
    )


def _profiles(
    problem: Problem, best: "PointEstimate", ci_prob: float, points: int, coordinates: Sequence[int]
) -> Profile:
    """The profiles over some coordinates, in one batch."""
    elements = [_Element.at(problem, j) for j in coordinates]
    z = best.flat[problem.kept]
    drop = 0.5 * float(stats.chi2.ppf(ci_prob, 1))
    covariance = best.flat_covariance[np.ix_(problem.kept, problem.kept)]
    unknown = np.flatnonzero(~np.isfinite(np.diagonal(covariance)))
    if len(unknown):
        covariance = covariance.copy()
        covariance[unknown, unknown] = _widths(problem.objective, z, drop)[unknown] ** 2
    paths = profile_paths(
        problem.objective, z, coordinates, covariance=covariance, drop=drop, reach=problem.space.reach
    )
    natural, values = np.empty((2, len(paths), points))
    for row, (element, path) in enumerate(zip(elements, paths, strict=True)):
        j = path.coordinate
        grid = path.grid(z[j], _SHOWN * np.sqrt(covariance[j, j]), points)
        maxima, values[row] = path.curve(problem.objective, grid)
        natural[row] = [element.natural(problem, z, point) for point in maxima]
    limits = [[e.natural(problem, z, point) for point in path.limits] for e, path in zip(elements, paths, strict=True)]
    warnings: list[str] = []
    intervals = []
    for element, path, pair in zip(elements, paths, limits, strict=True):
        ends = [element.natural(problem, z, point) for point in path.points[[0, -1]]]
        # A bound from above alone turns the order around.
        order = [0, 1] if ends[0] <= ends[1] else [1, 0]
        intervals.append([pair[k] for k in order])
        warnings += [
            f"No {side} limit of {element.label}: at {ends[k]:.6g} the profile has fallen by {path.falls[k]:.3g} nats "
            f"of {drop:.3g}, and {path.reasons[k]}."
            for side, k in zip(("lower", "upper"), order, strict=True)
            if path.reasons[k]
        ]
    labels = [element.label for element in elements]
    curve = xr.Dataset(
        {"value": (("parameter", "point"), natural), "log_likelihood": (("parameter", "point"), values)},
        coords={"parameter": labels, "coordinate": ("parameter", [element.name for element in elements])},
    )
    interval = xr.DataArray(
        np.array(intervals), dims=("parameter", "bound"), coords={"parameter": labels, "bound": ["lower", "upper"]}
    )
    return Profile(curve=curve, interval=interval, ci_prob=ci_prob, warnings=tuple(warnings))


@dataclass(frozen=True, kw_only=True)
class _Element:
    """A scalar element of a free variable with a coordinate of its own.

    Parameters
    ----------
    coordinate
        Among those that are kept.
    place
        In the flat natural vector.
    label, name
        On the natural and on the unconstrained scale.
    circular, transformed
        Whether it is an angle, and whether it has bounds.
    """

    coordinate: int
    place: int
    label: str
    name: str
    circular: bool
    transformed: bool

    @classmethod
    def at(cls, problem: Problem, coordinate: int) -> "_Element":
        functions, flat = problem.functions, problem.kept[coordinate]
        v = next(v for v in functions.free if v.flat.start <= flat < v.flat.stop)
        place = v.natural.start + flat - v.flat.start
        return cls(
            coordinate=coordinate,
            place=place,
            label=functions.natural_names[place],
            name=functions.unconstrained_names[flat],
            circular=v.circular,
            transformed=v.transform_name is not None,
        )

    def natural(self, problem: Problem, z: Array, point: Array) -> float:
        """The natural value at a point (k,) of a profile from z (k,); its coordinate may be infinite or NaN."""
        value = point[self.coordinate]
        if np.isnan(value) or (np.isinf(value) and not self.transformed):
            return float(value)
        if self.circular:
            # An interval of angles is not cut at pi.
            centre = float(problem.functions.natural_flat(problem.full(z))[self.place])
            return centre + value - z[self.coordinate]
        with np.errstate(over="ignore"):
            near = np.clip(point, -TO_THE_LIMIT, TO_THE_LIMIT) if np.isinf(value) else point
            return float(problem.functions.natural_flat(problem.full(near))[self.place])


def _coordinates(problem: Problem, var_names: Sequence[str] | None) -> list[int]:
    usable = [v for v in problem.functions.free if v.name not in problem.absent and v.value_shape == v.shape]
    known = [v.name for v in usable]
    names = known if var_names is None else var_names
    check_names("var_names", names, known)
    places = [i for v in usable if v.name in names for i in range(v.flat.start, v.flat.stop)]
    return [int(np.searchsorted(problem.kept, i)) for i in places]


def _widths(objective: Objective, z: Array, drop: float) -> Array:
    """Lengths in place of standard errors, (d,): how far each coordinate moves alone until the objective falls by ``drop``."""
    steps = np.geomspace(1e-9, 1e3, 49)
    both = np.concatenate([np.eye(len(z)), -np.eye(len(z))])
    points = z + steps[:, None, None] * both * np.maximum(1.0, np.abs(z))
    lost = objective.value(z[None])[0] - objective.value(points.reshape(-1, len(z))).reshape(len(steps), 2, len(z))
    first = np.argmax(lost > drop, axis=0).min(axis=0)
    return steps[first] * np.maximum(1.0, np.abs(z)) / np.sqrt(2 * drop)
