"""Bent ways to infinity, and the supremum that is approached along a direction of recession."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pp_mlekl.optimize.audit.soft_directions import curved_nearby, curved_null, idle_coordinates, independent
from pp_mlekl.optimize.curvature import curvature, losses_along, rays, suspicious_directions
from pp_mlekl.optimize.numerical_noise import crosses_rounding, inexact, rounding
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import axes
from pp_mlekl.optimize.profile_paths import profile_paths
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

if TYPE_CHECKING:
    from pp_mlekl.optimize.audit.point import Point

# Minimum number of doublings of a coordinate along a bent path, and the distances by which a transformed coordinate moves on.
# The first half of the points lets the other coordinates catch up.
_DOUBLINGS = 7.0
_STEPS = np.arange(2.5, 35.1, 2.5)
# Maximum number of coordinates of irregular directions that are followed.
_MOST_INVOLVED = 3
# Largest and smallest number of losses, each a tenth of the one before, that show whether a way ends.
_TENTHS, _FEWEST_TENTHS = 12, 5
# Step of the path on which the places of these losses are found, and the number of bisections for each.
_SHORT, _HALVINGS = 0.5, 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Recession:
    """Directions along which the objective rises towards a finite supremum, and where it has come near to it.

    Parameters
    ----------
    directions
        Unit vectors (k, d); none where there are none.
    z, value
        The point (d,) from which they start, and the objective there.
    null
        Directions (l, d) along which the objective does not change there.
    covariance, irregular
        As in ``Verdict``, for the other directions there; None where the point is not wholly at the limit.
    """

    directions: Array
    z: Array
    value: float
    null: Array
    covariance: Array | None = None
    irregular: Array | None = None


def recession(point: "Point") -> Recession:
    """What leads to infinity or to a bound from a point: straight ways first, then bent ones."""
    none = np.zeros((0, len(point.z)))
    nothing = Recession(directions=none, z=point.z, value=point.value, null=none)
    if not point.stationary:
        return _departing(point) or nothing
    if not point.suspicious.any():
        return nothing
    soft = point.soft
    bent = _from_afar(point, soft.run_off)
    if bent is not None:
        return bent
    if len(soft.run_off):
        return _at_the_limit(point, soft.run_off, soft.null)
    # A ridge that hardly falls may be level about the point, and yet lead to infinity.
    return (_bends_away(point) if soft.singular or len(soft.null) else None) or nothing


def straight_ways(point: "Point") -> Array:
    """Unit vectors (k, d) away from the origin along which nothing is lost, while in the opposite direction much is.

    Some coordinates may have come to a kink (the location of a skew normal that becomes half-normal), so the way is also
    tried without what is small in it.
    """
    objective, reach = point.objective, point.space.reach
    direction = point.z - point.origin
    if np.linalg.norm(direction) <= 1.0:
        return np.zeros((0, len(point.z)))
    largest = np.abs(direction).max()
    bent = np.array([np.where(np.abs(direction) < share * largest, 0.0, direction) for share in (0.0, 0.01, 0.5)])
    # What moved farthest may have done so where it says nothing any more.
    moved = np.flatnonzero(np.abs(direction) > 1.0)[: point.tolerances.profile_parameters]
    alone = axes(moved, objective.size) * np.sign(direction)[moved, None]
    # One coordinate says it more simply than several.
    tried = np.concatenate([alone, -alone, bent / np.linalg.norm(bent, axis=1, keepdims=True)])
    near, everywhere = losses_along(objective, point.z, point.value, tried, reach)
    ahead = np.where(everywhere < point.tolerances.ray_loss, near, np.inf)
    # A search may have begun far from the origin already: the opposite direction leads beyond its start.
    back = losses_along(objective, point.z, point.value, -tried, reach + np.abs(direction))[1]
    return tried[(ahead < point.tolerances.ray_straight_loss) & (back > point.tolerances.ray_fall)]


def _departing(point: "Point") -> Recession | None:
    """The same where a search did not converge."""
    ways = point.straight_ways
    if len(ways):
        # A finite bound says more than infinity.
        finite = [way for way in ways if not point.space.limit(point.z, way).runs_off.any()]
        way = finite[0] if finite else ways[0]
        limit = _at_the_limit(point, way[None], np.zeros((0, len(way))))
        return _if_smooth(replace(limit, covariance=None, irregular=None), limit)
    direction = point.z - point.origin
    return _bent(point, direction) if np.linalg.norm(direction) > 1.0 else None


def _from_afar(point: "Point", run_off: Array) -> Recession | None:
    """A bent way of a coordinate without a transform that lies far from the origin.

    Near a supremum at infinity all slopes are numerical noise, and straight lines leave a bent valley (the limits between
    ordered categories that follow a coefficient) on both sides. A coordinate on one of the straight ways ``run_off`` (k, d) is not
    looked at, unless much is lost on it in the end.
    """
    moved = np.where(point.space.transformed, 0.0, point.z - point.origin)
    place = int(np.argmax(np.abs(moved)))
    if abs(moved[place]) < point.tolerances.far_multiple * max(1.0, abs(point.origin[place])):
        return None
    reach = point.space.reach
    ahead = losses_along(point.objective, point.z, point.value, run_off, reach)[1] if len(run_off) else np.zeros(0)
    straight = run_off[~(np.isfinite(ahead) & (ahead > point.tolerances.ray_fall))]
    if np.any(np.abs(straight[:, place]) > 0.1):
        return None
    return _bent(point, np.eye(len(point.z))[place] * moved[place])


def _bends_away(point: "Point") -> Recession | None:
    """Bent ways that irregular directions lead to.

    A slope that diverges while its product with a location stays (two doses with an infinitely steep curve between them)
    gains ever less with each e-folding, until all is rounding, and straight lines leave the way on both sides.
    """
    irregular = point.curvature.directions[~point.soft.regular]
    if point.objective.size > point.tolerances.profile_parameters or not len(irregular):
        return None
    share = np.abs(irregular).max(axis=0)
    places = np.flatnonzero(point.space.transformed & (share > point.tolerances.way_involved * share.max()))
    for place in places[np.argsort(-share[places], kind="stable")][:_MOST_INVOLVED].tolist():
        for sign in (1.0, -1.0):
            limit = _along_bent(point, place, sign)
            if limit is not None and (point.soft.singular or _is_endless(point, place, sign, limit)):
                covariance = point.curvature.inverse(point.soft.regular)
                return replace(limit, covariance=covariance, irregular=irregular)
    return None


def _is_endless(point: "Point", place: int, sign: float, limit: Recession) -> bool:
    """Whether a bent way along one coordinate comes to its supremum at infinity, and not at the end of a flat family.

    At a finite end a loss is a power of the distance from there: from each tenth of a loss to the next the coordinate moves by
    the same share of what it moved before (0.32 for a square). On the way to infinity this share tends to 1, also where the
    loss vanishes as fast as exp(-exp(z)).
    """
    objective, tolerances = point.objective, point.tolerances
    near = _lower_start(point, place)
    if near is None or sign * (limit.z[place] - near[place]) <= _SHORT:
        return False
    way = sign * axes(np.array([place]), len(near))
    distances = np.arange(_SHORT, sign * (limit.z[place] - near[place]), _SHORT)
    path = profile_paths(objective, near[None], way, distances)
    value = max(point.value, limit.value)
    noise = point.noise + objective.precision * max(1.0, abs(value))
    losses = tolerances.ray_fall * 0.1 ** np.arange(_TENTHS)
    losses = losses[losses > tolerances.noise_loss_multiple * noise]
    below = value - path.values <= losses
    first = below.argmax(axis=0)
    if len(losses) < _FEWEST_TENTHS or not below.any(axis=0).all():
        return False
    points = np.concatenate([near[None], path.points[:, 0]])
    low, high = points[first], points[first + 1]
    for _ in range(_HALVINGS):
        ends = maximize(objective, (low + high) / 2, held=np.repeat(way, len(low), axis=0), max_iterations=25)
        lost = value - ends.value > losses
        low[lost], high[~lost] = ends.z[lost], ends.z[~lost]
    moves = np.abs(np.diff(low[:, place]))
    # One of the last may be off by rounding.
    return bool(np.median(moves[-3:] - tolerances.way_tenth * moves[-4:-1]) > 0)


def _bent(point: "Point", direction: Array) -> Recession | None:
    """The same along a bent way: each time the farthest coordinate is doubled less is gained, all else following.

    A transformed coordinate, whose unit is an e-folding, goes on by equal steps instead.
    """
    if point.objective.size > point.tolerances.profile_parameters:
        return None
    transformed = point.space.transformed
    for kind in (~transformed, transformed):
        moved = np.where(kind, direction, 0.0)
        place = int(np.argmax(np.abs(moved)))
        if moved[place]:
            limit = _along_bent(point, place, float(np.sign(moved[place])))
            if limit is not None:
                return limit
    return None


def _along_bent(point: "Point", place: int, sign: float) -> Recession | None:
    """The same along one coordinate.

    Far from the origin the gains may be numerical noise, so the profile is also taken from near the origin.
    """
    objective, z = point.objective, point.z
    transformed = bool(point.space.transformed[place])
    way = sign * axes(np.array([place]), objective.size)
    # A way that ends lower than the point leads past its maximum.
    noise = point.tolerances.noise_multiple * float(rounding(objective, z[None])[0])
    lowest = point.value - max(point.tolerances.equal * max(1.0, abs(point.value)), noise)
    near = _lower_start(point, place)
    if near is None:
        return None
    for start, value in zip((z, near), objective.value(np.array([z, near])).tolist(), strict=True):
        if not np.isfinite(value):
            continue
        # Where a density is soon undefined, shorter steps still show where it goes.
        long = _STEPS if transformed else _doubled(float(start[place]), float(z[place]))
        for steps, every in ((long, 2), (_STEPS / 5, 1))[: 1 + transformed]:
            paths = profile_paths(objective, start[None], way, steps)
            points, values = paths.points[every - 1 :: every, 0], paths.values[every - 1 :: every, 0]
            known = int(np.logical_and.accumulate(np.isfinite(values)).sum())
            points, values = points[:known], values[:known]
            if known >= point.tolerances.way_known:
                break
        onto = (
            known >= point.tolerances.way_known and sign * (points[-1, place] - z[place]) > point.tolerances.way_beyond
        )
        if onto and values[-1] > lowest and _to_a_supremum(objective, value, points, values):
            onward = _lasting(points, place, point.space.transformed, point.tolerances)
            limit = Recession(
                directions=onward,
                z=points[-1],
                value=float(values[-1]),
                null=np.zeros((0, len(z))),
            )
            there = _known_there(point, limit.directions, limit.z, limit.value, limit.null)
            # What still follows on the way has no variance of its own.
            others = ~onward.any(axis=0)
            followed = np.abs(points[-1] - points[len(points) // 2])[others]
            assert there.covariance is not None
            errors = np.sqrt(np.diagonal(there.covariance))[others]
            still = np.all(followed < point.tolerances.mode_distance * errors)
            return _if_smooth(limit, there) if still else limit
    return None


def _lower_start(point: "Point", place: int) -> Array | None:
    """A point (d,) nearer to the origin where much has been lost; None where the path lies in a family of equal maxima.

    The farther a search has come, the less is lost at a share of its way: the coordinate is pulled back until it is of moderate
    size.
    """
    moved, share = abs(point.z[place] - point.origin[place]), 1.0
    moderate = max(1.0, abs(point.origin[place]))
    while share == 1.0 or share * moved > moderate:
        share *= point.tolerances.far_early
        near = point.pulled_back(place, share)
        if point.value - float(point.objective.value(near[None])[0]) > point.tolerances.ray_fall:
            return near
    return None


def _doubled(start: float, beyond: float) -> Array:
    """Distances at which a coordinate at ``start`` has been doubled again and again, to well beyond another place."""
    size = max(1.0, abs(start))
    doublings = max(_DOUBLINGS, np.ceil(np.log2(abs(beyond - start) / size + 1.0)) + 1.0)
    return size * (2.0 ** np.arange(0.5, doublings + 0.1, 0.5) - 1)


def _lasting(points: Array, place: int, transformed: Array, tolerances: Tolerances) -> Array:
    """The directions (k, d) at the end of a path through points (l, d) along a coordinate.

    The first is the path's, without coordinates that converge. A logarithm that moves on by as much at each doubling of what
    has no bound (a scale that grows as its root) has no part in it, and a direction of its own.
    """
    middle = len(points) // 2
    first, second = points[middle] - points[0], points[-1] - points[middle]
    resting = np.abs(second / second[place]) < tolerances.way_rest * np.abs(first / first[place])
    way = np.where(resting | (np.abs(second) < tolerances.way_share * np.abs(second).max()), 0.0, second)
    apart = transformed & ~transformed[place] & (way == 0) & (np.abs(second) > tolerances.way_beyond)
    apart &= np.abs(second) > tolerances.way_rest * np.abs(first)
    alone = axes(np.flatnonzero(apart), points.shape[1]) * np.sign(second)
    return np.concatenate([way[None] / np.linalg.norm(way), alone])


def _to_a_supremum(objective: Objective, value: float, points: Array, values: Array) -> bool:
    """Whether values (k,) at points (k, d) on a way from ``value`` rise all along, and from some place on by less and less."""
    gains = np.diff(values, prepend=value)
    noise = objective.precision * max(1.0, abs(value)) + rounding(objective, points).max()
    later = gains[int(np.argmax(gains)) :]
    falling = np.all(later[1:] < objective.tolerances.way_ratio * later[:-1] + noise)
    return bool(np.all(gains[1:] > -noise) and falling and len(later) >= objective.tolerances.way_later)


def _at_the_limit(point: "Point", run_off: Array, null: Array) -> Recession:
    """The point moved on along straight ways until the supremum is reached to rounding, and what is known there."""
    objective, space = point.objective, point.space
    directions = space.distinct(point.z, run_off)
    needed = _needed(point, directions)
    directions, null = directions[needed], np.concatenate([null, directions[~needed]])
    if objective.large:
        return Recession(directions=directions, z=point.z, value=point.value, null=null)
    onward = directions.sum(axis=0)[None] / np.linalg.norm(directions.sum(axis=0))
    trial = np.concatenate([point.z[None], rays(point.z, onward, space.reach)[:, 0]])
    trial = trial[np.isfinite(objective.value(trial))]
    lost = np.logical_or.accumulate(crosses_rounding(objective, trial[:-1], trial[1:]))
    trial = trial[np.append(True, ~lost)]
    ends = maximize(objective, trial, held=np.repeat(onward, len(trial), axis=0), max_iterations=20)
    # The nearest point will do: the farther, the less is left of the other parameters' precision.
    arrived = np.isfinite(ends.value)
    ends = replace(ends, z=ends.z[arrived], value=ends.value[arrived])
    if not len(ends.z):
        # The density is undefined as soon as a coordinate is moved.
        return Recession(directions=directions, z=point.z, value=point.value, null=null)
    # What rounding may have made is no gain.
    doubt = point.tolerances.noise_multiple * inexact(objective, ends.z) + objective.precision * max(
        1.0, abs(point.value)
    )
    gains = np.append(np.diff(ends.value) - doubt[1:], -np.inf)
    first = int(np.argmax(gains <= 0.0))
    z, value = ends.z[first], float(ends.value[first])
    return _known_there(point, directions, z, value, null)


def _known_there(point: "Point", directions: Array, z: Array, value: float, null: Array) -> Recession:
    """What is known at z (d,) of the directions other than those of recession (k, d) and the flat ones ``null`` (l, d)."""
    objective, space = point.objective, point.space
    _, _, hessian = objective.hessian(z[None])
    found, suspicious = suspicious_directions(objective, z, value, hessian[0], space.reach, held=directions)
    # What is curved at the maximum, though it hardly falls farther off, has an estimate all the same.
    suspicious[suspicious] = ~curved_nearby(objective, z, value, found.directions[suspicious])
    null = np.concatenate([null, idle_coordinates(objective, z, value, [*null, *directions])])
    bent = _bent_families(objective, z, value, hessian[0], np.concatenate([null, directions]))
    return Recession(
        directions=directions,
        z=z,
        value=value,
        null=np.concatenate([null, bent]),
        covariance=found.inverse(~suspicious),
        irregular=found.directions[suspicious],
    )


def _if_smooth(limit: Recession, known: Recession) -> Recession:
    """What is known at a limit, if all of it is regular: what is at a kink has a value, though no variance."""
    return known if known.irregular is not None and not len(known.irregular) else limit


def _bent_families(objective: Objective, z: Array, value: float, hessian: Array, known: Array) -> Array:
    """Unit directions (k, d), beside those known, in which a surface of equal value through z bends away.

    A scale that no longer matters may leave but the sum of two variances to be known.
    """
    whole = curvature(hessian, held=independent(known))
    flat = whole.directions[whole.eigenvalues < objective.tolerances.rank_eigenvalue]
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return flat[curved_null(objective, z, value, flat)]


def _needed(point: "Point", directions: Array) -> Array:
    """Which directions of recession (k, d) are needed to reach the supremum, (k,) of bool.

    Where one parameter at its bound leaves another without effect, the direction of that one is not needed. Directions to
    infinity are dropped first.
    """
    objective, z, reach = point.objective, point.z, point.space.reach
    needed = np.ones(len(directions), dtype=bool)
    finite = np.array([not point.space.limit(z, way).runs_off.any() for way in directions])
    value = float(objective.value(z[None])[0])
    for k in np.argsort(finite, kind="stable").tolist():
        others = needed & (np.arange(len(directions)) != k)
        if not others.any():
            break
        onward = directions[others].sum(axis=0)
        points = rays(z, onward[None] / np.linalg.norm(onward), reach)[:, 0]
        back = rays(z, -directions[[k]], reach)[:, 0] - z
        fallen = np.flatnonzero(value - objective.value(z + back) > point.tolerances.ray_fall)
        if not len(fallen):
            continue
        before = points + back[fallen[0]]
        values = objective.value(np.array([points, before]).reshape(-1, len(z))).reshape(2, -1)
        known = np.flatnonzero(np.isfinite(values).all(axis=0) & ~crosses_rounding(objective, points, before))
        needed[k] = not len(known) or np.ptp(values[:, known[-1]]) > point.tolerances.ray_redundant
    return needed
