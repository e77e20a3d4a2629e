"""Profiles of likelihoods without a maximum, whose observations are separated."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy import stats
from scipy.optimize import brentq

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.profile_limits import constrained_maxima, profile_paths
from pp_mlekl.estimation.profile_result import Profile
from pp_mlekl.estimation.separation import Court, LimitFit, convened, limit_fit, natural_signs, objective_in_units
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.arguments import check_names

if TYPE_CHECKING:
    from pp_mlekl.estimation.point_estimate import PointEstimate

# A profile is followed back up to this multiple of the distance of the limiting fit.
_FARTHEST = 1e6
# A curve towards a supremum ends where this fraction of the fall at its bound is left.
_NEAR = 0.02


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
    if var_names is not None:
        check_names("var_names", var_names, known)
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
        covariance = np.full((len(far), len(far)), np.nan)
        covariance[coordinate, coordinate] = fit.verdict.covariance[place, place]
        (path,) = profile_paths(objective, far, [coordinate], covariance=covariance, drop=drop)
        low, high = path.limits[:, coordinate]
        grid = path.grid(far[coordinate], 3.0 * np.sqrt(fit.verdict.covariance[place, place]), points)
        return unit * grid, path.curve(objective, grid)[1], (unit * low, unit * high)

    def along(distance: float) -> tuple[Array, float]:
        # Back along the direction of recession no other predictor changes.
        held = np.array([coordinate])
        ends, values, _ = constrained_maxima(objective, (far - distance * direction)[None], held)
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
